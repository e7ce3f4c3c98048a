//! Change tracking of VMs' disks: switching it on, making points, noting changes.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;

use uuid::Uuid;

use crate::host_state::HostState;
use crate::image::LayerFile;
use crate::tracking::{self, Tracking, TrackingId};
use crate::{DiskKind, SimError, Vm, VmDisk};

impl HostState {
    /// Says whether changes of a disk can be tracked: a VHDX, and a configuration version of 8 or
    /// later. (Tracking files beside a VHD are reported from the field, ids of it are not.)
    /// Contract: 2.1 [M]
    pub(crate) fn can_track(&self, vm: &Vm, disk: &VmDisk) -> bool {
        disk.kind == DiskKind::Vhdx
            && vm.major_version() >= 8
            && self.facts.profile.has_recovery_checkpoints()
    }

    /// Returns the file that the tracking data of a file's disk lie beside.
    pub(crate) fn tracked_base(&self, vm: &Vm, path: &str) -> Result<PathBuf, SimError> {
        self.local_path(vm.base_of(path))
    }

    /// Makes a point of a disk's life now; switches tracking on where `switch_on`. `None`: the disk
    /// is not tracked.
    pub(crate) fn add_point(
        &mut self,
        vm: Uuid,
        disk: &VmDisk,
        switch_on: bool,
    ) -> Result<Option<String>, SimError> {
        let owner = self.vm(vm)?;
        if !self.can_track(owner, disk) {
            return Ok(None);
        }
        let base = self.tracked_base(owner, &disk.path)?;
        let held = owner.held_ids();
        let content = LayerFile::open(&self.local_path(&disk.path)?)?.content_id();
        let known = tracking::load(&base);
        if known.is_err() && !switch_on {
            return Ok(None);
        }
        let usable = |tracking: &Tracking| {
            tracking.content == content && tracking.size_bytes == disk.size_bytes
        };
        let mut tracking = match known.ok().filter(usable) {
            Some(tracking) => tracking,
            None => Tracking::new(self.new_guid(), disk.size_bytes, content),
        };
        if self.facts.behavior.forgets_unheld_ids {
            let numbers = held.iter().filter(|id| id.file == tracking.file);
            let numbers: BTreeSet<u32> = numbers.map(|id| id.number).collect();
            tracking.forget_all_but(&numbers);
        }
        let id = tracking.add_point();
        tracking::save(&base, &tracking)?;
        Ok(Some(id.to_string()))
    }

    /// Notes that ranges of a disk changed, and what its running file's content is named now.
    pub(crate) fn note_changes(
        &mut self,
        vm: Uuid,
        disk: &VmDisk,
        ranges: impl Iterator<Item = Range<u64>>,
    ) -> Result<(), SimError> {
        self.change_tracking(vm, &disk.path, |tracking, content| {
            ranges.for_each(|range| tracking.note(range));
            tracking.content = content;
        })
    }

    /// Notes that the running file of a disk is another one, or was merged into: its content has
    /// another name, and is the same.
    pub(crate) fn note_new_leaf(&mut self, vm: Uuid, path: &str) -> Result<(), SimError> {
        self.change_tracking(vm, path, |tracking, content| tracking.content = content)
    }

    /// Changes the tracking data of a disk, where it is tracked. `path` is its running file.
    pub(crate) fn change_tracking(
        &mut self,
        vm: Uuid,
        path: &str,
        change: impl FnOnce(&mut Tracking, Uuid),
    ) -> Result<(), SimError> {
        let base = self.tracked_base(self.vm(vm)?, path)?;
        let Ok(mut tracking) = tracking::load(&base) else {
            return Ok(());
        };
        let content = LayerFile::open(&self.local_path(path)?)?.content_id();
        change(&mut tracking, content);
        tracking::save(&base, &tracking)
    }

    /// Forgets what is known of a disk's changes where its running file was changed past tracking,
    /// as opening it for a guest finds out (contract 3.4, event 9).
    pub(crate) fn notice_offline_change(
        &mut self,
        vm: Uuid,
        disk: &VmDisk,
    ) -> Result<(), SimError> {
        let base = self.tracked_base(self.vm(vm)?, &disk.path)?;
        let Ok(tracking) = tracking::load(&base) else {
            return Ok(());
        };
        let content = LayerFile::open(&self.local_path(&disk.path)?)?.content_id();
        if content == tracking.content {
            return Ok(());
        }
        self.restart_tracking(vm, &disk.path)
    }

    /// Forgets all that is known of a disk's changes: its ids are unknown from now on. Tracking
    /// stays on where it was.
    pub(crate) fn restart_tracking(&mut self, vm: Uuid, path: &str) -> Result<(), SimError> {
        let fresh = self.new_guid();
        self.change_tracking(vm, path, |tracking, content| {
            *tracking = Tracking::new(fresh, tracking.size_bytes, content);
        })
    }

    /// Makes `.rct` and `.mrt` beside a new file of a tracked disk.
    pub(crate) fn mark_tracked(&self, vm: &Vm, path: &str) -> Result<(), SimError> {
        if tracking::load(&self.tracked_base(vm, path)?).is_ok() {
            tracking::place_marks(&self.local_path(path)?)?;
        }
        Ok(())
    }
}

impl Vm {
    /// Lists the tracking ids that checkpoints and reference points hold.
    fn held_ids(&self) -> Vec<TrackingId> {
        let frozen = self.snapshots.iter().flat_map(|snapshot| &snapshot.disks);
        let frozen = frozen.filter_map(|disk| disk.tracking_id.as_ref());
        let points = self.reference_points.iter().flat_map(|point| &point.disks);
        let points = points.map(|disk| &disk.tracking_id);
        let ids = frozen.chain(points);
        ids.filter_map(|id| TrackingId::parse(id).ok()).collect()
    }
}
