//! A thread that owns an open point's guest, and does what it is asked, one thing after the other.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;

use guest_files::{FileName, GuestFile, NodeId};
use guest_reader::{Guest, VolumeFacts};

use crate::point_text::PointAbout;
use crate::view_point::OpenView;
use crate::{OpenedPoint, ViewError, ViewErrorKind, ViewPoint, folder_names};

/// Most files of one point that are open at once.
pub const OPEN_FILES_MAX: usize = 128;

/// What the thread works with. Open files borrow from the guest, which is why they live there.
pub(crate) struct Desk<'g> {
    pub(crate) guest: &'g dyn Guest,
    files: HashMap<u64, Box<dyn GuestFile + 'g>>,
    next_file: u64,
}

type Job = Box<dyn for<'g> FnOnce(&mut Desk<'g>) + Send>;

/// An open point.
pub(crate) struct GuestThread {
    jobs: Sender<Job>,
    is_over: AtomicBool,
    /// Its volumes' folders, those that are shown: name and number.
    pub(crate) folders: Vec<(FileName, u32)>,
    /// What its text says beside the states of its volumes.
    pub(crate) about: PointAbout,
    /// The states of its volumes, once somebody asked: then all are opened.
    pub(crate) states: OnceLock<Vec<String>>,
}

impl GuestThread {
    /// Opens a point in a thread of its own.
    pub(crate) fn start(open: &Arc<OpenView>, point: &ViewPoint) -> Result<Self, ViewError> {
        let (jobs, received) = channel::<Job>();
        let (told, opened) = sync_channel(1);
        let (open, of) = (Arc::clone(open), point.clone());
        let thread = thread::Builder::new().name("point".to_owned());
        let started = thread.spawn(move || match open(&of) {
            Ok(OpenedPoint { guest, names }) => {
                // Whoever asked may be gone; then the jobs end at once as well.
                drop(told.send(Ok((guest.facts().clone(), names))));
                work(&*guest, &received);
            }
            Err(why) => drop(told.send(Err(why))),
        });
        let failed = |why: String| {
            let what = format!("restore point {} cannot be opened: {why}", point.id);
            ViewError::new(ViewErrorKind::Unreadable, what)
        };
        started.map_err(|error| failed(error.to_string()))?;
        let opened = opened
            .recv()
            .map_err(|_| failed("its reader ended".to_owned()))?;
        let (facts, names) = opened.map_err(failed)?;
        Ok(Self {
            jobs,
            is_over: AtomicBool::new(false),
            folders: folders(&facts.volumes, &names.letters),
            about: PointAbout::new(point.clone(), facts, names),
            states: OnceLock::new(),
        })
    }

    /// Has the thread do something, and waits for it.
    ///
    /// # Errors
    ///
    /// `Unreadable` where the thread has ended.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        job: impl for<'g> FnOnce(&mut Desk<'g>) -> T + Send + 'static,
    ) -> Result<T, ViewError> {
        let (told, answer) = sync_channel(1);
        let sent = self
            .jobs
            .send(Box::new(move |desk| drop(told.send(job(desk)))));
        let answer = sent.ok().and_then(|()| answer.recv().ok());
        answer.ok_or_else(|| {
            self.is_over.store(true, Ordering::Relaxed);
            ViewError::new(
                ViewErrorKind::Unreadable,
                "the thread that reads the restore point ended",
            )
        })
    }

    /// Has the thread do something, whenever it comes to it.
    pub(crate) fn tell(&self, job: impl for<'g> FnOnce(&mut Desk<'g>) + Send + 'static) {
        // A thread that has ended has closed its files as well.
        drop(self.jobs.send(Box::new(job)));
    }

    /// Returns whether it will not answer any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Returns what is known of a volume.
    pub(crate) fn volume(&self, volume: u32) -> Option<&VolumeFacts> {
        let volume = usize::try_from(volume).ok()?;
        self.about.facts.volumes.get(volume)
    }
}

fn work(guest: &dyn Guest, jobs: &Receiver<Job>) {
    let mut desk = Desk {
        guest,
        files: HashMap::new(),
        next_file: 0,
    };
    for job in jobs {
        job(&mut desk);
        if guest.is_over() {
            // The point is opened anew for whoever asks next.
            break;
        }
    }
}

/// Returns the folders of volumes. What is a part of another volume has no files of its own, and no
/// folder; the point's text lists it.
fn folders(
    volumes: &[VolumeFacts],
    letters: &std::collections::BTreeMap<char, u32>,
) -> Vec<(FileName, u32)> {
    let names = folder_names::of_volumes(volumes, letters);
    let all = (0..).zip(volumes).zip(names);
    let shown = all.filter(|((_, volume), _)| volume.used_by.is_empty());
    shown
        .filter_map(|((number, _), name)| Some((folder_names::file_name(&name)?, number)))
        .collect()
}

impl Desk<'_> {
    /// Opens a file's content; the number stands for it from then on.
    pub(crate) fn open(&mut self, volume: u32, node: NodeId) -> Result<(u64, u64), ViewError> {
        if self.files.len() >= OPEN_FILES_MAX {
            let what = format!("{OPEN_FILES_MAX} files of the restore point are open already");
            return Err(ViewError::new(ViewErrorKind::TooMany, what));
        }
        let file = self.guest.open(volume)?.open(node, None)?;
        let size_bytes = file.size_bytes();
        let number = self.next_file;
        self.next_file += 1;
        self.files.insert(number, file);
        Ok((number, size_bytes))
    }

    /// Reads from an open file.
    pub(crate) fn read(&self, file: u64, offset: u64, len: usize) -> Result<Vec<u8>, ViewError> {
        let file = self.files.get(&file).ok_or_else(|| {
            ViewError::new(ViewErrorKind::NotFound, "the file is not open any more")
        })?;
        let rest = file.size_bytes().saturating_sub(offset);
        let len = usize::try_from(rest).unwrap_or(usize::MAX).min(len);
        let mut bytes = vec![0; len];
        file.read_exact_at(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Closes a file.
    pub(crate) fn close(&mut self, file: u64) {
        self.files.remove(&file);
    }
}
