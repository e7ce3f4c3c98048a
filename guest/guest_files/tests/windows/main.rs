//! Volumes as Windows has them, read here and by others.

#![cfg(target_os = "linux")]
#![expect(clippy::print_stderr, reason = "what was not tested must be seen")]
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot do its work fails the test"
)]

mod exfat;
mod fat;
mod images;
mod mounted;
mod ntfs;
mod ntfs_rare;
#[path = "../plain_runs/compare.rs"]
mod plain_runs;
mod walk;
mod wof;
