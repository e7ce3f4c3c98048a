//! The built program, from end to end.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot do its work fails the test"
)]

mod all_checkpoints;
#[cfg(target_os = "linux")]
mod boots;
mod commands;
mod copies;
mod deduplication;
mod doctor;
mod elsewhere;
mod exit_codes;
#[cfg(unix)]
mod files;
#[cfg(unix)]
mod files_bitlocker;
#[cfg(unix)]
mod files_compare;
#[cfg(unix)]
mod files_export;
#[cfg(target_os = "linux")]
mod files_get;
#[cfg(target_os = "linux")]
mod files_mount;
mod files_of_checkpoints;
#[cfg(unix)]
mod files_reader;
#[cfg(unix)]
mod files_webdav;
mod independent_reader;
mod keys;
mod on_s3;
mod repairing;
mod restoring;
mod restoring_cluster;
mod restoring_many;
mod retention;
#[cfg(unix)]
mod running;
mod sandbox;
#[cfg(unix)]
mod serving;
#[cfg(unix)]
mod signals;
mod simulated_cluster;
mod simulated_host;
mod through_writer;
mod whole_path;
