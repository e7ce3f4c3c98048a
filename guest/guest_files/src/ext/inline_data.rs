//! Content that lies in the inode: 60 bytes where others have pointers, the rest in an attribute.

use super::attributes;
use super::inode::Inode;
use crate::FileError;

/// Returns all of it, which an inode bounds.
pub(super) fn content(inode: &Inode) -> Result<Vec<u8>, FileError> {
    let mut bytes = inode.block.to_vec();
    bytes.extend(attributes::inline_content(inode)?);
    Ok(bytes)
}
