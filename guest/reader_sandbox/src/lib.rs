//! What Windows takes from the process that reads guests, and holds it in. For Windows alone: on
//! other systems there is nothing in it.
//!
//! ```text
//!   the program ── Job::around ──► a job: memory, one process, no desktop, ends with the program
//!   the reading process, in it ── lower_own_rights ──► no privileges, low integrity
//! ```
//!
//! # What it holds
//!
//! A process in the job has no more memory than it was given, starts no other process, reads and
//! changes neither clipboard nor desktop, and is ended when the program ends, in whatever way. At low
//! integrity it writes to nothing of its user's: files, registry, other processes.
//!
//! # What it does not hold
//!
//! It may read the files that its user may read, and open network connections: Windows takes these from
//! a process only where it is started with another token, in an app container. It is a second fence
//! around memory-safe readers, and a lower one than Linux' (`guest_reader::confine`).
//!
//! Sources: winnt.h, jobapi2.h and securitybaseapi.h of the Windows SDK; "Mandatory Integrity Control".

#![deny(unsafe_code)]

#[cfg(windows)]
mod native;

#[cfg(windows)]
pub use native::{Job, lower_own_rights};
