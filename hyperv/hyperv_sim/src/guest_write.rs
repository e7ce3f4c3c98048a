//! What guests write to their disks.

use std::ops::Range;

use block_io::{BlockDevice, ExtentKind};
use disk_image::DiskImage;
use uuid::Uuid;

use crate::host_state::HostState;
use crate::image::write_ranges;
use crate::tracking::GRANULARITY_BYTES;
use crate::{PowerState, SimError, SimErrorKind, SimHost, VmDisk};

/// What is compared at once.
const WINDOW_BYTES: u64 = 1 << 20;

impl SimHost {
    /// Writes bytes to a disk of a running VM, as its guest would. `disk` counts from 0, by slot.
    pub fn write(&self, vm: Uuid, disk: usize, offset: u64, bytes: &[u8]) -> Result<(), SimError> {
        self.act(|state| state.guest_writes(vm, disk, &[(offset, bytes.to_vec())]))
    }

    /// Writes what differs from `content`, in blocks of 32 KiB, as a guest would; returns how many
    /// bytes that was. A disk longer than `content` keeps its rest.
    pub fn apply(&self, vm: Uuid, disk: usize, content: &dyn BlockDevice) -> Result<u64, SimError> {
        self.act(|state| {
            let image = state.open_running(state.disk(vm, disk)?)?;
            let writes = differences(&image, content)?;
            drop(image);
            state.guest_writes(vm, disk, &writes)?;
            Ok(writes.iter().map(|(_, data)| data.len() as u64).sum())
        })
    }

    /// Opens a disk of a VM as its guest sees it now.
    pub fn open_disk(&self, vm: Uuid, disk: usize) -> Result<DiskImage, SimError> {
        self.look(|state| state.open_running(state.disk(vm, disk)?))
    }

    /// Opens a file of the host, with all its parents, by the path that the host knows it by.
    pub fn open_image(&self, path: &str) -> Result<DiskImage, SimError> {
        self.look(|state| state.open_chain(path))
    }
}

impl HostState {
    /// Returns a VM's disk by its number.
    pub(crate) fn disk(&self, vm: Uuid, disk: usize) -> Result<&VmDisk, SimError> {
        let vm = self.vm(vm)?;
        vm.disks.get(disk).ok_or_else(|| {
            SimError::new(
                SimErrorKind::NotFound,
                format!(
                    "'{}' has {} disks, not a disk {disk}",
                    vm.name,
                    vm.disks.len()
                ),
            )
        })
    }

    /// Opens the chain of a disk.
    pub(crate) fn open_running(&self, disk: &VmDisk) -> Result<DiskImage, SimError> {
        self.open_chain(&disk.path)
    }

    /// Opens a file of the host with all its parents.
    pub(crate) fn open_chain(&self, host_path: &str) -> Result<DiskImage, SimError> {
        let path = self.local_path(host_path)?;
        Ok(disk_image::open(&path, &self.open_options()?)?)
    }

    pub(crate) fn guest_writes(
        &mut self,
        vm: Uuid,
        disk: usize,
        writes: &[(u64, Vec<u8>)],
    ) -> Result<(), SimError> {
        let owner = self.vm(vm)?;
        if owner.power != PowerState::Running {
            return Err(SimError::new(
                SimErrorKind::InvalidState,
                format!("the guest of '{}' does not run", owner.name),
            ));
        }
        let changed = self.disk(vm, disk)?.clone();
        if !self.has_room_for(&changed.path, writes)? {
            self.pause_for_lack_of_room(vm)?;
            return Err(SimError::new(
                SimErrorKind::NoSpace,
                format!("the volume of {} is full", changed.path),
            ));
        }
        self.notice_offline_change(vm, &changed)?;
        self.change_disk(&changed, writes)?;
        let ranges = writes
            .iter()
            .map(|(offset, data)| *offset..*offset + data.len() as u64);
        self.note_changes(vm, &changed, ranges)
    }

    /// Writes into the running file of a disk, past change tracking.
    pub(crate) fn change_disk(
        &mut self,
        disk: &VmDisk,
        writes: &[(u64, Vec<u8>)],
    ) -> Result<(), SimError> {
        let path = self.local_path(&disk.path)?;
        let mut whole: Vec<(u64, Vec<u8>)> = Vec::new();
        for (offset, data) in writes {
            let end = offset.checked_add(data.len() as u64);
            if end.is_none_or(|end| end > disk.size_bytes) {
                return Err(SimError::new(
                    SimErrorKind::InvalidParameter,
                    format!("{} bytes at {offset} leave the disk", data.len()),
                ));
            }
            if offset % 4096 == 0 && data.len() % 4096 == 0 {
                whole.push((*offset, data.clone()));
                continue;
            }
            // What a write leaves of a sector is read first, after what comes before it is there.
            write_ranges(&path, &whole, self.new_number())?;
            whole.clear();
            let sectors = self.with_whole_sectors(disk, *offset, data)?;
            write_ranges(&path, &[sectors], self.new_number())?;
        }
        if !whole.is_empty() {
            write_ranges(&path, &whole, self.new_number())?;
        }
        Ok(())
    }

    fn with_whole_sectors(
        &self,
        disk: &VmDisk,
        offset: u64,
        data: &[u8],
    ) -> Result<(u64, Vec<u8>), SimError> {
        let image = self.open_running(disk)?;
        let sector = u64::from(image.sector_bytes());
        let start = offset / sector * sector;
        let end = (offset + data.len() as u64).next_multiple_of(sector);
        let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(0)];
        image.read_at(start, &mut bytes)?;
        let at = usize::try_from(offset - start).unwrap_or(0);
        if let Some(part) = bytes.get_mut(at..at + data.len()) {
            part.copy_from_slice(data);
        }
        Ok((start, bytes))
    }
}

/// Returns what must be written for `disk` to hold `content`.
fn differences(
    disk: &dyn BlockDevice,
    content: &dyn BlockDevice,
) -> Result<Vec<(u64, Vec<u8>)>, SimError> {
    let size_bytes = content.size_bytes();
    if size_bytes > disk.size_bytes() {
        return Err(SimError::new(
            SimErrorKind::InvalidParameter,
            format!(
                "{size_bytes} bytes do not fit on a disk of {} bytes",
                disk.size_bytes()
            ),
        ));
    }
    let mut writes: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut offset = 0;
    while offset < size_bytes {
        let rest = size_bytes - offset;
        let empty = empty_bytes(disk, content, offset, rest)?;
        if empty > 0 {
            offset += empty;
            continue;
        }
        let len = rest.min(WINDOW_BYTES - offset % WINDOW_BYTES);
        compare(disk, content, offset..offset + len, &mut writes)?;
        offset += len;
    }
    Ok(writes)
}

/// Returns how many bytes from `offset` neither side has anything in: whole blocks, or the rest.
fn empty_bytes(
    disk: &dyn BlockDevice,
    content: &dyn BlockDevice,
    offset: u64,
    rest: u64,
) -> Result<u64, SimError> {
    let (old, new) = (
        disk.extent_at(offset, rest)?,
        content.extent_at(offset, rest)?,
    );
    if old.kind == ExtentKind::Data || new.kind == ExtentKind::Data {
        return Ok(0);
    }
    let len = old.len_bytes.min(new.len_bytes);
    Ok(if len == rest {
        len
    } else {
        len / GRANULARITY_BYTES * GRANULARITY_BYTES
    })
}

fn compare(
    disk: &dyn BlockDevice,
    content: &dyn BlockDevice,
    range: Range<u64>,
    writes: &mut Vec<(u64, Vec<u8>)>,
) -> Result<(), SimError> {
    let len = usize::try_from(range.end - range.start).unwrap_or(0);
    let block = usize::try_from(GRANULARITY_BYTES).unwrap_or(usize::MAX);
    let (mut old, mut new) = (vec![0; len], vec![0; len]);
    disk.read_at(range.start, &mut old)?;
    content.read_at(range.start, &mut new)?;
    let blocks = old.chunks(block).zip(new.chunks(block));
    for (number, (old, new)) in (0_u64..).zip(blocks) {
        if old == new {
            continue;
        }
        let offset = range.start + number * GRANULARITY_BYTES;
        match writes.last_mut() {
            Some((start, data)) if *start + data.len() as u64 == offset => data.extend(new),
            _ => writes.push((offset, new.to_vec())),
        }
    }
    Ok(())
}
