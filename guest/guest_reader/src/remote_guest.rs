//! A guest that another process reads.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use block_io::{BlockDevice, Place};
use guest_files::{FileError, FileErrorKind, GuestFileSystem};

use crate::guest::{DisksFacts, Guest, PLACES_MAX, SystemFacts, no_volume};
use crate::message::{Answer, Request};
use crate::reader_process::{Conversation, Traffic};
use crate::remote_file_system::RemoteFileSystem;
use crate::remote_volume::RemoteVolume;
use crate::secrets::Secrets;
use crate::watch::Interrupted;

/// How often a reading process that ended is followed by another.
const RESTARTS_MAX: u32 = 16;

/// How a reading process is started.
pub struct ReaderStart {
    /// Makes the command, which has to call [`crate::serve_confined`].
    pub command: Box<dyn Fn() -> Command + Send + Sync>,
    /// Says whether the person asked to stop: then a process that does not answer is ended, and none
    /// is started any more.
    pub interrupted: Interrupted,
}

/// A guest whose volumes and files a confined process reads.
///
/// Where a volume brings the process down, what was open in it is gone, and says so; other volumes are
/// opened in the next process.
pub struct RemoteGuest {
    start: ReaderStart,
    disks: Vec<Arc<dyn BlockDevice>>,
    secrets: Secrets,
    running: Mutex<Running>,
    facts: DisksFacts,
    systems: Vec<OnceLock<RemoteFileSystem>>,
}

struct Running {
    conversation: Arc<Conversation>,
    restarts: u32,
}

impl RemoteGuest {
    /// Starts a reading process and asks it which volumes the disks have, also inside of the encrypted
    /// volumes that one of the secrets opens.
    ///
    /// # Errors
    ///
    /// `Unreadable` where the process cannot be started or ends; `Disk`.
    pub fn start(
        start: ReaderStart,
        disks: Vec<Arc<dyn BlockDevice>>,
        secrets: Secrets,
    ) -> Result<Self, FileError> {
        let conversation =
            Conversation::start((start.command)(), disks.clone(), start.interrupted)?;
        Self::of(conversation, start, disks, secrets)
    }

    /// Asks who runs [`crate::serve`] at the other end of these pipes, in whatever process that is.
    /// None follows it.
    ///
    /// # Errors
    ///
    /// Those of [`RemoteGuest::start`].
    pub fn over(
        from: impl Read + Send + 'static,
        to: impl Write + Send + 'static,
        disks: Vec<Arc<dyn BlockDevice>>,
    ) -> Result<Self, FileError> {
        let start = ReaderStart {
            command: Box::new(|| Command::new("")),
            interrupted: || false,
        };
        let conversation = Conversation::over(from, to, None, disks.clone(), start.interrupted);
        Self::of(conversation, start, disks, Secrets::default())
    }

    /// Returns what has passed between the program and its reader since that was started.
    pub fn traffic(&self) -> Traffic {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.conversation.traffic()
    }

    fn of(
        conversation: Conversation,
        start: ReaderStart,
        disks: Vec<Arc<dyn BlockDevice>>,
        secrets: Secrets,
    ) -> Result<Self, FileError> {
        let facts = conversation.greet(&secrets)?;
        let running = Running {
            conversation: Arc::new(conversation),
            restarts: 0,
        };
        Ok(Self {
            start,
            disks,
            secrets,
            running: Mutex::new(running),
            systems: facts.volumes.iter().map(|_| OnceLock::new()).collect(),
            facts,
        })
    }

    /// Returns the conversation; with a new process where the last one ended.
    fn conversation(&self) -> Result<Arc<Conversation>, FileError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = running.restarts >= RESTARTS_MAX || (self.start.interrupted)();
        if is_over || !running.conversation.is_over() {
            return Ok(Arc::clone(&running.conversation));
        }
        running.restarts += 1;
        let (command, disks) = ((self.start.command)(), self.disks.clone());
        let conversation = Conversation::start(command, disks, self.start.interrupted)?;
        if conversation.greet(&self.secrets)? != self.facts {
            let what = "the process that reads the guest's files ended, and the next one found other \
                        volumes on the same disks";
            return Err(FileError::new(FileErrorKind::Unreadable, what));
        }
        running.conversation = Arc::new(conversation);
        Ok(Arc::clone(&running.conversation))
    }
}

impl Guest for RemoteGuest {
    fn facts(&self) -> &DisksFacts {
        &self.facts
    }

    fn open(&self, number: u32) -> Result<&dyn GuestFileSystem, FileError> {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let place = self.systems.get(at).ok_or_else(|| no_volume(number))?;
        if let Some(open) = place.get() {
            return Ok(open);
        }
        let conversation = self.conversation()?;
        let request = Request::Open { volume: number };
        let (about, root) = conversation.ask(request, |answer| match answer {
            Answer::Opened { about, root } => Some((about, root)),
            _ => None,
        })?;
        Ok(place.get_or_init(|| RemoteFileSystem {
            conversation,
            volume: number,
            about,
            root,
        }))
    }

    fn used_bytes(&self, number: u32) -> Result<Option<u64>, FileError> {
        let request = Request::Used { volume: number };
        self.conversation()?.ask(request, |answer| match answer {
            Answer::Used(used) => Some(used),
            _ => None,
        })
    }

    fn system(&self, number: u32) -> Result<SystemFacts, FileError> {
        let request = Request::System { volume: number };
        self.conversation()?.ask(request, |answer| match answer {
            Answer::System(facts) => Some(facts),
            _ => None,
        })
    }

    fn volume_places(&self, number: u32, offset: u64, max: usize) -> Result<Vec<Place>, FileError> {
        let max = max.min(PLACES_MAX);
        let request = Request::VolumePlaces {
            volume: number,
            offset,
            max: u32::try_from(max).unwrap_or(u32::MAX),
        };
        let conversation = self.conversation()?;
        let is_on_disk = |place: &Place| {
            place.len_bytes > 0 && conversation.has(place.disk, place.offset, place.len_bytes)
        };
        conversation.ask(request, |answer| match answer {
            Answer::VolumePlaces(places) if places.len() <= max => {
                let places: Vec<Place> = places.into_iter().map(Into::into).collect();
                places.iter().all(is_on_disk).then_some(places)
            }
            _ => None,
        })
    }

    fn volume(&self, number: u32) -> Result<Arc<dyn BlockDevice>, FileError> {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(facts) = self.facts.volumes.get(at) else {
            return Err(no_volume(number));
        };
        let volume = RemoteVolume::open(self.conversation()?, number, facts.size_bytes)?;
        Ok(Arc::new(volume))
    }

    fn is_over(&self) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // What was open in a process that ended is not open in the one that followed.
        running.restarts > 0 || running.conversation.is_over()
    }
}

#[cfg(test)]
mod tests;
