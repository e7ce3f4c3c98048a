//! The XML of 2008 R2 to 2012 R2.
//!
//! UTF-16 with a byte order mark, or UTF-8. Elements are nodes; a leaf says its type in the
//! attribute `type`: `string`, `integer`, `bool` or `bytes` (base64). No DTD, no entities beyond
//! the five of XML itself.

mod decode;
mod read;
mod write;

pub(crate) use read::open;
pub use write::write_xml;

use crate::{ConfigError, Tree};

/// Reads an XML configuration of at most 16 MiB into a tree. `name` is what errors show.
///
/// # Errors
///
/// `NotAConfiguration` where the root is another element than `configuration`; `Corrupt` where it
/// is not XML or a value is not of its type; `Unsupported` for a DTD or a file beyond the bounds.
pub fn read_xml(name: &str, bytes: &[u8]) -> Result<Tree, ConfigError> {
    open(bytes)
        .map(|opened| opened.tree)
        .map_err(|error| error.in_file(name))
}
