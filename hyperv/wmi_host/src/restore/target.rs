//! What a restore finds on a host (requirements PRE-33, REST-24, REST-27).

use hyperv_host::{HostError, TargetHost, TargetVm, TargetVolume};
use support_matrix::matrix;
use wmi::{CIMV2, Instance, VIRTUALIZATION, WmiError, WmiErrorKind, WmiSession};

use super::settle::half_made_names;
use crate::WmiHost;
use crate::facts::{HostFacts, VmFacts, WindowsVersion, read_switches};
use crate::host_failure::host_failure;

/// Reads what the host has and bears: a dozen calls more than its VMs take. Nothing is touched.
pub(super) fn target(host: &WmiHost) -> Result<TargetHost, HostError> {
    let facts = host.host_facts()?;
    let session = &*host.session;
    let read = of_host(session, &facts);
    let mut target =
        read.map_err(|error| host_failure(session.host(), "reading what the host bears", error))?;
    let half_made = half_made_names(host)?;
    let vms = facts.vms.iter().filter(|vm| !half_made.contains(&vm.name));
    target.vms = vms.map(vm_of).collect();
    Ok(target)
}

fn of_host(session: &dyn WmiSession, facts: &HostFacts) -> Result<TargetHost, WmiError> {
    let windows = first(session, CIMV2, "Win32_OperatingSystem")?;
    let machine = first(session, CIMV2, "Win32_ComputerSystem")?;
    let processor = first(session, CIMV2, "Win32_Processor")?;
    let class = "Msvm_VirtualSystemManagementServiceSettingData";
    let service = first(session, VIRTUALIZATION, class)?;
    let state = &facts.host;
    let folder = |name: &str| {
        let folder = service.text(name).unwrap_or_default();
        folder.trim_end_matches('\\').to_owned()
    };
    let mut versions = supported_versions(session)?;
    if versions.is_empty() {
        versions = versions_of(&state.windows);
    }
    let volumes = state.volumes.iter().map(|volume| TargetVolume {
        mount: volume.mount.to_uppercase(),
        free_bytes: volume.free_bytes,
    });
    Ok(TargetHost {
        computer: state.computer.clone(),
        caption: state.windows.caption.clone(),
        version: state.windows.version,
        is_desktop: state.windows.is_desktop,
        is_cluster: state.cluster.is_some(),
        default_version: newest(&versions),
        versions,
        processor: processor_text(&processor),
        logical_processors: machine.number("NumberOfLogicalProcessors").unwrap_or(0),
        memory_bytes: machine.number("TotalPhysicalMemory").unwrap_or(0),
        // Windows counts it in KiB.
        free_memory_bytes: windows
            .number::<u64>("FreePhysicalMemory")
            .map(|kib| kib.saturating_mul(1024)),
        volumes: volumes.collect(),
        switches: read_switches(session)?,
        disk_folder: folder("DefaultVirtualHardDiskPath"),
        configuration_folder: folder("DefaultExternalDataRoot"),
        vms: Vec::new(),
    })
}

/// Reads the first of a class; an empty instance where there is none.
fn first(session: &dyn WmiSession, namespace: &str, class: &str) -> Result<Instance, WmiError> {
    match session.query_all(namespace, &format!("SELECT * FROM {class}")) {
        Err(error) if error.kind() == WmiErrorKind::NoClass => Ok(Instance::default()),
        other => Ok(other?.into_iter().next().unwrap_or_default()),
    }
}

fn processor_text(processor: &Instance) -> Option<String> {
    let name = processor.text("Name")?;
    let name = name.trim();
    let maker = processor.text("Manufacturer").unwrap_or_default();
    Some(match name.contains(maker.trim()) {
        true => name.to_owned(),
        false => format!("{} {name}", maker.trim()),
    })
}

/// Asks the host for the configuration versions that it has: the settings that its capabilities
/// define, which `Get-VMHostSupportedVersion` shows. Contract: 1.6 [M]
fn supported_versions(session: &dyn WmiSession) -> Result<Vec<String>, WmiError> {
    let wql = "SELECT * FROM Msvm_VirtualSystemSettingData WHERE InstanceID LIKE \
               \"Microsoft:Definition%\"";
    let found = match session.query_all(VIRTUALIZATION, wql) {
        Err(error) if matches!(error.kind(), WmiErrorKind::NoClass | WmiErrorKind::BadQuery) => {
            return Ok(Vec::new());
        }
        other => other?,
    };
    let mut versions: Vec<String> = found.iter().filter_map(|own| own.text("Version")).collect();
    versions.sort_by_key(|own| number_of(own));
    versions.dedup();
    Ok(versions)
}

/// Returns the configuration versions that this Windows is documented to run; none where it is not
/// in the table, or newer than it.
fn versions_of(windows: &WindowsVersion) -> Vec<String> {
    let (version, is_desktop) = (windows.version, windows.is_desktop);
    if matrix().is_newer_than_known(version, is_desktop) {
        return Vec::new();
    }
    let row = matrix().host(version, is_desktop);
    row.map_or_else(Vec::new, |row| row.configurations.clone())
}

/// Returns the newest, which is the one that new VMs get unless somebody says otherwise.
/// Contract: 1.6 [M]
fn newest(versions: &[String]) -> Option<String> {
    versions.iter().max_by_key(|own| number_of(own)).cloned()
}

fn number_of(version: &str) -> (u32, u32) {
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    (major.parse().unwrap_or(0), minor.parse().unwrap_or(0))
}

fn vm_of(vm: &VmFacts) -> TargetVm {
    let disk = |disk: &crate::facts::DiskFacts| {
        let slot = disk
            .slot
            .filter(|_| disk.kind != hyperv_host::DiskKind::PassThrough)?;
        Some((slot, disk.path.clone()))
    };
    TargetVm {
        identity: vm.identity(),
        name: vm.name.clone(),
        state: vm.state,
        node: None,
        is_clustered: vm.clustered,
        is_replicated: vm.replication.is_replica() || vm.replication.is_primary(),
        configuration_folder: vm.settings.configuration_root.clone().unwrap_or_default(),
        disks: vm.disks.iter().filter_map(disk).collect(),
        checkpoints: vm.snapshots.len(),
    }
}
