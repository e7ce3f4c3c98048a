//! A guest that another process reads.

use std::process::Command;
use std::sync::{Arc, OnceLock};

use block_io::{BlockDevice, Extent};
use guest_files::{
    About, Attribute, FileError, FileErrorKind, FileExtent, FileName, GuestFile, GuestFileSystem,
    Link, Node, NodeId, Stream, Visit,
};

use crate::frame::BYTES_MAX;
use crate::guest::{DisksFacts, Guest, SystemFacts};
use crate::message::{Answer, Question, Request};
use crate::reader_process::Conversation;

/// A guest whose volumes and files a confined process reads.
pub struct RemoteGuest {
    conversation: Arc<Conversation>,
    facts: DisksFacts,
    systems: Vec<OnceLock<RemoteFileSystem>>,
}

impl RemoteGuest {
    /// Starts `command` and asks it which volumes the disks have. The command has to call
    /// [`crate::confine`] and then [`crate::serve`].
    ///
    /// # Errors
    ///
    /// `Unreadable` where the process cannot be started or ends; `Disk`.
    pub fn start(command: Command, disks: Vec<Arc<dyn BlockDevice>>) -> Result<Self, FileError> {
        Self::greet(Conversation::start(command, disks)?)
    }

    pub(crate) fn greet(conversation: Conversation) -> Result<Self, FileError> {
        let greeting = conversation.greeting();
        match conversation.ask(greeting, &mut Vec::new(), &mut no_parts)? {
            Answer::Volumes(facts) => Ok(Self {
                conversation: Arc::new(conversation),
                systems: facts.volumes.iter().map(|_| OnceLock::new()).collect(),
                facts,
            }),
            _ => Err(not_an_answer()),
        }
    }
}

impl Guest for RemoteGuest {
    fn facts(&self) -> &DisksFacts {
        &self.facts
    }

    fn open(&self, number: u32) -> Result<&dyn GuestFileSystem, FileError> {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let place = self.systems.get(at).ok_or_else(|| {
            FileError::new(
                FileErrorKind::NotFound,
                format!("there is no volume {number}"),
            )
        })?;
        if let Some(open) = place.get() {
            return Ok(open);
        }
        let request = Request::Open { volume: number };
        match self.ask(request)? {
            Answer::Opened { about, root } => Ok(place.get_or_init(|| RemoteFileSystem {
                conversation: Arc::clone(&self.conversation),
                volume: number,
                about,
                root,
            })),
            _ => Err(not_an_answer()),
        }
    }

    fn system(&self, number: u32) -> Result<SystemFacts, FileError> {
        match self.ask(Request::System { volume: number })? {
            Answer::System(facts) => Ok(facts),
            _ => Err(not_an_answer()),
        }
    }

    fn volume_extents(
        &self,
        number: u32,
        offset: u64,
        max: usize,
    ) -> Result<Vec<Extent>, FileError> {
        let request = Request::VolumeExtents {
            volume: number,
            offset,
            max: u32::try_from(max).unwrap_or(u32::MAX),
        };
        match self.ask(request)? {
            Answer::VolumeExtents(extents) => Ok(extents.into_iter().map(Into::into).collect()),
            _ => Err(not_an_answer()),
        }
    }

    fn is_over(&self) -> bool {
        self.conversation.is_over()
    }
}

impl RemoteGuest {
    fn ask(&self, request: Request) -> Result<Answer, FileError> {
        self.conversation
            .ask(request, &mut Vec::new(), &mut no_parts)
    }
}

struct RemoteFileSystem {
    conversation: Arc<Conversation>,
    volume: u32,
    about: About,
    root: NodeId,
}

impl RemoteFileSystem {
    fn ask(&self, question: Question) -> Result<Answer, FileError> {
        self.ask_for_bytes(question, &mut Vec::new())
    }

    fn ask_for_bytes(&self, question: Question, bytes: &mut Vec<u8>) -> Result<Answer, FileError> {
        let volume = self.volume;
        let request = Request::Files { volume, question };
        self.conversation.ask(request, bytes, &mut no_parts)
    }
}

impl GuestFileSystem for RemoteFileSystem {
    fn about(&self) -> &About {
        &self.about
    }

    fn root(&self) -> NodeId {
        self.root
    }

    fn node(&self, id: NodeId) -> Result<Node, FileError> {
        match self.ask(Question::Node(id))? {
            Answer::Node(node) => Ok(node),
            _ => Err(not_an_answer()),
        }
    }

    /// The reader waits while `visit` runs, so `visit` must not ask this file system anything: parts
    /// are gathered, and visited once the list is there.
    fn list(&self, folder: NodeId, visit: &mut Visit<'_>) -> Result<(), FileError> {
        let request = Request::Files {
            volume: self.volume,
            question: Question::List(folder),
        };
        let mut entries = Vec::new();
        let mut name_bytes = 0;
        let mut gather = |part: Vec<(FileName, NodeId)>| {
            let names = part.iter().map(|(name, _)| name.as_bytes().len());
            name_bytes += names.sum::<usize>();
            entries.extend(part);
            entries.len() < ENTRIES_MAX && name_bytes < NAME_BYTES_MAX
        };
        let answer = self
            .conversation
            .ask(request, &mut Vec::new(), &mut gather)?;
        if !matches!(answer, Answer::Listed) {
            return Err(not_an_answer());
        }
        if entries.len() >= ENTRIES_MAX || name_bytes >= NAME_BYTES_MAX {
            let what = format!(
                "a folder has more than {ENTRIES_MAX} entries, or more than {NAME_BYTES_MAX} bytes of names"
            );
            return Err(FileError::new(FileErrorKind::Unreadable, what));
        }
        for (name, id) in entries {
            if visit(name, id).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn find(&self, folder: NodeId, name: &FileName) -> Result<Option<NodeId>, FileError> {
        match self.ask(Question::Find(folder, name.clone()))? {
            Answer::Found(found) => Ok(found),
            _ => Err(not_an_answer()),
        }
    }

    fn open<'a>(
        &'a self,
        file: NodeId,
        stream: Option<&FileName>,
    ) -> Result<Box<dyn GuestFile + 'a>, FileError> {
        match self.ask(Question::OpenFile(file, stream.cloned()))? {
            Answer::OpenedFile { file, size_bytes } => Ok(Box::new(RemoteFile {
                system: self,
                file,
                size_bytes,
            })),
            _ => Err(not_an_answer()),
        }
    }

    fn link(&self, link: NodeId) -> Result<Link, FileError> {
        match self.ask(Question::Link(link))? {
            Answer::Link(link) => Ok(link),
            _ => Err(not_an_answer()),
        }
    }

    fn streams(&self, node: NodeId) -> Result<Vec<Stream>, FileError> {
        match self.ask(Question::Streams(node))? {
            Answer::Streams(streams) => Ok(streams),
            _ => Err(not_an_answer()),
        }
    }

    fn attributes(&self, node: NodeId) -> Result<Vec<Attribute>, FileError> {
        match self.ask(Question::Attributes(node))? {
            Answer::Attributes(attributes) => Ok(attributes),
            _ => Err(not_an_answer()),
        }
    }

    fn security_descriptor(&self, node: NodeId) -> Result<Option<Vec<u8>>, FileError> {
        match self.ask(Question::SecurityDescriptor(node))? {
            Answer::SecurityDescriptor(descriptor) => Ok(descriptor),
            _ => Err(not_an_answer()),
        }
    }
}

struct RemoteFile<'a> {
    system: &'a RemoteFileSystem,
    file: u64,
    size_bytes: u64,
}

impl GuestFile for RemoteFile<'_> {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, FileError> {
        let rest = self.size_bytes.saturating_sub(offset);
        let len = usize::try_from(rest).unwrap_or(usize::MAX).min(buf.len());
        let buf = buf.get_mut(..len).unwrap_or_default();
        let mut done = 0;
        let mut bytes = Vec::new();
        for part in buf.chunks_mut(BYTES_MAX) {
            let question = Question::ReadFile {
                file: self.file,
                offset: offset.saturating_add(done as u64),
                len_bytes: u32::try_from(part.len()).unwrap_or(u32::MAX),
            };
            let answer = self.system.ask_for_bytes(question, &mut bytes)?;
            let (Answer::Read, Some(target)) = (answer, part.get_mut(..bytes.len())) else {
                return Err(not_an_answer());
            };
            target.copy_from_slice(&bytes);
            if bytes.len() < part.len() {
                let what = format!(
                    "the file ends after {} of {} bytes",
                    offset.saturating_add((done + bytes.len()) as u64),
                    self.size_bytes
                );
                return Err(FileError::new(FileErrorKind::Corrupt, what));
            }
            done += bytes.len();
        }
        Ok(done)
    }

    fn extents(&self, max: usize) -> Result<Vec<FileExtent>, FileError> {
        let max = u32::try_from(max).unwrap_or(u32::MAX);
        let file = self.file;
        match self.system.ask(Question::Extents { file, max })? {
            Answer::Extents(extents) => Ok(extents),
            _ => Err(not_an_answer()),
        }
    }
}

impl Drop for RemoteFile<'_> {
    fn drop(&mut self) {
        // A reader that has ended has closed it as well.
        let _ = self.system.ask(Question::CloseFile(self.file));
    }
}

/// Most entries of one folder.
const ENTRIES_MAX: usize = 2 << 20;
/// Most bytes of their names.
const NAME_BYTES_MAX: usize = 256 << 20;

fn no_parts(_: Vec<(FileName, NodeId)>) -> bool {
    false
}

fn not_an_answer() -> FileError {
    FileError::new(
        FileErrorKind::Unreadable,
        "the process that reads the guest's files answered something else than it was asked",
    )
}
