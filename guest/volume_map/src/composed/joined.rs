//! Devices one after the other.

use std::sync::Arc;

use block_io::{BlockDevice, DiskError, Extent, Place, check_range};

use super::runs::{self, Run};

/// See [`joined`].
struct Joined {
    /// Each with where it begins; in order, none empty.
    parts: Vec<(u64, Arc<dyn BlockDevice>)>,
    size_bytes: u64,
}

/// Joins devices, one after the other; `None` where they are longer together than any device.
pub(crate) fn joined(parts: Vec<Arc<dyn BlockDevice>>) -> Option<Arc<dyn BlockDevice>> {
    let mut size_bytes = 0_u64;
    let mut placed = Vec::new();
    for part in parts {
        let start = size_bytes;
        size_bytes = start.checked_add(part.size_bytes())?;
        if part.size_bytes() > 0 {
            placed.push((start, part));
        }
    }
    if let [(_, only)] = placed.as_slice() {
        return Some(Arc::clone(only));
    }
    Some(Arc::new(Joined {
        parts: placed,
        size_bytes,
    }))
}

impl Joined {
    fn locate(&self, at: u64) -> Option<Run<'_>> {
        let after = self.parts.partition_point(|(start, _)| *start <= at);
        let (start, device) = self.parts.get(after.checked_sub(1)?)?;
        let offset = at - start;
        Some(Run {
            device,
            offset,
            len_bytes: device.size_bytes().checked_sub(offset)?,
        })
    }
}

impl BlockDevice for Joined {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn sector_bytes(&self) -> u32 {
        let sectors = self.parts.iter().map(|(_, part)| part.sector_bytes());
        sectors.max().unwrap_or(512)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        runs::read(self.size_bytes, offset, buf, |at| self.locate(at))
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        runs::extent(self.size_bytes, offset, max_bytes, |at| self.locate(at))
    }

    fn place_at(&self, offset: u64, max_bytes: u64) -> Option<Place> {
        check_range(self.size_bytes, offset, max_bytes).ok()?;
        self.locate(offset)?.place(max_bytes)
    }
}
