//! What a host itself is set to.

use hyperv_host::{LiveMigration, NodeSettings};
use wmi::{CIMV2, Instance, VIRTUALIZATION, WmiError, WmiErrorKind, WmiSession};

use super::switches::read_switches;

/// Reads what a machine is set to: a dozen calls, whatever the number of VMs. Classes that a host
/// does not have leave their fields empty.
pub(crate) fn read_host_settings(session: &dyn WmiSession) -> Result<NodeSettings, WmiError> {
    let windows = first(session, CIMV2, "Win32_OperatingSystem")?;
    let machine = first(session, CIMV2, "Win32_ComputerSystem")?;
    let processor = first(session, CIMV2, "Win32_Processor")?;
    let service = first(
        session,
        VIRTUALIZATION,
        "Msvm_VirtualSystemManagementServiceSettingData",
    )?;
    let text = |instance: &Instance, name: &str| {
        let text = instance.text(name).unwrap_or_default();
        text.trim().to_owned()
    };
    let maker = text(&machine, "Manufacturer");
    let flag = |name: &str| service.value(name).to_bool();
    Ok(NodeSettings {
        computer: text(&windows, "CSName"),
        caption: text(&windows, "Caption"),
        version: text(&windows, "Version"),
        machine: format!("{maker} {}", text(&machine, "Model"))
            .trim()
            .to_owned(),
        processor: text(&processor, "Name"),
        logical_processors: machine.number("NumberOfLogicalProcessors").unwrap_or(0),
        memory_bytes: machine.number("TotalPhysicalMemory").unwrap_or(0),
        disk_folder: text(&service, "DefaultVirtualHardDiskPath"),
        configuration_folder: text(&service, "DefaultExternalDataRoot"),
        mac_addresses: service
            .text("MinimumMacAddress")
            .zip(service.text("MaximumMacAddress")),
        numa_spanning: flag("NumaSpanningEnabled"),
        enhanced_session: flag("EnhancedSessionModeEnabled"),
        live_migration: live_migration(session)?,
        switches: read_switches(session)?,
    })
}

/// Reads how VMs move; `None` where the host does not have the class.
fn live_migration(session: &dyn WmiSession) -> Result<Option<LiveMigration>, WmiError> {
    let settings = all(
        session,
        VIRTUALIZATION,
        "Msvm_VirtualSystemMigrationServiceSettingData",
    )?;
    let Some(settings) = settings.first() else {
        return Ok(None);
    };
    let service = first(
        session,
        VIRTUALIZATION,
        "Msvm_VirtualSystemMigrationService",
    )?;
    let number = |name: &str| settings.number(name).unwrap_or(0);
    Ok(Some(LiveMigration {
        enabled: settings.flag("EnableVirtualSystemMigration"),
        vms_at_once: number("MaximumActiveVirtualSystemMigration"),
        storage_at_once: number("MaximumActiveStorageMigration"),
        authentication: match settings.number("AuthenticationType") {
            Some(1_u32) => "kerberos".to_owned(),
            _ => "credssp".to_owned(),
        },
        // Compression is ignored where SMB is used.
        transport: if settings.flag("EnableSmbTransport") {
            "smb".to_owned()
        } else if settings.flag("EnableCompression") {
            "compression".to_owned()
        } else {
            "tcp".to_owned()
        },
        addresses: service.texts("MigrationServiceListenerIPAddressList"),
    }))
}

/// Reads the first of a class; an empty instance where there is none.
fn first(session: &dyn WmiSession, namespace: &str, class: &str) -> Result<Instance, WmiError> {
    let instances = all(session, namespace, class)?;
    Ok(instances.into_iter().next().unwrap_or_default())
}

fn all(session: &dyn WmiSession, namespace: &str, class: &str) -> Result<Vec<Instance>, WmiError> {
    match session.query_all(namespace, &format!("SELECT * FROM {class}")) {
        Err(error) if error.kind() == WmiErrorKind::NoClass => Ok(Vec::new()),
        other => other,
    }
}
