//! A store in a folder.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::{
    FolderSystem, ObjectInfo, ObjectStore, OsFolderSystem, StoreError, StoreErrorKind,
    TEMPORARY_FOLDER, TEMPORARY_LIFE, check_object_name, folder_space, temporary_name,
};

use exact_read::read_exact_at;
use reserve::Reserve;
use root_volume::{RootGone, volume_of};

/// A store in a folder, on a disk or a mounted share.
///
/// An object is written under a temporary name, flushed, and published under its own name without
/// replacing; then the folder is flushed, and once for each process those above it, whoever made
/// them: a name is as durable as the folders that lead to it. A crash leaves a file in `tmp/` and
/// nothing else.
///
/// Where the root is gone, or is another volume's than when the store was opened, its disk was
/// taken out or its share unmounted: every call fails with `MediumAbsent`, and no folder is made
/// below an empty mount point.
///
/// 256 KiB are kept in `.reserve`, which is given up when there is no room for a small object:
/// what frees room needs some first.
pub struct FolderStore<S = OsFolderSystem> {
    root: PathBuf,
    system: S,
    volume: Option<u64>,
    /// Folders below the root whose own names are known to be durable.
    durable_folders: Mutex<HashSet<PathBuf>>,
    reserve: Reserve,
}

impl FolderStore {
    /// Opens the store in an existing folder.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        Self::with_system(root, OsFolderSystem)
    }

    /// Makes the folder where it is not there, and opens it.
    pub fn create(root: &Path) -> Result<Self, StoreError> {
        Self::create_with_system(root, OsFolderSystem)
    }
}

impl<S: FolderSystem> FolderStore<S> {
    /// Makes the folder where it is not there, durably, and opens it through another file system
    /// than the machine's own.
    pub fn create_with_system(root: &Path, system: S) -> Result<Self, StoreError> {
        // The folder that holds a new name is to be flushed, for each folder that is not there.
        let parents: Vec<&Path> = root
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
            .filter_map(Path::parent)
            .map(|parent| match parent.as_os_str().is_empty() {
                true => Path::new("."),
                false => parent,
            })
            .collect();
        let make = || {
            system.create_folder(root)?;
            parents
                .iter()
                .rev()
                .try_for_each(|parent| system.flush_folder(parent))
        };
        make().map_err(|error| {
            StoreError::io(
                &root.display().to_string(),
                "cannot make this folder",
                error,
            )
        })?;
        Self::with_system(root, system)
    }

    /// Opens the store in an existing folder, through another file system than the machine's own.
    pub fn with_system(root: &Path, system: S) -> Result<Self, StoreError> {
        let name = root.display().to_string();
        let metadata = fs::metadata(root)
            .map_err(|error| StoreError::io(&name, "there is no such folder", error))?;
        if !metadata.is_dir() {
            return Err(StoreError::new(
                StoreErrorKind::NotFound,
                &name,
                "this is not a folder",
            ));
        }
        Ok(Self {
            root: root.to_owned(),
            system,
            volume: volume_of(&metadata),
            durable_folders: Mutex::default(),
            reserve: Reserve::default(),
        })
    }

    /// Removes what died runs left in `tmp/` more than a day ago. Failing to is no failure.
    pub fn sweep_temporary(&self) {
        let Ok(entries) = fs::read_dir(self.root.join(TEMPORARY_FOLDER)) else {
            return;
        };
        for entry in entries.flatten() {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let Ok(modified) = modified else { continue };
            let age = SystemTime::now()
                .duration_since(modified)
                .unwrap_or_default();
            if age > TEMPORARY_LIFE {
                // What cannot be removed now is tried again by the next run.
                drop(self.system.remove(&entry.path()));
            }
        }
    }

    /// Fails where the root is not what it was when the store was opened.
    fn check_medium(&self) -> io::Result<()> {
        match fs::metadata(&self.root) {
            Ok(metadata) if metadata.is_dir() && volume_of(&metadata) == self.volume => Ok(()),
            _ => Err(io::Error::other(RootGone)),
        }
    }

    /// Makes an error of a failed call. Whatever it was, it is the medium's where that is gone.
    fn failed(&self, name: &str, what: &str, error: io::Error) -> StoreError {
        if self.check_medium().is_err() {
            return self.absent();
        }
        let read_only = error.kind() == io::ErrorKind::ReadOnlyFilesystem;
        match read_only {
            true => StoreError::io(
                name,
                format!(
                    "{what}: the file system is mounted read-only, which is also what becomes of \
                     one whose disk fails or was taken out while it was written to"
                ),
                error,
            ),
            false => StoreError::io(name, what, error),
        }
    }

    fn absent(&self) -> StoreError {
        StoreError::new(
            StoreErrorKind::MediumAbsent,
            &self.location(),
            "the folder of this store is gone: its disk was taken out or its share unmounted; \
             nothing that was finished is lost, put it back and run again",
        )
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.check_medium()?;
        self.system.create_folder(path)
    }

    fn path(&self, name: &str) -> Result<PathBuf, StoreError> {
        check_object_name(name)?;
        Ok(name
            .split('/')
            .fold(self.root.clone(), |path, part| path.join(part)))
    }

    fn temporary_path(&self) -> io::Result<PathBuf> {
        Ok(self.root.join(TEMPORARY_FOLDER).join(temporary_name()?))
    }

    fn publish(&self, temporary: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
        let write = || {
            self.system.write_new(temporary, bytes)?;
            self.system.flush_file(temporary)
        };
        match write() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create_folder(&self.root.join(TEMPORARY_FOLDER))?;
                write()?;
            }
            result => result?,
        }
        let folder = target.parent().unwrap_or(&self.root);
        match self.system.publish(temporary, target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create_folder(folder)?;
                self.system.publish(temporary, target)?;
            }
            result => result?,
        }
        self.make_folder_durable(folder)?;
        self.system.flush_folder(folder)
    }

    /// Does what writes `len` bytes, once more where the reserve made room for it.
    fn with_reserve<T>(&self, len: usize, write: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match write() {
            Err(error)
                if self
                    .reserve
                    .gives_way(&self.root, &self.system, len, &error) =>
            {
                write()
            }
            result => result,
        }
    }

    /// Returns once the names of the folder and of those above it, up to the root, are durable.
    ///
    /// That a folder is there says nothing: another thread or host may have made it a moment ago
    /// and not flushed it yet.
    fn make_folder_durable(&self, folder: &Path) -> io::Result<()> {
        let durable = || {
            self.durable_folders
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let below_root: Vec<&Path> = folder
            .ancestors()
            .take_while(|folder| *folder != self.root && folder.starts_with(&self.root))
            .collect();
        for folder in &below_root {
            if durable().contains(*folder) {
                // So are those above it: they were flushed before it was noted.
                break;
            }
            self.system
                .flush_folder(folder.parent().unwrap_or(folder))?;
        }
        durable().extend(below_root.into_iter().map(Path::to_owned));
        Ok(())
    }

    fn list_folder(
        &self,
        folder: &Path,
        prefix: &str,
        visit: &mut dyn FnMut(ObjectInfo),
    ) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.check_medium(),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let Ok(file_name) = entry.file_name().into_string() else {
                continue;
            };
            let name = format!("{prefix}{file_name}");
            if check_object_name(&name).is_err()
                || (prefix.is_empty() && file_name == TEMPORARY_FOLDER)
            {
                continue;
            }
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            if metadata.is_dir() {
                // Names have a bounded length, so the depth is bounded too.
                self.list_folder(&entry.path(), &format!("{name}/"), visit)?;
            } else if metadata.is_file() {
                visit(ObjectInfo {
                    name,
                    size_bytes: metadata.len(),
                    modified: metadata.modified()?,
                });
            }
        }
        Ok(())
    }
}

impl<S: FolderSystem> ObjectStore for FolderStore<S> {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let target = self.path(name)?;
        let put = || {
            let temporary = self.temporary_path()?;
            let result = self.publish(&temporary, &target, bytes);
            // Removed also after a failure: nobody will ever look at it again. If that fails as
            // well, the next day's sweep finds it.
            drop(self.system.remove(&temporary));
            result
        };
        self.with_reserve(bytes.len(), put)
            .map_err(|error| self.failed(name, "cannot write this object", error))?;
        self.reserve.keep(&self.root, &self.system);
        Ok(())
    }

    fn get(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let size_bytes = self.size_bytes(name)?;
        if size_bytes > limit_bytes {
            return Err(StoreError::new(
                StoreErrorKind::WrongSize,
                name,
                format!("this object has {size_bytes} bytes, at most {limit_bytes} were expected"),
            ));
        }
        let len = usize::try_from(size_bytes)
            .map_err(|_| StoreError::new(StoreErrorKind::WrongSize, name, "too large to read"))?;
        let mut bytes = vec![0; len];
        self.get_range(name, 0, &mut bytes)?;
        Ok(bytes)
    }

    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        let path = self.path(name)?;
        let mut read = || read_exact_at(&File::open(&path)?, offset, buf);
        read().map_err(|error| {
            let what = match error.kind() {
                io::ErrorKind::NotFound => "this object is not there",
                io::ErrorKind::UnexpectedEof => "this object is shorter than expected",
                _ => "cannot read this object",
            };
            self.failed(name, what, error)
        })
    }

    fn size_bytes(&self, name: &str) -> Result<u64, StoreError> {
        match fs::metadata(self.path(name)?) {
            Ok(metadata) if metadata.is_file() => Ok(metadata.len()),
            Ok(_) => Err(StoreError::new(
                StoreErrorKind::Io,
                name,
                "this is not a file",
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(self.failed(name, "this object is not there", error))
            }
            Err(error) => Err(self.failed(name, "cannot look at this object", error)),
        }
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        let folder = match prefix.strip_suffix('/') {
            Some(folder) => self.path(folder)?,
            None => self.root.clone(),
        };
        self.list_folder(&folder, prefix, visit)
            .map_err(|error| self.failed(prefix, "cannot list this folder", error))
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name)?;
        self.system
            .remove(&path)
            .map_err(|error| self.failed(name, "cannot remove this object", error))?;
        // What is not there is removed, unless nothing is.
        self.check_medium().map_err(|_| self.absent())
    }

    /// A new file's time is told by the machine that keeps the folder.
    fn now(&self) -> Result<SystemTime, StoreError> {
        let look = || {
            let temporary = self.temporary_path()?;
            match self.system.write_new(&temporary, &[]) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.create_folder(&self.root.join(TEMPORARY_FOLDER))?;
                    self.system.write_new(&temporary, &[])?;
                }
                result => result?,
            }
            let modified = fs::metadata(&temporary).and_then(|metadata| metadata.modified());
            drop(self.system.remove(&temporary));
            modified
        };
        self.with_reserve(0, look).map_err(|error| {
            self.failed(
                TEMPORARY_FOLDER,
                "cannot make a file to tell the time by",
                error,
            )
        })
    }

    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        match folder_space(&self.root) {
            Ok(space) => Ok(Some(space.free_bytes)),
            Err(error) => Err(self.failed(&self.location(), "cannot tell its free space", error)),
        }
    }
}

mod exact_read;
mod reserve;
mod root_volume;
#[cfg(test)]
mod tests;
