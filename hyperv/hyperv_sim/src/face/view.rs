//! The host's state as its WMI sees it.

use std::borrow::Cow;

use uuid::Uuid;
use vm_config::{ControllerKind, DiskSlot};
use wmi::{ObjectPath, VIRTUALIZATION};

use super::instance_ids::settings_id;
use super::object::Owner;
use crate::host_state::HostState;
use crate::{
    ClusterFacts, DiskKind, Job, JobElement, PlannedVm, Profile, ReferencePoint, Snapshot, Vm,
};

/// The host's state as its WMI sees it.
#[derive(Clone, Copy)]
pub(crate) struct HostView<'a> {
    pub(crate) state: &'a HostState,
}

/// A disk of a VM or of a checkpoint.
pub(crate) struct AttachedDisk<'a> {
    pub(crate) slot: DiskSlot,
    pub(crate) kind: DiskKind,
    pub(crate) path: &'a str,
    pub(crate) physical_number: Option<u32>,
}

impl<'a> HostView<'a> {
    pub(crate) fn new(state: &'a HostState) -> Self {
        Self { state }
    }

    pub(crate) fn profile(self) -> Profile {
        self.state.facts.profile
    }

    pub(crate) fn host_name(self) -> &'a str {
        &self.state.facts.name
    }

    /// Returns an English text, or a German one on a localised host. Contract: 1.1 [M]
    pub(crate) fn localized<'t>(self, english: &'t str, german: &'t str) -> &'t str {
        if self.state.facts.behavior.localized {
            german
        } else {
            english
        }
    }

    /// Returns a VM, or one that is planned.
    pub(crate) fn vm(self, id: Uuid) -> Option<&'a Vm> {
        self.state.system(id)
    }

    /// Returns a VM that is not planned.
    pub(crate) fn real_vm(self, id: Uuid) -> Option<&'a Vm> {
        self.state.vms.get(&id)
    }

    /// Returns a planned VM.
    pub(crate) fn planned(self, id: Uuid) -> Option<&'a PlannedVm> {
        self.state.facts.planned.get(&id)
    }

    /// Returns the cluster that the host is in: a simulated one, or one that is only told of.
    pub(crate) fn cluster(self) -> Option<Cow<'a, ClusterFacts>> {
        match self.state.membership.as_deref() {
            Some(membership) => Some(Cow::Borrowed(&membership.facts)),
            None => self.state.told_cluster().map(Cow::Owned),
        }
    }

    /// Lists the checkpoints of a VM that can be seen.
    pub(crate) fn snapshots(self, vm: &'a Vm) -> impl Iterator<Item = &'a Snapshot> {
        vm.snapshots
            .iter()
            .filter(move |own| !self.is_hidden(vm, JobElement::Snapshot(own.id)))
    }

    /// Lists the reference points of a VM that can be seen.
    pub(crate) fn reference_points(self, vm: &'a Vm) -> impl Iterator<Item = &'a ReferencePoint> {
        vm.reference_points
            .iter()
            .filter(move |own| !self.is_hidden(vm, JobElement::ReferencePoint(own.id)))
    }

    /// Returns whether a job's result cannot be seen yet: some clients saw it only shortly after
    /// the job's end. Contract: 0.3 [V?]
    pub(crate) fn is_hidden(self, vm: &Vm, element: JobElement) -> bool {
        let delay = i64::try_from(self.state.facts.behavior.visibility_delay_ms);
        let delay = delay.unwrap_or(i64::MAX);
        if delay == 0 {
            return false;
        }
        let made_just_now = |job: &Job| {
            job.elements.contains(&element)
                && job.finished.is_some_and(|finished| {
                    let visible = finished.as_millisecond().saturating_add(delay);
                    self.state.now.as_millisecond() < visible
                })
        };
        vm.jobs.iter().any(made_just_now)
    }

    /// Returns the checkpoint that an owner is.
    pub(crate) fn snapshot_of(self, vm: &'a Vm, owner: Owner) -> Option<&'a Snapshot> {
        vm.snapshot(owner.snapshot?)
    }

    /// Lists the disks of a VM or of a checkpoint.
    pub(crate) fn disks(self, vm: &'a Vm, owner: Owner) -> Vec<AttachedDisk<'a>> {
        if owner.snapshot.is_some() {
            let disks = self.snapshot_of(vm, owner).map(|own| own.disks.as_slice());
            return disks
                .unwrap_or_default()
                .iter()
                .map(|disk| AttachedDisk {
                    slot: disk.slot,
                    kind: disk.kind,
                    path: &disk.path,
                    physical_number: None,
                })
                .collect();
        }
        vm.disks
            .iter()
            .map(|disk| AttachedDisk {
                slot: disk.slot,
                kind: disk.kind,
                path: &disk.path,
                physical_number: disk.physical_number,
            })
            .collect()
    }

    /// Lists the controllers of a VM, each by its first slot.
    pub(crate) fn controllers(self, vm: &Vm) -> Vec<DiskSlot> {
        let slot = |kind, controller| DiskSlot {
            kind,
            controller,
            slot: 0,
        };
        let ide = if vm.generation == 1 { 0..2 } else { 0..0 };
        let scsi = 0..u32::try_from(vm.scsi_controllers.len()).unwrap_or(0);
        ide.map(|number| slot(ControllerKind::Ide, number))
            .chain(scsi.map(|number| slot(ControllerKind::Scsi, number)))
            .collect()
    }

    /// Returns where the DVD drive is that every VM of generation 1 has, unless a disk is there.
    pub(crate) fn dvd_slot(self, vm: &Vm) -> Option<DiskSlot> {
        let slot = DiskSlot {
            kind: ControllerKind::Ide,
            controller: 1,
            slot: 0,
        };
        (vm.generation == 1 && vm.disk(slot).is_none()).then_some(slot)
    }

    /// Makes the path of an object of Hyper-V's namespace.
    pub(crate) fn path(self, class: &str) -> ObjectPath {
        ObjectPath::new(VIRTUALIZATION, class).on_host(self.host_name())
    }

    /// Makes the path of an object that has an `InstanceID`.
    pub(crate) fn instance_path(self, class: &str, instance_id: &str) -> ObjectPath {
        self.path(class).with_key("InstanceID", instance_id)
    }

    /// Makes the path of the settings of a VM or of a checkpoint.
    pub(crate) fn settings_path(self, owner: Owner) -> ObjectPath {
        self.instance_path("Msvm_VirtualSystemSettingData", &settings_id(owner))
    }
}
