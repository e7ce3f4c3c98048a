//! Chunks: where logical addresses lie on the device.

use std::ops::Range;

use crate::btrfs::superblock::Superblock;
use crate::btrfs::tree::{Key, Trees};
use crate::fields::le;
use crate::refusal::{Read, Refusal, RefusalKind, ensure};
use crate::volume::Volume;

const CHUNK_TREE_OBJECT: u64 = 256;
const CHUNK_ITEM: u8 = 228;
/// Data, system, metadata; two copies on one device. All others spread chunks over devices.
const KINDS_KNOWN: u64 = 0x1 | 0x2 | 0x4 | DUPLICATE;
const DUPLICATE: u64 = 0x20;
/// Chunks that are kept: 64 TiB of 1 GiB each, and some.
const CHUNKS_MAX: usize = 1 << 17;

/// A range of logical addresses.
pub(crate) struct Chunk {
    pub(crate) logical: Range<u64>,
    /// Where on the device each copy begins.
    pub(crate) copies: Vec<u64>,
}

/// All chunks, by logical address.
pub(crate) struct ChunkMap {
    chunks: Vec<Chunk>,
}

impl ChunkMap {
    pub(crate) fn read(volume: &Volume<'_>, superblock: &Superblock) -> Read<Self> {
        let mut first = Vec::new();
        let bytes = &superblock.system_chunks;
        let mut at = 0;
        while at < bytes.len() {
            let key = Key::parse(bytes, at)?;
            let item = bytes.get(at + 17..).unwrap_or_default();
            let stripes = usize::from(le::u16_at(item, 44)?);
            first.push(chunk(superblock, key, item)?);
            at += 17 + 48 + 32 * stripes;
        }
        let system = Self::sorted(first)?;
        let trees = Trees {
            volume,
            superblock,
            chunks: &system,
        };
        let mut all = Vec::new();
        let objects = CHUNK_TREE_OBJECT..=CHUNK_TREE_OBJECT;
        trees.each(superblock.chunk_root, objects, |key, item| {
            if key.kind == CHUNK_ITEM {
                ensure(all.len() < CHUNKS_MAX, "it has more chunks than any")?;
                all.push(chunk(superblock, key, item)?);
            }
            Ok(())
        })?;
        Self::sorted(all)
    }

    fn sorted(mut chunks: Vec<Chunk>) -> Read<Self> {
        chunks.sort_unstable_by_key(|chunk| chunk.logical.start);
        let apart = chunks
            .windows(2)
            .all(|pair| pair[0].logical.end <= pair[1].logical.start);
        ensure(
            apart && !chunks.is_empty(),
            "chunks overlap, or there are none",
        )?;
        Ok(Self { chunks })
    }

    pub(crate) fn total_bytes(&self) -> u64 {
        let lengths = self.chunks.iter();
        let lengths = lengths.map(|chunk| chunk.logical.end - chunk.logical.start);
        lengths.fold(0, u64::saturating_add)
    }

    /// Returns the chunk that a range of logical addresses lies in.
    pub(crate) fn chunk_of(&self, logical: &Range<u64>) -> Read<&Chunk> {
        let found = self
            .chunks
            .partition_point(|chunk| chunk.logical.end <= logical.start);
        let chunk = self.chunks.get(found).filter(|chunk| {
            chunk.logical.start <= logical.start && logical.end <= chunk.logical.end
        });
        chunk.ok_or_else(|| Refusal::damaged("something lies in no chunk"))
    }

    /// Says whether any chunk has some of these logical addresses.
    pub(crate) fn overlaps(&self, logical: &Range<u64>) -> bool {
        let found = self
            .chunks
            .partition_point(|chunk| chunk.logical.end <= logical.start);
        let chunk = self.chunks.get(found);
        chunk.is_some_and(|chunk| chunk.logical.start < logical.end)
    }

    /// Returns where on the device logical addresses lie.
    pub(crate) fn place(&self, logical: u64, len_bytes: u64) -> Read<u64> {
        let range = logical..logical.saturating_add(len_bytes);
        let chunk = self.chunk_of(&range)?;
        let copy = chunk.copies.first().copied().unwrap_or(u64::MAX);
        Ok(copy.saturating_add(logical - chunk.logical.start))
    }

    /// Returns what of the device is in no chunk.
    pub(crate) fn not_in_any(&self, device_bytes: u64) -> Vec<Range<u64>> {
        let copies = self.chunks.iter().flat_map(|chunk| {
            let len = chunk.logical.end - chunk.logical.start;
            chunk
                .copies
                .iter()
                .map(move |copy| *copy..copy.saturating_add(len))
        });
        let mut copies: Vec<Range<u64>> = copies.collect();
        copies.sort_unstable_by_key(|copy| copy.start);
        let mut free = Vec::new();
        let mut at = 0;
        for copy in copies {
            if copy.start > at {
                free.push(at..copy.start.min(device_bytes));
            }
            at = at.max(copy.end);
        }
        if device_bytes > at {
            free.push(at..device_bytes);
        }
        free
    }
}

fn chunk(superblock: &Superblock, key: Key, item: &[u8]) -> Read<Chunk> {
    let len = le::u64_at(item, 0)?;
    let kind = le::u64_at(item, 24)?;
    let stripes = le::u16_at(item, 44)?;
    let expected = if kind & DUPLICATE != 0 { 2 } else { 1 };
    if kind & !KINDS_KNOWN != 0 || stripes != expected {
        let what = format!("it spreads chunks over devices (kind {kind:#x})");
        return Err(Refusal::new(RefusalKind::UnknownFeature, what));
    }
    let mut copies = Vec::new();
    for stripe in 0..usize::from(stripes) {
        let at = 48 + 32 * stripe;
        let start = le::u64_at(item, at + 8)?;
        let inside = start
            .checked_add(len)
            .is_some_and(|end| end <= superblock.device_bytes);
        ensure(
            inside && len > 0 && le::u64_at(item, at)? == superblock.device,
            "a chunk lies outside of the device",
        )?;
        copies.push(start);
    }
    let end = key.offset.checked_add(len);
    let end = end.ok_or_else(|| Refusal::damaged("a chunk has no end"))?;
    Ok(Chunk {
        logical: key.offset..end,
        copies,
    })
}
