//! A run that lasts for days says that it is still under way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use crate::RepositoryError;
use crate::collect::SAY_EVERY;
use crate::domain_view::Shared;

/// The store is asked for its time once for this many packs: about half a gibibyte.
const PACKS_PER_LOOK: u64 = 16;

/// Keeps collectors from taking the first packs of a long run for garbage.
pub(crate) struct RunKeeper {
    shared: Arc<Shared>,
    /// When the run began, by the store's clock.
    began: SystemTime,
    packs: AtomicU64,
    said: Mutex<Said>,
}

struct Said {
    time: SystemTime,
    instant: Instant,
    object: Option<String>,
}

impl RunKeeper {
    pub(crate) fn new(shared: Arc<Shared>, began: SystemTime) -> Self {
        Self {
            shared,
            began,
            packs: AtomicU64::new(0),
            said: Mutex::new(Said {
                time: began,
                instant: Instant::now(),
                object: None,
            }),
        }
    }

    /// Says so, where it was not said for a day. Called before a pack is written.
    pub(crate) fn keep(&self) -> Result<(), RepositoryError> {
        let packs = self.packs.fetch_add(1, Ordering::Relaxed) + 1;
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if !packs.is_multiple_of(PACKS_PER_LOOK) && said.instant.elapsed() < SAY_EVERY {
            return Ok(());
        }
        let now = self.shared.store.now()?;
        let since = now.duration_since(said.time).unwrap_or_default();
        if since < SAY_EVERY && said.instant.elapsed() < SAY_EVERY {
            return Ok(());
        }
        let object = self.shared.put_run(self.began)?;
        if let Some(before) = said.object.replace(object) {
            // If this fails it is forgotten after three days.
            drop(self.shared.store.remove(&before));
        }
        (said.time, said.instant) = (now, Instant::now());
        Ok(())
    }
}

impl Drop for RunKeeper {
    fn drop(&mut self) {
        let said = self.said.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(object) = said.object.take() {
            drop(self.shared.store.remove(&object));
        }
    }
}
