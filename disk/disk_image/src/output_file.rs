//! A file that appears under its name only when it is whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use block_io::{DiskError, DiskErrorKind, ImageFile as _, OsFile, WritableFile, flush_folder};

use crate::write_behind::WriteBehind;

/// How often a file of a dead run is taken over before we give up.
const ATTEMPTS: usize = 10;

/// What the name of a file ends with while it is written. Others use `.partial` for theirs, which
/// we would take over.
const PARTIAL_SUFFIX: &str = ".lifeboat-partial";

/// A file that is written as `<name>.lifeboat-partial` and published under its name when it is whole.
///
/// The partial file is locked while it is written. One that nobody holds is left over from a run
/// that died: it is taken over. Dropped before it was published, the partial file is removed.
pub(crate) struct OutputFile {
    file: Arc<OsFile>,
    partial: PathBuf,
    target: PathBuf,
    published: bool,
}

impl OutputFile {
    /// Starts a file. `Exists` where the target does, `InUse` where another run writes it.
    pub(crate) fn start(target: &Path) -> Result<Self, DiskError> {
        refuse_existing(target)?;
        let Some(name) = target.file_name() else {
            return Err(DiskError::new(
                DiskErrorKind::OutOfRange,
                "this is not the name of a file",
            )
            .in_file(&target.display().to_string()));
        };
        let mut partial_name = name.to_owned();
        partial_name.push(PARTIAL_SUFFIX);
        let partial = target.with_file_name(partial_name);
        let file = lock_partial(&partial)?;
        let output = Self {
            file: Arc::new(file),
            partial,
            target: target.to_owned(),
            published: false,
        };
        // Another run may have published between the first look and the lock.
        refuse_existing(target)?;
        Ok(output)
    }

    /// Returns the file to write to, which is flushed as it grows.
    pub(crate) fn file(&self) -> Arc<dyn WritableFile> {
        Arc::new(WriteBehind::new(Arc::clone(&self.file)))
    }

    /// Gives the file its name, which nothing else may have by now, durably.
    pub(crate) fn publish(self) -> Result<(), DiskError> {
        self.publish_with(flush_folder)
    }

    fn publish_with(
        mut self,
        flush_folder: impl FnOnce(&Path) -> std::io::Result<()>,
    ) -> Result<(), DiskError> {
        let name = self.target.display().to_string();
        rename_without_replacing(&self.partial, &self.target).map_err(|error| {
            let error = DiskError::io(&name, "cannot give the file its name", error);
            if error.kind() == DiskErrorKind::Exists {
                exists(&name)
            } else {
                error
            }
        })?;
        self.published = true;
        flush_folder(self.target.parent().unwrap_or(Path::new(""))).map_err(|error| {
            // The caller hears that there is no file, and we made this one a moment ago.
            let _ = fs::remove_file(&self.target);
            DiskError::io(&name, "cannot flush the folder", error)
        })
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if !self.published {
            // A file that cannot be removed is found, and taken over, by the next run.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

fn exists(name: &str) -> DiskError {
    DiskError::new(DiskErrorKind::Exists, "this file exists already")
        .in_file(name)
        .hint("choose another name, or remove the file")
}

fn refuse_existing(target: &Path) -> Result<(), DiskError> {
    match target.symlink_metadata() {
        Ok(_) => Err(exists(&target.display().to_string())),
        Err(_) => Ok(()),
    }
}

/// Makes and locks the partial file, or takes over one that nobody holds.
fn lock_partial(partial: &Path) -> Result<OsFile, DiskError> {
    let name = partial.display().to_string();
    let in_use =
        || DiskError::new(DiskErrorKind::InUse, "another run is writing this file").in_file(&name);
    for _ in 0..ATTEMPTS {
        let file = match OsFile::create_new(partial) {
            Ok(file) => file,
            Err(error) if error.kind() == DiskErrorKind::Exists => {
                // A link could lead to a file that is not ours to overwrite.
                if !fs::symlink_metadata(partial).is_ok_and(|metadata| metadata.is_file()) {
                    return Err(exists(&name));
                }
                match OsFile::open_writable(partial) {
                    Ok(file) => file,
                    Err(error) if error.kind() == DiskErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        if !file.try_lock_exclusive() {
            return Err(in_use());
        }
        // Its writer may have published or removed it before we got the lock: what we hold is then
        // no longer the partial file.
        let replaced = match file.stamp() {
            Ok(stamp) => stamp.is_some_and(|stamp| stamp.replaced),
            Err(error) => return Err(DiskError::io(&name, "cannot look at this file", error)),
        };
        if !replaced {
            // What a dead run left behind is of no use.
            file.set_size_bytes(0)
                .map_err(|error| DiskError::io(&name, "cannot empty this file", error))?;
            return Ok(file);
        }
    }
    Err(in_use())
}

#[cfg(target_os = "linux")]
fn rename_without_replacing(from: &Path, to: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // The file system (or an old kernel) cannot do it.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => link_without_replacing(from, to),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn rename_without_replacing(from: &Path, to: &Path) -> std::io::Result<()> {
    link_without_replacing(from, to)
}

/// A hard link never replaces anything. Where there are none (FAT, some shares), looking first is
/// the best that can be done.
fn link_without_replacing(from: &Path, to: &Path) -> std::io::Result<()> {
    use std::io::ErrorKind;
    match fs::hard_link(from, to) {
        Ok(()) => {
            // The file has its name; a second one that stays behind is only untidy, and the next
            // run must not take it over: it would truncate the finished file.
            fs::remove_file(from).inspect_err(|_| {
                let _ = fs::remove_file(to);
            })
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        Err(_) => {
            if to.symlink_metadata().is_ok() {
                return Err(ErrorKind::AlreadyExists.into());
            }
            fs::rename(from, to)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_whose_name_cannot_be_made_durable_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("foreign"), b"precious").unwrap();
        let target = folder.path().join("new");
        let output = OutputFile::start(&target).unwrap();
        let error = output
            .publish_with(|_| Err(std::io::ErrorKind::StorageFull.into()))
            .unwrap_err();
        assert_eq!(error.kind(), DiskErrorKind::NoSpace);
        let names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["foreign"]);
        OutputFile::start(&target).unwrap().publish().unwrap();
        assert!(target.exists());
    }
}
