//! Files taken out into a folder of this machine.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use guest_files::{FileName, Link, LinkKind, Node, Owner, Stream, Time};

use super::local_name::local_name;
use super::{FileTarget, Kept, TargetError};
use crate::take_out::{About, Source};

/// Bytes that are read and written at once.
const BUFFER_BYTES: usize = 1 << 20;
/// A run of zeros this long, and aligned to it, is left out: a hole.
const HOLE_BYTES: usize = 64 << 10;
/// The same, as seeking has it.
const HOLE_SEEK: i64 = 64 << 10;

/// A folder of this machine. What exists is not written over.
pub struct FolderTarget {
    root: PathBuf,
    overwrite: bool,
    buffer: Vec<u8>,
    /// Folders, whose times are set last: each file that is written into one changes them.
    folders: Vec<(PathBuf, Node)>,
}

impl FolderTarget {
    /// Writes under `root`, which is made where it does not exist. With `overwrite` a file that is
    /// there is replaced.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn new(root: &Path, overwrite: bool) -> Result<Self, TargetError> {
        fs::create_dir_all(root).map_err(|error| TargetError::io(root.display(), &error))?;
        Ok(Self {
            root: root.to_owned(),
            overwrite,
            buffer: vec![0; BUFFER_BYTES],
            folders: Vec::new(),
        })
    }

    /// Returns where a path lies here. Its folders have to be folders, not links to some: a guest
    /// could name a link and a folder alike for a system that does not tell case apart.
    fn place(&self, path: &[FileName], kept: &mut Kept) -> Result<PathBuf, TargetError> {
        let mut place = self.root.clone();
        for (at, name) in path.iter().enumerate() {
            if at > 0 {
                let about = fs::symlink_metadata(&place);
                if !about.is_ok_and(|about| about.is_dir()) {
                    let what = format!("{} is no folder here", place.display());
                    return Err(TargetError::of_file(what));
                }
            }
            let (name, is_other) = local_name(name);
            place.push(&name);
            if is_other && at + 1 == path.len() {
                kept.lose("names that this system does not allow (they are written with %)");
            }
        }
        Ok(place)
    }

    fn make_file(&self, place: &Path) -> Result<File, TargetError> {
        if self.overwrite {
            match fs::symlink_metadata(place) {
                Ok(about) if about.is_dir() => {
                    let what = format!("{} is a folder here", place.display());
                    return Err(TargetError::of_file(what));
                }
                // A link is replaced, never followed.
                Ok(_) => fs::remove_file(place).map_err(|error| of_place(place, &error))?,
                Err(_) => {}
            }
        }
        let made = OpenOptions::new().write(true).create_new(true).open(place);
        made.map_err(|error| of_place(place, &error))
    }

    /// Writes content, with holes where there are long runs of zeros.
    fn fill(
        &mut self,
        file: &mut File,
        place: &Path,
        content: &mut Source<'_>,
    ) -> Result<(), TargetError> {
        let mut len_bytes = 0;
        loop {
            let read = content.read(&mut self.buffer)?;
            if read == 0 {
                break;
            }
            len_bytes += read as u64;
            let part = self.buffer.get(..read).unwrap_or(&[]);
            for piece in part.chunks(HOLE_BYTES) {
                let written = if piece.len() == HOLE_BYTES && block_io::is_zero(piece) {
                    file.seek(SeekFrom::Current(HOLE_SEEK)).map(drop)
                } else {
                    file.write_all(piece)
                };
                written.map_err(|error| TargetError::io(place.display(), &error))?;
            }
        }
        file.set_len(len_bytes)
            .map_err(|error| TargetError::io(place.display(), &error))
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
        match fs::create_dir(&place) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let there = fs::symlink_metadata(&place);
                if !there.is_ok_and(|there| there.is_dir()) {
                    return Err(of_place(&place, &error));
                }
            }
            Err(error) => return Err(of_place(&place, &error)),
        }
        keep_about(&place, about, &mut kept);
        self.folders.push((place, node.clone()));
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
        let mut file = self.make_file(&place)?;
        if let Err(error) = self.fill(&mut file, &place, content) {
            // Half a file would look like the file.
            drop(file);
            let _ = fs::remove_file(&place);
            return Err(error);
        }
        keep_about(&place, about, &mut kept);
        keep_owner(&place, node, &mut kept);
        keep_times(&file, node, &mut kept);
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
        let mut file = self.make_file(&with_stream)?;
        self.fill(&mut file, &with_stream, content)?;
        // Writing it changed the times of the file that it belongs to.
        keep_times(&file, node, &mut kept);
        Ok(kept)
    }

    fn link(
        &mut self,
        path: &[FileName],
        node: &Node,
        link: &Link,
        _about: &About,
    ) -> Result<Kept, TargetError> {
        let mut kept = Kept::all();
        let place = self.place(path, &mut kept)?;
        make_link(&place, link).map_err(|error| of_place(&place, &error))?;
        if link.kind == LinkKind::Junction {
            kept.lose("junctions (they are symbolic links here)");
        }
        keep_owner(&place, node, &mut kept);
        Ok(kept)
    }

    fn same_file(&mut self, path: &[FileName], first: &[FileName]) -> Result<bool, TargetError> {
        let mut kept = Kept::all();
        let (place, first) = (self.place(path, &mut kept)?, self.place(first, &mut kept)?);
        // Some file systems have no second names: then it is written again.
        Ok(fs::hard_link(first, place).is_ok())
    }

    fn finish(mut self: Box<Self>) -> Result<(), TargetError> {
        // The deepest first, so that none is changed after its times were set.
        while let Some((place, node)) = self.folders.pop() {
            let mut kept = Kept::all();
            keep_owner(&place, &node, &mut kept);
            if let Ok(folder) = open_folder(&place) {
                keep_times(&folder, &node, &mut kept);
            }
        }
        block_io::flush_folder(&self.root).map_err(|error| {
            TargetError::io(self.root.display(), &io::Error::other(error.to_string()))
        })
    }
}

fn of_place(place: &Path, error: &io::Error) -> TargetError {
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

fn keep_times(file: &File, node: &Node, kept: &mut Kept) {
    let mut times = FileTimes::new();
    if let Some(modified) = node.times.modified.and_then(system_time) {
        times = times.set_modified(modified);
    }
    if let Some(accessed) = node.times.accessed.and_then(system_time) {
        times = times.set_accessed(accessed);
    }
    #[cfg(windows)]
    if let Some(created) = node.times.created.and_then(system_time) {
        use std::os::windows::fs::FileTimesExt as _;
        times = times.set_created(created);
    }
    if file.set_times(times).is_err() {
        kept.lose("times");
    }
}

fn system_time(time: Time) -> Option<SystemTime> {
    let nanoseconds = Duration::from_nanos(u64::from(time.nanoseconds));
    let seconds = Duration::from_secs(time.seconds.unsigned_abs());
    let whole = if time.seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(seconds)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(seconds)
    };
    whole?.checked_add(nanoseconds)
}

#[cfg(unix)]
fn open_folder(place: &Path) -> io::Result<File> {
    File::open(place)
}

#[cfg(windows)]
fn open_folder(place: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt as _;
    /// FILE_FLAG_BACKUP_SEMANTICS: without it a folder cannot be opened.
    const BACKUP_SEMANTICS: u32 = 0x0200_0000;
    OpenOptions::new()
        .write(true)
        .custom_flags(BACKUP_SEMANTICS)
        .open(place)
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

/// Gives a file its owner, where this user may, and its permissions.
#[cfg(unix)]
fn keep_owner(place: &Path, node: &Node, kept: &mut Kept) {
    use std::os::unix::fs::{PermissionsExt as _, lchown};
    match node.owner {
        Owner::Unix { user, group, mode } => {
            if lchown(place, Some(user), Some(group)).is_err() {
                kept.lose("owners (only root gives files away)");
            }
            let is_link = node.kind == guest_files::NodeKind::Link;
            let permissions = fs::Permissions::from_mode(u32::from(mode));
            if !is_link && fs::set_permissions(place, permissions).is_err() {
                kept.lose("permissions");
            }
        }
        Owner::Windows { .. } => {}
    }
}

#[cfg(windows)]
fn keep_owner(_place: &Path, node: &Node, kept: &mut Kept) {
    match node.owner {
        Owner::Unix { .. } => kept.lose("owners and permissions of Linux"),
        Owner::Windows { .. } => {}
    }
}

/// Gives a file what is said of it besides.
fn keep_about(place: &Path, about: &About, kept: &mut Kept) {
    for attribute in &about.attributes {
        if !keep_attribute(place, &attribute.name, &attribute.value) {
            kept.lose(format!(
                "the attribute {}",
                String::from_utf8_lossy(&attribute.name)
            ));
        }
    }
    if let Some(descriptor) = &about.security_descriptor {
        // NTFS of Linux takes it by this name, and nothing else does.
        if !keep_attribute(place, b"system.ntfs_acl", descriptor) {
            kept.lose("access control lists of Windows");
        }
    }
}

#[cfg(target_os = "linux")]
fn keep_attribute(place: &Path, name: &[u8], value: &[u8]) -> bool {
    rustix::fs::lsetxattr(place, name, value, rustix::fs::XattrFlags::empty()).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn keep_attribute(_place: &Path, _name: &[u8], _value: &[u8]) -> bool {
    false
}
