//! A file system that another process reads.

use std::sync::Arc;

use guest_files::{
    About, Attribute, Details, FileError, FileErrorKind, FileExtent, FileName, GuestFile,
    GuestFileSystem, Link, Node, NodeId, NodeKind, PlainRun, Stream, Visit,
};

use crate::frame::BYTES_MAX;
use crate::message::{Answer, Question, Request};
use crate::plain_runs::{self, KnownRuns};
use crate::reader_process::Conversation;

pub(crate) struct RemoteFileSystem {
    pub(crate) conversation: Arc<Conversation>,
    pub(crate) volume: u32,
    pub(crate) about: About,
    pub(crate) root: NodeId,
}

impl RemoteFileSystem {
    fn ask<T>(
        &self,
        question: Question,
        pick: impl FnOnce(Answer) -> Option<T>,
    ) -> Result<T, FileError> {
        self.conversation.ask(self.request(question), pick)
    }

    fn request(&self, question: Question) -> Request {
        let volume = self.volume;
        Request::Files { volume, question }
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
        self.ask(Question::Node(id), |answer| match answer {
            Answer::Node(node) => Some(node),
            _ => None,
        })
    }

    /// The reader waits while `visit` runs, so `visit` must not ask this file system anything: parts
    /// are gathered, and visited once the list is there.
    fn list(&self, folder: NodeId, visit: &mut Visit<'_>) -> Result<(), FileError> {
        let request = self.request(Question::List(folder));
        let mut entries = Vec::new();
        let mut name_bytes = 0;
        let mut gather = |part: Vec<(FileName, NodeId)>| {
            let names = part.iter().map(|(name, _)| name.as_bytes().len());
            name_bytes += names.sum::<usize>();
            entries.extend(part);
            entries.len() < ENTRIES_MAX && name_bytes < NAME_BYTES_MAX
        };
        let is_listed = |answer| match answer {
            Answer::Listed => Some(()),
            _ => None,
        };
        self.conversation
            .ask_for(request, &mut Vec::new(), &mut gather, is_listed)?;
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
        self.ask(
            Question::Find(folder, name.clone()),
            |answer| match answer {
                Answer::Found(found) => Some(found),
                _ => None,
            },
        )
    }

    fn open<'a>(
        &'a self,
        file: NodeId,
        stream: Option<&FileName>,
    ) -> Result<Box<dyn GuestFile + 'a>, FileError> {
        let question = Question::OpenFile(file, stream.cloned());
        let (file, size_bytes) = self.ask(question, |answer| match answer {
            Answer::OpenedFile { file, size_bytes } => Some((file, size_bytes)),
            _ => None,
        })?;
        Ok(Box::new(RemoteFile {
            system: self,
            file,
            size_bytes,
            known: KnownRuns::default(),
        }))
    }

    fn link(&self, link: NodeId) -> Result<Link, FileError> {
        self.ask(Question::Link(link), |answer| match answer {
            Answer::Link(link) => Some(link),
            _ => None,
        })
    }

    fn streams(&self, node: NodeId) -> Result<Vec<Stream>, FileError> {
        self.ask(Question::Streams(node), |answer| match answer {
            Answer::Streams(streams) => Some(streams),
            _ => None,
        })
    }

    fn attributes(&self, node: NodeId) -> Result<Vec<Attribute>, FileError> {
        self.ask(Question::Attributes(node), |answer| match answer {
            Answer::Attributes(attributes) => Some(attributes),
            _ => None,
        })
    }

    fn security_descriptor(&self, node: NodeId) -> Result<Option<Vec<u8>>, FileError> {
        self.ask(Question::SecurityDescriptor(node), |answer| match answer {
            Answer::SecurityDescriptor(descriptor) => Some(descriptor),
            _ => None,
        })
    }

    fn nodes(&self, ids: &[NodeId]) -> Vec<Result<Node, FileError>> {
        let mut nodes = Vec::with_capacity(ids.len());
        for part in ids.chunks(NODES_AT_ONCE) {
            let answers = self.ask(Question::Nodes(part.to_vec()), |answer| match answer {
                Answer::Nodes(answers) if answers.len() == part.len() => Some(answers),
                _ => None,
            });
            match answers {
                Ok(answers) => nodes.extend(answers.into_iter().map(|node| Ok(node?))),
                Err(error) => nodes.extend(part.iter().map(|_| Err(again(&error)))),
            }
        }
        nodes
    }

    fn details(
        &self,
        nodes: &[(NodeId, NodeKind)],
        content_max: u64,
    ) -> Vec<Result<Details, FileError>> {
        let mut details = Vec::with_capacity(nodes.len());
        let mut bytes = Vec::new();
        while let Some(rest) = nodes.get(details.len()..).filter(|rest| !rest.is_empty()) {
            let part = rest.get(..NODES_AT_ONCE).unwrap_or(rest);
            let request = self.request(Question::Details {
                nodes: part.to_vec(),
                content_max: u32::try_from(content_max).unwrap_or(u32::MAX),
            });
            let is_some_of = |answer| match answer {
                Answer::Details(answers) => {
                    (1..=part.len()).contains(&answers.len()).then_some(answers)
                }
                _ => None,
            };
            let conversation = &self.conversation;
            let answers = conversation.ask_for(request, &mut bytes, &mut |_| false, is_some_of);
            match answers {
                Ok(answers) => {
                    let mut contents = bytes.as_slice();
                    let unpacked = answers.into_iter().map(|facts| {
                        let unpacked = facts?.unpack(&mut contents);
                        unpacked.ok_or_else(|| {
                            let what = "the content that was announced did not come";
                            FileError::new(FileErrorKind::Unreadable, what)
                        })
                    });
                    details.extend(unpacked);
                }
                Err(error) => details.extend(part.iter().map(|_| Err(again(&error)))),
            }
        }
        details
    }
}

/// Shorter reads and runs are not worth asking where their bytes lie: as long as a repository's chunk.
const PLAIN_BYTES_MIN: usize = 64 << 10;
/// Nodes that are asked for with one question.
const NODES_AT_ONCE: usize = 256;

/// Says the same once more, of another node.
fn again(error: &FileError) -> FileError {
    FileError::new(error.kind(), error.to_string())
}

struct RemoteFile<'a> {
    system: &'a RemoteFileSystem,
    file: u64,
    size_bytes: u64,
    known: KnownRuns,
}

impl RemoteFile<'_> {
    /// Returns the run that begins at `offset`; `None` where its bytes are the reader's to read.
    fn run_at(&self, offset: u64) -> Result<Option<PlainRun>, FileError> {
        self.known.run_at(offset, || {
            let (file, from) = (self.file, offset);
            let question = Question::PlainRuns { file, from };
            let conversation = &self.system.conversation;
            let have = |disk, offset, len| conversation.has(disk, offset, len);
            self.system.ask(question, |answer| match answer {
                Answer::PlainRuns(runs) if plain_runs::are_possible(&runs, have) => Some(runs),
                _ => None,
            })
        })
    }

    /// Fills the front of `buf` from the disk that it lies on, and returns how much that was: nothing
    /// where the reader had better do it, which keeps what lies beside short pieces, and where the disk
    /// cannot be read, since a mirror may.
    fn read_plain(&self, offset: u64, buf: &mut [u8]) -> Result<usize, FileError> {
        let Some(run) = self.run_at(offset)? else {
            return Ok(0);
        };
        let len = usize::try_from(run.len_bytes).map_or(buf.len(), |len| len.min(buf.len()));
        if len < PLAIN_BYTES_MIN.min(buf.len()) {
            return Ok(0);
        }
        let (now, _) = buf.split_at_mut(len);
        let Some((disk, place)) = run.on_disk else {
            now.fill(0);
            return Ok(len);
        };
        let disk = self.system.conversation.disk(disk);
        let read = disk.map(|disk| disk.read_at(place, now));
        Ok(if matches!(read, Some(Ok(()))) { len } else { 0 })
    }

    /// Fills `buf`, which lies inside of the file, with what the reader answers.
    fn read_by_reader(&self, offset: u64, buf: &mut [u8]) -> Result<(), FileError> {
        let mut bytes = Vec::new();
        for (part, at) in buf.chunks_mut(BYTES_MAX).zip((offset..).step_by(BYTES_MAX)) {
            let question = Question::ReadFile {
                file: self.file,
                offset: at,
                len_bytes: u32::try_from(part.len()).unwrap_or(u32::MAX),
            };
            let request = self.system.request(question);
            let conversation = &self.system.conversation;
            conversation.ask_for(request, &mut bytes, &mut |_| false, |answer| match answer {
                Answer::Read => Some(()),
                _ => None,
            })?;
            if bytes.len() < part.len() {
                let what = format!(
                    "the file ends after {} of {} bytes",
                    at.saturating_add(bytes.len() as u64),
                    self.size_bytes
                );
                return Err(FileError::new(FileErrorKind::Corrupt, what));
            }
            // No more than were asked for: the conversation sees to it.
            part.copy_from_slice(&bytes);
        }
        Ok(())
    }
}

impl GuestFile for RemoteFile<'_> {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, FileError> {
        let rest = self.size_bytes.saturating_sub(offset);
        let len = usize::try_from(rest).unwrap_or(usize::MAX).min(buf.len());
        let buf = buf.get_mut(..len).unwrap_or_default();
        let (mut at, mut rest) = (offset, buf);
        while rest.len() >= PLAIN_BYTES_MIN {
            let read = self.read_plain(at, rest)?;
            if read == 0 {
                break;
            }
            at = at.saturating_add(read as u64);
            rest = rest.split_at_mut(read).1;
        }
        self.read_by_reader(at, rest)?;
        Ok(len)
    }

    fn extents(&self, max: usize) -> Result<Vec<FileExtent>, FileError> {
        self.extents_from(0, max)
    }

    fn extents_from(&self, from: u64, max: usize) -> Result<Vec<FileExtent>, FileError> {
        let question = Question::Extents {
            file: self.file,
            from,
            max: u32::try_from(max).unwrap_or(u32::MAX),
        };
        self.system.ask(question, |answer| match answer {
            Answer::Extents(extents) if extents.len() <= max => Some(extents),
            _ => None,
        })
    }
}

impl Drop for RemoteFile<'_> {
    fn drop(&mut self) {
        // A reader that has ended has closed it as well.
        let close = Question::CloseFile(self.file);
        let _ = self.system.ask(close, |_| Some(()));
    }
}

/// Most entries of one folder.
const ENTRIES_MAX: usize = 2 << 20;
/// Most bytes of their names.
const NAME_BYTES_MAX: usize = 256 << 20;
