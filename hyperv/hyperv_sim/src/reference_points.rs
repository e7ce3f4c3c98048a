//! Making and removing reference points (contract 2.1, 2.2).

use uuid::Uuid;

use crate::host_state::HostState;
use crate::job_work::JobWork;
use crate::{
    Consistency, JobKind, ReferencePoint, ReferencePointDisk, SimError, SimErrorKind, SnapshotKind,
    Vm,
};

impl HostState {
    /// `ConvertToReferencePoint`: returns the job; its result is the reference point.
    pub(crate) fn convert_to_reference_point(&mut self, snapshot: Uuid) -> Result<Uuid, SimError> {
        let owner = self.vm_of_snapshot(snapshot)?;
        let kind = owner.snapshot(snapshot).map(|snapshot| snapshot.kind);
        if kind != Some(SnapshotKind::Recovery) {
            return Err(SimError::new(
                SimErrorKind::InvalidParameter,
                "only recovery checkpoints can be converted",
            ));
        }
        check_supported(owner)?;
        self.check_free(owner, false)?;
        let vm = owner.id;
        let work = JobWork::Convert {
            snapshot,
            reference_point: self.new_guid(),
        };
        self.start_job(vm, JobKind::ConvertSnapshotToReferencePoint, work)
    }

    /// Does what `ConvertToReferencePoint` is for.
    pub(crate) fn make_reference_point_of(
        &mut self,
        vm: Uuid,
        snapshot: Uuid,
        id: Uuid,
    ) -> Result<(), SimError> {
        let owner = self.vm(vm)?;
        let Some(converted) = owner.snapshot(snapshot) else {
            return Err(SimError::new(
                SimErrorKind::NotFound,
                format!("there is no checkpoint {snapshot}"),
            ));
        };
        let tracked = converted.disks.iter().filter_map(|disk| {
            Some(ReferencePointDisk {
                instance_id: owner.disk_instance_id(vm, disk.slot),
                tracking_id: disk.tracking_id.clone()?,
            })
        });
        let point = ReferencePoint {
            id,
            created: self.now,
            consistency: converted.consistency,
            disks: tracked.collect(),
        };
        let now = self.now;
        let owner = self.vm_mut(vm)?;
        owner.reference_points.push(point);
        owner.last_backup = Some(now);
        self.drop_snapshot(vm, snapshot, false)
    }

    /// `CreateReferencePoint`: returns the job; its result is the reference point.
    pub(crate) fn create_reference_point(
        &mut self,
        vm: Uuid,
        consistency: Consistency,
    ) -> Result<Uuid, SimError> {
        let owner = self.vm(vm)?;
        check_supported(owner)?;
        self.check_free(owner, true)?;
        let work = JobWork::CreateReferencePoint {
            id: self.new_guid(),
            consistency,
        };
        self.start_job(vm, JobKind::CreateReferencePoint, work)
    }

    /// Does what `CreateReferencePoint` is for.
    pub(crate) fn make_reference_point(
        &mut self,
        vm: Uuid,
        id: Uuid,
        consistency: Consistency,
    ) -> Result<(), SimError> {
        let disks = self.vm(vm)?.disks.clone();
        let mut tracked = Vec::new();
        for disk in &disks {
            if let Some(tracking_id) = self.add_point(vm, disk, true)? {
                tracked.push(ReferencePointDisk {
                    instance_id: self.vm(vm)?.disk_instance_id(vm, disk.slot),
                    tracking_id,
                });
            }
        }
        let created = self.now;
        self.vm_mut(vm)?.reference_points.push(ReferencePoint {
            id,
            created,
            consistency,
            disks: tracked,
        });
        Ok(())
    }

    /// `DestroyReferencePoint`: returns the job.
    pub(crate) fn destroy_reference_point(&mut self, point: Uuid) -> Result<Uuid, SimError> {
        let owner = self.vm_of_reference_point(point)?;
        self.check_free(owner, false)?;
        let vm = owner.id;
        let work = JobWork::DestroyReferencePoint { id: point };
        self.start_job(vm, JobKind::DeleteReferencePoint, work)
    }

    /// Does what `DestroyReferencePoint` is for.
    pub(crate) fn drop_reference_point(&mut self, vm: Uuid, id: Uuid) -> Result<(), SimError> {
        let points = &mut self.vm_mut(vm)?.reference_points;
        points.retain(|point| point.id != id);
        Ok(())
    }
}

/// Reference points need a configuration version of 8 or later (contract 7).
fn check_supported(vm: &Vm) -> Result<(), SimError> {
    if vm.major_version() >= 8 {
        return Ok(());
    }
    Err(SimError::new(
        SimErrorKind::NotSupported,
        format!(
            "'{}' has configuration version {}: it can have no reference points",
            vm.name, vm.version
        ),
    ))
}
