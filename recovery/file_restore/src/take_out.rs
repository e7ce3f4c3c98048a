//! Taking files out: from a tree into a target.

use std::collections::HashMap;

use guest_files::{
    Attribute, FileError, FileName, GuestFile, GuestFileSystem, Link, Node, NodeId, NodeKind,
    Stream,
};
use serde::Serialize;

use crate::target::{FileTarget, Kept, TargetError};
use crate::{Found, Walk, WalkItem};

/// Longest extended attribute of Linux, in bytes: a named stream may come as one.
const ATTRIBUTE_MAX_BYTES: usize = 64 << 10;
/// Most problems that are kept with their text; the rest is counted.
const PROBLEMS_MAX: usize = 1000;

/// Hears how far it is.
pub trait TakeOutObserver {
    /// So many more bytes of content were written.
    fn advanced(&self, bytes: u64);
    /// A file, folder or link is there.
    fn finished(&self, path: &[FileName]);
    /// Returns whether the person asked to stop.
    fn cancelled(&self) -> bool;
}

/// What was taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TakeOutReport {
    /// Files, with links to the same file counted each.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// Symbolic links and junctions.
    pub links: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// What could not be read or written: its path, and why. The rest was taken out.
    pub failed: Vec<(String, String)>,
    /// What the target cannot hold: the path of the first, what it is, and of how many.
    pub lost: Vec<(String, String, u64)>,
    /// How many more failed than are listed.
    pub more_failed: u64,
    /// Whether the person stopped it.
    pub cancelled: bool,
}

impl TakeOutReport {
    fn fail(&mut self, path: &[FileName], why: &dyn std::fmt::Display) {
        if self.failed.len() < PROBLEMS_MAX {
            self.failed.push((shown(path), why.to_string()));
        } else {
            self.more_failed += 1;
        }
    }

    fn lose(&mut self, path: &[FileName], kept: Kept) {
        for what in kept.lost {
            match self.lost.iter_mut().find(|(_, known, _)| *known == what) {
                Some((_, _, count)) => *count += 1,
                None => self.lost.push((shown(path), what, 1)),
            }
        }
    }
}

/// Writes a path for people, with slashes.
pub(crate) fn shown(path: &[FileName]) -> String {
    let names: Vec<String> = path.iter().map(ToString::to_string).collect();
    names.join("/")
}

/// All that is said of a file besides its content.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// Extended attributes.
    pub attributes: Vec<Attribute>,
    /// The security descriptor of Windows.
    pub security_descriptor: Option<Vec<u8>>,
}

/// Takes `found` out into `target`, a folder with all that is in it: `/1/var/log` comes out as `log/…`, and
/// a volume's top folder as what is in it.
///
/// What cannot be read is reported and passed over; what the target cannot write ends it.
///
/// # Errors
///
/// Those of the target.
pub fn take_out(
    system: &dyn GuestFileSystem,
    found: &Found,
    target: &mut dyn FileTarget,
    observer: &dyn TakeOutObserver,
) -> Result<TakeOutReport, TargetError> {
    let mut run = Run {
        system,
        target,
        observer,
        report: TakeOutReport::default(),
        several_names: HashMap::new(),
    };
    match run.all(found) {
        Err(error) if error.is_cancelled() => run.report.cancelled = true,
        other => other?,
    }
    Ok(run.report)
}

struct Run<'a> {
    system: &'a dyn GuestFileSystem,
    target: &'a mut dyn FileTarget,
    observer: &'a dyn TakeOutObserver,
    report: TakeOutReport,
    /// Where a file with several names was written first.
    several_names: HashMap<NodeId, Vec<FileName>>,
}

impl Run<'_> {
    fn all(&mut self, found: &Found) -> Result<(), TargetError> {
        let base: Vec<FileName> = found.path.last().cloned().into_iter().collect();
        if !base.is_empty() || found.node.kind != NodeKind::Folder {
            self.one(&base, &found.node)?;
        }
        for item in Walk::new(self.system, &found.node) {
            if self.observer.cancelled() {
                return Err(TargetError::cancelled());
            }
            let below = |path: Vec<FileName>| base.iter().cloned().chain(path).collect::<Vec<_>>();
            match item {
                WalkItem::Entry(entry) => self.one(&below(entry.path), &entry.node)?,
                WalkItem::Failed { path, error } => self.report.fail(&below(path), &error),
            }
        }
        Ok(())
    }

    fn one(&mut self, path: &[FileName], node: &Node) -> Result<(), TargetError> {
        match self.try_one(path, node) {
            Ok(()) => self.observer.finished(path),
            Err(Trouble::Source(error)) => self.report.fail(path, &error),
            Err(Trouble::Target(error)) if error.is_of_one_file() => self.report.fail(path, &error),
            Err(Trouble::Target(error)) => return Err(error),
        }
        Ok(())
    }

    fn try_one(&mut self, path: &[FileName], node: &Node) -> Result<(), Trouble> {
        match node.kind {
            NodeKind::Folder => {
                let mut kept = Kept::all();
                let about = self.about(node, &mut kept)?;
                self.report.lose(path, kept);
                let kept = self.target.folder(path, node, &about)?;
                self.report.lose(path, kept);
                self.report.folders += 1;
                self.streams(path, node)
            }
            NodeKind::Link => {
                let link: Link = self.system.link(node.id)?;
                let mut kept = Kept::all();
                let about = self.about(node, &mut kept)?;
                self.report.lose(path, kept);
                let kept = self.target.link(path, node, &link, &about)?;
                self.report.lose(path, kept);
                self.report.links += 1;
                Ok(())
            }
            NodeKind::File => self.file(path, node),
            NodeKind::Other => {
                let kept = Kept::without("devices, pipes and sockets");
                self.report.lose(path, kept);
                Ok(())
            }
        }
    }

    fn file(&mut self, path: &[FileName], node: &Node) -> Result<(), Trouble> {
        if let Some(first) = self.several_names.get(&node.id)
            && self.target.same_file(path, first)?
        {
            self.report.files += 1;
            return Ok(());
        }
        let content = self.system.open(node.id, None)?;
        let mut kept = Kept::all();
        let about = self.about(node, &mut kept)?;
        self.report.lose(path, kept);
        let mut source = Source::new(&*content, self.observer);
        let kept = self.target.file(path, node, &about, &mut source)?;
        if let Some(error) = source.failed {
            return Err(Trouble::Source(error));
        }
        self.report.bytes += source.read;
        self.report.lose(path, kept);
        self.report.files += 1;
        if node.links > 1 {
            self.several_names.insert(node.id, path.to_vec());
        }
        self.streams(path, node)
    }

    fn about(&self, node: &Node, kept: &mut Kept) -> Result<About, FileError> {
        let mut attributes = self.system.attributes(node.id)?;
        if !self.target.holds_streams() {
            for stream in self.system.streams(node.id)? {
                match self.short_stream(node, &stream)? {
                    Some(attribute) => attributes.push(attribute),
                    None => kept.lose("long named streams"),
                }
            }
        }
        Ok(About {
            attributes,
            security_descriptor: self.system.security_descriptor(node.id)?,
        })
    }

    /// Reads a named stream as an extended attribute, where it is short enough to be one.
    fn short_stream(&self, node: &Node, stream: &Stream) -> Result<Option<Attribute>, FileError> {
        let len = usize::try_from(stream.size_bytes).ok();
        let Some(len) = len.filter(|len| *len <= ATTRIBUTE_MAX_BYTES) else {
            return Ok(None);
        };
        let mut value = vec![0; len];
        let content = self.system.open(node.id, Some(&stream.name))?;
        let read = content.read_at(0, &mut value)?;
        value.truncate(read);
        let name = [b"user.", stream.name.as_bytes()].concat();
        Ok(Some(Attribute { name, value }))
    }

    fn streams(&mut self, path: &[FileName], node: &Node) -> Result<(), Trouble> {
        if !self.target.holds_streams() {
            return Ok(());
        }
        for stream in self.system.streams(node.id)? {
            let content = self.system.open(node.id, Some(&stream.name))?;
            let mut source = Source::new(&*content, self.observer);
            let kept = self.target.stream(path, node, &stream, &mut source)?;
            if let Some(error) = source.failed {
                return Err(Trouble::Source(
                    error.of(format_args!("stream {}", stream.name)),
                ));
            }
            self.report.bytes += source.read;
            self.report.lose(path, kept);
        }
        Ok(())
    }
}

enum Trouble {
    Source(FileError),
    Target(TargetError),
}

impl From<FileError> for Trouble {
    fn from(error: FileError) -> Self {
        Self::Source(error)
    }
}

impl From<TargetError> for Trouble {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

/// A file's content as a target reads it: from front to back.
pub struct Source<'a> {
    content: &'a dyn GuestFile,
    observer: &'a dyn TakeOutObserver,
    at: u64,
    read: u64,
    failed: Option<FileError>,
}

impl<'a> Source<'a> {
    fn new(content: &'a dyn GuestFile, observer: &'a dyn TakeOutObserver) -> Self {
        Self {
            content,
            observer,
            at: 0,
            read: 0,
            failed: None,
        }
    }

    /// Returns how long the content is, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.content.size_bytes()
    }

    /// Fills as much of `buf` as there is; 0 at the end. After an error, which the caller of the
    /// target is told, it is at its end.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize, TargetError> {
        if self.observer.cancelled() {
            return Err(TargetError::cancelled());
        }
        match self.content.read_at(self.at, buf) {
            Ok(read) => {
                self.at += read as u64;
                self.read += read as u64;
                self.observer.advanced(read as u64);
                Ok(read)
            }
            Err(error) => {
                let what = error.to_string();
                self.failed = Some(error);
                Err(TargetError::of_source(what))
            }
        }
    }
}
