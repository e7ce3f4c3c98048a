//! Folders that were made on this machine, until they are finished.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use guest_files::{FileName, Node};

use super::identity::{Identity, identity};
use crate::take_out::About;

/// A folder that was made here.
pub(super) struct MadeFolder {
    pub(super) place: PathBuf,
    /// Which one it is: by the end something else may have its name.
    pub(super) identity: Option<Identity>,
    pub(super) path: Vec<FileName>,
    pub(super) node: Node,
    pub(super) about: About,
}

impl MadeFolder {
    /// Opens it, unless something else has its name by now.
    pub(super) fn open(&self) -> io::Result<File> {
        let folder = open_folder(&self.place)?;
        let about = folder.metadata()?;
        if !about.is_dir() || identity(&about) != self.identity {
            return Err(io::Error::other("it is another one now"));
        }
        Ok(folder)
    }

    /// Returns what remembering it until the end takes, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        let attributes = self.about.attributes.iter();
        let attributes = attributes.map(|attribute| attribute.name.len() + attribute.value.len());
        let names = self.path.iter().map(|name| name.as_bytes().len());
        let descriptor = self.about.security_descriptor.as_ref().map_or(0, Vec::len);
        let place = self.place.as_os_str().len();
        attributes.chain(names).sum::<usize>() + descriptor + place
    }
}

/// Makes a folder that nobody but this user may look into until it is finished.
#[cfg(unix)]
pub(super) fn make_private_folder(place: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(place)
}

/// Makes a folder, with the access list that its own folder hands down.
#[cfg(windows)]
pub(super) fn make_private_folder(place: &Path) -> io::Result<()> {
    fs::create_dir(place)
}

/// Opens a folder, never what a link leads to.
#[cfg(unix)]
fn open_folder(place: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(open(place, flags, Mode::empty())?))
}

/// Opens a folder, never what a link leads to.
#[cfg(windows)]
fn open_folder(place: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt as _;
    /// FILE_FLAG_BACKUP_SEMANTICS: without it a folder cannot be opened.
    const BACKUP_SEMANTICS: u32 = 0x0200_0000;
    /// FILE_FLAG_OPEN_REPARSE_POINT: a link itself, which is no folder then.
    const OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    fs::OpenOptions::new()
        .write(true)
        .custom_flags(BACKUP_SEMANTICS | OPEN_REPARSE_POINT)
        .open(place)
}

#[cfg(all(test, unix))]
mod tests {
    use guest_files::{NodeId, NodeKind, Owner, Times};

    use super::*;

    fn made(place: &Path) -> MadeFolder {
        make_private_folder(place).expect("a new folder");
        let about = fs::symlink_metadata(place).expect("it was made");
        MadeFolder {
            place: place.to_owned(),
            identity: identity(&about),
            path: Vec::new(),
            node: Node {
                id: NodeId { tree: 0, number: 1 },
                kind: NodeKind::Folder,
                size_bytes: 0,
                links: 1,
                times: Times::default(),
                owner: Owner::Windows { attributes: 0 },
            },
            about: About {
                attributes: Vec::new(),
                security_descriptor: Some(vec![0; 5000]),
            },
        }
    }

    #[test]
    fn a_folder_that_was_exchanged_is_not_finished_for_the_one_that_was_made() {
        let bench = tempfile::tempdir().unwrap();
        let (place, aside) = (bench.path().join("d"), bench.path().join("aside"));
        let made = made(&place);
        assert!(made.open().is_ok());
        fs::rename(&place, &aside).unwrap();
        std::os::unix::fs::symlink(&aside, &place).unwrap();
        assert!(made.open().is_err(), "a link was followed");
        fs::remove_file(&place).unwrap();
        fs::create_dir(&place).unwrap();
        assert!(made.open().is_err(), "it is another folder");
    }

    #[test]
    fn what_a_guest_says_of_a_folder_counts() {
        let bench = tempfile::tempdir().unwrap();
        let place = bench.path().join("d");
        let made = made(&place);
        assert!(made.held_bytes() >= 5000 + place.as_os_str().len());
    }
}
