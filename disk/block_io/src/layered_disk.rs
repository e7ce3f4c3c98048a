//! A chain of image files as one disk.

use std::sync::Arc;

use crate::{
    BlockDevice, DiskError, DiskErrorKind, Extent, ExtentKind, LayerExtent, LayerExtentKind,
    check_range,
};

/// One file of a chain.
///
/// | Implementor | File |
/// |---|---|
/// | `vhdx_format::VhdxLayer` | `.vhdx`, `.avhdx` |
/// | `vhd_format::VhdLayer` | `.vhd`, `.avhd` |
/// | `disk_image::RawLayer` | anything else |
pub trait DiskLayer: Send + Sync {
    /// Returns the size of the virtual disk that this layer describes, in bytes.
    fn size_bytes(&self) -> u64;

    /// Returns the logical sector size in bytes.
    fn sector_bytes(&self) -> u32;

    /// Returns the physical sector size in bytes.
    fn physical_sector_bytes(&self) -> u32;

    /// Says what this layer knows about `offset`, as one extent of 1 to `max_bytes` bytes.
    ///
    /// `max_bytes` is at least 1, and the range lies inside this layer's disk.
    fn layer_extent_at(&self, offset: u64, max_bytes: u64) -> Result<LayerExtent, DiskError>;

    /// Fills `buf` from `offset`, where [`DiskLayer::layer_extent_at`] said `Data`.
    fn read_layer_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError>;
}

/// A chain, leaf first, read as the leaf shows it.
///
/// The disk is as large as the leaf says. A parent may be shorter: beyond its end nothing is
/// allocated. A parent may be longer: what lies beyond the leaf's end is not part of the disk.
pub struct LayeredDisk {
    layers: Vec<Arc<dyn DiskLayer>>,
}

impl LayeredDisk {
    /// Stacks `layers`, leaf first. All must have one logical sector size (VHDX 2.6.2.4).
    pub fn new(layers: Vec<Arc<dyn DiskLayer>>) -> Result<Self, DiskError> {
        let Some(leaf) = layers.first() else {
            return Err(DiskError::new(
                DiskErrorKind::OutOfRange,
                "a chain needs at least one file",
            ));
        };
        let sector_bytes = leaf.sector_bytes();
        if let Some(other) = layers
            .iter()
            .find(|layer| layer.sector_bytes() != sector_bytes)
        {
            return Err(DiskError::new(
                DiskErrorKind::ParentMismatch,
                format!(
                    "the leaf has {sector_bytes}-byte logical sectors, a parent has {}",
                    other.sector_bytes()
                ),
            ));
        }
        Ok(Self { layers })
    }

    /// Returns the layers, leaf first.
    pub fn layers(&self) -> &[Arc<dyn DiskLayer>] {
        &self.layers
    }

    /// Finds the layer that decides about `offset`. The extent's kind is never `Parent` unless no
    /// layer knows anything; the index is then meaningless.
    fn resolve(&self, offset: u64, max_bytes: u64) -> Result<(usize, LayerExtent), DiskError> {
        let mut max_bytes = max_bytes;
        for (index, layer) in self.layers.iter().enumerate() {
            let size_bytes = layer.size_bytes();
            if offset >= size_bytes {
                // A shorter parent says nothing beyond its end, and neither do its own parents:
                // what this layer would read there is zero.
                break;
            }
            // The extent may not run past this layer's end into what no layer below may answer.
            max_bytes = max_bytes.min(size_bytes - offset);
            let extent = layer.layer_extent_at(offset, max_bytes)?;
            max_bytes = max_bytes.min(extent.len_bytes);
            if extent.kind != LayerExtentKind::Parent {
                return Ok((
                    index,
                    LayerExtent {
                        kind: extent.kind,
                        len_bytes: max_bytes,
                    },
                ));
            }
        }
        Ok((
            0,
            LayerExtent {
                kind: LayerExtentKind::Parent,
                len_bytes: max_bytes,
            },
        ))
    }
}

impl BlockDevice for LayeredDisk {
    fn size_bytes(&self) -> u64 {
        self.layers[0].size_bytes()
    }

    fn sector_bytes(&self) -> u32 {
        self.layers[0].sector_bytes()
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.layers[0].physical_sector_bytes()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes(), offset, buf.len() as u64)?;
        let mut rest = buf;
        let mut offset = offset;
        while !rest.is_empty() {
            let (index, extent) = self.resolve(offset, rest.len() as u64)?;
            // `resolve` never returns more than it was asked for, which is a slice's length.
            let len = usize::try_from(extent.len_bytes)
                .unwrap_or(rest.len())
                .min(rest.len());
            if len == 0 {
                return Err(DiskError::new(
                    DiskErrorKind::Corrupt,
                    "a layer returned an empty extent",
                )
                .at(offset));
            }
            let (part, tail) = rest.split_at_mut(len);
            match extent.kind {
                LayerExtentKind::Data => self.layers[index].read_layer_at(offset, part)?,
                LayerExtentKind::Zero | LayerExtentKind::Parent => part.fill(0),
            }
            offset += len as u64;
            rest = tail;
        }
        Ok(())
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.size_bytes(), offset, max_bytes.max(1))?;
        let (_, extent) = self.resolve(offset, max_bytes)?;
        let kind = match extent.kind {
            LayerExtentKind::Data => ExtentKind::Data,
            LayerExtentKind::Zero => ExtentKind::Zero,
            LayerExtentKind::Parent => ExtentKind::NotAllocated,
        };
        Ok(Extent {
            kind,
            len_bytes: extent.len_bytes,
        })
    }
}
