//! What the two processes say to each other.
//!
//! The program asks, one thing at a time; until the reader answers, the reader may ask for bytes of
//! disks, or hand over a part of a list. Nobody ever has two questions open.

use block_io::{BlockDevice, DiskError, DiskErrorKind, Extent, ExtentKind, Place};
use guest_files::{
    About, Attribute, Details, FileError, FileErrorKind, FileExtent, FileName, Link, Node, NodeId,
    NodeKind, PlainRun, Stream,
};
use serde::{Deserialize, Serialize};

use crate::secrets::SecretFacts;
use crate::{DisksFacts, SystemFacts};

/// What the reader is told of a disk: its size and sectors, all in bytes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct DiskFacts {
    pub(crate) size_bytes: u64,
    pub(crate) sector_bytes: u32,
    pub(crate) physical_sector_bytes: u32,
}

impl DiskFacts {
    pub(crate) fn of(disk: &dyn BlockDevice) -> Self {
        Self {
            size_bytes: disk.size_bytes(),
            sector_bytes: disk.sector_bytes(),
            physical_sector_bytes: disk.physical_sector_bytes(),
        }
    }
}

/// What the program asks of the reader.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// The first: here are the disks, and what may open encrypted volumes, whose bytes stand behind
    /// it; which volumes are there?
    Volumes {
        disks: Vec<DiskFacts>,
        secrets: Vec<SecretFacts>,
    },
    /// Open the file system of a volume.
    Open { volume: u32 },
    /// How much of a volume is in use?
    Used { volume: u32 },
    /// Ask the system on a volume.
    System { volume: u32 },
    /// How large is a volume?
    Volume { volume: u32 },
    /// Bytes of a volume; they come behind the answer.
    ReadVolume {
        volume: u32,
        offset: u64,
        len_bytes: u32,
    },
    /// What lies at an offset of a volume?
    VolumeExtent {
        volume: u32,
        offset: u64,
        max_bytes: u64,
    },
    /// Where on the disks does a volume lie from an offset on?
    VolumePlaces { volume: u32, offset: u64, max: u32 },
    /// Ask an open file system.
    Files { volume: u32, question: Question },
}

impl Request {
    /// Returns how many bytes may stand behind its answer.
    pub(crate) fn answer_bytes_max(&self) -> usize {
        match self {
            Self::ReadVolume { len_bytes, .. }
            | Self::Files {
                question: Question::ReadFile { len_bytes, .. },
                ..
            } => usize::try_from(*len_bytes).unwrap_or(usize::MAX),
            Self::Files {
                question: Question::Details { .. },
                ..
            } => crate::frame::BYTES_MAX,
            _ => 0,
        }
    }
}

/// What is asked of a file system: its calls.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Question {
    Node(NodeId),
    List(NodeId),
    Find(NodeId, FileName),
    OpenFile(NodeId, Option<FileName>),
    /// At most so many bytes from an offset; they come behind the answer.
    ReadFile {
        file: u64,
        offset: u64,
        len_bytes: u32,
    },
    Extents {
        file: u64,
        from: u64,
        max: u32,
    },
    /// Where the bytes lie on the disks from an offset on, for as far as that is all there is to them.
    PlainRuns {
        file: u64,
        from: u64,
    },
    CloseFile(u64),
    Link(NodeId),
    Streams(NodeId),
    Attributes(NodeId),
    SecurityDescriptor(NodeId),
    /// What several nodes are, one answer for each.
    Nodes(Vec<NodeId>),
    /// All that is said of several nodes, and the content of short files, which comes behind the
    /// answer. As many are answered as fit, at least one.
    Details {
        nodes: Vec<(NodeId, NodeKind)>,
        content_max: u32,
    },
}

/// What the reader answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Volumes(DisksFacts),
    Opened {
        about: About,
        root: NodeId,
    },
    Used(Option<u64>),
    System(SystemFacts),
    Volume(DiskFacts),
    VolumeExtent(ExtentFacts),
    VolumePlaces(Vec<PlaceFacts>),
    Node(Node),
    Listed,
    Found(Option<NodeId>),
    OpenedFile {
        file: u64,
        size_bytes: u64,
    },
    /// The bytes stand behind it.
    Read,
    Extents(Vec<FileExtent>),
    PlainRuns(Vec<PlainRun>),
    Closed,
    Link(Link),
    Streams(Vec<Stream>),
    Attributes(Vec<Attribute>),
    SecurityDescriptor(Option<Vec<u8>>),
    Nodes(Vec<Result<Node, Failure>>),
    Details(Vec<Result<DetailsFacts, Failure>>),
}

/// [`Details`] on their way: contents stand behind the message, one behind the other.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DetailsFacts {
    link: Option<Link>,
    attributes: Vec<Attribute>,
    streams: Vec<Stream>,
    security_descriptor: Option<Vec<u8>>,
    content_bytes: Option<u32>,
}

impl DetailsFacts {
    /// Returns about how much of a message they take, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let link = self.link.as_ref().map_or(0, |link| link.target.len());
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|one| 16 + one.name.len() + one.value.len());
        let streams = self.streams.iter();
        let streams = streams.map(|stream| 32 + stream.name.as_bytes().len());
        let descriptor = self.security_descriptor.as_ref().map_or(0, Vec::len);
        64 + link + attributes.sum::<usize>() + streams.sum::<usize>() + descriptor
    }

    /// Puts contents behind each other.
    pub(crate) fn pack(details: Details, bytes: &mut Vec<u8>) -> Self {
        let content_bytes = details.content.map(|content| {
            bytes.extend_from_slice(&content);
            // A short file's, so it fits.
            u32::try_from(content.len()).unwrap_or(u32::MAX)
        });
        Self {
            link: details.link,
            attributes: details.attributes,
            streams: details.streams,
            security_descriptor: details.security_descriptor,
            content_bytes,
        }
    }

    /// Takes the content from the front of `bytes`; `None` where it is not there.
    pub(crate) fn unpack(self, bytes: &mut &[u8]) -> Option<Details> {
        let content = match self.content_bytes {
            Some(len) => {
                let (content, behind) = bytes.split_at_checked(usize::try_from(len).ok()?)?;
                *bytes = behind;
                Some(content.to_vec())
            }
            None => None,
        };
        Some(Details {
            link: self.link,
            attributes: self.attributes,
            streams: self.streams,
            security_descriptor: self.security_descriptor,
            content,
        })
    }
}

/// What comes from the reader.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromReader {
    Answer(Result<Answer, Failure>),
    /// Bytes of a disk are needed.
    ReadDisk {
        disk: u32,
        offset: u64,
        len_bytes: u32,
    },
    /// What lies there?
    Extent {
        disk: u32,
        offset: u64,
        max_bytes: u64,
    },
    /// A part of a folder's list; the program says whether it wants more.
    Entries(Vec<(FileName, NodeId)>),
}

/// What goes to the reader.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToReader {
    Request(Request),
    /// The bytes stand behind it.
    Disk(Result<(), DiskFailure>),
    Extent(Result<ExtentFacts, DiskFailure>),
    GoOn(bool),
}

/// An [`Extent`] on its way.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ExtentFacts {
    holds_data: bool,
    is_allocated: bool,
    len_bytes: u64,
}

impl From<Extent> for ExtentFacts {
    fn from(extent: Extent) -> Self {
        Self {
            holds_data: extent.kind == ExtentKind::Data,
            is_allocated: extent.kind != ExtentKind::NotAllocated,
            len_bytes: extent.len_bytes,
        }
    }
}

impl From<ExtentFacts> for Extent {
    fn from(facts: ExtentFacts) -> Self {
        let kind = match (facts.holds_data, facts.is_allocated) {
            (true, _) => ExtentKind::Data,
            (false, true) => ExtentKind::Zero,
            (false, false) => ExtentKind::NotAllocated,
        };
        Self {
            kind,
            len_bytes: facts.len_bytes,
        }
    }
}

/// A [`Place`] on its way.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct PlaceFacts {
    disk: u32,
    offset: u64,
    len_bytes: u64,
}

impl From<Place> for PlaceFacts {
    fn from(place: Place) -> Self {
        let Place {
            disk,
            offset,
            len_bytes,
        } = place;
        Self {
            disk,
            offset,
            len_bytes,
        }
    }
}

impl From<PlaceFacts> for Place {
    fn from(facts: PlaceFacts) -> Self {
        let PlaceFacts {
            disk,
            offset,
            len_bytes,
        } = facts;
        Self {
            disk,
            offset,
            len_bytes,
        }
    }
}

/// A [`FileError`] on its way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Failure {
    kind: FileErrorKind,
    what: String,
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self {
            kind: error.kind(),
            what: error.to_string(),
        }
    }
}

impl From<Failure> for FileError {
    fn from(failure: Failure) -> Self {
        Self::new(failure.kind, failure.what)
    }
}

/// A [`DiskError`] on its way; what it is called is all that the reader needs of its kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DiskFailure {
    what: String,
}

impl From<DiskError> for DiskFailure {
    fn from(error: DiskError) -> Self {
        Self {
            what: error.to_string(),
        }
    }
}

impl From<DiskFailure> for DiskError {
    fn from(failure: DiskFailure) -> Self {
        Self::new(DiskErrorKind::Io, failure.what)
    }
}
