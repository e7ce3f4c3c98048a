//! Btrfs.
//!
//! Source: the on-disk format as the Btrfs documentation describes it.
//!
//! Nothing that a commit has made part of the file system is written over before the next commit,
//! so the structures on the disk are always right; only a log tree holds more than they show.

mod chunk_map;
mod free_space;
mod superblock;
mod tree;

use crate::found_ranges::FoundRanges;
use crate::refusal::{Read, Refusal};
use crate::request::{SkipReason, SkipRequest};
use crate::verdict::Finding;
use crate::volume::Volume;
use chunk_map::ChunkMap;
use superblock::{Superblock, mirrors};

/// Says what may be left out of a Btrfs volume.
pub(crate) fn look(volume: Volume<'_>, request: &SkipRequest, finding: &mut Finding) -> Read<()> {
    if !request.free_space {
        return Ok(());
    }
    let superblock = Superblock::read(&volume)?;
    if superblock.has_log {
        return Err(Refusal::dirty(
            "its log tree must be replayed: it was in use, and the guest did not freeze it",
        ));
    }
    let chunks = ChunkMap::read(&volume, &superblock)?;
    let mut found = FoundRanges::default();
    for range in chunks.not_in_any(superblock.device_bytes) {
        found.add(volume.offset + range.start..volume.offset + range.end);
    }
    if superblock.has_free_space_tree {
        free_space::free(&volume, &superblock, &chunks, &mut found)?;
    }
    for mirror in mirrors() {
        found.remove(&(volume.offset + mirror.start..volume.offset + mirror.end));
    }
    finding.add(SkipReason::FreeSpace, found);
    Ok(())
}
