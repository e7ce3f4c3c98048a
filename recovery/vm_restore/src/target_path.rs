//! Where a restored file may go.

use std::path::{Path, PathBuf};

use block_io::{DiskError, DiskErrorKind};

/// Joins a stream's name to `folder`, unless it could lead anywhere else on any system.
///
/// A name in a point was written by the host that made it; a restore does not take its word.
pub(crate) fn target_path(folder: &Path, name: &str) -> Result<PathBuf, DiskError> {
    let part_is_good = |part: &str| {
        let forbidden =
            |c: char| c.is_control() || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
        !matches!(part, "" | "." | "..")
            && !part.contains(forbidden)
            && !part.ends_with(['.', ' '])
            && part.len() <= 255
    };
    if name.len() > 1024 || !name.split('/').all(part_is_good) {
        let what = format!("the restore point names a file {name:?}, which is not a safe name");
        return Err(DiskError::new(DiskErrorKind::OutsideRoot, what)
            .hint("restore the disks one by one with `lifeboat restore disk`"));
    }
    Ok(name
        .split('/')
        .fold(folder.to_owned(), |path, part| path.join(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_the_folder() {
        let folder = Path::new("folder");
        let path = target_path(folder, "Virtual Machines/a.vmcx").unwrap();
        assert_eq!(path, folder.join("Virtual Machines").join("a.vmcx"));
        for name in [
            "", "/a", "a/../b", "..", "a//b", "C:/a", "a\\b", "a/", "a\0", "a.", "nul:",
        ] {
            assert!(target_path(folder, name).is_err(), "{name:?}");
        }
    }
}
