//! The files under a folder, found by the tail of a Windows path.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use block_io::{DiskError, DiskErrorKind};

use crate::windows_path::WindowsPath;

/// A folder of more files than this is refused: it is not one of virtual machines.
const MAX_FILES: usize = 1_000_000;
const MAX_DEPTH: usize = 64;

/// Why no file was found for a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathLookup {
    /// No file has the path's last component as its name.
    Missing,
    /// Several files have equally long tails in common with the path.
    Ambiguous(Vec<PathBuf>),
}

/// The files under a folder.
///
/// Links to folders are not followed, so that the walk ends and stays inside; a link to a file is
/// listed, and whoever opens it must look where it leads.
#[derive(Debug)]
pub struct PathIndex {
    root: PathBuf,
    files: Vec<PathBuf>,
    /// From the name in lower case to the positions in `files`.
    by_name: HashMap<String, Vec<usize>>,
}

impl PathIndex {
    /// Lists all files under `root`. Folders that may not be read are an error: what lies in them
    /// would be reported missing otherwise.
    pub fn build(root: &Path) -> Result<Self, DiskError> {
        let mut index = Self {
            root: root.to_owned(),
            files: Vec::new(),
            by_name: HashMap::new(),
        };
        let mut folders = vec![(root.to_owned(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            let name = folder.display().to_string();
            let io_error = |error| DiskError::io(&name, "cannot list this folder", error);
            for entry in fs::read_dir(&folder).map_err(io_error)? {
                let entry = entry.map_err(io_error)?;
                let kind = entry.file_type().map_err(io_error)?;
                if kind.is_dir() && depth < MAX_DEPTH {
                    folders.push((entry.path(), depth + 1));
                } else if kind.is_file() || (kind.is_symlink() && entry.path().is_file()) {
                    index.files.push(entry.path());
                }
            }
            if index.files.len() > MAX_FILES {
                return Err(DiskError::new(
                    DiskErrorKind::Unsupported,
                    format!("more than {MAX_FILES} files lie under this folder"),
                )
                .in_file(&root.display().to_string()));
            }
        }
        // The order of a folder's entries is chance; results must not be.
        index.files.sort();
        for (position, path) in index.files.iter().enumerate() {
            if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
                index
                    .by_name
                    .entry(name.to_lowercase())
                    .or_default()
                    .push(position);
            }
        }
        Ok(index)
    }

    /// Returns the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns all files, in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    /// Finds the file that has most last components in common with `path`, whatever their case.
    pub fn find(&self, path: &WindowsPath) -> Result<PathBuf, PathLookup> {
        let Some(name) = path.file_name() else {
            return Err(PathLookup::Missing);
        };
        let mut best = Vec::new();
        let mut best_tail = 0;
        for position in self.by_name.get(&name.to_lowercase()).into_iter().flatten() {
            let Some(file) = self.files.get(*position) else {
                continue;
            };
            let tail = self.equal_tail(file, path);
            if tail > best_tail {
                best.clear();
                best_tail = tail;
            }
            if tail == best_tail {
                best.push(file.clone());
            }
        }
        match best.len() {
            0 => Err(PathLookup::Missing),
            1 => best.pop().ok_or(PathLookup::Missing),
            _ => Err(PathLookup::Ambiguous(best)),
        }
    }

    /// Counts the last components that a file's path under the root and `path` have in common.
    fn equal_tail(&self, file: &Path, path: &WindowsPath) -> usize {
        let below = file.strip_prefix(&self.root).unwrap_or(file);
        below
            .components()
            .rev()
            .zip(path.components().iter().rev())
            .take_while(|(local, windows)| {
                local
                    .as_os_str()
                    .to_str()
                    .is_some_and(|local| local.to_lowercase() == windows.to_lowercase())
            })
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_equal_tail_wins_whatever_the_case() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for file in ["a/disks/x.vhdx", "b/Disks/X.VHDX", "b/only.vhdx"] {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), b"").unwrap();
        }
        let index = PathIndex::build(root).unwrap();
        let find = |text: &str| index.find(&WindowsPath::parse(text));
        assert_eq!(
            find("D:\\VMs\\B\\disks\\x.vhdx"),
            Ok(root.join("b/Disks/X.VHDX"))
        );
        assert_eq!(
            find("\\\\server\\s\\ONLY.vhdx"),
            Ok(root.join("b/only.vhdx"))
        );
        assert_eq!(find("C:\\none.vhdx"), Err(PathLookup::Missing));
        assert_eq!(
            find("C:\\disks\\x.vhdx"),
            Err(PathLookup::Ambiguous(vec![
                root.join("a/disks/x.vhdx"),
                root.join("b/Disks/X.VHDX")
            ]))
        );
    }
}
