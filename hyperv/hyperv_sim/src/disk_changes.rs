//! What happens to disks past their guests: replaced, resized, changed offline, and tracking that
//! fails or lies.

use std::ops::Range;

use uuid::Uuid;

use crate::host_state::HostState;
use crate::image::{LayerFile, NewDisk, create_disk};
use crate::tracking::{self, Tracking};
use crate::{DiskContent, DiskSpec, SimError, SimErrorKind, SimHost, VmDisk};

impl SimHost {
    /// Puts another disk in a disk's place, as a restore of one disk does. The old file stays.
    pub fn replace_disk(&self, vm: Uuid, disk: usize, with: DiskContent) -> Result<(), SimError> {
        self.act(|state| {
            let old = state.disk_without_checkpoints(vm, disk)?;
            let mut spec = DiskSpec::new(with);
            spec.kind = old.kind;
            let (new, file) = state.new_disk(&old.path, &spec, old.slot)?;
            let owner = state.vm_mut(vm)?;
            owner.files.remove(&old.path);
            owner
                .files
                .extend(file.map(|file| (new.path.clone(), file)));
            let slot = owner.disks.iter_mut().find(|disk| disk.slot == old.slot);
            slot.map_or(Ok::<(), SimError>(()), |slot| {
                *slot = new;
                Ok(())
            })?;
            state.write_configuration(vm)
        })
    }

    /// Makes a disk larger. What was known of its changes is lost. Contract: 7 \[M\]
    pub fn resize_disk(&self, vm: Uuid, disk: usize, size_bytes: u64) -> Result<(), SimError> {
        self.act(|state| {
            let old = state.disk_without_checkpoints(vm, disk)?;
            if size_bytes < old.size_bytes {
                return Err(SimError::new(
                    SimErrorKind::InvalidParameter,
                    "a disk cannot become smaller",
                ));
            }
            state.make_larger(vm, &old, size_bytes)?;
            let owner = state.vm_mut(vm)?;
            let disks = owner.disks.iter_mut();
            disks
                .filter(|disk| disk.slot == old.slot)
                .for_each(|disk| disk.size_bytes = size_bytes);
            Ok(())
        })
    }

    /// Changes a disk past its guest and past change tracking, as a person does who mounts it.
    pub fn edit_offline(
        &self,
        vm: Uuid,
        disk: usize,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), SimError> {
        self.act(|state| {
            let disk = state.disk(vm, disk)?.clone();
            state.change_disk(&disk, &[(offset, bytes.to_vec())])
        })
    }

    /// Lets change tracking forget that a range changed: a lie, for those who want to catch it.
    pub fn lie(&self, vm: Uuid, disk: usize, range: Range<u64>) -> Result<(), SimError> {
        self.act(|state| {
            let disk = state.disk(vm, disk)?.clone();
            state.change_tracking(vm, &disk.path, |tracking, _| tracking.lie(&range))
        })
    }

    /// Switches change tracking of a VM off: its tracking files go.
    pub fn disable_tracking(&self, vm: Uuid) -> Result<(), SimError> {
        self.act(|state| {
            let owner = state.vm(vm)?;
            for file in owner.files.keys() {
                tracking::remove_files(&state.local_path(file)?)?;
            }
            Ok(())
        })
    }

    /// Damages the tracking file of a disk.
    pub fn damage_tracking(&self, vm: Uuid, disk: usize) -> Result<(), SimError> {
        self.act(|state| {
            let disk = state.disk(vm, disk)?;
            let base = state.tracked_base(state.vm(vm)?, &disk.path)?;
            let [rct, _] = tracking::tracking_files(&base);
            std::fs::write(&rct, b"damaged").map_err(|error| SimError::io(rct.display(), error))
        })
    }
}

impl HostState {
    fn disk_without_checkpoints(&self, vm: Uuid, disk: usize) -> Result<VmDisk, SimError> {
        let owner = self.vm(vm)?;
        let found = self.disk(vm, disk)?;
        if owner.base_of(&found.path) != found.path || !owner.snapshots.is_empty() {
            return Err(SimError::new(
                SimErrorKind::InvalidState,
                format!(
                    "'{}' has checkpoints, or files that are to be merged",
                    owner.name
                ),
            ));
        }
        Ok(found.clone())
    }

    fn make_larger(&mut self, vm: Uuid, disk: &VmDisk, size_bytes: u64) -> Result<(), SimError> {
        let path = self.local_path(&disk.path)?;
        let extension = if disk.kind == crate::DiskKind::Vhd {
            "larger.vhd"
        } else {
            "larger.vhdx"
        };
        let partial = path.with_extension(extension);
        let old = self.open_running(disk)?;
        let larger = Larger {
            disk: &old,
            size_bytes,
        };
        let new = NewDisk {
            size_bytes,
            content: Some(&larger),
            disk_id: disk.disk_id,
            seed: self.new_number(),
        };
        create_disk(&partial, &new)?;
        drop(old);
        let renamed = std::fs::rename(&partial, &path);
        renamed.map_err(|error| SimError::io(path.display(), error))?;
        if tracking::load(&path).is_ok() {
            let content = LayerFile::open(&path)?.content_id();
            let fresh = Tracking::new(self.new_guid(), size_bytes, content);
            tracking::save(&self.tracked_base(self.vm(vm)?, &disk.path)?, &fresh)?;
        }
        Ok(())
    }
}

/// A disk with nothing behind its end, up to a larger size.
struct Larger<'a> {
    disk: &'a dyn block_io::BlockDevice,
    size_bytes: u64,
}

impl block_io::BlockDevice for Larger<'_> {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn sector_bytes(&self) -> u32 {
        self.disk.sector_bytes()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), block_io::DiskError> {
        block_io::check_range(self.size_bytes, offset, buf.len() as u64)?;
        let inside = self.disk.size_bytes().saturating_sub(offset);
        let inside = usize::try_from(inside).unwrap_or(usize::MAX).min(buf.len());
        let (old, new) = buf.split_at_mut(inside);
        new.fill(0);
        if old.is_empty() {
            return Ok(());
        }
        self.disk.read_at(offset, old)
    }

    fn extent_at(
        &self,
        offset: u64,
        max_bytes: u64,
    ) -> Result<block_io::Extent, block_io::DiskError> {
        let inside = self.disk.size_bytes().saturating_sub(offset);
        if inside == 0 {
            return Ok(block_io::Extent {
                kind: block_io::ExtentKind::NotAllocated,
                len_bytes: max_bytes,
            });
        }
        self.disk.extent_at(offset, max_bytes.min(inside))
    }
}
