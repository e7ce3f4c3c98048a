//! Signatures, sizes and offsets of the container.

/// First four bytes of a header.
pub(crate) const SIGNATURE: u32 = 0x0128_2014;
pub(super) const HEADER_BYTES: usize = 46;
pub(super) const HEADER_OFFSETS: [usize; 2] = [0, 0x1000];
/// The only format version of which real files were seen.
pub(super) const FORMAT_VERSION: u32 = 0x0400;
pub(super) const PAGE_BYTES: usize = 0x1000;
pub(super) const MAX_FILE_BYTES: usize = 64 << 20;

pub(super) const OBJECT_TABLE_OFFSET: usize = 0x2000;
pub(super) const OBJECT_TABLE_SIGNATURE: u32 = 0x0111_0001;
pub(super) const OBJECT_TABLE_HEADER_BYTES: usize = 8;
pub(super) const OBJECT_BYTES: usize = 18;
pub(super) const OBJECT_TABLE: u8 = 1;
pub(super) const KEY_TABLE: u8 = 2;
pub(super) const FILE_OBJECT: u8 = 3;

pub(super) const KEY_TABLE_SIGNATURE: u16 = 2;
pub(super) const KEY_TABLE_HEADER_BYTES: usize = 10;
pub(super) const ENTRY_BYTES: usize = 21;
pub(super) const ENTRY_CRC_OFFSET: usize = 12;

pub(super) const FREE: u8 = 1;
pub(super) const INTEGER: u8 = 3;
pub(super) const UNSIGNED: u8 = 4;
pub(super) const DOUBLE: u8 = 5;
pub(super) const STRING: u8 = 6;
pub(super) const ARRAY: u8 = 7;
pub(super) const BOOL: u8 = 8;
pub(super) const NODE: u8 = 9;

/// Entry flag: the data is the size and the offset of a file object.
pub(super) const IN_FILE_OBJECT: u8 = 1;
pub(super) const FILE_OBJECT_POINTER_BYTES: usize = 12;
/// Values of this size and more live in file objects.
pub(super) const FILE_OBJECT_THRESHOLD: usize = 2048;

pub(super) const LOG_SIGNATURE: u32 = 0x0111_0003;
pub(super) const LOG_HEADER_BYTES: usize = 34;
pub(super) const LOG_ENTRY_BYTES: usize = 28;
/// `(4096 - 34) / 28`: what fits behind the log's header in its page.
pub(super) const LOG_ENTRIES: u32 = 145;
