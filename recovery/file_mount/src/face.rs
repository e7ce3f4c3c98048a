//! What the kernel asks, and the view's answers.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use file_view::{FileView, ViewEntry, ViewError, ViewErrorKind, ViewFacts, ViewFile, ViewNode};
use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, InitFlags,
    KernelConfig, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyDirectoryPlus,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyXattr, Request,
};

use crate::attributes::{Reader, UNREADABLE, errno, kind};
use crate::handles::{Handles, LISTED_MAX};
use crate::mounted::Told;
use crate::node_table::NodeTable;

/// How long the kernel may keep what it was told: it does not change.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Most files that are open at once, in all points.
const FILES_MAX: usize = 1024;
/// Entries of a folder that are asked for at once.
const ENTRIES_AT_ONCE: usize = 64;
/// Largest read that the kernel makes of its own accord, in bytes.
const READ_AHEAD_BYTES: u32 = 1 << 20;
/// Most problems that are told; who walks through a damaged tree meets thousands.
const TOLD_MAX: usize = 100;

/// Shows an entry, with the number of the next one; the folder itself and the one above come without
/// a node. Returns whether there is no room for it.
type Show<'a> = dyn FnMut(u64, &OsStr, Option<(ViewNode, Option<ViewFacts>)>) -> bool + 'a;

/// A view as the kernel asks it.
pub(crate) struct Face {
    view: Arc<FileView>,
    reader: Reader,
    nodes: NodeTable,
    files: Handles<ViewFile>,
    folders: Handles<Vec<ViewEntry>>,
    told: Box<Told>,
    problems: AtomicUsize,
}

impl Face {
    pub(crate) fn new(view: Arc<FileView>, reader: Reader, told: Box<Told>) -> Self {
        Self {
            view,
            reader,
            nodes: NodeTable::new(),
            files: Handles::new(FILES_MAX),
            folders: Handles::new(LISTED_MAX),
            told,
            problems: AtomicUsize::new(0),
        }
    }

    fn node(&self, number: INodeNo) -> Result<ViewNode, Errno> {
        self.nodes.node(number.0).ok_or(Errno::ENOENT)
    }

    /// Turns an error into its number, and tells what a number cannot.
    fn failed(&self, error: &ViewError) -> Errno {
        let is_told = matches!(
            error.kind(),
            ViewErrorKind::Unreadable | ViewErrorKind::Unsupported | ViewErrorKind::TooMany
        );
        if is_told {
            match self.problems.fetch_add(1, Ordering::Relaxed) {
                before if before < TOLD_MAX => (self.told)(&error.to_string()),
                TOLD_MAX => {
                    (self.told)("there is more that cannot be read; it is not told any more");
                }
                _ => {}
            }
        }
        errno(error)
    }

    fn facts(&self, node: ViewNode) -> Result<ViewFacts, Errno> {
        self.view.facts(node).map_err(|error| self.failed(&error))
    }

    fn find(&self, parent: INodeNo, name: &OsStr) -> Result<FileAttr, Errno> {
        let found = self.view.find(self.node(parent)?, name.as_bytes());
        let found = found.map_err(|error| self.failed(&error))?;
        let facts = self.facts(found)?;
        let number = self.nodes.remember(found).ok_or(Errno::ENFILE)?;
        Ok(self.reader.attributes(number, &facts))
    }

    fn open_file(&self, file: INodeNo) -> Result<u64, Errno> {
        let file = self.view.open(self.node(file)?);
        let file = file.map_err(|error| self.failed(&error))?;
        self.files.add(file, 1).ok_or(Errno::ENFILE)
    }

    fn read_file(&self, file: FileHandle, offset: u64, len: u32) -> Result<Vec<u8>, Errno> {
        let file = self.files.get(file.0).ok_or(Errno::EBADF)?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        file.read_at(offset, len)
            .map_err(|error| self.failed(&error))
    }

    fn open_folder(&self, folder: INodeNo) -> Result<u64, Errno> {
        let entries = self.view.list(self.node(folder)?);
        let entries = entries.map_err(|error| self.failed(&error))?;
        let weight = entries.len();
        self.folders.add(entries, weight).ok_or(Errno::ENFILE)
    }

    /// Shows a folder's entries from `offset` on, until `show` is full: number of the next one, name,
    /// node and what is known of it. The folder itself and the one above come first.
    fn show_entries(
        &self,
        folder: INodeNo,
        handle: FileHandle,
        offset: u64,
        show: &mut Show<'_>,
    ) -> Result<(), Errno> {
        self.node(folder)?;
        let entries = self.folders.get(handle.0).ok_or(Errno::EBADF)?;
        for (number, name) in [(0, "."), (1, "..")] {
            if number >= offset && show(number + 1, OsStr::new(name), None) {
                return Ok(());
            }
        }
        let begin = usize::try_from(offset.saturating_sub(2)).unwrap_or(usize::MAX);
        let mut next = offset.max(2);
        for batch in entries
            .get(begin..)
            .unwrap_or_default()
            .chunks(ENTRIES_AT_ONCE)
        {
            let nodes: Vec<ViewNode> = batch.iter().map(|entry| entry.node).collect();
            for (entry, facts) in batch.iter().zip(self.view.facts_of(&nodes)) {
                next += 1;
                let facts = facts.map_err(|error| self.failed(&error)).ok();
                let name = OsStr::from_bytes(entry.name.as_bytes());
                if show(next, name, Some((entry.node, facts))) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn attribute(&self, node: INodeNo, name: &OsStr) -> Result<Vec<u8>, Errno> {
        let node = self.node(node)?;
        if !self.reader.shows(name.as_bytes()) {
            return Err(Errno::NO_XATTR);
        }
        let value = self.view.attribute(node, name.as_bytes());
        value
            .map_err(|error| self.failed(&error))?
            .ok_or(Errno::NO_XATTR)
    }

    fn attribute_names(&self, node: INodeNo) -> Result<Vec<u8>, Errno> {
        let names = self.view.attribute_names(self.node(node)?);
        let names = names.map_err(|error| self.failed(&error))?;
        let mut all = Vec::new();
        for name in names {
            if self.reader.shows(&name) && !name.contains(&0) {
                all.extend(name);
                all.push(0);
            }
        }
        Ok(all)
    }
}

impl Filesystem for Face {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // What a kernel does not have is done without.
        for wish in [
            InitFlags::FUSE_DO_READDIRPLUS,
            InitFlags::FUSE_READDIRPLUS_AUTO,
            InitFlags::FUSE_PARALLEL_DIROPS,
            InitFlags::FUSE_CACHE_SYMLINKS,
        ] {
            let _ = config.add_capabilities(wish);
        }
        if let Err(most) = config.set_max_readahead(READ_AHEAD_BYTES) {
            let _ = config.set_max_readahead(most);
        }
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.find(parent, name) {
            Ok(attributes) => reply.entry(&KEPT, &attributes, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn forget(&self, _: &Request, node: INodeNo, lookups: u64) {
        self.nodes.forget(node.0, lookups);
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let facts = self.node(node).and_then(|node| self.facts(node));
        match facts {
            Ok(facts) => reply.attr(&KEPT, &self.reader.attributes(node.0, &facts)),
            Err(error) => reply.error(error),
        }
    }

    fn readlink(&self, _: &Request, link: INodeNo, reply: ReplyData) {
        let target = self.node(link).and_then(|link| {
            let target = self.view.link(link);
            target.map_err(|error| self.failed(&error))
        });
        match target {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, file: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.open_file(file) {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::FOPEN_KEEP_CACHE),
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.read_file(handle, offset, size) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.files.remove(handle.0);
        reply.ok();
    }

    fn opendir(&self, _: &Request, folder: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.open_folder(folder) {
            Ok(handle) => {
                // The kernel does not keep the list: what could not be read of an entry may be read
                // the next time.
                reply.opened(FileHandle(handle), FopenFlags::empty());
            }
            Err(error) => reply.error(error),
        }
    }

    fn readdir(
        &self,
        _: &Request,
        folder: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let shown = self.show_entries(folder, handle, offset, &mut |next, name, entry| {
            let (number, kind) = match entry {
                Some((node, facts)) => {
                    let kind = facts.map_or(UNREADABLE, |facts| kind(facts.kind));
                    (INodeNo(self.nodes.number(node)), kind)
                }
                None => (folder, FileType::Directory),
            };
            reply.add(number, next, kind, name)
        });
        match shown {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn readdirplus(
        &self,
        _: &Request,
        folder: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let (mut is_empty, mut has_room) = (true, true);
        let itself = self.node(folder).and_then(|node| self.facts(node));
        let shown = itself.and_then(|itself| {
            let itself = self.reader.attributes(folder.0, &itself);
            self.show_entries(folder, handle, offset, &mut |next, name, entry| {
                let Some((node, facts)) = entry else {
                    // The kernel takes these two for their names alone.
                    let is_full = reply.add(folder, next, name, &KEPT, &itself, Generation(0));
                    is_empty = is_empty && is_full;
                    return is_full;
                };
                let number = match &facts {
                    Some(_) => self.nodes.remember(node),
                    None => self.nodes.remember_unreadable(node),
                };
                let Some(number) = number else {
                    has_room = false;
                    return true;
                };
                let (attributes, kept) = match facts {
                    Some(facts) => (self.reader.attributes(number, &facts), KEPT),
                    // It is there; who asks what it is hears that this cannot be read.
                    None => (self.reader.unreadable(number), Duration::ZERO),
                };
                let number_shown = INodeNo(number);
                let is_full =
                    reply.add(number_shown, next, name, &kept, &attributes, Generation(0));
                if is_full {
                    self.nodes.forget(number, 1);
                } else {
                    is_empty = false;
                }
                is_full
            })
        });
        match shown {
            // An answer with nothing in it would be the end of the folder.
            Ok(()) if is_empty && !has_room => reply.error(Errno::ENFILE),
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn releasedir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.folders.remove(handle.0);
        reply.ok();
    }

    fn getxattr(&self, _: &Request, node: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        answer_with_bytes(self.attribute(node, name), size, reply);
    }

    fn listxattr(&self, _: &Request, node: INodeNo, size: u32, reply: ReplyXattr) {
        answer_with_bytes(self.attribute_names(node), size, reply);
    }
}

/// Answers with bytes, or with how many there are where that is all that was asked.
fn answer_with_bytes(bytes: Result<Vec<u8>, Errno>, size: u32, reply: ReplyXattr) {
    match bytes {
        Ok(bytes) => match u32::try_from(bytes.len()) {
            Ok(len) if size == 0 => reply.size(len),
            Ok(len) if len <= size => reply.data(&bytes),
            _ => reply.error(Errno::ERANGE),
        },
        Err(error) => reply.error(error),
    }
}
