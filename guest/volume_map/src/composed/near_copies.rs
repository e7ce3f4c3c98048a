//! Chunks in turn, each several times side by side: md's raid10 with its layout "near".

use std::sync::Arc;

use block_io::{BlockDevice, DiskError, DiskErrorKind, Extent, Place, check_range};

use super::runs::Run;

/// See [`near_copies`].
struct NearCopies {
    /// By their place in the array; `None` is a member that is not here.
    members: Vec<Option<Arc<dyn BlockDevice>>>,
    copies: u64,
    chunk_bytes: u64,
    size_bytes: u64,
}

/// Deals chunks out over members, each chunk `copies` times in a row; of each member `member_bytes`
/// are used. `None` where that makes no sense, or where all copies of a chunk lie on missing members.
pub(crate) fn near_copies(
    members: Vec<Option<Arc<dyn BlockDevice>>>,
    copies: u64,
    chunk_bytes: u64,
    member_bytes: u64,
) -> Option<Arc<dyn BlockDevice>> {
    let count = members.len() as u64;
    let here = members.iter().flatten();
    if copies == 0 || copies > count || here.clone().any(|it| it.size_bytes() < member_bytes) {
        return None;
    }
    let rows = member_bytes.checked_div(chunk_bytes)?;
    let size_bytes = (rows.checked_mul(count)? / copies).checked_mul(chunk_bytes)?;
    let made = NearCopies {
        members,
        copies,
        chunk_bytes,
        size_bytes,
    };
    // The pattern of members repeats after as many chunks as there are members.
    let whole = (0..count).all(|chunk| {
        let at = chunk.saturating_mul(chunk_bytes);
        at >= size_bytes || (0..copies).any(|copy| made.locate(at, copy).is_some())
    });
    whole.then(|| Arc::new(made) as Arc<dyn BlockDevice>)
}

impl NearCopies {
    fn locate(&self, at: u64, copy: u64) -> Option<Run<'_>> {
        let (chunk, within) = (at / self.chunk_bytes, at % self.chunk_bytes);
        let place = chunk.checked_mul(self.copies)?.checked_add(copy)?;
        let members = self.members.len() as u64;
        let member = usize::try_from(place % members).ok()?;
        Some(Run {
            device: self.members.get(member)?.as_ref()?,
            offset: place / members * self.chunk_bytes + within,
            len_bytes: self.chunk_bytes - within,
        })
    }

    /// Asks one copy after the other of what lies at `at`.
    fn first<T>(
        &self,
        at: u64,
        mut ask: impl FnMut(Run<'_>) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        let mut error = None;
        for run in (0..self.copies).filter_map(|copy| self.locate(at, copy)) {
            match ask(run) {
                Ok(answer) => return Ok(answer),
                Err(failed) => error = error.or(Some(failed)),
            }
        }
        Err(error
            .unwrap_or_else(|| DiskError::new(DiskErrorKind::NotFound, "no copy is here").at(at)))
    }
}

impl BlockDevice for NearCopies {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn sector_bytes(&self) -> u32 {
        let members = self.members.iter().flatten();
        members.map(|it| it.sector_bytes()).max().unwrap_or(512)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes, offset, buf.len() as u64)?;
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let run_bytes = self.chunk_bytes - at % self.chunk_bytes;
            let len = usize::try_from(run_bytes).map_or(rest.len(), |len| len.min(rest.len()));
            let (part, tail) = rest.split_at_mut(len);
            self.first(at, |run| run.device.read_at(run.offset, part))?;
            at += len as u64;
            rest = tail;
        }
        Ok(())
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.size_bytes, offset, max_bytes.max(1))?;
        self.first(offset, |run| {
            run.device
                .extent_at(run.offset, max_bytes.min(run.len_bytes))
        })
    }

    fn place_at(&self, offset: u64, max_bytes: u64) -> Option<Place> {
        check_range(self.size_bytes, offset, max_bytes).ok()?;
        let run = (0..self.copies).find_map(|copy| self.locate(offset, copy))?;
        run.place(max_bytes)
    }
}
