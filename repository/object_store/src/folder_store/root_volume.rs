//! Whether the root of a store is on the volume that it was on.

use std::error::Error;
use std::fmt;
use std::fs;

/// The folder of a store is not where it was.
#[derive(Debug)]
pub(super) struct RootGone;

impl fmt::Display for RootGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the folder of the store is gone")
    }
}

impl Error for RootGone {}

/// What tells one mounted volume from another, where the system says it.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "another system does not say it")]
pub(super) fn volume_of(metadata: &fs::Metadata) -> Option<u64> {
    Some(std::os::unix::fs::MetadataExt::dev(metadata))
}

#[cfg(not(unix))]
pub(super) fn volume_of(_: &fs::Metadata) -> Option<u64> {
    None
}
