//! Reading many map nodes in the order in which they lie, by several threads.

use crate::domain_view::Shared;
use crate::format::{Locator, MapNode, NODE_BYTES_MAX, Name, PackKind, decode_frame, place_nonce};
use crate::maintain::check::in_parallel::in_parallel;
use crate::{RepositoryError, RepositoryErrorKind};

/// What is read at a time, in bytes, of nodes that lie near each other.
const RUN_BYTES_MAX: u64 = 1 << 20;
/// What may lie between two nodes that are read at a time, in bytes: about as much as is read while
/// another request begins.
const GAP_BYTES_MAX: u64 = 64 << 10;
/// The most that a node's frame can take: codec and tag besides the node.
const STORED_BYTES_MAX: u64 = NODE_BYTES_MAX as u64 + 17;

/// A node that a map points to: where it lies, and what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeRef {
    pub(crate) name: Name,
    pub(crate) locator: Locator,
    /// Level of the node, 0 for a leaf.
    pub(crate) level: u8,
    /// Chunks that the node covers: fewer than it could at the right edge of a stream.
    pub(crate) chunks: u64,
}

impl NodeRef {
    /// Returns a number that stands for the node in a set: names are hashes already.
    pub(crate) fn key(&self) -> u64 {
        let half = |bytes: &[u8]| bytes.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
        let place = u64::from(self.locator.offset) << 32 | u64::from(self.locator.stored_bytes);
        let shape = self.chunks << 8 | u64::from(self.level);
        half(&self.name.0[..8])
            ^ half(&self.locator.pack.0[..8])
            ^ (place ^ shape).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    /// Returns how many chunks a child covers that is not at the edge; 1 for a leaf's chunk.
    pub(crate) fn child_span(&self) -> u64 {
        // At most 256^6.
        1 << (8 * u32::from(self.level))
    }

    /// Returns the child in a slot of the node, which is none of a leaf's.
    pub(crate) fn child(&self, slot: usize, name: Name, locator: Locator) -> Option<Self> {
        let start = slot as u64 * self.child_span();
        Some(Self {
            name,
            locator,
            level: self.level.checked_sub(1)?,
            chunks: self.chunks.saturating_sub(start).min(self.child_span()),
        })
    }

    /// Decodes the node from what its frame held.
    fn decode(&self, shared: &Shared, plain: &[u8]) -> Result<MapNode, RepositoryError> {
        let count = self.chunks.div_ceil(self.child_span());
        // Checked where the root was: at most 256.
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let (name, node) = MapNode::decode(plain, self.level, count, &shared.naming)?;
        if name == self.name {
            return Ok(node);
        }
        let what = "a map node does not hold what its name says";
        Err(RepositoryError::new(RepositoryErrorKind::Damaged, what))
    }

    /// Reads the node alone, wherever it lies by now.
    pub(crate) fn read(&self, shared: &Shared) -> Result<MapNode, RepositoryError> {
        let plain = shared.read_node(self.name, self.locator)?;
        let object = self.locator.pack.object_name();
        self.decode(shared, &plain)
            .map_err(|error| error.in_object(&object).at(self.locator.offset.into()))
    }
}

/// Takes a node that was read, or why it could not be. Called from several threads, in no order.
pub(crate) type NodeVisitor<'a> =
    dyn Fn(&NodeRef, Result<MapNode, RepositoryError>) -> Result<(), RepositoryError> + Sync + 'a;

/// Reads nodes of one domain and calls `visit` for each. `nodes` is sorted by the way.
pub(crate) fn sweep_nodes(
    shared: &Shared,
    nodes: &mut [NodeRef],
    visit: &NodeVisitor<'_>,
) -> Result<(), RepositoryError> {
    nodes.sort_unstable_by_key(|node| (node.locator.pack, node.locator.offset));
    let runs = runs(nodes);
    in_parallel(&runs, || {
        let (mut bytes, mut plain) = (Vec::new(), vec![0; NODE_BYTES_MAX]);
        move |run: &&[NodeRef]| {
            let read = read_run(shared, run, &mut bytes);
            for node in *run {
                let opened = read
                    .as_ref()
                    .ok()
                    .and_then(|start| open_node(shared, node, *start, &mut bytes, &mut plain));
                // Alone, where it was not found: it may have moved, or this says what is wrong.
                visit(node, opened.map_or_else(|| node.read(shared), Ok))?;
            }
            Ok(())
        }
    })
}

/// Cuts sorted nodes into runs that are read at once.
fn runs(nodes: &[NodeRef]) -> Vec<&[NodeRef]> {
    let end = |node: &NodeRef| {
        u64::from(node.locator.offset) + u64::from(node.locator.stored_bytes).min(STORED_BYTES_MAX)
    };
    let mut runs = Vec::new();
    let mut rest = nodes;
    while let Some(first) = rest.first() {
        let start = u64::from(first.locator.offset);
        let mut reach = end(first);
        let len = rest
            .iter()
            .take_while(|node| {
                let fits = node.locator.pack == first.locator.pack
                    && u64::from(node.locator.offset) <= reach + GAP_BYTES_MAX
                    && end(node) <= start + RUN_BYTES_MAX;
                reach = reach.max(end(node));
                fits
            })
            .count();
        let (run, tail) = rest.split_at(len.max(1));
        runs.push(run);
        rest = tail;
    }
    runs
}

/// Reads what a run covers into `bytes`; returns where in the pack that begins.
fn read_run(shared: &Shared, run: &[NodeRef], bytes: &mut Vec<u8>) -> Result<u64, RepositoryError> {
    let locators = || run.iter().map(|node| node.locator);
    let start = run.first().map_or(0, |node| u64::from(node.locator.offset));
    let ends = locators().map(|locator| {
        u64::from(locator.offset) + u64::from(locator.stored_bytes).min(STORED_BYTES_MAX)
    });
    let len = ends.max().unwrap_or(start) - start;
    // At most 1 MiB, or one node.
    bytes.resize(usize::try_from(len).unwrap_or(0), 0);
    if let Some(node) = run.first() {
        let object = node.locator.pack.object_name();
        shared.store.get_range(&object, start, bytes)?;
    }
    Ok(start)
}

/// Opens a node of a run that was read; `None` where that does not work out.
fn open_node(
    shared: &Shared,
    node: &NodeRef,
    start: u64,
    bytes: &mut [u8],
    plain: &mut [u8],
) -> Option<MapNode> {
    let offset = u64::from(node.locator.offset);
    let at = usize::try_from(offset.checked_sub(start)?).ok()?;
    // A copy: two maps may point to one place under different names.
    let mut frame = bytes
        .get(at..at.checked_add(node.locator.stored_bytes as usize)?)?
        .to_vec();
    let key = shared
        .pack_key(node.locator.pack, PackKind::MapNodes)
        .ok()?;
    let opened = key
        .open(place_nonce(offset), &node.name.0, &mut frame)
        .ok()?;
    let len = decode_frame(opened, plain).ok()?;
    node.decode(shared, &plain[..len]).ok()
}
