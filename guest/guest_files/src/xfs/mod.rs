//! XFS, by the crate `rust-fs-xfs` (the XFS Algorithms and Data Structures document).
//!
//! The crate opens the volume, replays its log in memory, and decodes inodes, entries, attributes and
//! links. Blocks of files and folders are found and read here: the crate holds all extents of a file
//! in memory and reads a block at a time.
//!
//! Nothing of a file's content is ever in the log, so content is read from the volume as it is.
//!
//! A log that cannot be replayed, such as one that was cut off in a record, is left out, and the state
//! says so.
//!
//! Not here: a log or files on a device of their own.

mod block_map;
mod folder;

use std::ops::ControlFlow;
use std::sync::Arc;

use block_io::BlockDevice;
use fs_xfs::inode::{Inode, Timestamp};
use volume_map::Content;

use crate::posix::fields::uuid_text;
use crate::posix::foreign_reader::{ForeignReader, failed_read, guarded};
use crate::posix::mapped_content::{MappedContent, Place};
use crate::posix::volume_reader::VolumeReader;
use crate::posix::{corrupt, mode, not_found, unreadable, wrong_kind};
use crate::{
    About, Attribute, FileError, FileErrorKind, FileExtent, FileName, GuestFile, GuestFileSystem,
    Link, LinkKind, Node, NodeId, NodeKind, PlainRun, State, Time, Times, Visit,
};

/// Opening looks at one sector of each allocation group, of which a volume that was grown has many.
const PAGE_BYTES: usize = 4 << 10;

/// An open XFS.
pub(crate) struct XfsFileSystem {
    fs: fs_xfs::Filesystem,
    reader: Arc<VolumeReader>,
    about: About,
}

/// Takes a failure of the crate.
fn failure(error: fs_xfs::Error) -> FileError {
    use fs_xfs::Error as E;
    match error {
        E::Io(text) => failed_read(&text),
        E::DirtyLog => unreadable(
            "files of this XFS were removed while they were open, and its log is clean: it has to \
             be mounted once",
        ),
        E::RealtimeDeviceAbsent { .. } => unreadable("its content is on a real-time device"),
        E::UnsupportedFeature(_) => unreadable(error.to_string()),
        E::NotFound => not_found(error.to_string()),
        E::NotADirectory | E::NotAFile => wrong_kind(error.to_string()),
        error => corrupt(error.to_string()),
    }
}

impl XfsFileSystem {
    /// Opens one, its log's work done in memory.
    pub(crate) fn open(device: Arc<dyn BlockDevice>) -> Result<Self, FileError> {
        let reader = Arc::new(VolumeReader::new(device, PAGE_BYTES));
        let (fs, damage) = match mount(ForeignReader::new(Arc::clone(&reader))) {
            Ok(fs) => (fs, None),
            Err(error) if error.kind() == FileErrorKind::Corrupt => match without_log(&reader) {
                Ok(fs) => (fs, Some(error)),
                Err(_) => return Err(error),
            },
            Err(error) => return Err(error),
        };
        let sb = fs.superblock();
        let block = u64::from(sb.blocksize);
        let used = sb.dblocks.checked_sub(sb.fdblocks);
        let about = About {
            content: Content::Xfs,
            label: sb.fname.clone(),
            uuid: uuid_text(&sb.uuid),
            size_bytes: sb.dblocks.saturating_mul(block),
            used_bytes: used.map(|blocks| blocks.saturating_mul(block)),
            state: if let Some(damage) = damage {
                behind(&damage)
            } else if fs.was_replayed() {
                State::Replayed
            } else {
                State::Clean
            },
            is_case_sensitive: !sb.has_case_insensitive_dirs(),
        };
        let opened = Self { fs, reader, about };
        opened.folder(opened.root())?;
        Ok(opened)
    }

    fn inode(&self, id: NodeId) -> Result<(Inode, Vec<u8>), FileError> {
        let (inode, raw) = guarded(|| self.fs.read_inode_raw(id.number).map_err(failure))
            .map_err(|error| error.of(format!("inode {}", id.number)))?;
        if inode.mode == 0 || inode.nlink == 0 {
            return Err(not_found(format!("inode {} stands for no file", id.number)));
        }
        Ok((inode, raw))
    }

    fn of_kind(&self, id: NodeId, kind: NodeKind) -> Result<(Inode, Vec<u8>), FileError> {
        let (inode, raw) = self.inode(id)?;
        if mode::kind(inode.mode) != kind {
            return Err(wrong_kind(format!("inode {} is something else", id.number)));
        }
        Ok((inode, raw))
    }

    fn folder(&self, id: NodeId) -> Result<(Inode, Vec<u8>), FileError> {
        self.of_kind(id, NodeKind::Folder)
    }

    /// Looks through a whole folder, which needs no index.
    fn search(
        &self,
        inode: &Inode,
        raw: &[u8],
        name: &FileName,
    ) -> Result<Option<NodeId>, FileError> {
        let mut found = None;
        folder::for_each(&self.fs, inode, raw, &mut |there, number| {
            let is_it = if self.about.is_case_sensitive {
                there == name.as_bytes()
            } else {
                there.eq_ignore_ascii_case(name.as_bytes())
            };
            if is_it {
                found = Some(id(number));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }
}

fn mount(foreign: ForeignReader) -> Result<fs_xfs::Filesystem, FileError> {
    let foreign = Arc::new(foreign);
    guarded(|| fs_xfs::Filesystem::mount_with_cache(foreign, 0).map_err(failure))
}

/// Opens a volume whose log cannot be replayed as if the log were empty.
fn without_log(reader: &Arc<VolumeReader>) -> Result<fs_xfs::Filesystem, FileError> {
    let head = reader.bytes(0, PAGE_BYTES)?;
    let sb = guarded(|| fs_xfs::Superblock::parse(&head).map_err(failure))?;
    let start = sb.fsblock_offset(sb.logstart);
    let len = u64::from(sb.logblocks).saturating_mul(u64::from(sb.blocksize));
    let log = start..start.saturating_add(len);
    mount(ForeignReader::hiding(Arc::clone(reader), log))
}

fn behind(damage: &FileError) -> State {
    State::Behind(format!(
        "its log is damaged and was not replayed: what was written last may be missing, and files \
         may not agree with each other ({damage})"
    ))
}

fn id(number: u64) -> NodeId {
    NodeId { tree: 0, number }
}

fn time(stamp: Timestamp) -> Option<Time> {
    Some(Time {
        seconds: stamp.sec,
        nanoseconds: stamp.nsec.min(999_999_999),
    })
}

impl GuestFileSystem for XfsFileSystem {
    fn about(&self) -> &About {
        &self.about
    }

    fn root(&self) -> NodeId {
        id(self.fs.superblock().rootino)
    }

    fn node(&self, id: NodeId) -> Result<Node, FileError> {
        let (inode, _) = self.inode(id)?;
        let kind = mode::kind(inode.mode);
        let has_content = matches!(kind, NodeKind::File | NodeKind::Link);
        Ok(Node {
            id,
            kind,
            size_bytes: if has_content { inode.size } else { 0 },
            links: inode.nlink,
            times: Times {
                modified: time(inode.mtime),
                accessed: time(inode.atime),
                changed: time(inode.ctime),
                created: if inode.version >= 3 {
                    time(inode.crtime)
                } else {
                    None
                },
            },
            owner: mode::owner(inode.uid, inode.gid, inode.mode),
        })
    }

    fn list(&self, folder: NodeId, visit: &mut Visit<'_>) -> Result<(), FileError> {
        let (inode, raw) = self.folder(folder)?;
        folder::for_each(
            &self.fs,
            &inode,
            &raw,
            &mut |name, number| match FileName::new(name) {
                Some(name) => visit(name, id(number)),
                None => ControlFlow::Continue(()),
            },
        )
        .map_err(|error| error.of(format!("the folder of inode {}", folder.number)))
    }

    fn find(&self, folder: NodeId, name: &FileName) -> Result<Option<NodeId>, FileError> {
        let (inode, raw) = self.folder(folder)?;
        if self.about.is_case_sensitive {
            let by_index = guarded(|| match self.fs.lookup(&inode, &raw, name.as_bytes()) {
                Ok(found) => Ok(Some(id(found.ino))),
                Err(fs_xfs::Error::NotFound) => Ok(None),
                Err(error) => Err(failure(error)),
            });
            // A folder whose index is damaged can be read all the same.
            if let Ok(found) = by_index {
                return Ok(found);
            }
        }
        self.search(&inode, &raw, name)
    }

    fn open<'a>(
        &'a self,
        file: NodeId,
        stream: Option<&FileName>,
    ) -> Result<Box<dyn GuestFile + 'a>, FileError> {
        if let Some(stream) = stream {
            return Err(not_found(format!(
                "XFS has no streams, so none named {stream}"
            )));
        }
        let (inode, raw) = self.of_kind(file, NodeKind::File)?;
        if inode.is_realtime() {
            return Err(unreadable("its content is on a real-time device"));
        }
        Ok(Box::new(XfsFile {
            of: self,
            inode,
            raw,
        }))
    }

    fn link(&self, link: NodeId) -> Result<Link, FileError> {
        let (inode, raw) = self.of_kind(link, NodeKind::Link)?;
        let target = guarded(|| self.fs.read_link(&inode, &raw).map_err(failure))?;
        Ok(Link {
            kind: LinkKind::Symbolic,
            target,
        })
    }

    fn attributes(&self, node: NodeId) -> Result<Vec<Attribute>, FileError> {
        let (inode, raw) = self.inode(node)?;
        let found = guarded(|| self.fs.list_xattrs(&inode, &raw).map_err(failure))?;
        Ok(found
            .into_iter()
            .map(|attribute| Attribute {
                name: attribute.name,
                value: attribute.value,
            })
            .collect())
    }
}

/// An open file.
struct XfsFile<'a> {
    of: &'a XfsFileSystem,
    inode: Inode,
    raw: Vec<u8>,
}

impl XfsFile<'_> {
    fn content(&self) -> MappedContent<'_, impl Fn(u64) -> Result<Place, FileError> + '_> {
        MappedContent {
            reader: &self.of.reader,
            block_bytes: u64::from(self.of.fs.superblock().blocksize),
            size_bytes: self.inode.size,
            place_of: |block| {
                guarded(|| block_map::place_of(&self.of.fs, &self.inode, &self.raw, block))
            },
        }
    }
}

impl GuestFile for XfsFile<'_> {
    fn size_bytes(&self) -> u64 {
        self.inode.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, FileError> {
        let read = self.content().read(offset, buf);
        read.map_err(|error| error.of(format!("inode {}", self.inode.ino)))
    }

    fn extents(&self, max: usize) -> Result<Vec<FileExtent>, FileError> {
        self.extents_from(0, max)
    }

    fn extents_from(&self, from: u64, max: usize) -> Result<Vec<FileExtent>, FileError> {
        self.content().extents(from, max)
    }

    fn plain_at(&self, offset: u64) -> Result<Option<PlainRun>, FileError> {
        self.content().plain_at(offset)
    }
}
