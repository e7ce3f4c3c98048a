//! The built program, from end to end.

mod commands;
mod deduplication;
mod exit_codes;
mod sandbox;
#[cfg(unix)]
mod signals;
mod whole_path;
