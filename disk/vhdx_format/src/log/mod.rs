//! The log (MS-VHDX 2.3): a ring of 4 KiB sectors that makes metadata updates atomic.
//!
//! ```text
//!   Ring ── LogEntry::read at each sector ──> entries ── find_active ──> the active sequence
//!                                                                              │ replay
//!                                                    Patch: sectors and zero ranges over the file
//! ```

mod entry;
mod patch;
mod replay;
mod ring;

pub(crate) use entry::encode_entry;
pub(crate) use patch::Patch;
pub(crate) use replay::replay;
pub(crate) use ring::Ring;
