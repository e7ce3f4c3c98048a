//! Walking a disk map.

use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::Cache;
use crate::domain_view::Shared;
use crate::format::{Entry, Locator, MapNode, Name};
use crate::read::MapShape;
use crate::{RepositoryError, RepositoryErrorKind};

/// Nodes that a reader keeps; a full leaf takes 16 KiB.
const NODES_KEPT: usize = 1024;

/// Where a map begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MapRoot {
    pub(crate) level: u8,
    pub(crate) name: Name,
    pub(crate) locator: Locator,
}

/// A leaf, as its parent knows it.
#[derive(Clone)]
pub(crate) enum Leaf {
    /// All entries are of this kind, which is not `Stored`.
    Uniform(Entry),
    /// A stored leaf.
    Stored {
        name: Name,
        locator: Locator,
        node: Arc<MapNode>,
    },
}

impl Leaf {
    /// Returns an entry of the leaf; beyond its end there is nothing.
    pub(crate) fn entry(&self, index: usize) -> Entry {
        match self {
            Self::Uniform(entry) => *entry,
            Self::Stored { node, .. } => node
                .entries
                .get(index)
                .copied()
                .unwrap_or(Entry::NotAllocated),
        }
    }
}

/// Reads one map. Several threads may use it at once.
pub(crate) struct MapReader {
    pub(crate) shared: Arc<Shared>,
    pub(crate) shape: MapShape,
    root: Option<MapRoot>,
    nodes: Mutex<Cache<(u8, u64), Arc<MapNode>>>,
}

impl MapReader {
    /// Makes a reader; `root` is none for an empty stream alone.
    pub(crate) fn new(
        shared: Arc<Shared>,
        shape: MapShape,
        root: Option<MapRoot>,
    ) -> Result<Self, RepositoryError> {
        let fits = match root {
            None => shape.size_bytes == 0,
            Some(root) => root.level == shape.root_level() && shape.size_bytes > 0,
        };
        if !fits {
            let what = "the disk map's root does not fit the size of the stream";
            return Err(RepositoryError::new(RepositoryErrorKind::Damaged, what));
        }
        Ok(Self {
            shared,
            shape,
            root,
            nodes: Mutex::new(Cache::new(NODES_KEPT)),
        })
    }

    /// Returns where the map begins; `None` for an empty stream.
    pub(crate) fn root(&self) -> Option<MapRoot> {
        self.root
    }

    /// Reads a node that should have this place in the map and this name.
    pub(crate) fn node(
        &self,
        level: u8,
        index: u64,
        name: Name,
        locator: Locator,
    ) -> Result<Arc<MapNode>, RepositoryError> {
        let lock = || self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = lock().get(&(level, index)) {
            return Ok(node);
        }
        let count = self.shape.entries(level, index);
        let bytes = self.shared.read_node(name, locator)?;
        let object = || locator.pack.object_name();
        let (actual, node) = MapNode::decode(&bytes, level, count, &self.shared.naming)
            .map_err(|error| error.in_object(&object()).at(locator.offset.into()))?;
        if actual != name {
            let what = "a map node does not hold what its name says";
            return Err(RepositoryError::damaged(&object(), what).at(locator.offset.into()));
        }
        let node = Arc::new(node);
        lock().insert((level, index), Arc::clone(&node));
        Ok(node)
    }

    /// Returns leaf `index`, reading the nodes above it where they are not kept. Beyond the end of
    /// the stream nothing is allocated.
    pub(crate) fn leaf(&self, index: u64) -> Result<Leaf, RepositoryError> {
        let Some(root) = self.root.filter(|_| index < self.shape.leaves()) else {
            return Ok(Leaf::Uniform(Entry::NotAllocated));
        };
        let (mut level, mut name, mut locator) = (root.level, root.name, root.locator);
        loop {
            // Eight bits of the leaf's number for each level above the leaves.
            let node_index = index.checked_shr(8 * u32::from(level)).unwrap_or(0);
            let node = self.node(level, node_index, name, locator)?;
            let Some(below) = level.checked_sub(1) else {
                return Ok(Leaf::Stored {
                    name,
                    locator,
                    node,
                });
            };
            let child = index.checked_shr(8 * u32::from(below)).unwrap_or(0) % 256;
            // A number below 256.
            match node.entries.get(usize::try_from(child).unwrap_or(0)) {
                Some(Entry::Stored {
                    name: child_name,
                    locator: child_locator,
                }) => {
                    (level, name, locator) = (below, *child_name, *child_locator);
                }
                Some(uniform) => return Ok(Leaf::Uniform(*uniform)),
                None => return Ok(Leaf::Uniform(Entry::NotAllocated)),
            }
        }
    }
}
