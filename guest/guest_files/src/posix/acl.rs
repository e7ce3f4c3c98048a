//! POSIX access control lists: as file systems store them, and as Linux hands them out.
//!
//! What Linux hands out is a version (2) and entries of 8 bytes, little-endian: tag, permissions, id.
//! ext leaves the id out where a tag has none (version 1).

use super::corrupt;
use super::fields::le;
use crate::FileError;

const NO_ID: u32 = u32::MAX;
/// Tags that name somebody: `ACL_USER` and `ACL_GROUP`.
const NAMED: [u16; 2] = [2, 8];

struct LinuxAcl(Vec<u8>);

impl LinuxAcl {
    fn new() -> Self {
        Self(2_u32.to_le_bytes().to_vec())
    }

    fn push(&mut self, tag: u16, permissions: u16, id: u32) {
        let id = if NAMED.contains(&tag) { id } else { NO_ID };
        self.0.extend(tag.to_le_bytes());
        self.0.extend(permissions.to_le_bytes());
        self.0.extend(id.to_le_bytes());
    }
}

/// Takes one as ext stores it.
pub(crate) fn from_ext(stored: &[u8]) -> Result<Vec<u8>, FileError> {
    if le::u32_at(stored, 0)? != 1 {
        return Err(corrupt("an access control list has an unknown version"));
    }
    let mut acl = LinuxAcl::new();
    let mut at = 4;
    while at < stored.len() {
        let (tag, permissions) = (le::u16_at(stored, at)?, le::u16_at(stored, at + 2)?);
        at += 4;
        let mut id = NO_ID;
        if NAMED.contains(&tag) {
            id = le::u32_at(stored, at)?;
            at += 4;
        }
        acl.push(tag, permissions, id);
    }
    Ok(acl.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINUX: [u8; 20] = [
        2, 0, 0, 0, 1, 0, 6, 0, 0xFF, 0xFF, 0xFF, 0xFF, 2, 0, 4, 0, 0xE8, 3, 0, 0,
    ];

    #[test]
    fn a_list_of_ext_becomes_one_of_linux() {
        let ext = [1, 0, 0, 0, 1, 0, 6, 0, 2, 0, 4, 0, 0xE8, 3, 0, 0];
        assert_eq!(from_ext(&ext).unwrap(), LINUX);
    }

    #[test]
    fn a_list_that_ends_early_is_damage() {
        assert!(from_ext(&[1, 0, 0, 0, 2, 0, 4, 0]).is_err());
    }
}
