//! A file by its path.

use guest_files::{FileError, FileName, GuestFile, GuestFileSystem};

/// Opens a file by the names of its path; `None` where there is no such thing.
pub(crate) fn open<'a>(
    system: &'a dyn GuestFileSystem,
    path: &[&str],
) -> Result<Option<Box<dyn GuestFile + 'a>>, FileError> {
    let mut at = system.root();
    for name in path {
        let Some(name) = FileName::new(name.as_bytes()) else {
            return Ok(None);
        };
        if system.node(at)?.kind != guest_files::NodeKind::Folder {
            return Ok(None);
        }
        match system.find(at, &name)? {
            Some(found) => at = found,
            None => return Ok(None),
        }
    }
    if system.node(at)?.kind != guest_files::NodeKind::File {
        return Ok(None);
    }
    system.open(at, None).map(Some)
}
