//! A disk that is in the way: whether it can be written over where it differs, and what files it is.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use block_io::{BlockDevice as _, ByteRanges, DiskErrorKind, ExtentKind};
use disk_image::{DiskImage, ImageFormat, OpenOptions, open};
use hyperv_host::{DiskChanges, RestoreHost, TargetVm};
use repository::{Repository, Stream};
use uuid::Uuid;
use vm_config::DiskSlot;

use super::host_path::{file_name, parent};
use super::plan::DiskMethod;
use super::space::{BLOCK_BYTES, OVERHEAD_BYTES};
use crate::point_disk::disk_id_of;

/// How an existing file can come to hold what the point has.
pub(crate) struct Overwrite {
    pub(crate) method: DiskMethod,
    pub(crate) write_bytes: u64,
    pub(crate) is_exact: bool,
    /// By how much the file may grow: by what the point has more than the file has room for now.
    pub(crate) grow_bytes: u64,
}

/// Returns the file of the VM's disk at a slot.
pub(crate) fn disk_at(vm: &TargetVm, slot: Option<DiskSlot>) -> Option<&str> {
    let slot = slot?;
    let mut disks = vm.disks.iter();
    let found = disks.find(|(at, _)| *at == slot);
    found.map(|(_, path)| &**path)
}

/// Opens the image at a path with whatever parents lie beside it.
pub(crate) fn open_beside(local: &Path) -> Result<DiskImage, block_io::DiskError> {
    open(local, &OpenOptions::default())
}

/// Says why an image that is there cannot be written over by what a stream holds; `None`: it can.
pub(crate) fn unfit(image: &DiskImage, stream: &Stream) -> Option<String> {
    if image.chain().len() != 1 {
        return Some("it is a chain of files".to_owned());
    }
    if !matches!(
        image.format(),
        ImageFormat::Vhdx | ImageFormat::VhdxFixed | ImageFormat::VhdFixed
    ) {
        return Some(format!(
            "a file of format {} is written anew",
            image.format()
        ));
    }
    if image.size_bytes() != stream.size_bytes {
        return Some(format!(
            "it has {} bytes, and that of the point {}",
            image.size_bytes(),
            stream.size_bytes
        ));
    }
    let is_vhdx = image.format() != ImageFormat::VhdFixed;
    let wanted: Option<Uuid> = disk_id_of(stream).filter(|_| is_vhdx);
    (wanted.is_some() && wanted != image.disk_id()).then(|| "it is another virtual disk".to_owned())
}

/// Says how the disk of a VM that gives way is written over; `None` where it is written anew.
pub(crate) fn overwrite(
    repository: &Repository,
    host: &dyn RestoreHost,
    vm: &TargetVm,
    (slot, path): (DiskSlot, &str),
    stream: &Stream,
    is_there: bool,
) -> Option<Overwrite> {
    let local = host.local_path(path).ok()?;
    let empty = match open_beside(&local) {
        Ok(image) if unfit(&image, stream).is_some() => return None,
        Ok(image) => not_allocated(&image),
        // A VM that runs has it to itself. Whether it fits is seen once the VM is off.
        Err(error) if matches!(error.kind(), DiskErrorKind::InUse) => None,
        Err(_) => return None,
    };
    let data_bytes = stream.statistics.data_bytes;
    let has_bytes = local.metadata().map_or(0, |file| file.len());
    let grow_bytes = data_bytes.saturating_add(OVERHEAD_BYTES);
    let grow_bytes = grow_bytes
        .saturating_sub(has_bytes)
        .min(empty.as_ref().map_or(u64::MAX, in_blocks));
    let tracked = changed_ranges(repository, host, vm, slot, stream, is_there);
    Some(match tracked {
        Some(ranges) => Overwrite {
            method: DiskMethod::ChangedRanges {
                ranges: ranges.iter().count(),
            },
            write_bytes: ranges.total_bytes(),
            is_exact: true,
            grow_bytes: grow_bytes.min(in_blocks(&ranges)),
        },
        None => Overwrite {
            method: DiskMethod::Compared,
            write_bytes: data_bytes + stream.statistics.zero_bytes,
            is_exact: false,
            grow_bytes,
        },
    })
}

/// Returns what of a disk has no room in its file yet; `None`: that cannot be read.
fn not_allocated(image: &DiskImage) -> Option<ByteRanges> {
    let size_bytes = image.size_bytes();
    let mut empty = ByteRanges::new();
    let mut at = 0;
    while at < size_bytes {
        let extent = image.extent_at(at, size_bytes - at).ok()?;
        if extent.kind != ExtentKind::Data {
            empty.insert(at, extent.len_bytes);
        }
        at = at.saturating_add(extent.len_bytes.max(1));
    }
    Some(empty)
}

/// Returns by how much a file grows at most when these ranges of it are written for the first time:
/// dynamic disks grow by whole blocks.
fn in_blocks(ranges: &ByteRanges) -> u64 {
    ranges.rounded(BLOCK_BYTES, u64::MAX).total_bytes()
}

/// Asks the host what changed since the point, in whole chunks; `None` where it does not know.
pub(crate) fn changed_ranges(
    repository: &Repository,
    host: &dyn RestoreHost,
    vm: &TargetVm,
    slot: DiskSlot,
    stream: &Stream,
    is_there: bool,
) -> Option<ByteRanges> {
    let cursor = stream.cursor.as_deref().filter(|_| is_there)?;
    // Points keep what a host gave in base64.
    let cursor = String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?;
    match host.changes_since(&vm.identity, slot, &cursor) {
        Ok(DiskChanges::Ranges { ranges, .. }) => {
            Some(ranges.rounded(repository.chunk_bytes().into(), stream.size_bytes))
        }
        Ok(DiskChanges::Everything(_)) | Err(_) => None,
    }
}

/// Returns the files of an old disk that go with it, as the host names them: its leaf, and below it
/// the files of checkpoints down to the first that is none. A base that a person made disks from
/// stays.
pub(crate) fn files_of(host: &dyn RestoreHost, leaf: &str) -> Vec<String> {
    let mut files = vec![leaf.to_owned()];
    let chain = host.local_path(leaf).ok();
    let chain = chain.and_then(|local| open_beside(&local).ok());
    let mut is_checkpoint = is_of_checkpoint(leaf);
    for file in chain.iter().flat_map(|image| image.chain()).skip(1) {
        if !is_checkpoint {
            break;
        }
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let Some(path) = parent(leaf).map(|folder| format!("{folder}\\{name}")) else {
            break;
        };
        // A parent in another folder is not called that.
        let is_it = host.local_path(&path).ok();
        let is_it = is_it.and_then(|local| local.canonicalize().ok());
        if is_it.as_deref() != Some(&*file.path) {
            break;
        }
        is_checkpoint = is_of_checkpoint(&path);
        files.push(path);
    }
    files
}

pub(crate) fn is_of_checkpoint(path: &str) -> bool {
    let name = file_name(path).to_lowercase();
    name.ends_with(".avhdx") || name.ends_with(".avhd")
}
