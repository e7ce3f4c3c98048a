//! Volumes that hold VM files, as VSS sees them (requirements PRE-11, PRE-12).

use std::collections::{BTreeMap, BTreeSet};

use hyperv_host::{Finding, Severity};
use support_matrix::matrix;
use vss::VssErrorKind;

use super::not_looked::NotLooked;
use crate::WmiHost;
use crate::facts::{
    HostFacts, HostState, ShadowStorage, VmFacts, VolumeFacts, read_shadow_storage,
};

/// Room below which a snapshot is thrown away sooner or later, as a part of the volume.
const STORAGE_PART: u64 = 20;
/// Room that is enough whatever the volume's size.
const STORAGE_ENOUGH_BYTES: u64 = 32 << 30;

pub(super) fn findings(
    host: &WmiHost,
    facts: &HostFacts,
    not_looked: &mut NotLooked,
) -> Vec<Finding> {
    let mut of_volumes: BTreeMap<&str, (&VolumeFacts, Vec<&str>)> = BTreeMap::new();
    for vm in &facts.vms {
        for volume in touched(vm, &facts.host) {
            let (_, vms) = of_volumes
                .entry(&volume.mount)
                .or_insert_with(|| (volume, Vec::new()));
            vms.push(&vm.name);
        }
    }
    let storage = read_shadow_storage(&*host.session).unwrap_or_else(|error| {
        not_looked.add("where shadow storage lies", error);
        Vec::new()
    });
    let mut found = Vec::new();
    for (volume, vms) in of_volumes.values() {
        found.extend(without_snapshots(host, volume, vms, not_looked));
        found.extend(storage_elsewhere(volume, &facts.host, &storage));
        found.extend(storage_small(volume, &storage));
    }
    found
}

/// Returns the volumes that files of a VM lie on: disks, configuration, checkpoints.
fn touched<'a>(vm: &VmFacts, host: &'a HostState) -> Vec<&'a VolumeFacts> {
    let roots = [&vm.settings.configuration_root, &vm.settings.snapshot_root];
    let disks = vm.disks.iter().filter(|disk| disk.is_freezable());
    let paths = disks
        .map(|disk| disk.path.as_str())
        .chain(roots.into_iter().flatten().map(String::as_str));
    let mut seen = BTreeSet::new();
    paths
        .filter_map(|path| host.volume_of(path))
        .filter(|volume| seen.insert(&volume.mount))
        .collect()
}

fn without_snapshots(
    host: &WmiHost,
    volume: &VolumeFacts,
    vms: &[&str],
    not_looked: &mut NotLooked,
) -> Option<Finding> {
    let by_name = volume
        .file_system
        .as_deref()
        .and_then(|name| matrix().volume(name));
    let why = match by_name {
        Some(row) if !row.snapshots => format!("it is {}", row.name),
        _ => refused(host, volume, not_looked)?,
    };
    let text = format!(
        "VSS makes no snapshots of {}: {why}; files of these VMs lie on it: {}",
        volume.mount.to_uppercase(),
        vms.join(", ")
    );
    Some(Finding::new("HOST-VSS-VOLUME", Severity::Warn, text).cure(
        "move their files to a volume with NTFS or ReFS, or to a cluster shared volume; \
             recovery checkpoints (--mode cbt, --mode standard) need no snapshot of it",
    ))
}

/// Asks the host's own VSS, where it can be asked; that it cannot is told with its writer.
fn refused(host: &WmiHost, volume: &VolumeFacts, not_looked: &mut NotLooked) -> Option<String> {
    let error = host.vss.as_ref()?.volume_of(&volume.mount).err()?;
    if error.kind() == VssErrorKind::NotSupported {
        return Some(error.to_string());
    }
    let what = format!(
        "whether VSS makes snapshots of {}",
        volume.mount.to_uppercase()
    );
    not_looked.add(&what, error);
    None
}

fn storage_elsewhere(
    volume: &VolumeFacts,
    host: &HostState,
    storage: &[ShadowStorage],
) -> Option<Finding> {
    let own = storage.iter().find(|own| own.volume == volume.device)?;
    if own.on == own.volume {
        return None;
    }
    let other = host.volumes.iter().find(|volume| volume.device == own.on);
    let other = other.map_or(own.on.clone(), |volume| volume.mount.to_uppercase());
    let mount = volume.mount.to_uppercase();
    let text = format!(
        "the shadow storage of {mount} lies on {other}, and not on {mount} itself: Hyper-V's writer \
         needs it there"
    );
    let (drive, other) = (mount.trim_end_matches('\\'), other.trim_end_matches('\\'));
    Some(
        Finding::new("HOST-SHADOW-STORAGE", Severity::Warn, text).cure(format!(
            "vssadmin delete shadowstorage /for={drive} /on={other}, which removes its shadow \
             copies; then vssadmin add shadowstorage /for={drive} /on={drive} /maxsize=20%"
        )),
    )
}

fn storage_small(volume: &VolumeFacts, storage: &[ShadowStorage]) -> Option<Finding> {
    let own = storage.iter().find(|own| own.volume == volume.device)?;
    let wanted = STORAGE_ENOUGH_BYTES.min(volume.size_bytes / STORAGE_PART);
    if own.max_bytes >= wanted {
        return None;
    }
    let mount = volume.mount.to_uppercase();
    let text = format!(
        "the shadow storage of {mount} may not grow beyond {} MiB: a snapshot is thrown away when \
         VMs write more than that while it is read",
        own.max_bytes >> 20
    );
    let drive = mount.trim_end_matches('\\');
    Some(
        Finding::new("HOST-SHADOW-STORAGE", Severity::Warn, text).cure(format!(
            "vssadmin resize shadowstorage /for={drive} /on={drive} /maxsize=20%"
        )),
    )
}
