//! A folder with all that is in it.

use std::collections::HashSet;
use std::ops::ControlFlow;

use guest_files::{FileError, FileErrorKind, FileName, GuestFileSystem, Node, NodeId, NodeKind};

/// Folders deeper than this are not entered: NTFS and Linux have no paths that long.
const DEPTH_MAX: usize = 512;

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
    waiting: Vec<(Vec<FileName>, NodeId)>,
    entered: HashSet<NodeId>,
    failed: Vec<WalkItem>,
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
            entered: HashSet::new(),
            failed: Vec::new(),
            depth,
        };
        if folder.kind == NodeKind::Folder {
            walk.enter(&[], folder.id);
        }
        walk
    }

    fn enter(&mut self, path: &[FileName], folder: NodeId) {
        if let Err(error) = self.try_to_enter(path, folder) {
            self.failed.push(WalkItem::Failed {
                path: path.to_vec(),
                error,
            });
        }
    }

    fn try_to_enter(&mut self, path: &[FileName], folder: NodeId) -> Result<(), FileError> {
        if path.len() >= DEPTH_MAX {
            let what = format!("folders are deeper than {DEPTH_MAX}");
            return Err(FileError::new(FileErrorKind::Corrupt, what));
        }
        if !self.entered.insert(folder) {
            let what = "the folder is in two places, which no sound file system has";
            return Err(FileError::new(FileErrorKind::Corrupt, what));
        }
        let found = entries(self.system, folder)?;
        let with_path = found.into_iter().rev().map(|(name, id)| {
            let path = path.iter().cloned().chain([name]).collect();
            (path, id)
        });
        self.waiting.extend(with_path);
        Ok(())
    }
}

impl Iterator for Walk<'_> {
    type Item = WalkItem;

    fn next(&mut self) -> Option<WalkItem> {
        if let Some(failed) = self.failed.pop() {
            return Some(failed);
        }
        let (path, id) = self.waiting.pop()?;
        match self.system.node(id) {
            Ok(node) => {
                if node.kind == NodeKind::Folder && path.len() < self.depth {
                    self.enter(&path, id);
                }
                Some(WalkItem::Entry(Entry { path, node }))
            }
            Err(error) => Some(WalkItem::Failed { path, error }),
        }
    }
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
