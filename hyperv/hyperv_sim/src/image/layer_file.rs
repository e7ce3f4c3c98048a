//! One file of a chain, read without its parents.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use block_io::{DiskError, DiskLayer, ImageFile, LayerExtentKind, OsFile};
use uuid::Uuid;
use vhd_format::VhdLayer;
use vhdx_format::VhdxLayer;

/// Most bytes that are handed over at once: a block of a differencing disk.
pub(super) const PIECE_BYTES: u64 = 2 << 20;

/// One file of a chain, read without its parents.
pub(crate) enum LayerFile {
    /// `.vhdx`, `.avhdx`
    Vhdx(Box<VhdxLayer>),
    /// `.vhd`, `.avhd`
    Vhd(Box<VhdLayer>),
}

/// What a file says of a range.
pub(super) enum Piece<'a> {
    /// These bytes.
    Data(&'a [u8]),
    /// Zeros, whatever the parent holds.
    Zero,
}

/// Says whether a file of this name is a VHD rather than a VHDX.
pub(super) fn is_vhd(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        extension.eq_ignore_ascii_case("vhd") || extension.eq_ignore_ascii_case("avhd")
    })
}

impl LayerFile {
    /// Opens a file. Others may read it at the same time.
    pub(crate) fn open(path: &Path) -> Result<Self, DiskError> {
        let file: Arc<dyn ImageFile> = Arc::new(OsFile::open(path)?);
        Ok(if is_vhd(path) {
            Self::Vhd(Box::new(VhdLayer::open(file)?))
        } else {
            Self::Vhdx(Box::new(VhdxLayer::open(file)?))
        })
    }

    /// Returns the file as a layer.
    pub(crate) fn as_layer(&self) -> &dyn DiskLayer {
        match self {
            Self::Vhdx(layer) => &**layer,
            Self::Vhd(layer) => &**layer,
        }
    }

    /// Returns the identity of the virtual disk: page 83 id, or unique id.
    pub(crate) fn disk_id(&self) -> Uuid {
        match self {
            Self::Vhdx(layer) => layer.info().disk_id,
            Self::Vhd(layer) => layer.info().unique_id,
        }
    }

    /// Returns what a change of the content changes: a VHDX's data write GUID. A VHD has nothing
    /// like it, so its unique id stands in.
    pub(crate) fn content_id(&self) -> Uuid {
        match self {
            Self::Vhdx(layer) => layer.info().data_write_guid,
            Self::Vhd(layer) => layer.info().unique_id,
        }
    }
}

/// Hands over everything that a layer itself knows in `range`, in ascending order.
pub(super) fn each_piece(
    layer: &dyn DiskLayer,
    range: Range<u64>,
    mut each: impl FnMut(Range<u64>, Piece<'_>) -> Result<(), DiskError>,
) -> Result<(), DiskError> {
    let mut buffer = Vec::new();
    let mut offset = range.start;
    while offset < range.end {
        let extent = layer.layer_extent_at(offset, range.end - offset)?;
        // Pieces end where blocks do, so that whole blocks of zeros are seen as such.
        let block_end = (offset / PIECE_BYTES + 1) * PIECE_BYTES;
        let end = match extent.kind {
            LayerExtentKind::Parent => offset + extent.len_bytes,
            _ => (offset + extent.len_bytes).min(block_end),
        };
        match extent.kind {
            LayerExtentKind::Parent => {}
            LayerExtentKind::Zero => each(offset..end, Piece::Zero)?,
            LayerExtentKind::Data => {
                buffer.resize(usize::try_from(end - offset).unwrap_or(0), 0);
                layer.read_layer_at(offset, &mut buffer)?;
                each(offset..end, Piece::Data(&buffer))?;
            }
        }
        offset = end;
    }
    Ok(())
}
