//! A file that gets its name when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// What the names of files end with while they are written, here as everywhere in the program.
const PARTIAL_SUFFIX: &str = "lifeboat-partial";
/// How many names are tried; others are left over from runs that died.
const ATTEMPTS: u32 = 1000;

/// A file beside its place. Dropped before it was published, it is removed.
pub(super) struct NewFile {
    pub(super) file: File,
    unpublished: Unpublished,
}

/// A name beside a place, that goes unless it is published.
pub(super) struct Unpublished {
    path: PathBuf,
    is_published: bool,
}

impl NewFile {
    /// Makes an empty file in the folder of `place`, which nobody but this user may read.
    pub(super) fn beside(place: &Path) -> io::Result<Self> {
        let (file, path) = attempt(place, |path| {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.open(path)
        })?;
        Ok(Self {
            file,
            unpublished: Unpublished::new(path),
        })
    }

    /// Gives it its name; with `replace` also where a file has it.
    pub(super) fn publish(self, place: &Path, replace: bool) -> io::Result<()> {
        // Windows renames no file that is open.
        drop(self.file);
        self.unpublished.publish(place, replace)
    }
}

impl Unpublished {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            is_published: false,
        }
    }

    /// Makes a second name of a file, beside the place that it is for.
    pub(super) fn link(first: &Path, place: &Path) -> io::Result<Self> {
        let ((), path) = attempt(place, |path| fs::hard_link(first, path))?;
        Ok(Self::new(path))
    }

    /// Makes a symbolic link beside the place that it is for.
    pub(super) fn symbolic(
        place: &Path,
        make: impl Fn(&Path) -> io::Result<()>,
    ) -> io::Result<Self> {
        let ((), path) = attempt(place, make)?;
        Ok(Self::new(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name; with `replace` also where a file or link has it.
    pub(super) fn publish(mut self, place: &Path, replace: bool) -> io::Result<()> {
        if replace {
            fs::rename(&self.path, place)?;
            // Two names of one file are left as they are by a rename.
            let _ = fs::remove_file(&self.path);
        } else {
            rename_without_replacing(&self.path, place)?;
        }
        self.is_published = true;
        Ok(())
    }
}

impl Drop for Unpublished {
    fn drop(&mut self) {
        if !self.is_published {
            // What cannot be removed has a name that says what it is.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes something under the first free name of ours in the folder of `place`.
fn attempt<T>(place: &Path, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<(T, PathBuf)> {
    let process = std::process::id();
    for number in 0..ATTEMPTS {
        // Short, whatever the file is called: a name may have all 255 bytes already.
        let path = place.with_file_name(format!(".{process}-{number}.{PARTIAL_SUFFIX}"));
        match make(&path) {
            Ok(made) => return Ok((made, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    let what = format!("{ATTEMPTS} files of runs that died are there (*.{PARTIAL_SUFFIX})");
    Err(io::Error::other(what))
}

#[cfg(target_os = "linux")]
fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // The file system (or an old kernel) cannot do it.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => look_and_rename(from, to),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    look_and_rename(from, to)
}

/// Where the system has nothing better, looking first is the best that can be done.
fn look_and_rename(from: &Path, to: &Path) -> io::Result<()> {
    if to.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}
