//! Reading through a map from places of a device to places of its parts.

use block_io::{BlockDevice, DiskError, DiskErrorKind, Extent, Place, check_range};

/// Where a range of a composed device lies.
pub(super) struct Run<'a> {
    /// The part.
    pub(super) device: &'a dyn BlockDevice,
    /// Where in it, in bytes.
    pub(super) offset: u64,
    /// How far that holds, in bytes.
    pub(super) len_bytes: u64,
}

impl Run<'_> {
    /// Says where its first `max_bytes` lie, as far as it goes.
    pub(super) fn place(&self, max_bytes: u64) -> Option<Place> {
        let max_bytes = max_bytes.min(self.len_bytes);
        self.device.place_at(self.offset, max_bytes)
    }
}

/// Fills `buf`, run by run.
pub(super) fn read<'a>(
    size_bytes: u64,
    offset: u64,
    buf: &mut [u8],
    locate: impl Fn(u64) -> Option<Run<'a>>,
) -> Result<(), DiskError> {
    check_range(size_bytes, offset, buf.len() as u64)?;
    let (mut at, mut rest) = (offset, buf);
    while !rest.is_empty() {
        let run = found(locate(at), at)?;
        let len = usize::try_from(run.len_bytes).map_or(rest.len(), |len| len.min(rest.len()));
        let (part, tail) = rest.split_at_mut(len);
        run.device.read_at(run.offset, part)?;
        at += len as u64;
        rest = tail;
    }
    Ok(())
}

/// Says what lies at `offset`, as far as its run goes.
pub(super) fn extent<'a>(
    size_bytes: u64,
    offset: u64,
    max_bytes: u64,
    locate: impl Fn(u64) -> Option<Run<'a>>,
) -> Result<Extent, DiskError> {
    check_range(size_bytes, offset, max_bytes.max(1))?;
    let run = found(locate(offset), offset)?;
    run.device
        .extent_at(run.offset, max_bytes.min(run.len_bytes))
}

fn found(run: Option<Run<'_>>, at: u64) -> Result<Run<'_>, DiskError> {
    run.filter(|run| run.len_bytes > 0).ok_or_else(|| {
        DiskError::new(DiskErrorKind::OutOfRange, "no part of the volume lies here").at(at)
    })
}
