//! What a disk holds, from start to end.

use block_io::{BlockDevice, DiskError, Extent, ExtentKind};

/// A range of a disk that holds one kind of thing, as long as it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MappedExtent {
    /// Where it starts, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub len_bytes: u64,
    /// What it holds.
    pub kind: ExtentKind,
}

/// The extents of a device in order, neighbours of one kind merged. Ends after an error.
pub struct ExtentMap<'a> {
    device: &'a dyn BlockDevice,
    offset: u64,
    /// An extent that was read and belongs to the next item.
    ahead: Option<Extent>,
}

/// Lists what `device` holds. Nothing of its data is read.
pub fn map(device: &dyn BlockDevice) -> ExtentMap<'_> {
    ExtentMap {
        device,
        offset: 0,
        ahead: None,
    }
}

impl ExtentMap<'_> {
    fn next_extent(&mut self, offset: u64) -> Option<Result<Extent, DiskError>> {
        if let Some(extent) = self.ahead.take() {
            return Some(Ok(extent));
        }
        let rest = self.device.size_bytes().checked_sub(offset)?;
        (rest > 0).then(|| self.device.extent_at(offset, rest))
    }
}

impl Iterator for ExtentMap<'_> {
    type Item = Result<MappedExtent, DiskError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut merged: Option<MappedExtent> = None;
        loop {
            let end = merged.map_or(self.offset, |extent| extent.offset + extent.len_bytes);
            let extent = match self.next_extent(end) {
                Some(Ok(extent)) => extent,
                Some(Err(error)) => {
                    self.offset = self.device.size_bytes();
                    return Some(Err(error));
                }
                None => break,
            };
            match &mut merged {
                None => {
                    merged = Some(MappedExtent {
                        offset: end,
                        len_bytes: extent.len_bytes,
                        kind: extent.kind,
                    });
                }
                Some(known) if known.kind == extent.kind => known.len_bytes += extent.len_bytes,
                Some(_) => {
                    self.ahead = Some(extent);
                    break;
                }
            }
        }
        if let Some(extent) = merged {
            self.offset = extent.offset + extent.len_bytes;
        }
        merged.map(Ok)
    }
}
