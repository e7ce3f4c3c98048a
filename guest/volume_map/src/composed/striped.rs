//! Chunks of several devices in turn.

use std::sync::Arc;

use block_io::{BlockDevice, DiskError, Extent, Place, check_range};

use super::runs::{self, Run};

/// How chunks are dealt out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stripes {
    /// How long a chunk is, in bytes.
    pub(crate) chunk_bytes: u64,
    /// By how many members the first chunk lies further on than the first member: md's old layout
    /// counts chunks from the array's beginning, also in a zone that has fewer members.
    pub(crate) rotation: u64,
}

/// See [`striped`].
struct Striped {
    members: Vec<Arc<dyn BlockDevice>>,
    stripes: Stripes,
    size_bytes: u64,
}

/// Stripes over devices, each as far as the shortest goes in whole chunks. `None` without devices,
/// without a chunk size, or where they are longer together than any device.
pub(crate) fn striped(
    members: Vec<Arc<dyn BlockDevice>>,
    stripes: Stripes,
) -> Option<Arc<dyn BlockDevice>> {
    let shortest = members.iter().map(|member| member.size_bytes()).min()?;
    let chunks = shortest.checked_div(stripes.chunk_bytes)?;
    let size_bytes = (chunks * stripes.chunk_bytes).checked_mul(members.len() as u64)?;
    Some(Arc::new(Striped {
        members,
        stripes,
        size_bytes,
    }))
}

impl Striped {
    fn locate(&self, at: u64) -> Option<Run<'_>> {
        let chunk_bytes = self.stripes.chunk_bytes;
        let (chunk, within) = (at / chunk_bytes, at % chunk_bytes);
        let members = self.members.len() as u64;
        let member = (self.stripes.rotation % members + chunk % members) % members;
        let device = self.members.get(usize::try_from(member).ok()?)?;
        Some(Run {
            device,
            // Less than `at`.
            offset: chunk / members * chunk_bytes + within,
            len_bytes: chunk_bytes - within,
        })
    }
}

impl BlockDevice for Striped {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn sector_bytes(&self) -> u32 {
        let sectors = self.members.iter().map(|member| member.sector_bytes());
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
