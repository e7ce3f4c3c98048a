//! Two trees, walked in step.

use std::cmp::Ordering;
use std::collections::{HashSet, VecDeque};
use std::vec::IntoIter;

use guest_files::{FileError, FileErrorKind, FileName, GuestFileSystem, Node, NodeId, NodeKind};
use volume_map::Content;

use super::{Reading, Sameness, VolumePair};
use crate::walk::DEPTH_MAX;

/// Most entries that wait in the folders on the way to where it is.
const WAITING_MAX: usize = 4 << 20;

/// How a file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The newer point alone has it.
    Added,
    /// The older point alone has it.
    Removed,
    /// Its content differs, or where it leads.
    Content,
    /// Its content is the same; its times, its owner or its attributes differ.
    Attributes,
}

/// A file, folder or link that differs.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The names from the folders on that are compared.
    pub path: Vec<FileName>,
    /// How it differs.
    pub change: Change,
    /// What it was.
    pub old: Option<Node>,
    /// What it is.
    pub new: Option<Node>,
}

/// What a comparison comes by.
#[derive(Debug)]
pub enum DiffItem {
    /// Something differs.
    Changed(Box<Changed>),
    /// Something could not be compared; the comparison goes on.
    Failed {
        /// The names from the folders on that are compared.
        path: Vec<FileName>,
        /// Why.
        error: FileError,
    },
}

/// Compares two folders with all that is in them: by name, each folder before what is in it. What is
/// a file in one point and a folder in the other is removed, then added.
///
/// A folder differs in its owner and mode or attributes; its times change with what is in it, which is
/// told. When something was read last is no difference.
///
/// Memory holds the entries of the folders on the way to where it is.
pub struct TreeDiff<'p, 'g> {
    pair: &'p VolumePair<'g>,
    reading: Reading,
    folders: Vec<Folder>,
    path: Vec<FileName>,
    found: VecDeque<DiffItem>,
    entered_old: HashSet<NodeId>,
    entered_new: HashSet<NodeId>,
    compared: u64,
    not_read: u64,
}

/// A folder whose entries are being compared.
struct Folder {
    entries: IntoIter<Entry>,
}

/// A name, with what has it.
struct Entry {
    name: FileName,
    old: Option<NodeId>,
    new: Option<NodeId>,
}

impl<'p, 'g> TreeDiff<'p, 'g> {
    /// Compares what two nodes, one of which may be missing, and all below them have become.
    pub fn new(
        pair: &'p VolumePair<'g>,
        old: Option<&Node>,
        new: Option<&Node>,
        reading: Reading,
    ) -> Self {
        let mut diff = Self {
            pair,
            reading,
            folders: Vec::new(),
            path: Vec::new(),
            found: VecDeque::new(),
            entered_old: HashSet::new(),
            entered_new: HashSet::new(),
            compared: 0,
            not_read: 0,
        };
        let is_folder = |node: &&Node| node.kind == NodeKind::Folder;
        let (old_folder, new_folder) = (old.filter(is_folder), new.filter(is_folder));
        if old_folder.is_some() || new_folder.is_some() {
            diff.enter(
                old_folder.map(|node| node.id),
                new_folder.map(|node| node.id),
            );
        }
        let (old_file, new_file) = (
            old.filter(|it| !is_folder(it)),
            new.filter(|it| !is_folder(it)),
        );
        match (old_file, new_file) {
            (Some(old), Some(new)) if old.kind == new.kind => diff.both(old.clone(), new.clone()),
            (old, new) => diff.one(old.cloned(), new.cloned()),
        }
        diff
    }

    /// Returns how many files, folders and links were compared so far.
    pub fn compared(&self) -> u64 {
        self.compared
    }

    /// Returns how many files so far were compared by what is said of them alone, by size and time:
    /// [`Sameness::Unknown`].
    pub fn not_read(&self) -> u64 {
        self.not_read
    }

    /// Enters the folders that the path leads to; returns whether it did. Where the list of one fails,
    /// nothing can be said of what is in the other.
    fn enter(&mut self, old: Option<NodeId>, new: Option<NodeId>) -> bool {
        let old = self.entries(self.pair.old, old, true);
        let new = self.entries(self.pair.new, new, false);
        let (Some(old), Some(new)) = (old, new) else {
            return false;
        };
        self.folders.push(Folder {
            entries: merged(old, new).into_iter(),
        });
        true
    }

    /// Lists a folder; where there is none nothing is in it. `None` if it cannot be listed, which is
    /// told.
    fn entries(
        &mut self,
        system: &dyn GuestFileSystem,
        folder: Option<NodeId>,
        is_old: bool,
    ) -> Option<Vec<(FileName, NodeId)>> {
        let Some(folder) = folder else {
            return Some(Vec::new());
        };
        let waiting: usize = self.folders.iter().map(|above| above.entries.len()).sum();
        let entered = if is_old {
            &mut self.entered_old
        } else {
            &mut self.entered_new
        };
        let listed = if self.path.len() >= DEPTH_MAX {
            let what = format!("folders are deeper than {DEPTH_MAX}");
            Err(FileError::new(FileErrorKind::Corrupt, what))
        } else if !entered.insert(folder) {
            let what = "the folder is in two places, which no sound file system has";
            Err(FileError::new(FileErrorKind::Corrupt, what))
        } else {
            crate::walk::entries(system, folder).and_then(|entries| {
                if waiting + entries.len() <= WAITING_MAX {
                    return Ok(entries);
                }
                let what = format!("more than {WAITING_MAX} entries wait in the folders above");
                Err(FileError::new(FileErrorKind::Unreadable, what))
            })
        };
        listed.map_err(|error| self.failed(error)).ok()
    }

    fn failed(&mut self, error: FileError) {
        let path = self.path.clone();
        self.found.push_back(DiffItem::Failed { path, error });
    }

    fn changed(&mut self, change: Change, old: Option<Node>, new: Option<Node>) {
        self.found.push_back(DiffItem::Changed(Box::new(Changed {
            path: self.path.clone(),
            change,
            old,
            new,
        })));
    }

    /// Compares what a name stands for; returns whether folders were entered.
    fn entry(&mut self, entry: &Entry) -> bool {
        let old = entry.old.map(|id| self.pair.old.node(id)).transpose();
        let new = entry.new.map(|id| self.pair.new.node(id)).transpose();
        let (old, new) = match (old, new) {
            (Ok(old), Ok(new)) => (old, new),
            (Err(error), _) | (_, Err(error)) => {
                self.failed(error);
                return false;
            }
        };
        self.compared += 1;
        let folder = |node: &Option<Node>| {
            let folder = node.as_ref().filter(|node| node.kind == NodeKind::Folder);
            folder.map(|node| node.id)
        };
        let (old_folder, new_folder) = (folder(&old), folder(&new));
        match (old, new) {
            (Some(old), Some(new)) if old.kind == new.kind => self.both(old, new),
            (old, new) => {
                self.one(old, None);
                self.one(None, new);
            }
        }
        (old_folder.is_some() || new_folder.is_some()) && self.enter(old_folder, new_folder)
    }

    fn one(&mut self, old: Option<Node>, new: Option<Node>) {
        if old.is_some() {
            self.changed(Change::Removed, old, None);
        }
        if new.is_some() {
            self.changed(Change::Added, None, new);
        }
    }

    /// Compares what is of one kind in both points.
    fn both(&mut self, old: Node, new: Node) {
        let change = match new.kind {
            NodeKind::Folder => Ok((old.owner != new.owner).then_some(Change::Attributes)),
            NodeKind::File => self.file(&old, &new),
            NodeKind::Link => self.link(&old, &new),
            NodeKind::Other => Ok(attributes(&old, &new)),
        };
        match change {
            Ok(None) => {}
            Ok(Some(change)) => self.changed(change, Some(old), Some(new)),
            Err(error) => self.failed(error),
        }
    }

    fn file(&mut self, old: &Node, new: &Node) -> Result<Option<Change>, FileError> {
        let mut content = self.pair.content(old, new, None, self.reading)?;
        if content == Sameness::Same {
            content = self.streams(old, new)?;
        }
        let differs = match content {
            Sameness::Differs => true,
            Sameness::Same => false,
            // The system sets this time when it writes; that is all that is known.
            Sameness::Unknown => {
                self.not_read += 1;
                old.times.modified != new.times.modified
            }
        };
        Ok(if differs {
            Some(Change::Content)
        } else {
            attributes(old, new)
        })
    }

    /// Compares the named streams of a file of NTFS. One that was written has changed its file's times.
    fn streams(&self, old: &Node, new: &Node) -> Result<Sameness, FileError> {
        let is_ntfs = self.pair.new.about().content == Content::Ntfs;
        if !is_ntfs || attributes(old, new).is_none() {
            return Ok(Sameness::Same);
        }
        let mut streams = (
            self.pair.old.streams(old.id)?,
            self.pair.new.streams(new.id)?,
        );
        streams.0.sort_by(|one, other| one.name.cmp(&other.name));
        streams.1.sort_by(|one, other| one.name.cmp(&other.name));
        if streams.0 != streams.1 {
            return Ok(Sameness::Differs);
        }
        let mut all = Sameness::Same;
        for stream in &streams.1 {
            let name = Some(&stream.name);
            match self.pair.content(old, new, name, self.reading)? {
                Sameness::Same => {}
                Sameness::Unknown => all = Sameness::Unknown,
                Sameness::Differs => return Ok(Sameness::Differs),
            }
        }
        Ok(all)
    }

    fn link(&self, old: &Node, new: &Node) -> Result<Option<Change>, FileError> {
        let leads_elsewhere = self.pair.old.link(old.id)? != self.pair.new.link(new.id)?;
        Ok(if leads_elsewhere {
            Some(Change::Content)
        } else {
            attributes(old, new)
        })
    }
}

impl Iterator for TreeDiff<'_, '_> {
    type Item = DiffItem;

    fn next(&mut self) -> Option<DiffItem> {
        loop {
            if let Some(item) = self.found.pop_front() {
                return Some(item);
            }
            let folder = self.folders.last_mut()?;
            match folder.entries.next() {
                Some(entry) => {
                    self.path.push(entry.name.clone());
                    if !self.entry(&entry) {
                        self.path.pop();
                    }
                }
                None => {
                    self.folders.pop();
                    self.path.pop();
                }
            }
        }
    }
}

/// Compares what is said of a thing whose content is the same.
fn attributes(old: &Node, new: &Node) -> Option<Change> {
    let said = |node: &Node| {
        (
            node.owner,
            node.times.modified,
            node.times.changed,
            node.times.created,
        )
    };
    (said(old) != said(new)).then_some(Change::Attributes)
}

/// Joins two sorted lists by name. A name that a damaged folder has twice is there twice.
fn merged(old: Vec<(FileName, NodeId)>, new: Vec<(FileName, NodeId)>) -> Vec<Entry> {
    let mut merged = Vec::with_capacity(old.len().max(new.len()));
    let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some((one, _)), Some((other, _))) => one.cmp(other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return merged,
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        let name = before
            .as_ref()
            .or(after.as_ref())
            .map(|(name, _)| name.clone());
        if let Some(name) = name {
            merged.push(Entry {
                name,
                old: before.map(|(_, id)| id),
                new: after.map(|(_, id)| id),
            });
        }
    }
}
