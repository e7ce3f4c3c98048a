//! A folder with all that is in it.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use guest_files::{FileError, FileErrorKind, FileName, GuestFileSystem, Node, NodeId, NodeKind};

/// Folders deeper than this are not entered: NTFS and Linux have no paths that long.
pub(crate) const DEPTH_MAX: usize = 512;
/// Most entries that wait for their turn. Two million are one folder's most, and a volume whose
/// folders share their blocks could have any number of such folders inside each other.
const WAITING_MAX: usize = 4 << 20;
/// Most bytes of their names.
const WAITING_NAMES_MAX_BYTES: usize = 512 << 20;
/// Entries of one folder whose nodes are asked for at once.
const NODES_AT_ONCE: usize = 128;

/// Something in a folder.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The names from the folder that is walked on.
    pub path: Vec<FileName>,
    /// What it is.
    pub node: Node,
}

/// What a walk comes by.
#[derive(Debug)]
pub enum WalkItem {
    /// A file, a folder (before what is in it), a link.
    Entry(Entry),
    /// What could not be read: a folder's list, or what is said of an entry. The walk goes on.
    Failed {
        /// The names from the folder that is walked on.
        path: Vec<FileName>,
        /// Why.
        error: FileError,
    },
}

/// Walks a folder: entries of one folder by name, each folder before what is in it. The folder itself
/// is not among them; of what is no folder nothing is.
pub struct Walk<'s> {
    system: &'s dyn GuestFileSystem,
    /// What is to come, the next last.
    waiting: Vec<Waiting>,
    /// Bytes of the names that wait.
    waiting_name_bytes: usize,
    waiting_max: usize,
    entered: HashSet<NodeId>,
    failed: Vec<WalkItem>,
    depth: usize,
}

/// An entry that waits: what leads to it is shared with its neighbors.
struct Waiting {
    folder: Option<Arc<Folder>>,
    name: FileName,
    id: NodeId,
    /// What it is, where that was asked already.
    node: Option<Result<Node, FileError>>,
}

/// A folder on the way to what waits.
struct Folder {
    parent: Option<Arc<Folder>>,
    name: FileName,
    depth: usize,
}

impl<'s> Walk<'s> {
    /// Walks a folder with all that is in it.
    pub fn new(system: &'s dyn GuestFileSystem, folder: &Node) -> Self {
        Self::to_depth(system, folder, usize::MAX)
    }

    /// Walks the entries of a folder alone.
    pub fn one_folder(system: &'s dyn GuestFileSystem, folder: &Node) -> Self {
        Self::to_depth(system, folder, 1)
    }

    /// Walks a folder and so many levels below; 1 is what is in it.
    pub fn to_depth(system: &'s dyn GuestFileSystem, folder: &Node, depth: usize) -> Self {
        let mut walk = Self {
            system,
            waiting: Vec::new(),
            waiting_name_bytes: 0,
            waiting_max: WAITING_MAX,
            entered: HashSet::new(),
            failed: Vec::new(),
            depth,
        };
        if folder.kind == NodeKind::Folder {
            walk.enter(None, folder.id);
        }
        walk
    }

    fn enter(&mut self, way: Option<&Arc<Folder>>, folder: NodeId) {
        if let Err(error) = self.try_to_enter(way, folder) {
            let path = way.map(path_of).unwrap_or_default();
            self.failed.push(WalkItem::Failed { path, error });
        }
    }

    fn try_to_enter(&mut self, way: Option<&Arc<Folder>>, folder: NodeId) -> Result<(), FileError> {
        if way.is_some_and(|way| way.depth >= DEPTH_MAX) {
            let what = format!("folders are deeper than {DEPTH_MAX}");
            return Err(FileError::new(FileErrorKind::Corrupt, what));
        }
        if !self.entered.insert(folder) {
            let what = "the folder is in two places, which no sound file system has";
            return Err(FileError::new(FileErrorKind::Corrupt, what));
        }
        let found = entries(self.system, folder)?;
        let name_bytes = found.iter().map(|(name, _)| name.as_bytes().len());
        let name_bytes = self.waiting_name_bytes + name_bytes.sum::<usize>();
        let entries = self.waiting.len() + found.len();
        if entries > self.waiting_max || name_bytes > WAITING_NAMES_MAX_BYTES {
            let what = format!(
                "more than {} entries wait in the folders above",
                self.waiting_max
            );
            return Err(FileError::new(FileErrorKind::Unreadable, what));
        }
        self.waiting_name_bytes = name_bytes;
        let found = found.into_iter().rev().map(|(name, id)| Waiting {
            folder: way.cloned(),
            name,
            id,
            node: None,
        });
        self.waiting.extend(found);
        Ok(())
    }

    /// Asks what the next entries of one folder are, all at once: a question to another process
    /// takes longer than its answer.
    fn ask_ahead(&mut self) {
        let Some(folder) = self.waiting.last().map(|next| next.folder.clone()) else {
            return;
        };
        let is_neighbor = |next: &&mut Waiting| {
            next.node.is_none()
                && match (&next.folder, &folder) {
                    (Some(one), Some(other)) => Arc::ptr_eq(one, other),
                    (None, None) => true,
                    _ => false,
                }
        };
        let neighbors = self.waiting.iter_mut().rev().take(NODES_AT_ONCE);
        let mut asked: Vec<&mut Waiting> = neighbors.take_while(is_neighbor).collect();
        let ids: Vec<NodeId> = asked.iter().map(|next| next.id).collect();
        for (next, node) in asked.iter_mut().zip(self.system.nodes(&ids)) {
            next.node = Some(node);
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = WalkItem;

    fn next(&mut self) -> Option<WalkItem> {
        if let Some(failed) = self.failed.pop() {
            return Some(failed);
        }
        if self.waiting.last()?.node.is_none() {
            self.ask_ahead();
        }
        let next = self.waiting.pop()?;
        self.waiting_name_bytes -= next.name.as_bytes().len();
        let id = next.id;
        let node = next.node.unwrap_or_else(|| self.system.node(id));
        let way = Arc::new(Folder {
            depth: next.folder.as_ref().map_or(0, |folder| folder.depth) + 1,
            parent: next.folder,
            name: next.name,
        });
        let path = path_of(&way);
        match node {
            Ok(node) => {
                if node.kind == NodeKind::Folder && path.len() < self.depth {
                    self.enter(Some(&way), id);
                }
                Some(WalkItem::Entry(Entry { path, node }))
            }
            Err(error) => Some(WalkItem::Failed { path, error }),
        }
    }
}

fn path_of(folder: &Arc<Folder>) -> Vec<FileName> {
    let mut path = Vec::with_capacity(folder.depth);
    let mut at = Some(folder);
    while let Some(folder) = at {
        path.push(folder.name.clone());
        at = folder.parent.as_ref();
    }
    path.reverse();
    path
}

/// Returns what is in a folder, by name.
pub(crate) fn entries(
    system: &dyn GuestFileSystem,
    folder: NodeId,
) -> Result<Vec<(FileName, NodeId)>, FileError> {
    let mut found = Vec::new();
    system.list(folder, &mut |name, id| {
        found.push((name, id));
        ControlFlow::Continue(())
    })?;
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use guest_files::{About, GuestFile, Link, Owner, State, Times, Visit};
    use volume_map::Content;

    use super::*;

    /// Folders without end: each has so many, whose ids follow from its own.
    struct Endless {
        about: About,
        entries: u64,
    }

    impl Endless {
        fn new(entries: u64) -> Self {
            let about = About {
                content: Content::Ext,
                label: String::new(),
                uuid: String::new(),
                size_bytes: 0,
                used_bytes: None,
                state: State::Clean,
                is_case_sensitive: true,
            };
            Self { about, entries }
        }

        fn top(&self) -> Node {
            self.node(self.root()).unwrap()
        }
    }

    fn id(number: u64) -> NodeId {
        NodeId { tree: 0, number }
    }

    impl GuestFileSystem for Endless {
        fn about(&self) -> &About {
            &self.about
        }
        fn root(&self) -> NodeId {
            id(1)
        }
        fn node(&self, id: NodeId) -> Result<Node, FileError> {
            Ok(Node {
                id,
                kind: NodeKind::Folder,
                size_bytes: 0,
                links: 1,
                times: Times::default(),
                owner: Owner::Windows { attributes: 0 },
            })
        }
        fn list(&self, folder: NodeId, visit: &mut Visit<'_>) -> Result<(), FileError> {
            for at in 0..self.entries {
                let name = FileName::new(format!("{at:0250}").as_bytes()).unwrap();
                let number = folder.number.wrapping_mul(31).wrapping_add(at);
                if visit(name, id(number)).is_break() {
                    break;
                }
            }
            Ok(())
        }
        fn find(&self, _: NodeId, _: &FileName) -> Result<Option<NodeId>, FileError> {
            Ok(None)
        }
        fn open<'a>(
            &'a self,
            _: NodeId,
            _: Option<&FileName>,
        ) -> Result<Box<dyn GuestFile + 'a>, FileError> {
            Err(FileError::new(FileErrorKind::WrongKind, "no file"))
        }
        fn link(&self, _: NodeId) -> Result<Link, FileError> {
            Err(FileError::new(FileErrorKind::WrongKind, "no link"))
        }
    }

    #[test]
    fn what_leads_to_entries_that_wait_is_there_once() {
        let system = Endless::new(100);
        let mut walk = Walk::new(&system, &system.top());
        assert_eq!(walk.by_ref().take(400).count(), 400);
        // 400 levels of 100 entries: with a path each they would be two gigabytes.
        assert_eq!(walk.waiting.len(), 401 * 100 - 400);
        let folders: HashSet<_> = walk
            .waiting
            .iter()
            .filter_map(|next| next.folder.as_ref().map(Arc::as_ptr))
            .collect();
        assert_eq!(folders.len(), 400);
    }

    #[test]
    fn folders_are_entered_to_a_depth_and_while_there_is_room() {
        let system = Endless::new(1);
        let items: Vec<_> = Walk::new(&system, &system.top()).collect();
        let entries = items
            .iter()
            .filter(|item| matches!(item, WalkItem::Entry(_)));
        assert!(entries.count() <= DEPTH_MAX);
        let Some(WalkItem::Failed { error, .. }) = items.last() else {
            panic!("the walk ended without a word");
        };
        assert_eq!(error.kind(), FileErrorKind::Corrupt);

        let system = Endless::new(50);
        let mut walk = Walk::new(&system, &system.top());
        walk.waiting_max = 1000;
        let failed = walk.by_ref().take(100).find_map(|item| match item {
            WalkItem::Failed { error, .. } => Some(error.kind()),
            WalkItem::Entry(_) => None,
        });
        assert_eq!(failed, Some(FileErrorKind::Unreadable));
        assert!(walk.waiting.len() <= 1000);
    }
}
