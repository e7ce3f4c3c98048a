//! The superblock.

use std::ops::Range;

use crate::fields::{index, le, part, u8_at};
use crate::refusal::{Read, Refusal, RefusalKind, ensure};
use crate::volume::Volume;

const PLACE: u64 = 64 << 10;
const BYTES: u64 = 4096;

/// Free space tree, and that it is right; signatures of files; a tree of block groups.
const READ_ONLY_KNOWN: u64 = 0x1 | 0x2 | 0x4 | 0x8;
const FREE_SPACE_TREE: u64 = 0x1 | 0x2;
/// Ways to store files and references; another id of the structures (0x400). Not: RAID 5 and 6,
/// more copies, zones, what comes after.
const INCOMPATIBLE_KNOWN: u64 = 0x77F | 0x1_0000;
const OTHER_ID: u64 = 0x400;
/// Written once. Errors, seeds, and changes of the id are other flags.
const FLAGS_KNOWN: u64 = 0x1;
const SYSTEM_CHUNKS_MAX: u64 = 2048;

/// Where a tree begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Root {
    pub(crate) place: u64,
    pub(crate) level: u8,
    pub(crate) generation: u64,
}

/// What the superblock says.
pub(crate) struct Superblock {
    pub(crate) id: [u8; 16],
    pub(crate) root: Root,
    pub(crate) chunk_root: Root,
    pub(crate) has_log: bool,
    pub(crate) has_free_space_tree: bool,
    pub(crate) used_bytes: u64,
    pub(crate) sector_bytes: u64,
    pub(crate) node_bytes: u64,
    pub(crate) device: u64,
    pub(crate) device_bytes: u64,
    /// Chunks that are needed to read the tree of chunks.
    pub(crate) system_chunks: Vec<u8>,
}

/// Returns where superblocks are, with some room: they are never left out.
pub(crate) fn mirrors() -> [Range<u64>; 4] {
    let around = |place: u64| place..place + (64 << 10);
    [
        0..1 << 20,
        around(PLACE),
        around(64 << 20),
        around(256 << 30),
    ]
}

/// Checks the CRC-32C at the begin of a structure.
pub(crate) fn check_sum(bytes: &[u8], what: &str) -> Read<()> {
    let sum = crc32c::crc32c(bytes.get(32..).unwrap_or_default());
    ensure(
        le::u32_at(bytes, 0)? == sum,
        &format!("the checksum of a {what} is wrong"),
    )
}

impl Superblock {
    pub(crate) fn read(volume: &Volume<'_>) -> Read<Self> {
        let bytes = volume.read(PLACE, BYTES)?;
        let wide = |at| le::u64_at(&bytes, at);
        if le::u16_at(&bytes, 196)? != 0 {
            let what = "its checksums are of a kind that is not known here";
            return Err(Refusal::new(RefusalKind::UnknownFeature, what));
        }
        check_sum(&bytes, "superblock")?;
        ensure(wide(48)? == PLACE, "its superblock belongs elsewhere")?;
        let (read_only, incompatible, flags) = (wide(180)?, wide(188)?, wide(56)?);
        let unknown = (
            read_only & !READ_ONLY_KNOWN,
            incompatible & !INCOMPATIBLE_KNOWN,
            flags & !FLAGS_KNOWN,
        );
        if unknown != (0, 0, 0) || wide(136)? != 1 {
            let what = format!(
                "it has several devices, or features or flags that are not known here ({:#x}, \
                 {:#x}, {:#x})",
                unknown.0, unknown.1, unknown.2
            );
            return Err(Refusal::new(RefusalKind::UnknownFeature, what));
        }
        // The id that structures carry is the first one, where a volume was given another.
        let id_at = if incompatible & OTHER_ID != 0 {
            571
        } else {
            32
        };
        let mut id = [0; 16];
        id.copy_from_slice(part(&bytes, id_at, 16)?);
        let generation = wide(72)?;
        let system_bytes = u64::from(le::u32_at(&bytes, 160)?).min(SYSTEM_CHUNKS_MAX);
        let superblock = Self {
            id,
            root: Root {
                place: wide(80)?,
                level: u8_at(&bytes, 198)?,
                generation,
            },
            chunk_root: Root {
                place: wide(88)?,
                level: u8_at(&bytes, 199)?,
                generation: wide(164)?,
            },
            has_log: wide(96)? != 0,
            has_free_space_tree: read_only & FREE_SPACE_TREE == FREE_SPACE_TREE,
            used_bytes: wide(120)?,
            sector_bytes: u64::from(le::u32_at(&bytes, 144)?),
            node_bytes: u64::from(le::u32_at(&bytes, 148)?),
            device: wide(201)?,
            device_bytes: wide(209)?,
            system_chunks: part(&bytes, 811, index(system_bytes)?)?.to_vec(),
        };
        let sizes = [superblock.sector_bytes, superblock.node_bytes];
        let is_size = |size: &u64| size.is_power_of_two() && (512..=64 << 10).contains(size);
        ensure(
            sizes.iter().all(is_size),
            "nodes have no size that makes sense",
        )?;
        ensure(
            superblock.device_bytes <= volume.len_bytes,
            "the volume is larger than its partition",
        )?;
        Ok(superblock)
    }
}
