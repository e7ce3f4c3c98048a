//! The reading process's side.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use block_io::BlockDevice;
use guest_files::{
    FileError, FileErrorKind, FileName, GuestFile, GuestFileSystem, NodeId, NodeKind,
};
use zeroize::Zeroizing;

use crate::frame;
use crate::guest::{EXTENTS_MAX, Guest as _, LocalGuest};
use crate::kept_blocks::KeptBlocks;
use crate::message::{Answer, DetailsFacts, DiskFacts, FromReader, Question, Request, ToReader};
use crate::pipe_disk::PipeDisk;
use crate::secrets::Secrets;
use crate::{StandardPipes, confine, plain_runs};

/// Entries of a folder that go out together.
const ENTRIES_AT_ONCE: usize = 256;
/// Longest content that comes with details.
const SHORT_CONTENT_MAX: u64 = 128 << 10;
/// Details are enough for an answer from so many bytes on, of content or besides.
const DETAILS_MAX_BYTES: usize = 1 << 20;
/// The same of content: one more still fits.
const CONTENTS_MAX_BYTES: usize = frame::BYTES_MAX - (128 << 10);
/// What an error is taken to weigh.
const ERROR_WEIGHT: usize = 1 << 10;
/// Most files that the program has open at once.
const OPEN_FILES_MAX: usize = 1024;

/// The pipes to the program.
pub(crate) struct Pipes {
    pub(crate) from: Box<dyn Read + Send>,
    pub(crate) to: Box<dyn Write + Send>,
}

impl Pipes {
    /// Asks the program, and waits for its word.
    pub(crate) fn ask(
        &mut self,
        question: &FromReader,
        bytes: &mut Vec<u8>,
    ) -> io::Result<ToReader> {
        frame::write(&mut *self.to, question, &[])?;
        frame::read(&mut *self.from, bytes)
    }
}

/// Takes from this process what reading does not need, then serves the program that started it
/// through standard input and output. Called before anything else is done.
///
/// # Errors
///
/// Those of [`confine`] and [`serve`].
pub fn serve_confined() -> io::Result<()> {
    let pipes = StandardPipes::take()?;
    confine(&pipes)?;
    serve(pipes.from, pipes.to)
}

/// Serves the program at the other end of the pipes until it hangs up.
///
/// # Errors
///
/// What is not the protocol; the process ends with it.
pub fn serve(from: impl Read + Send + 'static, to: impl Write + Send + 'static) -> io::Result<()> {
    let pipes = Pipes {
        from: Box::new(from),
        to: Box::new(to),
    };
    let pipes = Arc::new(Mutex::new(pipes));
    let mut bytes = Zeroizing::new(Vec::new());
    let Some(Request::Volumes { disks, secrets }) = next_request(&pipes, &mut bytes)? else {
        return Err(io::Error::other(
            "the first request was not for the volumes",
        ));
    };
    let disks = (0..)
        .zip(disks)
        .map(|(number, facts)| disk(&pipes, number, facts));
    let secrets = Secrets::of_frame(&secrets, &bytes);
    drop(bytes);
    let guest = LocalGuest::open_with(&disks.collect::<Vec<_>>(), &secrets);
    // From here on there are the volumes' own keys alone.
    drop(secrets);
    reply(&pipes, Ok(Answer::Volumes(guest.facts().clone())), &[])?;
    Service::new(&pipes, &guest).run()
}

fn disk(pipes: &Arc<Mutex<Pipes>>, number: u32, facts: DiskFacts) -> Arc<dyn BlockDevice> {
    let disk = PipeDisk::new(Arc::clone(pipes), number, facts);
    Arc::new(KeptBlocks::new(disk))
}

/// Returns the next request; `None` once the program has hung up.
fn next_request(pipes: &Mutex<Pipes>, bytes: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let mut pipes = pipes.lock().unwrap_or_else(PoisonError::into_inner);
    match frame::read(&mut *pipes.from, bytes) {
        Ok(ToReader::Request(request)) => Ok(Some(request)),
        Ok(_) => Err(io::Error::other(
            "the program answered where nothing was asked",
        )),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn reply(pipes: &Mutex<Pipes>, answer: Result<Answer, FileError>, bytes: &[u8]) -> io::Result<()> {
    let mut pipes = pipes.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = FromReader::Answer(answer.map_err(Into::into));
    match frame::write(&mut *pipes.to, &answer, bytes) {
        // Nothing of it was written.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            let what = "there is more to say of it than fits into an answer";
            let answer = FileError::new(FileErrorKind::Unreadable, what);
            frame::write(&mut *pipes.to, &FromReader::Answer(Err(answer.into())), &[])
        }
        written => written,
    }
}

/// What is open for the program.
struct Service<'a> {
    pipes: &'a Mutex<Pipes>,
    guest: &'a LocalGuest,
    systems: BTreeMap<u32, &'a dyn GuestFileSystem>,
    files: BTreeMap<u64, Box<dyn GuestFile + 'a>>,
    next_file: u64,
    bytes: Vec<u8>,
}

impl<'a> Service<'a> {
    fn new(pipes: &'a Mutex<Pipes>, guest: &'a LocalGuest) -> Self {
        Self {
            pipes,
            guest,
            systems: BTreeMap::new(),
            files: BTreeMap::new(),
            next_file: 1,
            bytes: Vec::new(),
        }
    }

    fn run(&mut self) -> io::Result<()> {
        while let Some(request) = next_request(self.pipes, &mut Vec::new())? {
            self.bytes.clear();
            let answer = self.answer(request);
            reply(self.pipes, answer, &self.bytes)?;
        }
        Ok(())
    }

    fn answer(&mut self, request: Request) -> Result<Answer, FileError> {
        match request {
            Request::Volumes { .. } => Err(FileError::new(
                FileErrorKind::WrongKind,
                "the disks are known already",
            )),
            Request::Open { volume } => {
                let system = self.guest.open(volume)?;
                self.systems.insert(volume, system);
                Ok(Answer::Opened {
                    about: system.about().clone(),
                    root: system.root(),
                })
            }
            Request::Used { volume } => self.guest.used_bytes(volume).map(Answer::Used),
            Request::System { volume } => self.guest.system(volume).map(Answer::System),
            Request::Volume { volume } => {
                let device = self.guest.volume(volume)?;
                Ok(Answer::Volume(DiskFacts::of(&*device)))
            }
            Request::ReadVolume {
                volume,
                offset,
                len_bytes,
            } => self.read_volume(volume, offset, len_bytes),
            Request::VolumeExtent {
                volume,
                offset,
                max_bytes,
            } => {
                let extent = self.guest.volume(volume)?.extent_at(offset, max_bytes)?;
                Ok(Answer::VolumeExtent(extent.into()))
            }
            Request::VolumePlaces {
                volume,
                offset,
                max,
            } => {
                let max = usize::try_from(max).unwrap_or(usize::MAX);
                let places = self.guest.volume_places(volume, offset, max)?;
                let places = places.into_iter().map(Into::into);
                Ok(Answer::VolumePlaces(places.collect()))
            }
            Request::Files { volume, question } => {
                let system = self.systems.get(&volume).copied();
                let system = system.ok_or_else(|| {
                    FileError::new(FileErrorKind::NotFound, "the volume is not open")
                })?;
                self.files(system, question)
            }
        }
    }

    fn files(
        &mut self,
        system: &'a dyn GuestFileSystem,
        question: Question,
    ) -> Result<Answer, FileError> {
        Ok(match question {
            Question::Node(id) => Answer::Node(system.node(id)?),
            Question::List(folder) => self.list(system, folder)?,
            Question::Find(folder, name) => Answer::Found(system.find(folder, &name)?),
            Question::OpenFile(id, stream) => self.open(system, id, stream.as_ref())?,
            Question::ReadFile {
                file,
                offset,
                len_bytes,
            } => self.read(file, offset, len_bytes)?,
            Question::Extents { file, from, max } => {
                let max = usize::try_from(max).unwrap_or(usize::MAX);
                let max = max.min(EXTENTS_MAX);
                Answer::Extents(self.file(file)?.extents_from(from, max)?)
            }
            Question::PlainRuns { file, from } => {
                Answer::PlainRuns(plain_runs::gather(self.file(file)?, from)?)
            }
            Question::CloseFile(file) => {
                self.files.remove(&file);
                Answer::Closed
            }
            Question::Link(id) => Answer::Link(system.link(id)?),
            Question::Streams(id) => Answer::Streams(system.streams(id)?),
            Question::Attributes(id) => Answer::Attributes(system.attributes(id)?),
            Question::SecurityDescriptor(id) => {
                Answer::SecurityDescriptor(system.security_descriptor(id)?)
            }
            Question::Nodes(ids) => {
                let nodes = system.nodes(&ids).into_iter();
                Answer::Nodes(nodes.map(|node| node.map_err(Into::into)).collect())
            }
            Question::Details { nodes, content_max } => {
                self.details(system, &nodes, u64::from(content_max))
            }
        })
    }

    fn open(
        &mut self,
        system: &'a dyn GuestFileSystem,
        id: NodeId,
        stream: Option<&FileName>,
    ) -> Result<Answer, FileError> {
        if self.files.len() >= OPEN_FILES_MAX {
            let what = format!("{OPEN_FILES_MAX} files are open already");
            return Err(FileError::new(FileErrorKind::Unreadable, what));
        }
        let open = system.open(id, stream)?;
        let (file, size_bytes) = (self.next_file, open.size_bytes());
        self.next_file += 1;
        self.files.insert(file, open);
        Ok(Answer::OpenedFile { file, size_bytes })
    }

    fn file(&self, file: u64) -> Result<&(dyn GuestFile + 'a), FileError> {
        let open = self.files.get(&file).map(AsRef::as_ref);
        open.ok_or_else(|| FileError::new(FileErrorKind::NotFound, "the file is not open"))
    }

    fn read(&mut self, file: u64, offset: u64, len_bytes: u32) -> Result<Answer, FileError> {
        let len = usize::try_from(len_bytes)
            .unwrap_or(usize::MAX)
            .min(frame::BYTES_MAX);
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.resize(len, 0);
        let read = self.file(file)?.read_at(offset, &mut bytes)?;
        bytes.truncate(read);
        self.bytes = bytes;
        Ok(Answer::Read)
    }

    fn read_volume(
        &mut self,
        volume: u32,
        offset: u64,
        len_bytes: u32,
    ) -> Result<Answer, FileError> {
        let device = self.guest.volume(volume)?;
        let len = usize::try_from(len_bytes).unwrap_or(usize::MAX);
        self.bytes.resize(len.min(frame::BYTES_MAX), 0);
        let read = device.read_at(offset, &mut self.bytes);
        if read.is_err() {
            self.bytes.clear();
        }
        read?;
        Ok(Answer::Read)
    }

    /// Answers for as many nodes as fit.
    fn details(
        &mut self,
        system: &dyn GuestFileSystem,
        nodes: &[(NodeId, NodeKind)],
        content_max: u64,
    ) -> Answer {
        let content_max = content_max.min(SHORT_CONTENT_MAX);
        let mut answers = Vec::new();
        let mut weight = 0;
        for node in nodes.chunks(1) {
            for details in system.details(node, content_max) {
                let facts = details.map(|details| DetailsFacts::pack(details, &mut self.bytes));
                weight += facts.as_ref().map_or(ERROR_WEIGHT, DetailsFacts::weight);
                answers.push(facts.map_err(Into::into));
            }
            if weight > DETAILS_MAX_BYTES || self.bytes.len() > CONTENTS_MAX_BYTES {
                break;
            }
        }
        Answer::Details(answers)
    }

    /// Hands a folder over in parts; the program says after each whether it wants the next.
    fn list(&self, system: &dyn GuestFileSystem, folder: NodeId) -> Result<Answer, FileError> {
        let mut batch = Vec::with_capacity(ENTRIES_AT_ONCE);
        let mut failed = None;
        system.list(folder, &mut |name, id| {
            batch.push((name, id));
            if batch.len() < ENTRIES_AT_ONCE {
                return ControlFlow::Continue(());
            }
            match self.hand_over(std::mem::take(&mut batch)) {
                Ok(true) => ControlFlow::Continue(()),
                Ok(false) => ControlFlow::Break(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        if let Some(error) = failed {
            return Err(FileError::new(FileErrorKind::Disk, error.to_string()));
        }
        if !batch.is_empty() {
            self.hand_over(batch)
                .map_err(|error| FileError::new(FileErrorKind::Disk, error.to_string()))?;
        }
        Ok(Answer::Listed)
    }

    fn hand_over(&self, batch: Vec<(FileName, NodeId)>) -> io::Result<bool> {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        match pipes.ask(&FromReader::Entries(batch), &mut Vec::new())? {
            ToReader::GoOn(more) => Ok(more),
            _ => Err(io::Error::other(
                "the program said something else than whether to go on",
            )),
        }
    }
}
