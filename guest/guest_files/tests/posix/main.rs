//! What we show of a volume of Linux is what Linux shows of it.
//!
//! Volumes are made by the real tools. The judge is the kernel, which mounts a copy of each through a
//! loop device; where that may not be done, the folder that `mkfs` filled the volume from.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot do its work fails the test"
)]
#![expect(clippy::print_stderr, reason = "what was not tested must be seen")]

mod btrfs;
mod compare;
mod ext;
mod image;
#[path = "../plain_runs/compare.rs"]
mod plain_runs;
mod samples;
mod tree;
mod xfs;
