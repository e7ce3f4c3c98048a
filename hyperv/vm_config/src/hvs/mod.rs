//! The HyperVStorage container: `.vmcx`, `.vmrs`.
//!
//! A key-value store in one file, little-endian and packed. All checksums are CRC-32 (zlib).
//!
//! ```text
//!   0x0000  header      0x1000  header again: the valid one with the greater sequence counts
//!   0x2000  object table ── key tables (entries: type, parent, name, value)
//!                        ── file objects (values of 2048 bytes and more)
//!                        ── further object tables
//!   replay log: writes that were committed but perhaps not applied
//! ```
//!
//! An entry names its parent by key table and offset, and may lie before it.

mod edit;
mod fields;
mod header;
mod key_table;
mod layout;
mod object_table;
mod read;
mod replay;
mod write;

pub(crate) use edit::set_text;
pub(crate) use layout::SIGNATURE;
pub(crate) use read::open;
pub use write::write_vmcx;

use crate::{ConfigError, Tree};

/// Reads a HyperVStorage container, such as `.vmcx` or `.vmrs`, of at most 64 MiB into a tree.
///
/// The replay log is applied in memory. `name` is what errors show.
///
/// # Errors
///
/// `Corrupt` where a checksum, a bound or the tree's shape is wrong; `Unsupported` for another
/// format version or a file beyond the bounds.
pub fn read_vmcx(name: &str, bytes: &[u8]) -> Result<Tree, ConfigError> {
    open(bytes)
        .map(|opened| opened.tree)
        .map_err(|error| error.in_file(name))
}
