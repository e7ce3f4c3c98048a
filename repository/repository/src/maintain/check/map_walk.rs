//! Walking the maps of all points: each node once, however many points share it.
//!
//! ```text
//!   roots ─► level by level, each level in the order in which it lies in the packs ─► leaves
//!                                                                                      │ lost?
//!   ranges of each stream ◄── only into what is broken ◄── which nodes lead there ◄────┘
//! ```
//!
//! In memory are 8 bytes for each node, the nodes above the leaves, and one batch of leaves. Where
//! nothing is lost, that is all. Else the nodes above the leaves, one in 256, are read again to
//! learn which of them lead to what is broken, and what is lost below a node is told once and used
//! for all points.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use object_store::StoreErrorKind;

use crate::domain_view::Shared;
use crate::format::{Entry, LEVEL_MAX, Locator, MapNode, Name, PackId};
use crate::maintain::VerifyObserver;
use crate::maintain::check::damage::is_damage;
use crate::maintain::check::lost_chunks::LostChunks;
use crate::maintain::check::node_sweep::{NodeRef, sweep_nodes};
use crate::maintain::check::pack_survey::{PackState, PackSurvey, cancelled};
use crate::maintain::check::report::Findings;
use crate::read::OpenFrame;
use crate::{RepositoryError, RepositoryErrorKind};

/// Nodes above the leaves whose leaves are walked together: up to a quarter of a million.
const PARENTS_AT_ONCE: usize = 1024;

/// A frame that a map points to and that had to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TriedFrame {
    pub(crate) name: Name,
    pub(crate) place: Locator,
    /// It is not there, or not as it was written.
    pub(crate) lost: bool,
}

/// Hears of each lost frame, and of each good one in a pack that is damaged, at least once.
pub(crate) type TryObserver<'a> = dyn Fn(TriedFrame) + Sync + 'a;

/// Why a frame is lost; none for one that is whole.
type Cause = Option<Arc<str>>;

/// How much of a pack is missed, and what the first miss looked like.
struct Missed {
    frames: HashSet<u32>,
    error: RepositoryError,
}

/// The walk of one domain's maps.
pub(crate) struct MapWalk<'a> {
    /// The view of the domain.
    shared: Arc<Shared>,
    packs: &'a PackSurvey,
    findings: &'a Findings,
    observer: &'a dyn VerifyObserver,
    on_tried: &'a TryObserver<'a>,
    visited: HashSet<u64>,
    /// Nodes above the leaves, by level.
    upper: Vec<Vec<NodeRef>>,
    /// Nodes that cannot be read, or lead to something that cannot.
    broken: Mutex<HashSet<u64>>,
    /// Frames that had to be tried, and why they are lost, if they are.
    tried: Mutex<HashMap<(PackId, u32), Cause>>,
    /// Packs that the listing does not show, and why what they held is lost, if they are missing.
    missing: Mutex<HashMap<PackId, Cause>>,
    missed: Mutex<BTreeMap<PackId, Missed>>,
    /// What is lost below broken nodes.
    told: HashMap<u64, Arc<LostChunks>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn damaged_because(cause: &str) -> RepositoryError {
    RepositoryError::new(RepositoryErrorKind::Damaged, cause)
}

/// Returns the stored entries of a node with their slots.
fn stored(node: &MapNode) -> impl Iterator<Item = (usize, Name, Locator)> {
    let entries = node.entries.iter().enumerate();
    entries.filter_map(|(slot, entry)| match *entry {
        Entry::Stored { name, locator } => Some((slot, name, locator)),
        _ => None,
    })
}

impl<'a> MapWalk<'a> {
    pub(crate) fn new(
        shared: Arc<Shared>,
        packs: &'a PackSurvey,
        findings: &'a Findings,
        observer: &'a dyn VerifyObserver,
        on_tried: &'a TryObserver<'a>,
    ) -> Self {
        Self {
            shared,
            packs,
            findings,
            observer,
            on_tried,
            visited: HashSet::new(),
            upper: vec![Vec::new(); usize::from(LEVEL_MAX) + 1],
            broken: Mutex::default(),
            tried: Mutex::default(),
            missing: Mutex::default(),
            missed: Mutex::default(),
            told: HashMap::new(),
        }
    }

    /// Walks everything below `roots`, and sees what of it is broken.
    pub(crate) fn run(&mut self, roots: &[NodeRef]) -> Result<(), RepositoryError> {
        let mut leaves = Vec::new();
        for root in roots {
            if self.visited.insert(root.key()) {
                match root.level {
                    0 => leaves.push(*root),
                    level => self.upper[usize::from(level)].push(*root),
                }
            }
        }
        self.walk_leaves(&mut leaves)?;
        for level in (1..self.upper.len()).rev() {
            let mut nodes = std::mem::take(&mut self.upper[level]);
            // Only leaves are too many to be kept.
            let batch = if level == 1 {
                PARENTS_AT_ONCE
            } else {
                nodes.len()
            };
            for nodes in nodes.chunks_mut(batch.max(1)) {
                let mut children = self.children_of(nodes)?;
                match level {
                    1 => self.walk_leaves(&mut children)?,
                    _ => self.upper[level - 1].append(&mut children),
                }
            }
            self.upper[level] = nodes;
        }
        self.find_ways_to_broken()?;
        self.report_missed()
    }

    fn go_on(&self, nodes: &[NodeRef]) -> Result<(), RepositoryError> {
        self.findings.lock().nodes += nodes.len() as u64;
        if self.observer.cancelled() {
            return Err(cancelled());
        }
        Ok(())
    }

    /// Reads nodes and returns their children that were not met before.
    fn children_of(&mut self, nodes: &mut [NodeRef]) -> Result<Vec<NodeRef>, RepositoryError> {
        self.go_on(nodes)?;
        let children = Mutex::new(Vec::new());
        sweep_nodes(&self.shared, nodes, &|node, read| {
            if let Some(read) = self.readable(node, read)? {
                let below = stored(&read).filter_map(|(slot, n, l)| node.child(slot, n, l));
                lock(&children).extend(below);
            }
            Ok(())
        })?;
        let mut children = children
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        children.retain(|child| self.visited.insert(child.key()));
        Ok(children)
    }

    fn walk_leaves(&self, leaves: &mut [NodeRef]) -> Result<(), RepositoryError> {
        self.go_on(leaves)?;
        sweep_nodes(&self.shared, leaves, &|node, read| {
            let Some(read) = self.readable(node, read)? else {
                return Ok(());
            };
            for (_, name, locator) in stored(&read) {
                if !self.has(&name, &locator)? && self.try_chunk(name, locator)?.is_some() {
                    lock(&self.broken).insert(node.key());
                }
            }
            Ok(())
        })
    }

    /// Notes a node that cannot be read.
    fn readable(
        &self,
        node: &NodeRef,
        read: Result<MapNode, RepositoryError>,
    ) -> Result<Option<MapNode>, RepositoryError> {
        match read {
            Ok(read) => {
                if self.packs.is_suspect(node.locator.pack) {
                    self.tell(node.name, node.locator, false);
                }
                Ok(Some(read))
            }
            Err(error) if is_damage(&error) => {
                lock(&self.broken).insert(node.key());
                self.miss(node.name, node.locator, || error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn tell(&self, name: Name, place: Locator, lost: bool) {
        (self.on_tried)(TriedFrame { name, place, lost });
    }

    fn miss(&self, name: Name, locator: Locator, error: impl FnOnce() -> RepositoryError) {
        self.tell(name, locator, true);
        let mut missed = lock(&self.missed);
        let of_pack = missed.entry(locator.pack).or_insert_with(|| Missed {
            frames: HashSet::new(),
            error: error(),
        });
        of_pack.frames.insert(locator.offset);
    }

    /// Says whether a chunk is known to be where its map says, or where it was moved from there.
    fn has(&self, name: &Name, locator: &Locator) -> Result<bool, RepositoryError> {
        if self.packs.has(name, locator) {
            return Ok(true);
        }
        if !self.packs.forwarded.contains(&locator.pack) {
            return Ok(false);
        }
        let table = self.shared.forward_table(locator.pack, false)?;
        Ok(table
            .places(locator.offset)
            .any(|place| self.packs.has(name, &place)))
    }

    /// Returns why everything in a pack is lost, where the pack is missing.
    fn missing(&self, pack: PackId) -> Result<Cause, RepositoryError> {
        if self.packs.is_there(pack) || self.packs.forwarded.contains(&pack) {
            return Ok(None);
        }
        if let Some(known) = lock(&self.missing).get(&pack) {
            return Ok(known.clone());
        }
        // Listings may lag, reading by name does not.
        let object = pack.object_name();
        let cause = match self.shared.store.size_bytes(&object) {
            Ok(_) => None,
            Err(error) if error.kind() == StoreErrorKind::NotFound => {
                Some(Arc::from(format!("{object}: this object is missing")))
            }
            Err(error) => return Err(error.into()),
        };
        lock(&self.missing).insert(pack, cause.clone());
        Ok(cause)
    }

    /// Reads a chunk of which it is not known whether it is there. Returns why it is lost, if it is.
    fn try_chunk(&self, name: Name, locator: Locator) -> Result<Cause, RepositoryError> {
        // Not remembered frame by frame: a whole repository may be missing.
        if let Some(cause) = self.missing(locator.pack)? {
            self.miss(name, locator, || damaged_because(&cause));
            return Ok(Some(cause));
        }
        let place = (locator.pack, locator.offset);
        if let Some(known) = lock(&self.tried).get(&place) {
            return Ok(known.clone());
        }
        let cause = match self.read_chunk(name, locator) {
            Ok(()) => {
                self.tell(name, locator, false);
                None
            }
            Err(error) if is_damage(&error) => {
                let cause = Arc::from(error.to_string());
                self.miss(name, locator, || error);
                Some(cause)
            }
            Err(error) => return Err(error),
        };
        lock(&self.tried).insert(place, cause.clone());
        Ok(cause)
    }

    fn read_chunk(&self, name: Name, locator: Locator) -> Result<(), RepositoryError> {
        let object = locator.pack.object_name();
        let damaged = |what| RepositoryError::new(RepositoryErrorKind::Damaged, what);
        if let Some((_, PackState::Foreign)) = self.packs.packs.get(&locator.pack) {
            let what = "a disk map points into a pack of another domain";
            return Err(damaged(what).in_object(&object));
        }
        let chunk_bytes = usize::try_from(self.shared.file.chunk_bytes).unwrap_or(0);
        let frame = [(name, locator)];
        let mut decoded = |_: usize, open: &mut OpenFrame<'_>| {
            let mut chunk = vec![0; chunk_bytes];
            let len = open(&mut chunk)?;
            if self.shared.naming.chunk(&chunk[..len]) == name {
                return Ok(());
            }
            Err(damaged("a chunk does not hold what its name says"))
        };
        if self.packs.forwarded.contains(&locator.pack) {
            self.shared.read_frames(&frame, &mut decoded)
        } else {
            // The listing says that nothing of this pack was moved: it is not asked for each frame.
            self.shared.read_frames_here(&frame, &mut decoded)
        }
    }

    /// Finds the nodes that lead to broken ones, from the leaves up.
    fn find_ways_to_broken(&mut self) -> Result<(), RepositoryError> {
        for level in 1..self.upper.len() {
            if lock(&self.broken).is_empty() {
                return Ok(());
            }
            let mut nodes = std::mem::take(&mut self.upper[level]);
            nodes.retain(|node| !lock(&self.broken).contains(&node.key()));
            sweep_nodes(&self.shared, &mut nodes, &|node, read| {
                let Ok(read) = read else { return Ok(()) };
                let mut below = stored(&read).filter_map(|(slot, n, l)| node.child(slot, n, l));
                let mut broken = lock(&self.broken);
                if below.any(|child| broken.contains(&child.key())) {
                    broken.insert(node.key());
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Says of each pack how much of it is missed.
    fn report_missed(&self) -> Result<(), RepositoryError> {
        for (pack, missed) in &*lock(&self.missed) {
            let frames = missed.frames.len();
            let what = if self.packs.is_there(*pack) {
                format!(
                    "restore points have lost {frames} frames of this pack: {}",
                    missed.error
                )
            } else {
                format!("this pack is missing, and restore points need {frames} frames of it")
            };
            let error = RepositoryError::damaged(&pack.object_name(), what);
            self.findings.add(&error)?;
        }
        Ok(())
    }

    /// Returns what is lost below a node, numbered from its own beginning.
    ///
    /// At most seven deep, and each node once.
    pub(crate) fn lost_below(
        &mut self,
        node: &NodeRef,
    ) -> Result<Arc<LostChunks>, RepositoryError> {
        if !lock(&self.broken).contains(&node.key()) {
            return Ok(Arc::default());
        }
        if let Some(told) = self.told.get(&node.key()) {
            return Ok(Arc::clone(told));
        }
        let mut lost = LostChunks::default();
        match node.read(&self.shared) {
            Err(error) if is_damage(&error) => {
                lost.push(0..node.chunks, || error.to_string().into());
            }
            Err(error) => return Err(error),
            Ok(read) => {
                for (slot, name, locator) in stored(&read) {
                    let start = slot as u64 * node.child_span();
                    if let Some(child) = node.child(slot, name, locator) {
                        let below = self.lost_below(&child)?;
                        lost.append(&below, start, node.chunks);
                    } else if !self.has(&name, &locator)?
                        && let Some(cause) = self.try_chunk(name, locator)?
                    {
                        lost.push(start..start + 1, || cause);
                    }
                }
            }
        }
        let lost = Arc::new(lost);
        self.told.insert(node.key(), Arc::clone(&lost));
        Ok(lost)
    }
}
