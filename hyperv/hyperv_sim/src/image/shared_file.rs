//! Files with two names: that of a disk, and that in a snapshot of its volume.
//!
//! Disks are large, snapshots many. Where a file can have two names, a snapshot is another name,
//! and whoever changes the file in place gives it a copy of its own first. All other files of the
//! host are small or are replaced as a whole.

use std::fs;
use std::io;
use std::path::Path;

use block_io::DiskError;

/// Makes `target` hold what `source` holds now, whatever happens to `source` later.
pub(crate) fn share_or_copy(source: &Path, target: &Path) -> io::Result<()> {
    if is_changed_through_us(source) && fs::hard_link(source, target).is_ok() {
        return Ok(());
    }
    fs::copy(source, target).map(|_| ())
}

/// Returns whether a file is only ever changed in place by those who call [`unshare`].
fn is_changed_through_us(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let is_image = extension.is_some_and(|own| {
        let own = own.to_ascii_lowercase();
        ["vhd", "vhdx", "avhd", "avhdx"].contains(&own.as_str())
    });
    // Elsewhere nothing tells whether a file has a second name.
    cfg!(unix) && is_image
}

/// Gives a file that has another name too a copy of its own, before it is changed in place.
pub(crate) fn unshare(path: &Path) -> Result<(), DiskError> {
    if !is_shared(path) {
        return Ok(());
    }
    let name = path.display().to_string();
    let failed = |error| DiskError::io(&name, "cannot copy", error);
    let own = path.with_extension("unshared");
    fs::copy(path, &own).map_err(failed)?;
    fs::rename(&own, path).map_err(failed)
}

#[cfg(unix)]
fn is_shared(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    path.metadata().is_ok_and(|metadata| metadata.nlink() > 1)
}

#[cfg(not(unix))]
fn is_shared(_path: &Path) -> bool {
    false
}
