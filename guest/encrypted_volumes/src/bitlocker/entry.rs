//! Entries: what metadata and key files are lists of.

use super::fields::u16_at;

pub(super) const ENTRY_HEADER_BYTES: usize = 8;

/// What an entry is for.
pub(super) mod role {
    pub(in super::super) const PROPERTY: u16 = 0;
    pub(in super::super) const VOLUME_MASTER_KEY: u16 = 2;
    pub(in super::super) const VOLUME_KEY: u16 = 3;
    pub(in super::super) const STARTUP_KEY: u16 = 6;
    pub(in super::super) const VOLUME_HEADER: u16 = 0x0F;
}

/// How an entry's value is made.
pub(super) mod value {
    pub(in super::super) const KEY: u16 = 1;
    pub(in super::super) const STRETCH_KEY: u16 = 3;
    pub(in super::super) const ENCRYPTED_KEY: u16 = 5;
    pub(in super::super) const VOLUME_MASTER_KEY: u16 = 8;
    pub(in super::super) const EXTERNAL_KEY: u16 = 9;
    pub(in super::super) const OFFSET_AND_SIZE: u16 = 0x0F;
}

/// An entry: its role, the sort of its value, and the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) role: u16,
    pub(super) sort: u16,
    pub(super) value: &'a [u8],
}

impl Entry<'_> {
    pub(super) fn is(&self, role: u16, sort: u16) -> bool {
        self.role == role && self.sort == sort
    }
}

/// Reads a list of entries up to its end or an entry of length zero. `None` where an entry reaches
/// beyond the list, or is shorter than its own header.
///
/// There are at most as many as fit into the bytes, each of eight bytes or more.
pub(super) fn entries(bytes: &[u8]) -> Option<Vec<Entry<'_>>> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while rest.len() >= ENTRY_HEADER_BYTES {
        let len = usize::from(u16_at(rest, 0));
        if len == 0 {
            break;
        }
        let (entry, behind) = rest.split_at_checked(len)?;
        found.push(Entry {
            role: u16_at(entry, 2),
            sort: u16_at(entry, 4),
            value: entry.get(ENTRY_HEADER_BYTES..)?,
        });
        rest = behind;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_where_it_says_and_never_beyond() {
        let list = [10, 0, 2, 0, 8, 0, 1, 0, 7, 9, 8, 0, 3, 0, 5, 0, 1, 0];
        let found = entries(&list).unwrap();
        assert!(found[0].is(2, 8) && found[0].value == [7, 9]);
        assert!(found[1].is(3, 5) && found[1].value.is_empty());
        assert_eq!(found.len(), 2);
        let padded = [&list[..], &[0; 20]].concat();
        assert_eq!(entries(&padded).unwrap(), found);
        // A length of less than the header, and one beyond the end.
        for len in [1, 7, 19, 0xFF] {
            let mut bad = list;
            bad[0] = len;
            assert_eq!(entries(&bad), None, "{len}");
        }
        assert_eq!(entries(&[]).unwrap(), []);
    }
}
