//! Indexes: folders, and the table of security descriptors.

use std::collections::HashSet;
use std::ops::ControlFlow;

use ntfs_format::{
    AttributeKind, FileRecord, INDEX_BLOCK_HEADER, INDEX_ROOT_HEADER, IndexEntry,
    index_block_bytes, index_entries, repair,
};

use super::content::{Content, Runs, length};
use super::table::{Table, corrupt};
use crate::FileError;

/// Levels of blocks; five hold more files than there can be.
const DEPTH_MAX: usize = 24;

/// An index: its root, and the blocks below.
pub(super) struct Index<'a> {
    table: &'a Table,
    root: Vec<u8>,
    blocks: Option<Runs>,
    block_bytes: u64,
    /// What numbers of blocks count.
    unit_bytes: u64,
}

/// Where what is sought lies against an entry.
pub(super) enum Sought {
    Before,
    /// The entry would do, and others that would may lie on both sides of it.
    Around,
    Here,
    After,
}

type Flow = Result<ControlFlow<()>, FileError>;

impl<'a> Index<'a> {
    /// Opens the index of this name (in UTF-16); `None` where the file has none.
    pub(super) fn open(
        table: &'a Table,
        record: &FileRecord,
        name: &[u8],
    ) -> Result<Option<Self>, FileError> {
        let Some(root) = table.content(record, AttributeKind::IndexRoot, name)? else {
            return Ok(None);
        };
        let Content::Resident(root) = root else {
            return Err(corrupt("the root of an index is not where it should be"));
        };
        let block_bytes = index_block_bytes(&root)?;
        let cluster_bytes = table.boot.cluster_bytes;
        let blocks = match table.content(record, AttributeKind::IndexAllocation, name)? {
            None => None,
            Some(Content::Runs(runs)) => Some(runs),
            Some(Content::Resident(_)) => {
                return Err(corrupt(
                    "the blocks of an index are not where they should be",
                ));
            }
        };
        Ok(Some(Self {
            table,
            root,
            blocks,
            block_bytes,
            unit_bytes: if block_bytes < cluster_bytes {
                512
            } else {
                cluster_bytes
            },
        }))
    }

    /// Calls `visit` for each entry, in order.
    pub(super) fn walk(
        &self,
        visit: &mut dyn FnMut(&IndexEntry<'_>) -> ControlFlow<()>,
    ) -> Result<(), FileError> {
        let mut order = |entry: &IndexEntry<'_>| match visit(entry) {
            ControlFlow::Continue(()) => Sought::Around,
            ControlFlow::Break(()) => Sought::Here,
        };
        self.descend(&mut order, Order::BelowFirst)
    }

    /// Looks for an entry: `order` says where it lies, and takes it.
    pub(super) fn search(
        &self,
        order: &mut dyn FnMut(&IndexEntry<'_>) -> Sought,
    ) -> Result<(), FileError> {
        self.descend(order, Order::EntryFirst)
    }

    fn descend(
        &self,
        order: &mut dyn FnMut(&IndexEntry<'_>) -> Sought,
        which: Order,
    ) -> Result<(), FileError> {
        let mut descent = Descent {
            index: self,
            seen: HashSet::new(),
            order,
            which,
        };
        let entries = index_entries(&self.root, INDEX_ROOT_HEADER)?;
        descent.node(&entries, 0).map(|_| ())
    }

    fn block(&self, number: u64) -> Result<Vec<u8>, FileError> {
        let blocks = self.blocks.as_ref();
        let blocks = blocks.ok_or_else(|| corrupt("an index leads to blocks that it has not"))?;
        let offset = number.saturating_mul(self.unit_bytes);
        if offset.saturating_add(self.block_bytes) > blocks.len_bytes {
            return Err(corrupt("an index leads to a block behind its end"));
        }
        let mut bytes = vec![0; length(self.block_bytes)];
        self.table.read_structure(blocks, offset, &mut bytes)?;
        repair(&mut bytes, *b"INDX")?;
        if ntfs_format::fields::u64_at(&bytes, 16)? != number {
            return Err(corrupt("a block of an index is another"));
        }
        Ok(bytes)
    }
}

/// Whether an entry is looked at before what is below it is, which is sorted before it.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    EntryFirst,
    BelowFirst,
}

struct Descent<'a> {
    index: &'a Index<'a>,
    /// Blocks that were read: none twice, or there would be no end.
    seen: HashSet<u64>,
    order: &'a mut dyn FnMut(&IndexEntry<'_>) -> Sought,
    which: Order,
}

impl Descent<'_> {
    fn node(&mut self, entries: &[IndexEntry<'_>], depth: usize) -> Flow {
        for entry in entries {
            if self.which == Order::BelowFirst && self.below(entry, depth)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let sought = match entry.key {
                Some(_) => (self.order)(entry),
                // Behind all keys.
                None => Sought::Before,
            };
            match (sought, self.which) {
                (Sought::Here, _) => return Ok(ControlFlow::Break(())),
                (Sought::Before, Order::EntryFirst) => return self.below(entry, depth),
                (Sought::Around, Order::EntryFirst) => {
                    if self.below(entry, depth)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                (Sought::After, _) | (_, Order::BelowFirst) => {}
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn below(&mut self, entry: &IndexEntry<'_>, depth: usize) -> Flow {
        let Some(number) = entry.below else {
            return Ok(ControlFlow::Continue(()));
        };
        if depth >= DEPTH_MAX || !self.seen.insert(number) {
            return Err(corrupt("an index leads back to itself"));
        }
        let bytes = self.index.block(number)?;
        self.node(&index_entries(&bytes, INDEX_BLOCK_HEADER)?, depth + 1)
    }
}
