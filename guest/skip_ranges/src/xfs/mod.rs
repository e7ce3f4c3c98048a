//! XFS.
//!
//! Source: "XFS Algorithms & Data Structures" (XFS documentation), versions 4 and 5.

mod allocation_group;
mod log;
mod superblock;

use crate::found_ranges::FoundRanges;
use crate::refusal::{Read, Refusal};
use crate::request::{SkipReason, SkipRequest};
use crate::verdict::Finding;
use crate::volume::Volume;
use superblock::Superblock;

/// Says what may be left out of an XFS volume.
pub(crate) fn look(volume: Volume<'_>, request: &SkipRequest, finding: &mut Finding) -> Read<()> {
    if !request.free_space {
        return Ok(());
    }
    let superblock = Superblock::read(&volume)?;
    if !log::is_clean(&volume, &superblock)? {
        return Err(Refusal::dirty(
            "its log must be replayed: it was in use, and the guest did not freeze it",
        ));
    }
    let mut found = FoundRanges::default();
    for group in 0..superblock.groups {
        allocation_group::free(&volume, &superblock, group, &mut found)?;
    }
    finding.add(SkipReason::FreeSpace, found);
    Ok(())
}
