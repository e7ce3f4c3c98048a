//! BitLocker volumes: those that Windows made, and those that are made here and read by others too.

#![expect(clippy::unwrap_used, reason = "tests")]

mod files_inside;
mod hostile;
mod other_readers;
mod samples;
mod states;
