//! Files taken out into a folder of this machine.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use guest_files::{FileName, Link, LinkKind, Node, Stream};

use super::fill::fill;
use super::identity::{Identity, identity};
use super::kept_about::{keep_all, keep_of_link, keep_times};
use super::local_name::local_name;
use super::made_folder::{MadeFolder, make_private_folder};
use super::new_file::{NewFile, Unpublished};
use super::{FileTarget, Kept, Lost, TargetError, joined};
use crate::take_out::{About, Source};

/// Most bytes that are kept of folders until the end, with their attributes; beyond it these are not.
const FOLDERS_MAX_BYTES: usize = 256 << 20;

/// How files are written into a folder.
#[derive(Debug, Clone, Copy, Default)]
pub struct FolderOptions {
    /// Files that exist are replaced, each when the new one is whole.
    pub overwrite: bool,
    /// Files are given to the owners that they have in the guest, with set-id bits and with the
    /// attributes that this machine's kernel goes by. Otherwise they are this user's.
    pub owners: bool,
}

/// A folder of this machine.
pub struct FolderTarget {
    root: PathBuf,
    options: FolderOptions,
    /// Folders that were made here, and what they get at the end: each file that is written into one
    /// changes its times, and a list of rights would be handed down to what is put in.
    folders: Vec<MadeFolder>,
    held_bytes: usize,
    /// The folder that was written into last, and where it is.
    parent: Option<(Vec<FileName>, PathBuf)>,
    /// What this run made, where the system tells which file is which. Where it tells no case apart,
    /// a guest's `A` and `a` are one place here, though their paths are two.
    made: HashSet<Identity>,
    /// Folders that would have been another one of this run.
    refused: HashSet<PathBuf>,
    finished: bool,
}

impl FolderTarget {
    /// Writes under `root`, which is made where it does not exist.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn new(root: &Path, options: FolderOptions) -> Result<Self, TargetError> {
        fs::create_dir_all(root).map_err(|error| TargetError::io(root.display(), error))?;
        Ok(Self {
            root: root.to_owned(),
            options,
            folders: Vec::new(),
            held_bytes: 0,
            parent: None,
            made: HashSet::new(),
            refused: HashSet::new(),
            finished: false,
        })
    }

    /// Returns where a path lies here.
    fn place(&mut self, path: &[FileName], kept: &mut Kept) -> Result<PathBuf, TargetError> {
        let Some((last, folders)) = path.split_last() else {
            return Ok(self.root.clone());
        };
        let (name, is_other) = local_name(last);
        if is_other {
            kept.lose("names that this system does not allow (they are written with %)");
        }
        Ok(self.parent(folders)?.join(name))
    }

    /// Returns where a folder lies here. It and those above have to be folders, not links to some: a
    /// guest could name a link and a folder alike for a system that does not tell case apart.
    fn parent(&mut self, path: &[FileName]) -> Result<&Path, TargetError> {
        if self.parent.as_ref().is_none_or(|(known, _)| known != path) {
            let mut place = self.root.clone();
            for name in path {
                place.push(local_name(name).0);
                if self.refused.contains(&place) {
                    return Err(same_place(&place));
                }
                let about = fs::symlink_metadata(&place);
                if !about.is_ok_and(|about| about.is_dir()) {
                    let what = format!("{} is no folder here", place.display());
                    return Err(TargetError::of_file(what));
                }
            }
            self.parent = Some((path.to_vec(), place));
        }
        Ok(self.parent.as_ref().map_or(&self.root, |(_, place)| place))
    }

    /// Looks whether a file may be written there, before all of it is read.
    fn check_free(&self, place: &Path) -> Result<(), TargetError> {
        match fs::symlink_metadata(place) {
            Ok(there) if self.is_made(&there) => Err(same_place(place)),
            Ok(there) if self.options.overwrite && !there.is_dir() => Ok(()),
            Ok(_) => Err(of_place(place, io::ErrorKind::AlreadyExists.into())),
            Err(_) => Ok(()),
        }
    }

    /// Returns whether something is of this run.
    fn is_made(&self, there: &fs::Metadata) -> bool {
        identity(there).is_some_and(|identity| self.made.contains(&identity))
    }

    /// Remembers what was made, so that nothing of this run replaces it.
    fn remember(&mut self, about: io::Result<fs::Metadata>) -> Option<Identity> {
        let identity = about.ok().as_ref().and_then(identity);
        self.made.extend(identity);
        identity
    }

    fn finish_folders(&mut self) -> Lost {
        self.finished = true;
        let mut lost = Lost::default();
        // The deepest first, so that none is changed after its times were set.
        while let Some(made) = self.folders.pop() {
            let mut kept = Kept::all();
            match made.open() {
                Ok(folder) => {
                    let owners = self.options.owners;
                    keep_all(&folder, &made.node, &made.about, owners, &mut kept);
                }
                Err(_) => kept.lose("permissions and times of folders"),
            }
            lost.add(&made.path, kept);
        }
        lost
    }
}

impl FileTarget for FolderTarget {
    fn folder(
        &mut self,
        path: &[FileName],
        node: &Node,
        about: &About,
    ) -> Result<Kept, TargetError> {
        let mut kept = Kept::all();
        let place = self.place(path, &mut kept)?;
        match make_private_folder(&place) {
            Ok(()) => {
                let identity = self.remember(fs::symlink_metadata(&place));
                let mut made = MadeFolder {
                    place,
                    identity,
                    path: path.to_vec(),
                    node: node.clone(),
                    about: about.clone(),
                };
                self.held_bytes = self.held_bytes.saturating_add(made.held_bytes());
                if self.held_bytes > FOLDERS_MAX_BYTES {
                    kept.lose("attributes of folders (there are too many)");
                    made.about = About::default();
                }
                self.folders.push(made);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // One that was there before stays as it is.
                let there = fs::symlink_metadata(&place);
                let there = there.ok().filter(fs::Metadata::is_dir);
                let Some(there) = there else {
                    return Err(of_place(&place, error));
                };
                if self.is_made(&there) {
                    let failed = same_place(&place);
                    self.refused.insert(place);
                    return Err(failed);
                }
            }
            Err(error) => return Err(of_place(&place, error)),
        }
        Ok(kept)
    }

    fn file(
        &mut self,
        path: &[FileName],
        node: &Node,
        about: &About,
        content: &mut Source<'_>,
    ) -> Result<Kept, TargetError> {
        let mut kept = Kept::all();
        let place = self.place(path, &mut kept)?;
        self.check_free(&place)?;
        let mut new = NewFile::beside(&place).map_err(|error| of_place(&place, error))?;
        fill(&mut new.file, &place, content)?;
        keep_all(&new.file, node, about, self.options.owners, &mut kept);
        let made = new.file.metadata();
        make_durable(&new.file).map_err(|error| of_place(&place, error))?;
        new.publish(&place, self.options.overwrite)
            .map_err(|error| of_place(&place, error))?;
        self.remember(made);
        Ok(kept)
    }

    fn holds_streams(&self) -> bool {
        cfg!(windows)
    }

    fn stream(
        &mut self,
        path: &[FileName],
        node: &Node,
        stream: &Stream,
        content: &mut Source<'_>,
    ) -> Result<Kept, TargetError> {
        let mut kept = Kept::all();
        let place = self.place(path, &mut kept)?;
        let (name, _) = local_name(&stream.name);
        let mut with_stream = place.into_os_string();
        with_stream.push(":");
        with_stream.push(name);
        let with_stream = PathBuf::from(with_stream);
        let made = File::create_new(&with_stream);
        let mut file = made.map_err(|error| of_place(&with_stream, error))?;
        fill(&mut file, &with_stream, content)?;
        // Writing it changed the times of the file that it belongs to.
        keep_times(&file, node, &mut kept);
        make_durable(&file).map_err(|error| of_place(&with_stream, error))?;
        Ok(kept)
    }

    fn link(
        &mut self,
        path: &[FileName],
        node: &Node,
        link: &Link,
        about: &About,
    ) -> Result<Kept, TargetError> {
        let mut kept = Kept::all();
        let place = self.place(path, &mut kept)?;
        self.check_free(&place)?;
        let new = Unpublished::symbolic(&place, |place| make_link(place, link));
        let new = new.map_err(|error| of_place(&place, error))?;
        if link.kind == LinkKind::Junction {
            kept.lose("junctions (they are symbolic links here)");
        }
        keep_of_link(new.path(), node, about, self.options.owners, &mut kept);
        let made = fs::symlink_metadata(new.path());
        new.publish(&place, self.options.overwrite)
            .map_err(|error| of_place(&place, error))?;
        self.remember(made);
        Ok(kept)
    }

    fn same_file(&mut self, path: &[FileName], first: &[FileName]) -> Result<bool, TargetError> {
        let mut kept = Kept::all();
        let first = self.place(first, &mut kept)?;
        let place = self.place(path, &mut kept)?;
        self.check_free(&place)?;
        // Some file systems have no second names: then it is written again.
        let Ok(new) = Unpublished::link(&first, &place) else {
            return Ok(false);
        };
        new.publish(&place, self.options.overwrite)
            .map_err(|error| of_place(&place, error))?;
        Ok(true)
    }

    fn place_key(&self, path: &[FileName]) -> Vec<u8> {
        if !cfg!(windows) {
            return joined(path);
        }
        // Windows tells no case apart.
        let names = path.iter().map(|name| {
            let name = local_name(name).0;
            name.to_string_lossy().to_lowercase()
        });
        names.collect::<Vec<_>>().join("/").into_bytes()
    }

    fn finish(&mut self) -> Result<Lost, TargetError> {
        let lost = self.finish_folders();
        make_tree_durable(&self.root)
            .map_err(|error| TargetError::io(self.root.display(), error))?;
        Ok(lost)
    }

    fn abandon(&mut self) -> Lost {
        self.finish_folders()
    }
}

impl Drop for FolderTarget {
    fn drop(&mut self) {
        // However it ended: nobody but this user could read the folders otherwise.
        if !self.finished {
            self.finish_folders();
        }
    }
}

pub(super) fn of_place(place: &Path, error: io::Error) -> TargetError {
    match error.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::QuotaExceeded => TargetError::io(place.display(), error),
        io::ErrorKind::AlreadyExists => TargetError::of_file(format!(
            "{} exists here; take it out elsewhere, or with --overwrite",
            place.display()
        )),
        _ => TargetError::of_file(format!("{}: {error}", place.display())),
    }
}

fn same_place(place: &Path) -> TargetError {
    TargetError::of_file(format!(
        "{} is another file of this run here, where their names are told for the same: take them \
         out into different folders",
        place.display()
    ))
}

/// Files become durable all at once at the end, which is much quicker than one by one.
#[cfg(target_os = "linux")]
fn make_durable(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn make_durable(file: &File) -> io::Result<()> {
    file.sync_all()
}

#[cfg(target_os = "linux")]
fn make_tree_durable(root: &Path) -> io::Result<()> {
    rustix::fs::syncfs(File::open(root)?).map_err(io::Error::from)
}

#[cfg(not(target_os = "linux"))]
fn make_tree_durable(root: &Path) -> io::Result<()> {
    block_io::flush_folder(root)
}

#[cfg(unix)]
fn make_link(place: &Path, link: &Link) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
    std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(&link.target), place)
}

#[cfg(windows)]
fn make_link(place: &Path, link: &Link) -> io::Result<()> {
    let target = String::from_utf8_lossy(&link.target).into_owned();
    // What it leads to need not exist, so which of the two it is cannot be told.
    std::os::windows::fs::symlink_file(target, place)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_this_run_is_replaced_however_it_is_called() {
        let bench = tempfile::tempdir().unwrap();
        let options = FolderOptions {
            overwrite: true,
            owners: false,
        };
        let mut target = FolderTarget::new(bench.path(), options).unwrap();
        let (old, new) = (bench.path().join("old"), bench.path().join("new"));
        fs::write(&old, "old").unwrap();
        fs::write(&new, "new").unwrap();
        target.remember(fs::symlink_metadata(&new));
        // As a system does that tells no case apart: another name, and the same file.
        let again = bench.path().join("NEW");
        fs::hard_link(&new, &again).unwrap();
        assert!(target.check_free(&old).is_ok());
        let error = target.check_free(&again).unwrap_err();
        assert!(error.is_of_one_file(), "{error}");
    }
}
