//! Puts finished packs into the store.

use std::error::Error as _;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::domain_view::Shared;
use crate::format::PackKind;
use crate::write::index_writer::IndexWriter;
use crate::write::known_chunks::KnownChunks;
use crate::write::pack_builder::FinishedPack;
use crate::write::run_keeper::RunKeeper;
use crate::{RepositoryError, RepositoryErrorKind};

/// Packs that are written at the same time.
const UPLOADS: usize = 2;

/// What the uploader's threads share.
struct State {
    shared: Arc<Shared>,
    known: Arc<KnownChunks>,
    index: Arc<IndexWriter>,
    keeper: RunKeeper,
    /// The first write of the run that failed: nothing is written after it.
    failure: Mutex<Option<(RepositoryErrorKind, String)>>,
}

/// Puts finished packs into the store with threads of its own.
pub(crate) struct PackUploader {
    state: Arc<State>,
    queue: Option<SyncSender<(PackKind, FinishedPack)>>,
    threads: Vec<JoinHandle<()>>,
}

impl PackUploader {
    pub(crate) fn start(
        shared: Arc<Shared>,
        known: Arc<KnownChunks>,
        index: Arc<IndexWriter>,
        keeper: RunKeeper,
    ) -> Self {
        let state = Arc::new(State {
            shared,
            known,
            index,
            keeper,
            failure: Mutex::default(),
        });
        // Without room in between: a pack waits in the hands of the worker that filled it.
        let (queue, receiver) = sync_channel(0);
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = (0..UPLOADS)
            .map(|_| {
                let (state, receiver) = (Arc::clone(&state), Arc::clone(&receiver));
                std::thread::spawn(move || upload(&state, &receiver))
            })
            .collect();
        Self {
            state,
            queue: Some(queue),
            threads,
        }
    }

    /// Hands a pack over; waits while all threads are busy.
    pub(crate) fn put(&self, kind: PackKind, pack: FinishedPack) -> Result<(), RepositoryError> {
        self.check()?;
        let sent = self.queue.as_ref().map(|queue| queue.send((kind, pack)));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(RepositoryError::new(
                RepositoryErrorKind::Poisoned,
                "the threads that write packs have ended",
            )),
        }
    }

    /// Fails if any write of this run failed.
    pub(crate) fn check(&self) -> Result<(), RepositoryError> {
        self.state.check()
    }

    /// Makes every later call fail, if this one did.
    pub(crate) fn poison<T>(
        &self,
        result: Result<T, RepositoryError>,
    ) -> Result<T, RepositoryError> {
        result.inspect_err(|error| self.state.fail(error))
    }
}

impl Drop for PackUploader {
    fn drop(&mut self) {
        drop(self.queue.take());
        for thread in self.threads.drain(..) {
            // The packs of a thread that panicked are lost, and their tickets have said so.
            drop(thread.join());
        }
    }
}

fn upload(state: &State, receiver: &Mutex<Receiver<(PackKind, FinishedPack)>>) {
    loop {
        let next = receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok((kind, pack)) = next else { return };
        // After a failure packs are dropped unwritten: nobody will refer to them.
        if state.check().is_ok()
            && let Err(error) = state.put(kind, pack)
        {
            state.fail(&error);
        }
    }
}

impl State {
    fn put(&self, kind: PackKind, pack: FinishedPack) -> Result<(), RepositoryError> {
        self.keeper.keep()?;
        let bytes = &pack.buffer.bytes;
        self.shared.store.put_new(&pack.id.object_name(), bytes)?;
        self.index
            .list(kind, pack.id, bytes.len() as u64, &pack.entries)
            // A pack that cannot be listed counts as lost; the next run finds it by its trailer.
            .map(|()| pack.ticket.durable())
    }

    fn check(&self) -> Result<(), RepositoryError> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match &*failure {
            None => Ok(()),
            Some((kind, message)) => Err(RepositoryError::new(*kind, message.clone())),
        }
    }

    fn fail(&self, error: &RepositoryError) {
        let cause = error.source().map(|cause| format!(": {cause}"));
        let message = format!("{error}{}", cause.unwrap_or_default());
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert((error.kind(), message));
        self.known.abandon();
    }
}
