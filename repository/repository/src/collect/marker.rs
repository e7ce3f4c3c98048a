//! Walks the maps of all points and marks what they reach.
//!
//! ```text
//!   points ──► roots ──► upper nodes ──► leaves ──► frames: a bit in the pack's marks
//!                 └── each node once in a whole collection: a set of (pack, offset)
//! ```
//!
//! The threads share a stack of batches: nodes of one level under one parent, in the order in
//! which they lie. What is deepest is walked first, so the stack stays small, and neighbours are
//! read together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::collect::forward_map::{ForwardMap, Place};
use crate::collect::pack_table::PackTable;
use crate::collect::visited_nodes::VisitedNodes;
use crate::collect::{CollectObserver, CollectStage};
use crate::domain_view::Shared;
use crate::format::{Entry, Locator, MapNode, Name, PackId};
use crate::read::MapShape;
use crate::stream::{Stream, StreamRoot};
use crate::{Repository, RepositoryError, RepositoryErrorKind, RestorePoint};

/// Nodes of a batch: about a window of a node pack.
const BATCH_NODES: usize = 24;

/// What hears of every frame that is reached, besides the marks.
pub(crate) trait FrameSink: Sync {
    /// A point's map has a frame at `locator`, and it is needed at `places`, none where it is
    /// nowhere. Called for a frame as often as maps have it.
    fn reached(&self, locator: &Locator, places: &[Place]);
}

/// Marks what points reach.
pub(crate) struct Marker<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) table: &'a PackTable,
    pub(crate) forwards: &'a ForwardMap,
    pub(crate) visited: VisitedNodes,
    /// Frames that are nowhere: how many times maps have them, by pack.
    pub(crate) missing: Mutex<HashMap<PackId, u64>>,
    pub(crate) sink: Option<&'a dyn FrameSink>,
    pub(crate) leave_other_domains: bool,
    pub(crate) workers: usize,
    pub(crate) points_done: AtomicU64,
}

/// Nodes of one level of one stream.
struct Batch {
    stream: Arc<WalkedStream>,
    level: u8,
    nodes: Vec<NodeRef>,
}

struct WalkedStream {
    shared: Arc<Shared>,
    shape: MapShape,
}

struct NodeRef {
    index: u64,
    name: Name,
    locator: Locator,
}

/// What the threads share.
struct Work<'w> {
    points: &'w [String],
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next_point: usize,
    stack: Vec<Batch>,
    busy: usize,
    failure: Option<RepositoryError>,
}

enum Task<'w> {
    Point(&'w str),
    Batch(Batch),
}

impl<'w> Work<'w> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do; `None` when all is done or has failed.
    fn next(&self) -> Option<Task<'w>> {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
                return None;
            }
            if let Some(batch) = state.stack.pop() {
                state.busy += 1;
                return Some(Task::Batch(batch));
            }
            if let Some(point) = self.points.get(state.next_point) {
                state.next_point += 1;
                state.busy += 1;
                return Some(Task::Point(point));
            }
            if state.busy == 0 {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self, result: Result<Vec<Batch>, RepositoryError>) {
        let mut state = self.lock();
        state.busy -= 1;
        match result {
            Ok(batches) => state.stack.extend(batches),
            Err(error) => drop(state.failure.get_or_insert(error)),
        }
        drop(state);
        self.changed.notify_all();
    }
}

impl<'a> Marker<'a> {
    /// Reads the points of these names and marks what they reach. A point that is gone was removed
    /// since it was listed.
    pub(crate) fn mark_points(
        &self,
        points: &[String],
        observer: &dyn CollectObserver,
    ) -> Result<(), RepositoryError> {
        let work = Work {
            points,
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        self.run(&work, observer)
    }

    fn run(&self, work: &Work<'_>, observer: &dyn CollectObserver) -> Result<(), RepositoryError> {
        std::thread::scope(|scope| {
            for _ in 0..self.workers.max(1) {
                scope.spawn(|| {
                    while let Some(task) = work.next() {
                        let done = match observer.cancelled() {
                            true => Err(cancelled()),
                            false => self.work_on(task, work.points.len(), observer),
                        };
                        work.done(done);
                    }
                });
            }
        });
        let failure = work.lock().failure.take();
        failure.map_or(Ok(()), Err)
    }

    fn work_on(
        &self,
        task: Task<'_>,
        points: usize,
        observer: &dyn CollectObserver,
    ) -> Result<Vec<Batch>, RepositoryError> {
        let object = match task {
            Task::Batch(batch) => return self.walk(&batch),
            Task::Point(object) => object,
        };
        let done = self.points_done.fetch_add(1, Ordering::Relaxed) + 1;
        observer.advanced(CollectStage::Marking, done, points as u64);
        match self.repository.read_point_if_there(object) {
            Ok(Some(point)) => self.roots(&point).map_err(|error| error.in_object(object)),
            Ok(None) => Ok(Vec::new()),
            Err(error)
                if error.kind() == RepositoryErrorKind::OtherDomain && self.leave_other_domains =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(cannot_tell(error)),
        }
    }

    /// Returns the roots of a point's maps that were not walked yet.
    fn roots(&self, point: &RestorePoint) -> Result<Vec<Batch>, RepositoryError> {
        let mut batches = Vec::new();
        for stream in point.all_streams() {
            batches.extend(self.root(stream)?);
        }
        Ok(batches)
    }

    fn root(&self, stream: &Stream) -> Result<Option<Batch>, RepositoryError> {
        let Some(root) = stream.root.as_ref().map(StreamRoot::to_map).transpose()? else {
            return Ok(None);
        };
        // The reader sees to it that the root fits the stream.
        let map = self.repository.open_map(stream)?;
        let walked = Arc::new(WalkedStream {
            shared: Arc::clone(&map.shared),
            shape: map.shape,
        });
        let first = self.first_visit(&walked, root.locator)?;
        let node = NodeRef {
            index: 0,
            name: root.name,
            locator: root.locator,
        };
        Ok(first.then(|| Batch {
            stream: walked,
            level: root.level,
            nodes: vec![node],
        }))
    }

    /// Marks a node, and says whether it is to be walked.
    fn first_visit(
        &self,
        stream: &WalkedStream,
        locator: Locator,
    ) -> Result<bool, RepositoryError> {
        let domain = stream.shared.domain().id;
        // Visited is what a map names, not where it was led to: others may lead many nodes to one
        // place, and then one of them alone would be walked.
        let first = match self.table.number(&locator.pack) {
            Some(pack) => self.visited.insert(pack, locator.offset),
            None => self.visited.insert_unlisted(locator.pack, locator.offset),
        };
        if !first {
            return Ok(false);
        }
        // A node that is nowhere may have been moved since the listing: then it is read, and
        // protected by its youth.
        let places = self.forwards.resolve(self.table, domain, &locator);
        let places = places.map_err(cannot_tell)?;
        for place in &places {
            self.table
                .mark(place.pack, place.offset, place.stored_bytes);
        }
        if let Some(sink) = self.sink {
            sink.reached(&locator, &places);
        }
        Ok(true)
    }

    /// Reads the nodes of a batch, marks what they point to, and returns what is to be walked.
    fn walk(&self, batch: &Batch) -> Result<Vec<Batch>, RepositoryError> {
        let mut below = Vec::new();
        for node in &batch.nodes {
            let read = self.read(batch, node).map_err(cannot_tell)?;
            match batch.level.checked_sub(1) {
                None => self.mark_chunks(&batch.stream, &read)?,
                Some(level) => {
                    self.children(batch, level, node.index, &read, &mut below)?;
                }
            }
        }
        Ok(below)
    }

    fn children(
        &self,
        batch: &Batch,
        level: u8,
        parent: u64,
        node: &MapNode,
        below: &mut Vec<Batch>,
    ) -> Result<(), RepositoryError> {
        let mut nodes = Vec::new();
        for (index, entry) in (parent * 256..).zip(&node.entries) {
            if let Entry::Stored { name, locator } = *entry
                && self.first_visit(&batch.stream, locator)?
            {
                nodes.push(NodeRef {
                    index,
                    name,
                    locator,
                });
            }
        }
        nodes.sort_unstable_by_key(|node| (node.locator.pack, node.locator.offset));
        let mut nodes = nodes.into_iter().peekable();
        while nodes.peek().is_some() {
            below.push(Batch {
                stream: Arc::clone(&batch.stream),
                level,
                nodes: nodes.by_ref().take(BATCH_NODES).collect(),
            });
        }
        Ok(())
    }

    fn read(&self, batch: &Batch, node: &NodeRef) -> Result<MapNode, RepositoryError> {
        let WalkedStream { shared, shape } = &*batch.stream;
        let NodeRef {
            index,
            name,
            locator,
        } = *node;
        let bytes = shared.read_node(name, locator)?;
        let object = || locator.pack.object_name();
        let count = shape.entries(batch.level, index);
        let (actual, node) = MapNode::decode(&bytes, batch.level, count, &shared.naming)
            .map_err(|error| error.in_object(&object()).at(locator.offset.into()))?;
        if actual != name {
            let what = "a map node does not hold what its name says";
            return Err(RepositoryError::damaged(&object(), what).at(locator.offset.into()));
        }
        Ok(node)
    }

    fn mark_chunks(&self, stream: &WalkedStream, leaf: &MapNode) -> Result<(), RepositoryError> {
        let domain = stream.shared.domain().id;
        let simple = self.forwards.objects.is_empty();
        // Neighbours lie in the same pack, mostly.
        let mut last: Option<(PackId, u32)> = None;
        for entry in &leaf.entries {
            let Entry::Stored { locator, .. } = entry else {
                continue;
            };
            if let Some((pack, number)) = last
                && simple
                && self.sink.is_none()
                && pack == locator.pack
            {
                self.table
                    .mark(number, locator.offset, locator.stored_bytes);
                continue;
            }
            let places = self.forwards.resolve(self.table, domain, locator);
            let places = places.map_err(cannot_tell)?;
            for place in &places {
                last = Some((locator.pack, place.pack));
                self.table
                    .mark(place.pack, place.offset, place.stored_bytes);
            }
            if places.is_empty() {
                self.add_missing(locator);
            }
            if let Some(sink) = self.sink {
                sink.reached(locator, &places);
            }
        }
        Ok(())
    }

    fn add_missing(&self, locator: &Locator) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        *missing.entry(locator.pack).or_default() += 1;
    }
}

fn cancelled() -> RepositoryError {
    RepositoryError::new(RepositoryErrorKind::Cancelled, "cancelled")
}

/// Garbage is told by what every point needs: where one does not say, nothing can be.
fn cannot_tell(error: RepositoryError) -> RepositoryError {
    error.hint(
        "nothing is collected while it is not known what is needed: see `repo check`, and remove \
         the point or repair the repository",
    )
}
