//! What every file system can be asked.

use std::ops::ControlFlow;

use block_io::BlockDevice;
use serde::{Deserialize, Serialize};
use volume_map::Content;

use crate::{
    Attribute, Details, FileError, FileErrorKind, FileName, Link, Node, NodeId, NodeKind, Stream,
};

/// What is known of an open file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Which file system.
    pub content: Content,
    /// Its name for people; empty where it has none.
    pub label: String,
    /// The id that its system knows it by (`blkid`'s UUID); empty where it has none.
    pub uuid: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// How many of them are in use, where that is known without reading all.
    pub used_bytes: Option<u64>,
    /// Whether what is shown is the last state.
    pub state: State,
    /// Whether names are told apart by case.
    pub is_case_sensitive: bool,
}

/// Whether what is shown is the last state of the volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It was left in order.
    Clean,
    /// Its journal held work, which was done in memory: this is what its own system would show.
    Replayed,
    /// What is shown may be older than what was written last; the text says why, and by how much.
    Behind(String),
}

/// Called for each entry of a folder: go on, or stop.
pub type Visit<'a> = dyn FnMut(FileName, NodeId) -> ControlFlow<()> + 'a;

/// A file system inside a guest's volume. Several threads may read it at once.
///
/// Nothing here follows a link: a path is resolved by the caller, name by name.
pub trait GuestFileSystem: Send + Sync {
    /// Says what it is.
    fn about(&self) -> &About;

    /// Returns the top folder.
    fn root(&self) -> NodeId;

    /// Reads what is said of one node.
    ///
    /// # Errors
    ///
    /// `NotFound` for an id that stands for nothing, `Corrupt`, `Unreadable`, `Disk`.
    fn node(&self, id: NodeId) -> Result<Node, FileError>;

    /// Calls `visit` for each entry of a folder in the order of the file system, without `.`, `..`
    /// and the file system's own metadata files. Names that no folder may hold are passed over.
    ///
    /// # Errors
    ///
    /// `WrongKind` for what is no folder, and those of [`GuestFileSystem::node`].
    fn list(&self, folder: NodeId, visit: &mut Visit<'_>) -> Result<(), FileError>;

    /// Finds an entry by its name, as the guest would: by case or not.
    ///
    /// # Errors
    ///
    /// Those of [`GuestFileSystem::list`].
    fn find(&self, folder: NodeId, name: &FileName) -> Result<Option<NodeId>, FileError>;

    /// Opens a file's content, or one of its named streams.
    ///
    /// # Errors
    ///
    /// `WrongKind` for what has no content, `Unreadable` for an encrypted or deduplicated file.
    fn open<'a>(
        &'a self,
        file: NodeId,
        stream: Option<&FileName>,
    ) -> Result<Box<dyn GuestFile + 'a>, FileError>;

    /// Says where a link leads.
    ///
    /// # Errors
    ///
    /// `WrongKind` for what is no link.
    fn link(&self, link: NodeId) -> Result<Link, FileError>;

    /// Returns the named streams; none where the file system has no such thing.
    ///
    /// # Errors
    ///
    /// Those of [`GuestFileSystem::node`].
    fn streams(&self, _node: NodeId) -> Result<Vec<Stream>, FileError> {
        Ok(Vec::new())
    }

    /// Returns the extended attributes, POSIX ACLs among them.
    ///
    /// # Errors
    ///
    /// Those of [`GuestFileSystem::node`].
    fn attributes(&self, _node: NodeId) -> Result<Vec<Attribute>, FileError> {
        Ok(Vec::new())
    }

    /// Returns the self-relative security descriptor (MS-DTYP 2.4.6), where there is one.
    ///
    /// # Errors
    ///
    /// Those of [`GuestFileSystem::node`].
    fn security_descriptor(&self, _node: NodeId) -> Result<Option<Vec<u8>>, FileError> {
        Ok(None)
    }

    /// Does what [`GuestFileSystem::node`] does for several nodes at once, in their order: where the
    /// file system is read in another process that takes one question, not many.
    fn nodes(&self, ids: &[NodeId]) -> Vec<Result<Node, FileError>> {
        ids.iter().map(|id| self.node(*id)).collect()
    }

    /// Reads what is said of several nodes at once, in their order, and the content of files that
    /// have at most `content_max` bytes. An error is of anything that could not be read of a node;
    /// asked for one by one, the rest may be had.
    fn details(
        &self,
        nodes: &[(NodeId, NodeKind)],
        content_max: u64,
    ) -> Vec<Result<Details, FileError>> {
        let details = |(id, kind): &(NodeId, NodeKind)| {
            Ok(Details {
                link: match kind {
                    NodeKind::Link => Some(self.link(*id)?),
                    _ => None,
                },
                attributes: self.attributes(*id)?,
                streams: self.streams(*id)?,
                security_descriptor: self.security_descriptor(*id)?,
                content: match kind {
                    NodeKind::File => short_content(&*self.open(*id, None)?, content_max)?,
                    _ => None,
                },
            })
        };
        nodes.iter().map(details).collect()
    }
}

/// Reads all of a file that has at most `max_bytes`.
fn short_content(file: &dyn GuestFile, max_bytes: u64) -> Result<Option<Vec<u8>>, FileError> {
    let size_bytes = file.size_bytes();
    let Some(len) = usize::try_from(size_bytes)
        .ok()
        .filter(|_| size_bytes <= max_bytes)
    else {
        return Ok(None);
    };
    let mut content = vec![0; len];
    file.read_exact_at(0, &mut content)?;
    Ok(Some(content))
}

/// The content of a file, or of a named stream.
pub trait GuestFile: Send + Sync {
    /// Returns its length in bytes.
    fn size_bytes(&self) -> u64;

    /// Fills `buf` from `offset`, holes and what is beyond the valid length with zeros. Returns how
    /// many bytes there were: less than asked for at the end alone.
    ///
    /// # Errors
    ///
    /// `Corrupt`, `Unreadable`, `Disk`.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, FileError>;

    /// Fills all of `buf` from `offset`.
    ///
    /// # Errors
    ///
    /// `Corrupt` where the file ends before that, and those of [`GuestFile::read_at`].
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), FileError> {
        if buf.is_empty() {
            return Ok(());
        }
        let read = self.read_at(offset, buf)?;
        if read == buf.len() {
            return Ok(());
        }
        let what = format!(
            "the file ends after {} of {} bytes",
            offset.saturating_add(read as u64),
            self.size_bytes()
        );
        Err(FileError::new(FileErrorKind::Corrupt, what))
    }

    /// Says where its bytes lie on the volume, in order, at most `max` places; holes have none, and what
    /// was never written. Bytes that lie inside the metadata as they are have none either; they are the
    /// file's first.
    ///
    /// # Errors
    ///
    /// Those of [`GuestFile::read_at`].
    fn extents(&self, max: usize) -> Result<Vec<FileExtent>, FileError>;

    /// Says where the bytes from `from` on lie, as [`GuestFile::extents`] does: with the end of the last
    /// place, or the byte behind the begin of one that is not plain, the list goes on.
    ///
    /// # Errors
    ///
    /// Those of [`GuestFile::read_at`].
    fn extents_from(&self, from: u64, max: usize) -> Result<Vec<FileExtent>, FileError> {
        let mut places = self.extents(usize::MAX)?;
        places.retain(|place| place.file_offset >= from);
        places.truncate(max);
        Ok(places)
    }

    /// Says where the bytes at `offset`, which is less than the length, lie on the disks, if that is
    /// all there is to it: reading there gives what [`GuestFile::read_at`] gives here, if it gives
    /// anything.
    ///
    /// `None` where it is not: they are compressed or encrypted, are checked when they are read, or have
    /// a later version in a journal.
    ///
    /// # Errors
    ///
    /// Those of [`GuestFile::read_at`].
    fn plain_at(&self, _offset: u64) -> Result<Option<PlainRun>, FileError> {
        Ok(None)
    }
}

/// Bytes of a file that lie on a disk as they are, or are zeros that lie nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainRun {
    /// The number of the disk, and where on it in bytes; `None` for zeros.
    pub on_disk: Option<(u32, u64)>,
    /// How many bytes, at least one. They may go on behind the end of the file.
    pub len_bytes: u64,
}

impl PlainRun {
    pub(crate) fn zeros(len_bytes: u64) -> Option<Self> {
        (len_bytes > 0).then_some(Self {
            on_disk: None,
            len_bytes,
        })
    }

    /// Returns the run of `len_bytes` at `offset` of a device, as far as they lie side by side.
    pub(crate) fn of(device: &dyn BlockDevice, offset: u64, len_bytes: u64) -> Option<Self> {
        let len_bytes = len_bytes.min(device.size_bytes().saturating_sub(offset));
        let place = device.place_at(offset, len_bytes)?;
        (place.len_bytes > 0).then_some(Self {
            on_disk: Some((place.disk, place.offset)),
            len_bytes: place.len_bytes.min(len_bytes),
        })
    }
}

/// A part of a file, and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileExtent {
    /// Where in the file, in bytes.
    pub file_offset: u64,
    /// Where on the volume, in bytes.
    pub volume_offset: u64,
    /// How many bytes of the volume; none where they lie inside the metadata or on another volume, and
    /// [`Coding`] says so.
    pub len_bytes: u64,
    /// How they stand for the bytes of the file.
    pub coding: Coding,
}

/// How bytes of a volume stand for those of a file. Two places that are equal, over bytes that are
/// equal, read the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Coding {
    /// As they are, each for one.
    Plain,
    /// Compressed, in pieces of at most [`Coding::PACKED_MAX_BYTES`].
    Packed {
        /// How many bytes of the file are taken from what they unpack to.
        file_bytes: u64,
        /// How far into that these begin.
        skip_bytes: u64,
    },
    /// Which bytes of the file they stand for is not known without reading all of it.
    Opaque,
}

impl Coding {
    /// Most bytes of a file that are compressed together.
    pub const PACKED_MAX_BYTES: u64 = 1 << 20;
}
