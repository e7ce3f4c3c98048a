//! Going back to a checkpoint.

use uuid::Uuid;

use crate::create_snapshot::leaf_name;
use crate::host_state::HostState;
use crate::job_work::JobWork;
use crate::{JobKind, PowerState, SimError, SimErrorKind, SnapshotDisk, VmDisk};

impl HostState {
    /// `ApplySnapshot`: returns the job. The VM's current state is lost.
    pub(crate) fn apply_snapshot(&mut self, snapshot: Uuid) -> Result<Uuid, SimError> {
        let owner = self.vm_of_snapshot(snapshot)?;
        self.check_free(owner, true)?;
        let vm = owner.id;
        let work = JobWork::ApplySnapshot { id: snapshot };
        self.start_job(vm, JobKind::ApplySnapshot, work)
    }

    /// Does what `ApplySnapshot` is for. What is known of changes is lost (contract 2.2).
    /// Contract: 2.2 [M]
    pub(crate) fn go_back_to(&mut self, vm: Uuid, id: Uuid) -> Result<(), SimError> {
        let owner = self.vm(vm)?;
        let Some(snapshot) = owner.snapshot(id).cloned() else {
            return Err(SimError::new(
                SimErrorKind::NotFound,
                format!("there is no checkpoint {id}"),
            ));
        };
        let mut disks: Vec<VmDisk> = snapshot.disks.iter().map(as_running).collect();
        // What could not be frozen is as it is now.
        let others = owner
            .disks
            .iter()
            .filter(|disk| !disk.kind.is_snapshottable());
        disks.extend(others.cloned());
        disks.sort_by_key(|disk| disk.slot);
        let power = if snapshot.has_memory {
            PowerState::Saved
        } else {
            PowerState::Off
        };
        let owner = self.vm_mut(vm)?;
        owner.disks.clone_from(&disks);
        owner.power = power;
        owner.current_parent = Some(id);
        owner.last_applied = Some(id);
        for disk in disks.iter().filter(|disk| disk.kind.is_snapshottable()) {
            let leaf_id = self.new_guid();
            let leaf = leaf_name(self.vm(vm)?.base_of(&disk.path), disk, leaf_id);
            self.put_leaf(vm, disk, &disk.path, &leaf)?;
            self.restart_tracking(vm, &leaf)?;
        }
        self.write_configuration(vm)?;
        self.clear_leftovers(vm)
    }
}

fn as_running(disk: &SnapshotDisk) -> VmDisk {
    VmDisk {
        slot: disk.slot,
        kind: disk.kind,
        path: disk.path.clone(),
        size_bytes: disk.size_bytes,
        disk_id: disk.disk_id,
        physical_number: None,
    }
}
