//! Making the names in a folder durable.

use std::io;
use std::path::Path;

/// Returns once the names in a folder would survive a power cut. An empty path is the current
/// folder.
///
/// A file system that cannot flush a folder (some network shares, FUSE) has done what it can.
#[cfg(unix)]
pub fn flush_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    tolerate_what_cannot_be(std::fs::File::open(folder)?.sync_all())
}

/// Returns once the names in a folder would survive a power cut.
///
/// Windows has no flush of a folder: NTFS logs its changes.
#[cfg(not(unix))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "the unix version can fail, and the caller serves both"
)]
pub fn flush_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(any(unix, test))]
fn tolerate_what_cannot_be(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_flushed_is_no_failure_and_one_that_fails_is() {
        for kind in [io::ErrorKind::InvalidInput, io::ErrorKind::Unsupported] {
            tolerate_what_cannot_be(Err(kind.into())).unwrap();
        }
        assert!(tolerate_what_cannot_be(Err(io::ErrorKind::StorageFull.into())).is_err());
        flush_folder(Path::new("")).unwrap();
        flush_folder(&std::env::temp_dir()).unwrap();
    }
}
