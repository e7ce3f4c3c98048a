//! Room that a folder keeps for what must be written when there is none.
//!
//! Deleting garbage needs a few small objects first (format page, section 11, "A full disk"). So
//! a file of random bytes, which no file system compresses away, is given up for them.

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{FolderSystem, folder_space};

/// Its name, which no object can have.
pub(super) const RESERVE: &str = ".reserve";
/// How much it keeps, in bytes.
pub(super) const RESERVE_BYTES: usize = 256 << 10;
/// It is given up for objects that are smaller than this, in bytes.
const SMALL_BYTES: usize = 64 << 10;
/// What must be free beside it before it is made, in bytes: so it does not take back at once the
/// room that it gave up.
const FREE_BYTES: u64 = 1 << 20;

/// What is known of the reserve of a folder.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nobody has looked yet.
    #[default]
    Nothing,
    /// It was there.
    There,
    /// There was no room for it, or it was given up.
    Absent,
}

/// The reserve of a folder.
#[derive(Debug, Default)]
pub(super) struct Reserve(Mutex<Known>);

impl Reserve {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the reserve up where that may make room for what failed; returns whether it did.
    pub(super) fn gives_way(
        &self,
        root: &Path,
        system: &dyn FolderSystem,
        len: usize,
        error: &io::Error,
    ) -> bool {
        let is_full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        if !is_full || len >= SMALL_BYTES {
            return false;
        }
        let path = root.join(RESERVE);
        let mut known = self.lock();
        // Another thread may have given it up a moment ago, and left room.
        let was_there = path.exists() || *known == Known::There;
        *known = Known::Absent;
        was_there && system.remove(&path).is_ok()
    }

    /// Makes the reserve where it is not there and there is room. Failing to is no failure: the
    /// next object tries again.
    pub(super) fn keep(&self, root: &Path, system: &dyn FolderSystem) {
        let mut known = self.lock();
        if *known == Known::There {
            return;
        }
        let path = root.join(RESERVE);
        let there = || {
            let metadata = path.metadata().ok();
            metadata.is_some_and(|metadata| metadata.len() == RESERVE_BYTES as u64)
        };
        let wanted = RESERVE_BYTES as u64 + FREE_BYTES;
        let has_room = || folder_space(root).is_ok_and(|space| space.free_bytes >= wanted);
        *known = match there() || (has_room() && make(&path, system).is_ok()) {
            true => Known::There,
            false => Known::Absent,
        };
    }
}

fn make(path: &Path, system: &dyn FolderSystem) -> io::Result<()> {
    let mut bytes = vec![0; RESERVE_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    // What a crash left of one is too short.
    system.remove(path)?;
    let made = system
        .write_new(path, &bytes)
        .and_then(|()| system.flush_file(path));
    if made.is_err() {
        // As much as fits is no reserve, and takes the room of what is needed.
        drop(system.remove(path));
    }
    made
}
