//! Making checkpoints (contract 2.1).

use uuid::Uuid;

use crate::drive::{file_name, parent_folder};
use crate::guid::guid_text;
use crate::host_state::HostState;
use crate::image::create_child;
use crate::job_work::JobWork;
use crate::{
    ComponentKind, Consistency, DiskFile, Guest, JobKind, PowerState, SimError, SimErrorKind,
    Snapshot, SnapshotDisk, SnapshotKind, SnapshotSettings, Vm, VmDisk,
};

impl HostState {
    /// `CreateSnapshot`: returns the job; its result is the checkpoint.
    ///
    /// Errors at once: `NotFound`, `Conflict`, `InvalidState`, `NotSupported`. In the job: the
    /// guest's VSS does not answer, a disk cannot be frozen, no room.
    pub(crate) fn create_snapshot(
        &mut self,
        vm: Uuid,
        settings: &SnapshotSettings,
    ) -> Result<Uuid, SimError> {
        let owner = self.vm(vm)?;
        let profile = self.facts.profile;
        if settings.kind == SnapshotKind::Recovery && !profile.has_recovery_checkpoints() {
            return Err(SimError::new(
                SimErrorKind::NotSupported,
                format!("Windows Server {profile} has no recovery checkpoints"),
            ));
        }
        if settings.kind != SnapshotKind::Recovery && owner.user_snapshot_type == 2 {
            return Err(SimError::new(
                SimErrorKind::InvalidState,
                format!("checkpoints of '{}' are switched off", owner.name),
            ));
        }
        self.check_free(owner, true)?;
        let work = JobWork::CreateSnapshot {
            id: self.new_guid(),
            settings: settings.clone(),
        };
        self.start_job(vm, JobKind::CreateSnapshot, work)
    }

    /// Does what `CreateSnapshot` is for. A recovery checkpoint switches change tracking on.
    pub(crate) fn make_snapshot(
        &mut self,
        vm: Uuid,
        id: Uuid,
        settings: &SnapshotSettings,
    ) -> Result<(), SimError> {
        let tracks = settings.kind == SnapshotKind::Recovery;
        check_consistency(self.vm(vm)?, settings.consistency)?;
        self.freeze_all(vm, id, settings, tracks)
    }

    /// Makes a checkpoint for the VSS writer: it does not switch change tracking on, and the guest
    /// was asked before.
    pub(crate) fn make_untracked_snapshot(
        &mut self,
        vm: Uuid,
        id: Uuid,
        settings: &SnapshotSettings,
    ) -> Result<(), SimError> {
        self.freeze_all(vm, id, settings, false)
    }

    fn freeze_all(
        &mut self,
        vm: Uuid,
        id: Uuid,
        settings: &SnapshotSettings,
        tracks: bool,
    ) -> Result<(), SimError> {
        let owner = self.vm(vm)?.clone();
        let frozen = disks_to_freeze(&owner, settings.ignore_other_disks)?;
        self.check_room_for_leaves(&owner, &frozen)?;
        let is_recovery = settings.kind == SnapshotKind::Recovery;
        let mut disks = Vec::new();
        for disk in &frozen {
            let tracking_id = self.add_point(vm, disk, tracks)?;
            self.freeze(vm, disk)?;
            disks.push(SnapshotDisk {
                slot: disk.slot,
                kind: disk.kind,
                path: disk.path.clone(),
                size_bytes: disk.size_bytes,
                disk_id: disk.disk_id,
                tracking_id,
            });
        }
        let extension = owner.config_file.rsplit('.').next().unwrap_or("vmcx");
        let has_memory = settings.kind == SnapshotKind::Standard && owner.power.has_memory()
            || owner.power == PowerState::Saved;
        let snapshot = Snapshot {
            id,
            name: settings
                .name
                .clone()
                .unwrap_or_else(|| self.default_name(&owner)),
            kind: settings.kind,
            created: self.now,
            consistency: settings.consistency,
            parent: owner.current_parent,
            disks,
            power: owner.power,
            has_memory,
            is_automatic: false,
            config_file: format!("Snapshots\\{}.{extension}", guid_text(id)),
        };
        self.write_snapshot_files(&owner, &snapshot)?;
        let owner = self.vm_mut(vm)?;
        owner.snapshots.push(snapshot);
        if !is_recovery {
            owner.current_parent = Some(id);
        }
        self.write_configuration(vm)
    }

    /// Puts a new file in front of a disk's running one.
    pub(crate) fn freeze(&mut self, vm: Uuid, disk: &VmDisk) -> Result<(), SimError> {
        let id = self.new_guid();
        let leaf = leaf_name(self.vm(vm)?.base_of(&disk.path), disk, id);
        self.put_leaf(vm, disk, &disk.path, &leaf)
    }

    /// Makes `leaf` a child of `frozen`, and the running file of the disk.
    pub(crate) fn put_leaf(
        &mut self,
        vm: Uuid,
        disk: &VmDisk,
        frozen: &str,
        leaf: &str,
    ) -> Result<(), SimError> {
        let seed = self.new_number();
        create_child(
            &self.local_path(leaf)?,
            &self.local_path(frozen)?,
            frozen,
            seed,
        )?;
        let node = DiskFile {
            parent: Some(frozen.to_owned()),
            foreign_parent: None,
        };
        let owner = self.vm_mut(vm)?;
        owner.files.insert(leaf.to_owned(), node);
        let own = owner.disks.iter_mut().find(|own| own.slot == disk.slot);
        if let Some(own) = own {
            leaf.clone_into(&mut own.path);
        }
        self.note_new_leaf(vm, leaf)?;
        self.mark_tracked(self.vm(vm)?, leaf)
    }

    /// Returns the name that Hyper-V gives a checkpoint. Contract: 2.1 [M]
    fn default_name(&self, vm: &Vm) -> String {
        let time = self.now.strftime("%-m/%-d/%Y - %-I:%M:%S %p");
        format!("{} - ({time})", vm.name)
    }
}

/// Returns `X_<GUID>.avhdx` beside the base `X.vhdx` (contract 2.1).
pub(crate) fn leaf_name(base: &str, disk: &VmDisk, id: Uuid) -> String {
    let name = file_name(base);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let extension = disk.kind.leaf_extension();
    format!(
        "{}\\{stem}_{}.{extension}",
        parent_folder(base),
        guid_text(id)
    )
}

/// Fails where the guest cannot be frozen as asked for. A VM that is off is consistent as it is.
/// Contract: 1.5 [M]
fn check_consistency(vm: &Vm, consistency: Consistency) -> Result<(), SimError> {
    if consistency == Consistency::Crash || vm.power == PowerState::Off {
        return Ok(());
    }
    let runs = vm.power == PowerState::Running && vm.guest != Guest::None;
    // Older configurations have no VSS through recovery checkpoints (contract 7).
    if runs && vm.component(ComponentKind::Vss).answers() && vm.major_version() >= 8 {
        return Ok(());
    }
    Err(SimError::new(
        SimErrorKind::Failed,
        format!(
            "Production checkpoints cannot be created for '{}'. (Virtual machine ID {})",
            vm.name,
            guid_text(vm.id)
        ),
    ))
}

/// Lists the disks that a checkpoint freezes.
fn disks_to_freeze(vm: &Vm, ignore_others: bool) -> Result<Vec<VmDisk>, SimError> {
    // Shared disks are never left out: a host backup of their VM is refused (contract 2.6, 7).
    // Contract: 2.6 [M]
    if let Some(shared) = vm.disks.iter().find(|disk| disk.kind.is_shared()) {
        return Err(SimError::new(
            SimErrorKind::NotSupported,
            format!(
                "Checkpoint operation for '{}' failed: {} is shared with other virtual machines",
                vm.name, shared.path
            ),
        ));
    }
    let (frozen, others): (Vec<_>, Vec<_>) = vm
        .disks
        .iter()
        .cloned()
        .partition(|disk| disk.kind.is_snapshottable());
    if !others.is_empty() && !ignore_others {
        return Err(SimError::new(
            SimErrorKind::Failed,
            format!(
                "Cannot take a checkpoint of '{}' since one or more attached disks cannot be part \
                 of one",
                vm.name
            ),
        ));
    }
    Ok(frozen)
}
