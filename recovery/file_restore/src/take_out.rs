//! Taking files out: from a guest's file systems into a target.
//!
//! ```text
//!   walk ─► details, many nodes at a time, in a thread ─► two batches wait ─► target
//!   content of a long file, a piece at a time, in a thread ─► three pieces wait ─► target
//! ```
//!
//! While the target writes, what comes next is read. What waits is bounded: batches by the bytes of
//! short files in them, pieces by their number.

use guest_files::{
    Details, FileError, FileErrorKind, FileName, GuestFile, GuestFileSystem, Link, Node, NodeId,
    NodeKind, Owner, Stream, stream_attribute,
};

use crate::content::{Pieces, Write};
use crate::look_ahead::{Batches, Item};
use crate::several_names::SeveralNames;
use crate::target::{FileTarget, FolderPlace, Kept, Places, TargetError};
use crate::{Found, TakeOutReport, Tree};

pub(crate) use crate::content::Source;

/// Hears how far it is.
pub trait TakeOutObserver: Sync {
    /// So many more bytes of content were written.
    fn advanced(&self, bytes: u64);
    /// A file, folder or link is there.
    fn finished(&self, path: &[FileName]);
    /// Returns whether the person asked to stop.
    fn cancelled(&self) -> bool;
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
    pub attributes: Vec<guest_files::Attribute>,
    /// The security descriptor of Windows.
    pub security_descriptor: Option<Vec<u8>>,
}

/// Takes what was found out into `target`, folders with all that is in them: `/1/var/log` comes out as
/// `log/…`, what a pattern found with the names from the pattern on, a volume's top folder as what
/// is in it.
///
/// What cannot be read is reported and passed over, and so is what would come to a place that
/// something else of this run has. What the target cannot write ends it. However it ends, files that
/// are under their names are whole, and an archive that is not finished is gone.
///
/// # Errors
///
/// Those of the target.
pub fn take_out(
    tree: &Tree<'_>,
    found: &[Found],
    mut target: Box<dyn FileTarget + '_>,
    observer: &dyn TakeOutObserver,
) -> Result<TakeOutReport, TargetError> {
    let mut run = Run {
        target: &mut *target,
        observer,
        report: TakeOutReport::default(),
        places: Places::default(),
        several_names: SeveralNames::default(),
        way: None,
    };
    let taken = found.iter().try_for_each(|found| run.found(tree, found));
    let mut report = run.report;
    match taken {
        Ok(()) => report.lost.merge(target.finish()?),
        Err(error) => {
            report.lost.merge(target.abandon());
            if !error.is_cancelled() {
                return Err(error);
            }
            report.cancelled = true;
        }
    }
    Ok(report)
}

struct Run<'a> {
    target: &'a mut dyn FileTarget,
    observer: &'a dyn TakeOutObserver,
    report: TakeOutReport,
    places: Places,
    /// Where files with several names were written first; the number is the volume's.
    several_names: SeveralNames<(u32, NodeId)>,
    /// The folder that the last of what was found lies in, and its volume.
    way: Option<(u32, Vec<FileName>)>,
}

/// Something that is taken out.
struct Thing<'a> {
    system: &'a dyn GuestFileSystem,
    volume: u32,
    path: &'a [FileName],
    node: &'a Node,
    /// What is known of it already.
    details: Option<Details>,
}

impl Run<'_> {
    fn found(&mut self, tree: &Tree<'_>, found: &Found) -> Result<(), TargetError> {
        let base = found.kept_path();
        let system = match tree.file_system(found.volume) {
            Ok(system) => system,
            Err(error) => {
                self.report.fail(base, &error);
                return Ok(());
            }
        };
        self.folders_on_the_way(system, found)?;
        let is_top = base.is_empty() && found.node.kind == NodeKind::Folder;
        let volume = found.volume;
        if !is_top {
            self.one(Thing {
                system,
                volume,
                path: base,
                node: &found.node,
                details: None,
            })?;
        }
        if found.node.kind != NodeKind::Folder {
            return Ok(());
        }
        let observer = self.observer;
        Batches::over(system, &found.node, observer, |item| {
            if observer.cancelled() {
                return Err(TargetError::cancelled());
            }
            let below = |path: Vec<FileName>| base.iter().cloned().chain(path).collect::<Vec<_>>();
            match item {
                Item::Entry(entry, details) => {
                    self.one(Thing {
                        system,
                        volume,
                        path: &below(entry.path),
                        node: &entry.node,
                        details,
                    })?;
                }
                Item::Failed { path, error } => self.report.fail(&below(path), &error),
            }
            Ok(())
        })
    }

    /// Makes the folders that lie between a target and what a pattern found.
    fn folders_on_the_way(
        &mut self,
        system: &dyn GuestFileSystem,
        found: &Found,
    ) -> Result<(), TargetError> {
        let Some((_, way)) = found.path.split_last() else {
            return Ok(());
        };
        let is_made = |(volume, made): &(u32, Vec<FileName>)| {
            *volume == found.volume && made.starts_with(way)
        };
        if way.len() <= found.left_behind || self.way.as_ref().is_some_and(is_made) {
            return Ok(());
        }
        let mut id = system.root();
        for (at, name) in way.iter().enumerate() {
            let node = system.find(id, name).and_then(|found| {
                let missing = || FileError::new(FileErrorKind::NotFound, "it is not found again");
                system.node(found.ok_or_else(missing)?)
            });
            let path = way.get(found.left_behind..=at).unwrap_or_default();
            match node {
                Ok(node) => {
                    id = node.id;
                    if !path.is_empty() {
                        self.one(Thing {
                            system,
                            volume: found.volume,
                            path,
                            node: &node,
                            details: None,
                        })?;
                    }
                }
                Err(error) => {
                    self.report.fail(path, &error);
                    return Ok(());
                }
            }
        }
        self.way = Some((found.volume, way.to_vec()));
        Ok(())
    }

    fn one(&mut self, thing: Thing<'_>) -> Result<(), TargetError> {
        let path = thing.path;
        match self.try_one(thing) {
            Ok(()) => self.observer.finished(path),
            // Who reads for us may have been stopped as well.
            Err(_) if self.observer.cancelled() => return Err(TargetError::cancelled()),
            Err(Trouble::Source(error)) => self.report.fail(path, &error),
            Err(Trouble::Target(error)) if error.is_of_one_file() => self.report.fail(path, &error),
            Err(Trouble::Target(error)) => return Err(error),
        }
        Ok(())
    }

    fn try_one(&mut self, thing: Thing<'_>) -> Result<(), Trouble> {
        if thing.node.kind == NodeKind::Other {
            if let Owner::Windows { .. } = thing.node.owner {
                // A file whose content something else stands for: its reader says what.
                thing.system.open(thing.node.id, None)?;
            }
            let kept = Kept::without("devices, pipes, sockets and the like");
            self.report.lost.add(thing.path, kept);
            return Ok(());
        }
        if !self.take_place(&thing)? {
            return Ok(());
        }
        match thing.node.kind {
            NodeKind::Folder => self.folder(thing),
            NodeKind::Link => self.link(thing),
            _ => self.file(thing),
        }
    }

    /// Returns whether there is anything to do; a folder may be there already.
    fn take_place(&mut self, thing: &Thing<'_>) -> Result<bool, TargetError> {
        let place = self.target.place_key(thing.path);
        let taken = || {
            TargetError::of_file(
                "something else of this run has the same place: take them out into different folders",
            )
        };
        if thing.node.kind != NodeKind::Folder {
            return self.places.file(&place).then_some(true).ok_or_else(taken);
        }
        match self.places.folder(&place, thing.volume, thing.node.id) {
            FolderPlace::New => Ok(true),
            FolderPlace::Same => Ok(false),
            FolderPlace::Taken => Err(taken()),
        }
    }

    fn folder(&mut self, thing: Thing<'_>) -> Result<(), Trouble> {
        let (about, streams) = self.about(&thing)?;
        let kept = self.target.folder(thing.path, thing.node, &about)?;
        self.report.lost.add(thing.path, kept);
        self.report.folders += 1;
        self.streams(&thing, &streams)
    }

    fn link(&mut self, thing: Thing<'_>) -> Result<(), Trouble> {
        let known = thing.details.as_ref();
        let link: Link = match known.and_then(|details| details.link.clone()) {
            Some(link) => link,
            None => thing.system.link(thing.node.id)?,
        };
        let (about, _) = self.about(&thing)?;
        let kept = self.target.link(thing.path, thing.node, &link, &about)?;
        self.report.lost.add(thing.path, kept);
        self.report.links += 1;
        Ok(())
    }

    fn file(&mut self, mut thing: Thing<'_>) -> Result<(), Trouble> {
        let file = (thing.volume, thing.node.id);
        if let Some(first) = self.several_names.get(&file)
            && self.target.same_file(thing.path, first)?
        {
            self.report.files += 1;
            return Ok(());
        }
        let (about, streams) = self.about(&thing)?;
        let known = thing.details.as_mut();
        let whole = known.and_then(|details| details.content.take());
        let (target, path, node) = (&mut *self.target, thing.path, thing.node);
        let mut write = |source: &mut Source<'_>| target.file(path, node, &about, source);
        let (kept, read) = match whole {
            Some(content) => Source::of_bytes(&content, self.observer, &mut write)?,
            None => {
                let content = thing.system.open(thing.node.id, None)?;
                let taken = content_of(&*content, self.observer, &mut write);
                taken.map_err(|trouble| self.with_what_is_there(trouble))?
            }
        };
        self.report.bytes += read;
        self.report.lost.add(thing.path, kept);
        self.report.files += 1;
        if thing.node.links > 1 {
            self.several_names.insert(file, thing.path);
        }
        self.streams(&thing, &streams)
    }

    /// Says what a target has of a file that could not be read.
    fn with_what_is_there(&self, trouble: Trouble) -> Trouble {
        match trouble {
            Trouble::Source(error) if self.target.fills_up() => {
                let what = format!("{error}; its content in the archive is zeros from there on");
                Trouble::Source(FileError::new(error.kind(), what))
            }
            other => other,
        }
    }

    /// Returns what is said of a file, and its streams.
    fn about(&mut self, thing: &Thing<'_>) -> Result<(About, Vec<Stream>), FileError> {
        let (system, id) = (thing.system, thing.node.id);
        let (mut attributes, streams, security_descriptor) = match &thing.details {
            Some(known) => (
                known.attributes.clone(),
                known.streams.clone(),
                known.security_descriptor.clone(),
            ),
            None => (
                system.attributes(id)?,
                system.streams(id)?,
                system.security_descriptor(id)?,
            ),
        };
        if !self.target.holds_streams() {
            let mut kept = Kept::all();
            for stream in &streams {
                match stream_attribute(system, id, stream)? {
                    Some(attribute) => attributes.push(attribute),
                    None => kept.lose("long named streams"),
                }
            }
            self.report.lost.add(thing.path, kept);
        }
        let about = About {
            attributes,
            security_descriptor,
        };
        Ok((about, streams))
    }

    fn streams(&mut self, thing: &Thing<'_>, streams: &[Stream]) -> Result<(), Trouble> {
        if !self.target.holds_streams() {
            return Ok(());
        }
        for stream in streams {
            let named = |error: FileError| error.of(format_args!("stream {}", stream.name));
            let content = thing.system.open(thing.node.id, Some(&stream.name));
            let content = content.map_err(named)?;
            let (target, path, node) = (&mut *self.target, thing.path, thing.node);
            let mut write = |source: &mut Source<'_>| target.stream(path, node, stream, source);
            let (kept, read, failed) = Pieces::of(&*content, self.observer, &mut write);
            if let Some(error) = failed {
                return Err(Trouble::Source(named(error)));
            }
            self.report.bytes += read;
            self.report.lost.add(thing.path, kept?);
        }
        Ok(())
    }
}

/// Has content written; returns what was kept, and how many bytes it was.
fn content_of(
    content: &dyn GuestFile,
    observer: &dyn TakeOutObserver,
    write: &mut Write<'_>,
) -> Result<(Kept, u64), Trouble> {
    let (kept, read, failed) = Pieces::of(content, observer, write);
    match (failed, kept) {
        // The target says something else of the same thing.
        (Some(error), Err(told)) if told.is_of_one_file() => Err(Trouble::Source(error)),
        (Some(error), Ok(_)) => Err(Trouble::Source(error)),
        (_, kept) => Ok((kept?, read)),
    }
}

pub(crate) enum Trouble {
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
