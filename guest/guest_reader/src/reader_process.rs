//! The program's side: a reading process, and what it is asked.

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use block_io::{BlockDevice, check_range};
use guest_files::{FileError, FileErrorKind, FileName, NodeId};

use crate::message::{Answer, DiskFacts, FromReader, Request, ToReader};
use crate::secrets::Secrets;
use crate::watch::{Interrupted, Watched};
use crate::{DisksFacts, frame, sandbox, starter};

/// How often the reader may ask for something after the person asked to stop.
const SAID_MAX_INTERRUPTED: u32 = 4096;

/// Called with each part of a folder's list; returns whether to go on.
pub(crate) type Part<'a> = dyn FnMut(Vec<(FileName, NodeId)>) -> bool + 'a;

/// A conversation with a reader. One question is open at a time; the others wait.
pub(crate) struct Conversation {
    disks: Vec<Arc<dyn BlockDevice>>,
    interrupted: Interrupted,
    state: Mutex<State>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    questions: AtomicU64,
    disk_reads: AtomicU64,
    disk_bytes: AtomicU64,
}

/// What passed between the program and its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Questions of the program.
    pub questions: u64,
    /// Questions of the reader for bytes of disks.
    pub disk_reads: u64,
    /// These bytes.
    pub disk_bytes: u64,
}

struct State {
    from: Box<dyn Read + Send>,
    to: Box<dyn Write + Send>,
    process: Option<Process>,
    /// Why nothing more is asked.
    broken: Option<String>,
}

/// A process, and what holds it where it is.
pub(crate) struct Process {
    watched: Arc<Watched>,
    _enclosure: sandbox::Enclosure,
}

impl Conversation {
    /// Starts a reading process: `command` has to call [`crate::serve_confined`].
    pub(crate) fn start(
        mut command: Command,
        disks: Vec<Arc<dyn BlockDevice>>,
        interrupted: Interrupted,
    ) -> Result<Self, FileError> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .env_clear();
        sandbox::prepare(&mut command);
        let mut child = starter::spawn(command).map_err(|error| failed(&error))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        // Nothing of a guest gets there before it is held.
        let enclosure = sandbox::Enclosure::around(&child);
        let watched = Watched::new(child, interrupted);
        let (enclosure, (to, from)) = match (enclosure, pipes) {
            (Ok(enclosure), Some(pipes)) => (enclosure, pipes),
            (Err(error), _) => return Err(failed(&error)),
            (_, None) => return Err(failed(&io::Error::other("it has no pipes"))),
        };
        sandbox::widen(&to, &from);
        let process = Process {
            watched,
            _enclosure: enclosure,
        };
        Ok(Self::over(from, to, Some(process), disks, interrupted))
    }

    pub(crate) fn over(
        from: impl Read + Send + 'static,
        to: impl Write + Send + 'static,
        process: Option<Process>,
        disks: Vec<Arc<dyn BlockDevice>>,
        interrupted: Interrupted,
    ) -> Self {
        let state = State {
            from: Box::new(from),
            to: Box::new(to),
            process,
            broken: None,
        };
        Self {
            disks,
            interrupted,
            state: Mutex::new(state),
            counts: Counts::default(),
        }
    }

    /// Returns what has passed so far.
    pub(crate) fn traffic(&self) -> Traffic {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            questions: count(&self.counts.questions),
            disk_reads: count(&self.counts.disk_reads),
            disk_bytes: count(&self.counts.disk_bytes),
        }
    }

    /// Returns one of the disks that the reader reads.
    pub(crate) fn disk(&self, number: u32) -> Option<&Arc<dyn BlockDevice>> {
        self.disks.get(usize::try_from(number).ok()?)
    }

    /// Returns whether bytes that the reader speaks of lie on one of its disks.
    pub(crate) fn has(&self, disk: u32, offset: u64, len_bytes: u64) -> bool {
        let disk = self.disk(disk);
        disk.is_some_and(|disk| check_range(disk.size_bytes(), offset, len_bytes).is_ok())
    }

    /// Tells the reader what the disks are and what may open them, and returns which volumes there are.
    pub(crate) fn greet(&self, secrets: &Secrets) -> Result<DisksFacts, FileError> {
        let disks = self.disks.iter().map(|disk| DiskFacts::of(disk));
        let (facts, bytes) = secrets.to_frame();
        let request = Request::Volumes {
            disks: disks.collect(),
            secrets: facts,
        };
        let question = Asked {
            request,
            sent: &bytes,
            bytes: &mut Vec::new(),
            part: &mut no_parts,
        };
        self.converse(question, |answer| match answer {
            Answer::Volumes(facts) => Some(facts),
            _ => None,
        })
    }

    /// Asks, serves what the reader needs meanwhile, and returns what `pick` takes of its answer.
    pub(crate) fn ask<T>(
        &self,
        request: Request,
        pick: impl FnOnce(Answer) -> Option<T>,
    ) -> Result<T, FileError> {
        self.ask_for(request, &mut Vec::new(), &mut no_parts, pick)
    }

    /// Asks for what comes in parts, or with bytes behind it, which `bytes` gets.
    pub(crate) fn ask_for<T>(
        &self,
        request: Request,
        bytes: &mut Vec<u8>,
        part: &mut Part<'_>,
        pick: impl FnOnce(Answer) -> Option<T>,
    ) -> Result<T, FileError> {
        let question = Asked {
            request,
            sent: &[],
            bytes,
            part,
        };
        self.converse(question, pick)
    }

    /// Says whether the reader has ended.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.broken.is_some()
    }

    /// Whatever is not the answer to the question ends the conversation.
    fn converse<T>(
        &self,
        asked: Asked<'_, '_>,
        pick: impl FnOnce(Answer) -> Option<T>,
    ) -> Result<T, FileError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &state.broken {
            return Err(FileError::new(FileErrorKind::Unreadable, why.clone()));
        }
        let answer = self.answer(&mut state, asked).and_then(|answer| {
            let picked = answer.map(pick);
            match picked {
                Ok(None) => Err(io::Error::other(
                    "it answered something else than it was asked",
                )),
                Ok(Some(picked)) => Ok(Ok(picked)),
                Err(error) => Ok(Err(error)),
            }
        });
        answer.unwrap_or_else(|error| {
            let why = state.end(&error);
            state.broken = Some(why.clone());
            Err(FileError::new(FileErrorKind::Unreadable, why))
        })
    }

    fn answer(
        &self,
        state: &mut State,
        asked: Asked<'_, '_>,
    ) -> io::Result<Result<Answer, FileError>> {
        let Asked {
            request,
            sent,
            bytes,
            part,
        } = asked;
        let mut wants_more = true;
        let mut said_since_interrupted = 0_u32;
        let bytes_max = request.answer_bytes_max();
        self.counts.questions.fetch_add(1, Ordering::Relaxed);
        state.say(&ToReader::Request(request), sent)?;
        loop {
            match state.next(bytes)? {
                FromReader::Answer(_) if bytes.len() > bytes_max => {
                    let len = bytes.len();
                    let what =
                        format!("it answered with {len} bytes, and {bytes_max} were asked for");
                    return Err(io::Error::other(what));
                }
                FromReader::Answer(answer) => return Ok(answer.map_err(Into::into)),
                FromReader::ReadDisk {
                    disk,
                    offset,
                    len_bytes,
                } => {
                    let read = self.read_disk(disk, offset, len_bytes, bytes)?;
                    let sent = if read.is_ok() { bytes.as_slice() } else { &[] };
                    let read = ToReader::Disk(read.map_err(Into::into));
                    state.say(&read, sent)?;
                }
                FromReader::Extent {
                    disk,
                    offset,
                    max_bytes,
                } => {
                    let extent = self.disk_asked_for(disk)?.extent_at(offset, max_bytes);
                    let extent = extent.map(Into::into).map_err(Into::into);
                    state.say(&ToReader::Extent(extent), &[])?;
                }
                FromReader::Entries(_) if !wants_more => {
                    return Err(io::Error::other("it goes on with a list that is over"));
                }
                FromReader::Entries(entries) => {
                    wants_more = part(entries);
                    state.say(&ToReader::GoOn(wants_more), &[])?;
                }
            }
            // What is asked at that moment may end in order.
            said_since_interrupted += u32::from((self.interrupted)());
            if said_since_interrupted > SAID_MAX_INTERRUPTED {
                return Err(io::Error::other(
                    "it did not come to an end when the program was asked to stop",
                ));
            }
        }
    }

    fn disk_asked_for(&self, number: u32) -> io::Result<&Arc<dyn BlockDevice>> {
        self.disk(number).ok_or_else(|| {
            io::Error::other(format!("it asks for disk {number}, which there is not"))
        })
    }

    /// Reads for the reader. What it may not ask for ends the conversation; what the disk cannot give
    /// is the reader's to know.
    fn read_disk(
        &self,
        number: u32,
        offset: u64,
        len_bytes: u32,
        bytes: &mut Vec<u8>,
    ) -> io::Result<Result<(), block_io::DiskError>> {
        let disk = self.disk_asked_for(number)?;
        let len = usize::try_from(len_bytes).unwrap_or(usize::MAX);
        if len > frame::BYTES_MAX {
            return Err(io::Error::other(format!(
                "it asks for {len_bytes} bytes at once"
            )));
        }
        bytes.resize(len, 0);
        self.counts.disk_reads.fetch_add(1, Ordering::Relaxed);
        let len_bytes = u64::from(len_bytes);
        self.counts
            .disk_bytes
            .fetch_add(len_bytes, Ordering::Relaxed);
        Ok(disk.read_at(offset, bytes))
    }
}

/// A question, with all that belongs to it.
struct Asked<'a, 'p> {
    request: Request,
    /// Goes behind the request.
    sent: &'a [u8],
    /// Gets what stands behind the answer.
    bytes: &'a mut Vec<u8>,
    part: &'a mut Part<'p>,
}

impl State {
    /// Waits for what the reader says next.
    fn next(&mut self, bytes: &mut Vec<u8>) -> io::Result<FromReader> {
        self.watched(|state| frame::read(&mut *state.from, bytes))
    }

    /// Says something to the reader, which may not listen: a full pipe is waited for.
    fn say(&mut self, message: &ToReader, bytes: &[u8]) -> io::Result<()> {
        self.watched(|state| frame::write(&mut *state.to, message, bytes))
    }

    /// Does what the reader can keep waiting, while somebody watches for how long.
    fn watched<T>(&mut self, wait: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        let watched = self
            .process
            .as_ref()
            .map(|process| Arc::clone(&process.watched));
        if let Some(watched) = &watched {
            watched.set_waiting(true);
        }
        let done = wait(self);
        if let Some(watched) = &watched {
            watched.set_waiting(false);
        }
        done
    }

    /// Ends the reader, and says how it ended.
    fn end(&mut self, error: &io::Error) -> String {
        let how = self.process.take().map(|process| process.watched.end());
        format!(
            "the process that reads the guest's files ended{}: {error}; what it read is damaged, or \
             was made to harm it",
            how.unwrap_or_default()
        )
    }
}

pub(crate) fn no_parts(_: Vec<(FileName, NodeId)>) -> bool {
    false
}

fn failed(error: &io::Error) -> FileError {
    let what = format!("the process that reads the guest's files cannot be started: {error}");
    FileError::new(FileErrorKind::Unreadable, what)
}

#[cfg(test)]
mod tests;
