//! Merging a child into its parent.

use std::ops::Range;
use std::path::Path;

use block_io::{DiskError, DiskErrorKind, DiskLayer, LayerExtentKind, OsFile};
use uuid::Uuid;
use vhdx_format::VhdxDisk;

use super::change::{change_vhdx, copy_layer, replace, rewrite_vhd, zeros};
use super::layer_file::{LayerFile, Piece, each_piece, is_vhd};
use super::new_file::new_child;
use super::shared_file::unshare;

/// Says whether somebody has the file open for reading, as Windows would refuse to write it. Who
/// reads it in a snapshot of its volume does not stand in the way.
pub(crate) fn is_read_elsewhere(path: &Path) -> Result<bool, DiskError> {
    unshare(path)?;
    let file = OsFile::open_writable(path)?;
    Ok(!file.try_lock_exclusive())
}

/// Writes what `child` itself holds into `parent`. Doing it again does no harm.
pub(crate) fn merge_into_parent(child: &Path, parent: &Path, seed: u64) -> Result<(), DiskError> {
    let layer = LayerFile::open(child)?;
    let child = layer.as_layer();
    if is_vhd(parent) {
        return rewrite_vhd(parent, None, |new| copy_layer(child, new));
    }
    change_vhdx(parent, seed, |parent| {
        if parent.size_bytes() < child.size_bytes() {
            return Err(DiskError::new(
                DiskErrorKind::Unsupported,
                "the child is larger than its parent",
            ));
        }
        each_piece(child, 0..child.size_bytes(), |range, piece| match piece {
            Piece::Data(data) => parent.write_layer_at(range.start, data),
            Piece::Zero => write_zeros(parent, range),
        })
    })
}

/// Writes zeros where the parent does not read as zero anyway.
fn write_zeros(parent: &VhdxDisk, range: Range<u64>) -> Result<(), DiskError> {
    let mut offset = range.start;
    while offset < range.end {
        let extent = parent.layer_extent_at(offset, range.end - offset)?;
        let is_zero = match extent.kind {
            LayerExtentKind::Data => false,
            LayerExtentKind::Zero => true,
            LayerExtentKind::Parent => !parent.info().has_parent,
        };
        if !is_zero {
            // A piece ends at a block's end, so this is at most one block.
            parent.write_layer_at(offset, &zeros(extent.len_bytes))?;
        }
        offset += extent.len_bytes;
    }
    Ok(())
}

/// Makes `child` a child of `parent` without changing what it itself holds: writes it anew. What
/// its own children know it by stays.
pub(crate) fn set_parent(
    child: &Path,
    parent: &Path,
    parent_host_path: &str,
) -> Result<(), DiskError> {
    let layer = LayerFile::open(child)?;
    let (unique_id, seed) = match &layer {
        LayerFile::Vhd(layer) => (Some(layer.info().unique_id), 0),
        LayerFile::Vhdx(layer) => (None, seed_of(layer.info().data_write_guid)),
    };
    let partial = child.with_extension(if is_vhd(child) {
        "new.avhd"
    } else {
        "new.avhdx"
    });
    let new = new_child(&partial, parent, parent_host_path, seed, unique_id)?;
    copy_layer(layer.as_layer(), &*new)?;
    new.finish()?;
    drop(layer);
    replace(&partial, child)
}

/// Returns the seed of a new VHDX that has this data write GUID: the second that is drawn. All files
/// of checkpoints were made from such a seed.
fn seed_of(data_write_guid: Uuid) -> u64 {
    u64::try_from(data_write_guid.as_u128())
        .unwrap_or(0)
        .wrapping_sub(2)
}
