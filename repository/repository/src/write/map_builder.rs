//! Upper levels of a disk map, from its leaves.

use crate::format::{Codec, ENTRIES_MAX, Entry, Locator, MapNode, NODE_BYTES_MAX, Name, PackKind};
use crate::read::{MapRoot, MapShape};
use crate::write::RunWriter;
use crate::write::known_chunks::Claim;
use crate::write::pack_builder::StagedFrames;
use crate::{RepositoryError, RepositoryErrorKind};

impl RunWriter {
    /// Stores a node unless the repository has it, and returns it as its parent's entry.
    pub(crate) fn store_node(
        &self,
        node: &MapNode,
        codec: &mut Codec,
    ) -> Result<(Entry, u64), RepositoryError> {
        let (name, bytes) = node.encode(&self.shared().naming);
        let locator = match self
            .known()
            .claim(&name, |found| self.is_whole(node, name, *found))
        {
            Claim::Known(locator) => return Ok((Entry::Stored { name, locator }, 0)),
            Claim::Pending => self.known().wait(&name)?,
            Claim::Mine => {
                let mut staged = StagedFrames::default();
                codec.encode(&bytes, &mut staged.bytes);
                debug_assert!(bytes.len() <= NODE_BYTES_MAX);
                let plain_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                staged.frames.push((name, staged.bytes.len(), plain_bytes));
                let locator = self.append(PackKind::MapNodes, &staged)?[0];
                self.known().resolve(&name, locator);
                return Ok((Entry::Stored { name, locator }, locator.stored_bytes.into()));
            }
        };
        Ok((Entry::Stored { name, locator }, 0))
    }

    /// Says whether a stored node of this name can be shared.
    ///
    /// Its name says what its children hold, not where they lie. When it was written all of them
    /// were durable; since then packs may have been lost. A leaf is looked through; an upper node
    /// must point to the very children that `node` points to, which were looked at before.
    fn is_whole(&self, node: &MapNode, name: Name, locator: Locator) -> bool {
        let decode = || {
            let bytes = self.shared().read_node(name, locator)?;
            MapNode::decode(
                &bytes,
                node.level,
                node.entries.len(),
                &self.shared().naming,
            )
        };
        let Ok((actual, found)) = decode() else {
            return false;
        };
        let whole = match node.level {
            0 => found.entries.iter().all(|entry| self.known().holds(entry)),
            _ => found == *node,
        };
        actual == name && whole
    }

    /// Builds the levels above the leaves; returns the root and the bytes that were stored.
    ///
    /// `leaves` are all leaves of the map, each as its parent's entry: its kind where it is
    /// uniform, else where it lies.
    pub(crate) fn build_upper_levels(
        &self,
        shape: MapShape,
        leaves: Vec<Entry>,
    ) -> Result<(Option<MapRoot>, u64), RepositoryError> {
        let mut codec = Codec::new()?;
        let mut stored_bytes = 0;
        let root_level = shape.root_level();
        let mut entries = leaves;
        if let (0, [uniform]) = (root_level, &entries[..])
            && !matches!(uniform, Entry::Stored { .. })
        {
            // A single leaf is the root, and a root is always stored.
            let node = MapNode {
                level: 0,
                entries: vec![*uniform; shape.entries(0, 0)],
            };
            let (root, stored) = self.store_node(&node, &mut codec)?;
            (entries, stored_bytes) = (vec![root], stored);
        }
        for level in 1..=root_level {
            let mut above = Vec::with_capacity(entries.len().div_ceil(ENTRIES_MAX));
            for children in entries.chunks(ENTRIES_MAX) {
                let node = MapNode {
                    level,
                    entries: children.to_vec(),
                };
                let (entry, stored) = match node.uniform() {
                    Some(uniform) if level < root_level => (uniform, 0),
                    _ => self.store_node(&node, &mut codec)?,
                };
                stored_bytes += stored;
                above.push(entry);
            }
            entries = above;
        }
        match entries[..] {
            [] => Ok((None, 0)),
            [Entry::Stored { name, locator }] => Ok((
                Some(MapRoot {
                    level: root_level,
                    name,
                    locator,
                }),
                stored_bytes,
            )),
            _ => {
                let what = "a disk map has no single root";
                Err(RepositoryError::new(RepositoryErrorKind::Unsupported, what))
            }
        }
    }
}
