//! What runs are about to make on a host, written down first.
//!
//! ```text
//!   <vm>.<run>.json.lock    held by the operating system while the run lives
//!   <vm>.<run>.json         the entry; replaced whole, flushed before the host is asked
//!
//!   begin ─► change ─► … ─► close          a run that did what it should
//!      └──────────────── dies ─► entries ─► Dead ─► change … close      another run, or doctor
//! ```
//!
//! An entry without a held lock is one of a run that died: the operating system lets go of the
//! lock with the process, and with the machine. An entry that is closed is gone; nothing is
//! remembered of runs that left nothing behind.
//!
//! # Bounds
//!
//! An entry has at most 1 MiB and a folder 100,000 files. What cannot be read is reported and left
//! where it is: it may be a newer version's.

mod entry;
mod entry_lock;
mod folder;
mod open_entry;

pub(crate) use entry::{Before, FoundState, JournalEntry, RestoreEntry};
pub(crate) use folder::{Journal, Recorded};
pub(crate) use open_entry::OpenEntry;

#[cfg(test)]
mod tests;
