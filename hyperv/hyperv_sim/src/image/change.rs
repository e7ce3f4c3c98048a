//! Changing a disk's file, as a guest's writes do.

use std::path::Path;
use std::sync::Arc;

use block_io::{DiskError, NewImage, WritableFile};
use vhd_format::{CreateKind, CreateOptions, LocatorKind, ParentLink, VhdKind, VhdLayer};
use vhdx_format::{GuidSource, VhdxDisk};

use super::layer_file::{LayerFile, PIECE_BYTES, Piece, each_piece, is_vhd};
use super::shared_file::unshare;
use super::volatile_file::VolatileFile;

/// Writes ranges of whole sectors into one file of a chain. `seed` is what a VHDX's new data write
/// GUID comes from.
pub(crate) fn write_ranges(
    path: &Path,
    writes: &[(u64, Vec<u8>)],
    seed: u64,
) -> Result<(), DiskError> {
    if !is_vhd(path) {
        return change_vhdx(path, seed, |disk| {
            for (offset, data) in writes {
                disk.write_layer_at(*offset, data)?;
            }
            Ok(())
        });
    }
    rewrite_vhd(path, None, |new| {
        for (offset, data) in writes {
            new.write_at(*offset, data)?;
        }
        Ok(())
    })
}

/// Changes a VHDX in place.
pub(super) fn change_vhdx(
    path: &Path,
    seed: u64,
    change: impl FnOnce(&VhdxDisk) -> Result<(), DiskError>,
) -> Result<(), DiskError> {
    unshare(path)?;
    let disk = VhdxDisk::open_writable(VolatileFile::open(path)?, GuidSource::Counting(seed))?;
    change(&disk)?;
    disk.close()
}

/// Writes a VHD anew, with the same identity, and lets `change` write over what it held. A VHD has
/// no log, so nothing changes one in place.
pub(super) fn rewrite_vhd(
    path: &Path,
    link: Option<ParentLink>,
    change: impl FnOnce(&dyn NewImage) -> Result<(), DiskError>,
) -> Result<(), DiskError> {
    let LayerFile::Vhd(old) = LayerFile::open(path)? else {
        return Err(DiskError::unsupported(
            &path.display().to_string(),
            "this is no VHD",
        ));
    };
    let partial = path.with_extension("new.vhd");
    let file: Arc<dyn WritableFile> = VolatileFile::create(&partial)?;
    let info = old.info();
    let kind = match info.kind {
        VhdKind::Fixed => CreateKind::Fixed,
        VhdKind::Dynamic => CreateKind::Dynamic,
        VhdKind::Differencing => CreateKind::Differencing(link.unwrap_or_else(|| own_link(&old))),
    };
    let mut options = CreateOptions::new(info.size_bytes, kind);
    options.unique_id = Some(info.unique_id);
    let new = vhd_format::create(file, options)?;
    copy_layer(&*old, &*new)?;
    change(&*new)?;
    new.finish()?;
    drop(old);
    replace(&partial, path)
}

/// Writes everything that a layer itself knows.
pub(super) fn copy_layer(
    layer: &dyn block_io::DiskLayer,
    new: &dyn NewImage,
) -> Result<(), DiskError> {
    each_piece(layer, 0..layer.size_bytes(), |range, piece| match piece {
        Piece::Data(data) => new.write_at(range.start, data),
        Piece::Zero => new.write_at(range.start, &zeros(range.end - range.start)),
    })
}

/// Returns zeros, of at most a piece.
pub(super) fn zeros(len_bytes: u64) -> Vec<u8> {
    vec![0; usize::try_from(len_bytes.min(PIECE_BYTES)).unwrap_or(0)]
}

pub(super) fn replace(new: &Path, path: &Path) -> Result<(), DiskError> {
    let name = path.display().to_string();
    std::fs::rename(new, path).map_err(|error| DiskError::io(&name, "cannot replace", error))
}

/// Returns the link to the parent that a differencing VHD has.
fn own_link(layer: &VhdLayer) -> ParentLink {
    let path = |kind: LocatorKind| {
        let locators = layer.parent_locators().iter();
        let mut found = locators.filter(|locator| locator.kind == kind);
        found.next().map(|locator| locator.path.clone())
    };
    ParentLink {
        unique_id: layer.info().parent_unique_id.unwrap_or_default(),
        relative_path: path(LocatorKind::Relative),
        absolute_path: path(LocatorKind::Absolute),
    }
}
