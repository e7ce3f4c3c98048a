//! What a host says of one VM.

use std::collections::HashMap;

use hyperv_host::PowerState;
use jiff::Timestamp;
use uuid::Uuid;
use wmi::{Instance, ObjectPath, VIRTUALIZATION, WmiError, WmiErrorKind, WmiSession, quote};

use super::disk_facts::{DiskFacts, disks};
use super::raw_vms::{RawVms, host_guid, is_settings_of};
use super::replication::vm_of as replication_vm;
use super::vm_state::{is_critical, power_state, state_text};
use super::{
    GuestFacts, GuestService, ReferencePointFacts, ReplicationFacts, SettingsFacts, SnapshotFacts,
    SnapshotKind, VmOperation, owner_of,
};

/// What a host says of one VM, at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VmFacts {
    /// The VM's GUID: its identity.
    pub(crate) id: Uuid,
    /// The name that people gave it. Need not be unique.
    pub(crate) name: String,
    /// Where it is: what `CreateSnapshot` takes.
    pub(crate) path: ObjectPath,
    /// Whether it runs.
    pub(crate) state: PowerState,
    /// `EnabledState` in words.
    pub(crate) state_text: &'static str,
    /// It has lost its storage.
    pub(crate) critical: bool,
    /// What the host does with it.
    pub(crate) operation: Option<VmOperation>,
    /// When it was made or imported.
    pub(crate) installed: Option<Timestamp>,
    /// The settings that it runs with.
    pub(crate) settings: SettingsFacts,
    /// Its disks, numbered from 0 by controller and slot.
    pub(crate) disks: Vec<DiskFacts>,
    /// The memory that it starts with, in MiB, where the host says it.
    pub(crate) memory_mib: Option<u64>,
    /// It has a SCSI controller.
    pub(crate) has_scsi: bool,
    /// Its checkpoints, oldest first.
    pub(crate) snapshots: Vec<SnapshotFacts>,
    /// `InstanceID` of the checkpoint that was applied last.
    pub(crate) last_applied: Option<String>,
    /// Its reference points, ours and others'.
    pub(crate) reference_points: Vec<ReferencePointFacts>,
    /// The backup integration service.
    pub(crate) vss: GuestService,
    /// The data exchange integration service.
    pub(crate) exchange: GuestService,
    /// What the guest says of itself.
    pub(crate) guest: GuestFacts,
    /// It has a virtual TPM.
    pub(crate) has_tpm: bool,
    /// It is shielded: not even the host's administrator may see into it.
    pub(crate) shielded: bool,
    /// Hyper-V Replica.
    pub(crate) replication: ReplicationFacts,
    /// A failover cluster may move it.
    pub(crate) clustered: bool,
}

impl VmFacts {
    /// Reads them anew, in at most nine calls; `None` where the host has no such VM (any more).
    pub(crate) fn read(session: &dyn WmiSession, id: Uuid) -> Result<Option<Self>, WmiError> {
        let raw = RawVms::of_vm(session, id)?;
        let mut vms = Self::all(&raw).into_iter().filter(|vm| match vm {
            Ok(vm) => vm.id == id,
            Err(vm) => vm.id == id,
        });
        let vm = vms.next().transpose();
        vm.map_err(|unread| WmiError::new(WmiErrorKind::Protocol, unread.why))
    }

    /// Returns whether the host still has a VM: one that left while it was read was read in part.
    pub(crate) fn is_here(session: &dyn WmiSession, id: Uuid) -> Result<bool, WmiError> {
        let guid = quote(&host_guid(id));
        let wql = format!("SELECT * FROM Msvm_ComputerSystem WHERE Name = {guid}");
        Ok(!session.query_all(VIRTUALIZATION, &wql)?.is_empty())
    }

    /// Puts together the VMs among what a host sent.
    pub(super) fn all(raw: &RawVms) -> Vec<Result<Self, UnreadVm>> {
        let parts = Parts::of(raw);
        let systems = raw.systems.iter().filter_map(|system| {
            let id = vm_id(system)?;
            let unread = |why: String| UnreadVm {
                id,
                name: system.text("ElementName").unwrap_or_default(),
                why,
            };
            let settings = parts.settings.get(&id).into_iter().flatten();
            let active = settings.copied().find(|own| is_settings_of(own, id));
            let Some(active) = active else {
                let why = "it has no active settings, as while it is made, moved or removed";
                return Some(Err(unread(why.to_owned())));
            };
            let vm = parts.vm(id, system, active);
            Some(vm.map_err(|error| unread(error.to_string())))
        });
        systems.collect()
    }

    /// Returns the identity, as points and inventories have it.
    pub(crate) fn identity(&self) -> String {
        self.id.to_string()
    }

    /// Returns the checkpoints that a backup made, ours or another's.
    pub(crate) fn recovery_snapshots(&self) -> impl Iterator<Item = &SnapshotFacts> {
        self.snapshots
            .iter()
            .filter(|snapshot| snapshot.kind == SnapshotKind::Recovery)
    }

    /// Returns the checkpoints that people made.
    pub(crate) fn user_snapshots(&self) -> impl Iterator<Item = &SnapshotFacts> {
        self.snapshots
            .iter()
            .filter(|snapshot| snapshot.kind == SnapshotKind::User)
    }

    /// Returns a reference point by its id.
    pub(crate) fn reference_point(&self, instance_id: &str) -> Option<&ReferencePointFacts> {
        self.reference_points
            .iter()
            .find(|point| point.instance_id.eq_ignore_ascii_case(instance_id))
    }
}

/// A VM of which the host does not say what it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnreadVm {
    /// The VM's GUID.
    pub(crate) id: Uuid,
    /// Its name.
    pub(crate) name: String,
    /// What is missing.
    pub(crate) why: String,
}

/// Returns the GUID of a VM; the host itself is a system too, and named after its machine.
/// Captions say it as well, in the host's language. Contract: 1.1 [M]
pub(super) fn vm_id(system: &Instance) -> Option<Uuid> {
    Uuid::parse_str(&system.text("Name")?).ok()
}

/// Reads which snapshot was applied last to which VM. Which of the two ends is which is told by
/// their classes.
fn applied_to(association: &Instance) -> Option<(Uuid, String)> {
    let ends: Vec<ObjectPath> = ["Antecedent", "Dependent"]
        .iter()
        .filter_map(|end| association.value(end).to_reference())
        .collect();
    let key = |name| ends.iter().find_map(|end| end.key(name));
    Some((
        Uuid::parse_str(key("Name")?).ok()?,
        key("InstanceID")?.to_owned(),
    ))
}

/// Instances by the VM or the settings that they belong to.
#[derive(Default)]
struct Parts<'a> {
    settings: HashMap<Uuid, Vec<&'a Instance>>,
    resources: HashMap<Uuid, Vec<&'a Instance>>,
    security: HashMap<Uuid, &'a Instance>,
    reference_points: HashMap<Uuid, Vec<&'a Instance>>,
    vss: HashMap<Uuid, &'a Instance>,
    exchange: HashMap<Uuid, &'a Instance>,
    applied: HashMap<Uuid, String>,
    replication: HashMap<Uuid, Vec<&'a Instance>>,
    memory: HashMap<Uuid, u64>,
}

impl<'a> Parts<'a> {
    fn of(raw: &'a RawVms) -> Self {
        let guid = |instance: &Instance, key: &str| Uuid::parse_str(&instance.text(key)?).ok();
        let owner = |instance: &Instance| owner_of(&instance.text("InstanceID")?);
        let mut parts = Self::default();
        for instance in &raw.settings {
            if let Some(vm) = guid(instance, "VirtualSystemIdentifier") {
                parts.settings.entry(vm).or_default().push(instance);
            }
        }
        for instance in &raw.resources {
            if let Some(owner) = owner(instance) {
                parts.resources.entry(owner).or_default().push(instance);
            }
        }
        for instance in &raw.reference_points {
            if let Some(vm) = guid(instance, "VirtualSystemIdentifier") {
                parts.reference_points.entry(vm).or_default().push(instance);
            }
        }
        let by_system = |instances: &'a [Instance]| {
            let with_vm = |instance: &'a Instance| Some((guid(instance, "SystemName")?, instance));
            instances.iter().filter_map(with_vm).collect()
        };
        for relationship in &raw.replication {
            if let Some(vm) = replication_vm(relationship) {
                parts.replication.entry(vm).or_default().push(relationship);
            }
        }
        parts.applied = raw.applied.iter().filter_map(applied_to).collect();
        let memory_of =
            |instance: &Instance| Some((owner(instance)?, instance.number("VirtualQuantity")?));
        parts.memory = raw.memory.iter().filter_map(memory_of).collect();
        parts.vss = by_system(&raw.vss);
        parts.exchange = by_system(&raw.exchange);
        parts.security = raw
            .security
            .iter()
            .filter_map(|instance| Some((owner(instance)?, instance)))
            .collect();
        parts
    }

    fn vm(&self, id: Uuid, system: &Instance, active: &Instance) -> Result<VmFacts, WmiError> {
        let state = system.number("EnabledState").unwrap_or(0);
        let resources = self.resources.get(&id).map_or(&[][..], Vec::as_slice);
        let service = |component: Option<&&Instance>| {
            component.map_or(GuestService::Absent, |instance| GuestService::of(instance))
        };
        let security = self.security.get(&id);
        let exchange = self.exchange.get(&id);
        Ok(VmFacts {
            id,
            name: system.text("ElementName").unwrap_or_default(),
            path: system.object_path(VIRTUALIZATION)?,
            state: power_state(state),
            state_text: state_text(state),
            critical: is_critical(state),
            operation: VmOperation::of(system),
            installed: system.time("InstallDate"),
            settings: SettingsFacts::of(active)?,
            disks: disks(resources),
            memory_mib: self.memory.get(&id).copied(),
            has_scsi: resources
                .iter()
                .any(|resource| resource.number("ResourceType") == Some(6_u16)),
            snapshots: self.snapshots(id)?,
            last_applied: self.applied.get(&id).cloned(),
            reference_points: self.reference_points(id)?,
            vss: service(self.vss.get(&id)),
            exchange: service(exchange),
            guest: exchange.map_or_else(GuestFacts::default, |instance| GuestFacts::of(instance)),
            has_tpm: security.is_some_and(|instance| instance.flag("TpmEnabled")),
            shielded: security.is_some_and(|instance| instance.flag("ShieldingRequested")),
            replication: ReplicationFacts::of(
                system,
                self.replication.get(&id).map_or(&[], Vec::as_slice),
            ),
            clustered: false,
        })
    }

    fn snapshots(&self, id: Uuid) -> Result<Vec<SnapshotFacts>, WmiError> {
        let mut snapshots = Vec::new();
        for instance in self.settings.get(&id).into_iter().flatten() {
            snapshots.extend(SnapshotFacts::of(instance)?);
        }
        snapshots.sort_by_key(|snapshot| (snapshot.created, snapshot.id));
        Ok(snapshots)
    }

    fn reference_points(&self, id: Uuid) -> Result<Vec<ReferencePointFacts>, WmiError> {
        let mut points = Vec::new();
        for instance in self.reference_points.get(&id).into_iter().flatten() {
            points.extend(ReferencePointFacts::of(instance)?);
        }
        Ok(points)
    }
}
