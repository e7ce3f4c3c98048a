//! ext2, ext3 and ext4.
//!
//! Source: the kernel's documentation of the on-disk format (`filesystems/ext4`).

mod block_group;
mod checksum;
mod superblock;

use crate::found_ranges::FoundRanges;
use crate::refusal::Read;
use crate::request::{SkipReason, SkipRequest};
use crate::verdict::Finding;
use crate::volume::Volume;
use block_group::Groups;
use superblock::Superblock;

/// Says what may be left out of an ext volume.
pub(crate) fn look(volume: Volume<'_>, request: &SkipRequest, finding: &mut Finding) -> Read<()> {
    if !request.free_space {
        return Ok(());
    }
    let superblock = Superblock::read(&volume)?;
    let groups = Groups::open(&volume, &superblock)?;
    let mut found = FoundRanges::default();
    groups.free(&mut found)?;
    finding.add(SkipReason::FreeSpace, found);
    Ok(())
}
