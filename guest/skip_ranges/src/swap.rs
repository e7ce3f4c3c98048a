//! Swap areas of Linux.

use crate::fields::le;
use crate::found_ranges::FoundRanges;
use crate::refusal::{Read, ensure};
use crate::request::{SkipReason, SkipRequest};
use crate::verdict::Finding;
use crate::volume::Volume;

const PAGE_BYTES: u64 = 4096;

/// Says what may be left out of a swap area: all pages but the first, which says that it is one.
pub(crate) fn look(volume: Volume<'_>, request: &SkipRequest, finding: &mut Finding) -> Read<()> {
    if !request.swap {
        return Ok(());
    }
    let head = volume.read(0, PAGE_BYTES)?;
    ensure(
        le::u32_at(&head, 1024)? == 1,
        "a swap area of another version",
    )?;
    let pages = u64::from(le::u32_at(&head, 1028)?) + 1;
    ensure(
        pages * PAGE_BYTES <= volume.len_bytes,
        "the swap area is larger than its partition",
    )?;
    let mut found = FoundRanges::default();
    found.add(volume.offset + PAGE_BYTES..volume.offset + pages * PAGE_BYTES);
    finding.add(SkipReason::Swap, found);
    Ok(())
}
