//! The program's side: a reading process, and what it is asked.

use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use block_io::BlockDevice;
use guest_files::{FileError, FileErrorKind};

use crate::frame;
use crate::message::{Answer, DiskFacts, FromReader, Request, ToReader};

/// Called with each part of a folder's list; returns whether to go on.
pub(crate) type Part<'a> =
    dyn FnMut(Vec<(guest_files::FileName, guest_files::NodeId)>) -> bool + 'a;

/// A conversation with a reader. One question is open at a time; the others wait.
pub(crate) struct Conversation {
    disks: Vec<Arc<dyn BlockDevice>>,
    state: Mutex<State>,
}

struct State {
    from: Box<dyn Read + Send>,
    to: Box<dyn Write + Send>,
    child: Option<Child>,
    /// Why nothing more is asked.
    broken: Option<String>,
}

impl Conversation {
    /// Starts a reading process: `command` has to call [`crate::serve`] on its standard input and
    /// output, after [`crate::confine`].
    pub(crate) fn start(
        mut command: Command,
        disks: Vec<Arc<dyn BlockDevice>>,
    ) -> Result<Self, FileError> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .env_clear();
        // Ctrl-C is for the program, which ends its reader when it has heard.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(&io::Error::other("it has no pipes")));
        };
        Ok(Self::over(from, to, Some(child), disks))
    }

    pub(crate) fn over(
        from: impl Read + Send + 'static,
        to: impl Write + Send + 'static,
        child: Option<Child>,
        disks: Vec<Arc<dyn BlockDevice>>,
    ) -> Self {
        let state = State {
            from: Box::new(from),
            to: Box::new(to),
            child,
            broken: None,
        };
        Self {
            disks,
            state: Mutex::new(state),
        }
    }

    /// Returns the first request: what the disks are.
    pub(crate) fn greeting(&self) -> Request {
        let facts = self.disks.iter().map(|disk| DiskFacts {
            size_bytes: disk.size_bytes(),
            sector_bytes: disk.sector_bytes(),
            physical_sector_bytes: disk.physical_sector_bytes(),
        });
        Request::Volumes(facts.collect())
    }

    /// Returns whether the reader has ended.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.broken.is_some()
    }

    /// Asks, serves what the reader needs meanwhile, and returns its answer; `bytes` gets what stands
    /// behind it.
    pub(crate) fn ask(
        &self,
        request: Request,
        bytes: &mut Vec<u8>,
        part: &mut Part<'_>,
    ) -> Result<Answer, FileError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &state.broken {
            return Err(FileError::new(FileErrorKind::Unreadable, why.clone()));
        }
        let answer = self.converse(&mut state, request, bytes, part);
        answer.unwrap_or_else(|error| {
            let why = state.end(&error);
            state.broken = Some(why.clone());
            Err(FileError::new(FileErrorKind::Unreadable, why))
        })
    }

    fn converse(
        &self,
        state: &mut State,
        request: Request,
        bytes: &mut Vec<u8>,
        part: &mut Part<'_>,
    ) -> io::Result<Result<Answer, FileError>> {
        frame::write(&mut *state.to, &ToReader::Request(request), &[])?;
        loop {
            match frame::read(&mut *state.from, bytes)? {
                FromReader::Answer(answer) => return Ok(answer.map_err(Into::into)),
                FromReader::ReadDisk {
                    disk,
                    offset,
                    len_bytes,
                } => {
                    let read = self.read_disk(disk, offset, len_bytes, bytes)?;
                    let sent = if read.is_ok() { bytes.as_slice() } else { &[] };
                    frame::write(
                        &mut *state.to,
                        &ToReader::Disk(read.map_err(Into::into)),
                        sent,
                    )?;
                }
                FromReader::Extent {
                    disk,
                    offset,
                    max_bytes,
                } => {
                    let extent = self.disk(disk)?.extent_at(offset, max_bytes);
                    let extent = extent.map(Into::into).map_err(Into::into);
                    frame::write(&mut *state.to, &ToReader::Extent(extent), &[])?;
                }
                FromReader::Entries(entries) => {
                    let more = part(entries);
                    frame::write(&mut *state.to, &ToReader::GoOn(more), &[])?;
                }
            }
        }
    }

    fn disk(&self, number: u32) -> io::Result<&Arc<dyn BlockDevice>> {
        let disk = usize::try_from(number)
            .ok()
            .and_then(|at| self.disks.get(at));
        disk.ok_or_else(|| {
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
        let disk = self.disk(number)?;
        let len = usize::try_from(len_bytes).unwrap_or(usize::MAX);
        if len > frame::BYTES_MAX {
            return Err(io::Error::other(format!(
                "it asks for {len_bytes} bytes at once"
            )));
        }
        bytes.resize(len, 0);
        Ok(disk.read_at(offset, bytes))
    }
}

impl State {
    /// Ends the reader, and says how it ended.
    fn end(&mut self, error: &io::Error) -> String {
        let ended = self.child.take().map(|mut child| {
            // It may have ended by itself; then there is nothing to kill.
            let _ = child.kill();
            child.wait()
        });
        let how = match ended {
            Some(Ok(status)) => format!(" ({status})"),
            _ => String::new(),
        };
        format!(
            "the process that reads the guest's files ended{how}: {error}; what it read is damaged, \
             or was made to harm it"
        )
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It ends by itself once its input does; nobody waits for one that does not.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn failed(error: &io::Error) -> FileError {
    let what = format!("the process that reads the guest's files cannot be started: {error}");
    FileError::new(FileErrorKind::Unreadable, what)
}
