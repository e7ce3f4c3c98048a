//! Which file or folder of this machine something is, whatever it is called.

use std::fs::Metadata;

/// A device and a number on it.
pub(super) type Identity = (u64, u64);

/// Returns which one it is; none where the system does not tell.
#[cfg(unix)]
pub(super) fn identity(about: &Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    Some((about.dev(), about.ino()))
}

/// Returns which one it is; none where the system does not tell.
#[cfg(not(unix))]
pub(super) fn identity(_about: &Metadata) -> Option<Identity> {
    None
}
