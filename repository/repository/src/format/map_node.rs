//! A node of a disk map (section 8).

use crate::format::{Locator, Name, Naming, PackId};
use crate::{RepositoryError, RepositoryErrorKind};

/// Entries of a node.
pub(crate) const ENTRIES_MAX: usize = 256;
/// Highest level of a root.
pub(crate) const LEVEL_MAX: u8 = 6;
/// The most that a node can take, decoded but not decompressed, in bytes.
pub(crate) const NODE_BYTES_MAX: usize = 24 * 1024;

const PACK_ID_BYTES: usize = 16;
const LOCATOR_BYTES: usize = 10;

/// What an entry covers, where it is not stored data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    NotAllocated = 0,
    Zero = 1,
    Stored = 2,
    Skipped = 3,
}

/// One chunk (in a leaf) or child (above).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    NotAllocated,
    Zero,
    Skipped,
    Stored { name: Name, locator: Locator },
}

impl Entry {
    pub(crate) fn kind(&self) -> EntryKind {
        match self {
            Self::NotAllocated => EntryKind::NotAllocated,
            Self::Zero => EntryKind::Zero,
            Self::Skipped => EntryKind::Skipped,
            Self::Stored { .. } => EntryKind::Stored,
        }
    }
}

/// A node: up to 256 chunks, or up to 256 nodes of the level below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MapNode {
    pub(crate) level: u8,
    pub(crate) entries: Vec<Entry>,
}

impl MapNode {
    /// Returns the one kind that all entries have, where that is not `Stored`.
    pub(crate) fn uniform(&self) -> Option<Entry> {
        let first = *self.entries.first()?;
        let uniform = first.kind() != EntryKind::Stored
            && self
                .entries
                .iter()
                .all(|entry| entry.kind() == first.kind());
        uniform.then_some(first)
    }

    /// Encodes the node and names it.
    pub(crate) fn encode(&self, naming: &Naming) -> (Name, Vec<u8>) {
        let mut bytes = Vec::with_capacity(4 + self.entries.len() * 43 + 2 + PACK_ID_BYTES * 4);
        // Nodes are made with at most 256 entries.
        let count = u16::try_from(self.entries.len()).unwrap_or(u16::MAX);
        bytes.extend([self.level, 0]);
        bytes.extend(count.to_le_bytes());
        bytes.extend(self.entries.iter().map(|entry| entry.kind() as u8));
        let mut packs: Vec<PackId> = Vec::new();
        let mut locators = Vec::new();
        for entry in &self.entries {
            let Entry::Stored { name, locator } = entry else {
                continue;
            };
            bytes.extend(name.0);
            let number = packs
                .iter()
                .position(|pack| *pack == locator.pack)
                .unwrap_or_else(|| {
                    packs.push(locator.pack);
                    packs.len() - 1
                });
            locators.extend(u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes());
            locators.extend(locator.offset.to_le_bytes());
            locators.extend(locator.stored_bytes.to_le_bytes());
        }
        let name = naming.node(&bytes);
        bytes.extend(u16::try_from(packs.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend(packs.iter().flat_map(|pack| pack.0));
        bytes.extend(locators);
        (name, bytes)
    }

    /// Decodes a node that should have this level and number of entries, and returns its name.
    pub(crate) fn decode(
        bytes: &[u8],
        level: u8,
        count: usize,
        naming: &Naming,
    ) -> Result<(Name, Self), RepositoryError> {
        let wrong = |what: &str| RepositoryError::new(RepositoryErrorKind::Damaged, what);
        let mut input = bytes;
        let mut take = |len: usize| {
            let (part, rest) = input
                .split_at_checked(len)
                .ok_or_else(|| wrong("a map node ends before all of it was read"))?;
            input = rest;
            Ok::<_, RepositoryError>(part)
        };
        let head = take(4)?;
        let stored_count = usize::from(u16::from_le_bytes([head[2], head[3]]));
        if (head[0], head[1], stored_count) != (level, 0, count) || count > ENTRIES_MAX {
            return Err(wrong(&format!(
                "a map node has level {} and {stored_count} entries, expected {level} and {count}",
                head[0]
            )));
        }
        let kinds = take(count)?;
        let stored = kinds
            .iter()
            .filter(|kind| **kind == EntryKind::Stored as u8)
            .count();
        let names = take(stored * 32)?;
        let name = naming.node(&bytes[..4 + count + stored * 32]);
        let pack_count = take(2)?;
        let pack_count = usize::from(u16::from_le_bytes([pack_count[0], pack_count[1]]));
        let (packs, _) = take(pack_count * PACK_ID_BYTES)?.as_chunks::<PACK_ID_BYTES>();
        let (locators, _) = take(stored * LOCATOR_BYTES)?.as_chunks::<LOCATOR_BYTES>();
        if !input.is_empty() {
            return Err(wrong("a map node has bytes after its end"));
        }
        let mut names = names.as_chunks::<32>().0.iter().zip(locators);
        let entry = |kind: &u8| match kind {
            0 => Ok(Entry::NotAllocated),
            1 => Ok(Entry::Zero),
            3 => Ok(Entry::Skipped),
            2 => {
                let (name, [n0, n1, o0, o1, o2, o3, s0, s1, s2, s3]) = names
                    .next()
                    .ok_or_else(|| wrong("a map node has too few names"))?;
                let pack = packs
                    .get(usize::from(u16::from_le_bytes([*n0, *n1])))
                    .ok_or_else(|| wrong("a map node names a pack that it does not list"))?;
                let locator = Locator {
                    pack: PackId(*pack),
                    offset: u32::from_le_bytes([*o0, *o1, *o2, *o3]),
                    stored_bytes: u32::from_le_bytes([*s0, *s1, *s2, *s3]),
                };
                Ok(Entry::Stored {
                    name: Name(*name),
                    locator,
                })
            }
            other => Err(RepositoryError::new(
                RepositoryErrorKind::Unsupported,
                format!(
                    "a map node has an entry of kind {other}, which this version does not know"
                ),
            )),
        };
        let entries = kinds.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        Ok((name, Self { level, entries }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyRing;

    fn naming() -> Naming {
        Naming::of(&KeyRing::generate(String::new()).unwrap().domains[0])
    }

    fn node(pack: u8) -> MapNode {
        let stored = |n: u8| Entry::Stored {
            name: Name([n; 32]),
            locator: Locator {
                pack: PackId([pack; 16]),
                offset: n.into(),
                stored_bytes: 9,
            },
        };
        let entries = vec![
            stored(1),
            Entry::Zero,
            Entry::NotAllocated,
            stored(2),
            Entry::Skipped,
        ];
        MapNode { level: 0, entries }
    }

    #[test]
    fn a_node_comes_back_and_its_name_does_not_depend_on_where_things_lie() {
        let naming = naming();
        let (name, bytes) = node(5).encode(&naming);
        assert_eq!(
            MapNode::decode(&bytes, 0, 5, &naming).unwrap(),
            (name, node(5))
        );
        let (elsewhere, other) = node(6).encode(&naming);
        assert_eq!(name, elsewhere);
        assert_ne!(bytes, other);
        assert!(bytes.len() <= NODE_BYTES_MAX);
    }

    #[test]
    fn every_cut_and_every_wrong_count_is_refused() {
        let naming = naming();
        let (_, bytes) = node(5).encode(&naming);
        for len in 0..bytes.len() {
            assert!(
                MapNode::decode(&bytes[..len], 0, 5, &naming).is_err(),
                "cut at {len}"
            );
        }
        assert!(MapNode::decode(&bytes, 1, 5, &naming).is_err());
        assert!(MapNode::decode(&bytes, 0, 4, &naming).is_err());
    }
}
