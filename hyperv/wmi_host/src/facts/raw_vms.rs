//! The instances that VMs are made of, as the host sends them.

use uuid::Uuid;
use wmi::{Instance, VIRTUALIZATION, WmiError, WmiErrorKind, WmiSession, quote};

use super::replication::{relationships, relationships_of};

/// The instances that VMs are made of: of all VMs of a host, or of one.
#[derive(Debug, Default)]
pub(super) struct RawVms {
    /// `Msvm_ComputerSystem`
    pub(super) systems: Vec<Instance>,
    /// `Msvm_VirtualSystemSettingData`: active settings and those of snapshots.
    pub(super) settings: Vec<Instance>,
    /// Controllers and drives, then media.
    pub(super) resources: Vec<Instance>,
    /// `Msvm_VssComponent`
    pub(super) vss: Vec<Instance>,
    /// `Msvm_KvpExchangeComponent`
    pub(super) exchange: Vec<Instance>,
    /// `Msvm_VirtualSystemReferencePoint`
    pub(super) reference_points: Vec<Instance>,
    /// `Msvm_SecuritySettingData`
    pub(super) security: Vec<Instance>,
    /// `Msvm_LastAppliedSnapshot`: a VM and the snapshot that was applied to it last.
    pub(super) applied: Vec<Instance>,
    /// `Msvm_ReplicationRelationship`
    pub(super) replication: Vec<Instance>,
    /// `Msvm_MemorySettingData`
    pub(super) memory: Vec<Instance>,
}

impl RawVms {
    /// Reads those of all VMs, in as many queries as there are classes.
    pub(super) fn of_host(session: &dyn WmiSession) -> Result<Self, WmiError> {
        let all = |class: &str| query(session, &format!("SELECT * FROM {class}"));
        let mut resources = query(
            session,
            "SELECT * FROM Msvm_ResourceAllocationSettingData \
             WHERE ResourceType = 5 OR ResourceType = 6 OR ResourceType = 17",
        )?;
        resources.extend(query(
            session,
            "SELECT * FROM Msvm_StorageAllocationSettingData WHERE ResourceType = 31",
        )?);
        let systems = all("Msvm_ComputerSystem")?;
        Ok(Self {
            replication: relationships(session, &systems)?,
            systems,
            settings: all("Msvm_VirtualSystemSettingData")?,
            resources,
            vss: where_there_is_one(all("Msvm_VssComponent"))?,
            exchange: where_there_is_one(all("Msvm_KvpExchangeComponent"))?,
            reference_points: where_there_is_one(all("Msvm_VirtualSystemReferencePoint"))?,
            security: where_there_is_one(all("Msvm_SecuritySettingData"))?,
            applied: where_there_is_one(all("Msvm_LastAppliedSnapshot"))?,
            memory: where_there_is_one(all("Msvm_MemorySettingData"))?,
        })
    }

    /// Reads those of one VM, in a fixed number of calls.
    pub(super) fn of_vm(session: &dyn WmiSession, id: Uuid) -> Result<Self, WmiError> {
        let guid = host_guid(id);
        let of = |class: &str, key: &str| {
            let wql = format!("SELECT * FROM {class} WHERE {key} = {}", quote(&guid));
            query(session, &wql)
        };
        let settings = of("Msvm_VirtualSystemSettingData", "VirtualSystemIdentifier")?;
        let active = settings
            .iter()
            .find(|settings| is_settings_of(settings, id));
        let resources = match active {
            Some(active) => session.associators(
                &active.object_path(VIRTUALIZATION)?,
                "CIM_ResourceAllocationSettingData",
                Some("Msvm_VirtualSystemSettingDataComponent"),
            )?,
            None => Vec::new(),
        };
        let security = format!(
            "SELECT * FROM Msvm_SecuritySettingData WHERE InstanceID LIKE {}",
            quote(&format!("Microsoft:{guid}%"))
        );
        let systems = of("Msvm_ComputerSystem", "Name")?;
        let applied = match systems.first() {
            Some(system) => {
                let path = system.object_path(VIRTUALIZATION)?.relative();
                let wql =
                    format!("REFERENCES OF {{{path}}} WHERE ResultClass=Msvm_LastAppliedSnapshot");
                where_there_is_one(query(session, &wql))?
            }
            None => Vec::new(),
        };
        let is_memory = |resource: &&Instance| resource.class == "Msvm_MemorySettingData";
        Ok(Self {
            replication: relationships_of(session, &systems, id)?,
            systems,
            applied,
            memory: resources.iter().filter(is_memory).cloned().collect(),
            resources,
            vss: where_there_is_one(of("Msvm_VssComponent", "SystemName"))?,
            exchange: where_there_is_one(of("Msvm_KvpExchangeComponent", "SystemName"))?,
            reference_points: where_there_is_one(of(
                "Msvm_VirtualSystemReferencePoint",
                "VirtualSystemIdentifier",
            ))?,
            security: where_there_is_one(query(session, &security))?,
            settings,
        })
    }
}

/// Returns whether these are the active settings of a VM: they carry its GUID (contract 1.2).
pub(super) fn is_settings_of(settings: &Instance, vm: Uuid) -> bool {
    let id = settings.text("InstanceID").unwrap_or_default();
    super::owner_of(&id) == Some(vm) && super::SettingsFacts::is_active(settings)
}

/// Writes a GUID as Hyper-V does: upper case, no braces (contract 1.1).
pub(crate) fn host_guid(id: Uuid) -> String {
    id.hyphenated().to_string().to_ascii_uppercase()
}

fn query(session: &dyn WmiSession, wql: &str) -> Result<Vec<Instance>, WmiError> {
    session.query_all(VIRTUALIZATION, wql)
}

/// Hosts before 2016 do not have all classes (contract 0.1): none are there, then.
fn where_there_is_one(
    instances: Result<Vec<Instance>, WmiError>,
) -> Result<Vec<Instance>, WmiError> {
    match instances {
        Err(error) if error.kind() == WmiErrorKind::NoClass => Ok(Vec::new()),
        other => other,
    }
}
