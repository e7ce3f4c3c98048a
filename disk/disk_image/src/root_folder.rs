//! The folder that nothing may lead out of.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use block_io::{DiskError, DiskErrorKind};

use crate::own_paths::snapshot_root;
use crate::path_index::{PathIndex, PathLookup};
use crate::windows_path::WindowsPath;

/// The folder below which all files of a chain must lie, links resolved.
#[derive(Debug)]
pub(crate) struct RootFolder {
    canonical: PathBuf,
    index: OnceLock<PathIndex>,
}

impl RootFolder {
    pub(crate) fn open(path: &Path) -> Result<Self, DiskError> {
        Ok(Self {
            canonical: canonical(path)?,
            index: OnceLock::new(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.canonical
    }

    /// Resolves all links of `path` and fails with `OutsideRoot` where it lies outside.
    pub(crate) fn contain(&self, path: &Path) -> Result<PathBuf, DiskError> {
        let resolved = canonical(path)?;
        if resolved.starts_with(&self.canonical) {
            return Ok(resolved);
        }
        Err(DiskError::new(
            DiskErrorKind::OutsideRoot,
            format!(
                "this leads to {}, outside of {}",
                resolved.display(),
                self.canonical.display()
            ),
        )
        .in_file(&path.display().to_string())
        .hint("name the folder that holds all the files of the chain"))
    }

    /// Lists the files that `path`, seen from `folder`, may mean: one, or several that differ in
    /// case. `None`: it leads out of the root.
    pub(crate) fn relative(&self, folder: &Path, path: &WindowsPath) -> Option<Vec<PathBuf>> {
        let below = folder.strip_prefix(&self.canonical).ok()?;
        let mut components: Vec<String> = below
            .components()
            .map(|component| component.as_os_str().to_str().map(str::to_owned))
            .collect::<Option<_>>()?;
        for component in path.components() {
            if component == ".." {
                components.pop()?;
            } else {
                components.push(component.clone());
            }
        }
        let mut found = vec![self.canonical.clone()];
        for component in &components {
            found = found
                .iter()
                .flat_map(|folder| entries_named(folder, component))
                .collect();
        }
        Some(found)
    }

    /// Lists the files with the longest tail in common with `path`.
    pub(crate) fn by_tail(&self, path: &WindowsPath) -> Result<Vec<PathBuf>, DiskError> {
        let index = match self.index.get() {
            Some(index) => index,
            None => {
                let built = PathIndex::build(&self.canonical)?;
                self.index.get_or_init(|| built)
            }
        };
        Ok(match index.find(path) {
            Ok(file) => vec![file],
            Err(PathLookup::Missing) => Vec::new(),
            Err(PathLookup::Ambiguous(files)) => files,
        })
    }
}

fn canonical(path: &Path) -> Result<PathBuf, DiskError> {
    if cfg!(windows)
        && let Some(root) = path.to_str().and_then(snapshot_root)
    {
        return without_links(path, Path::new(&root));
    }
    fs::canonicalize(path).map_err(|error| {
        DiskError::io(
            &path.display().to_string(),
            "cannot find this file or folder",
            error,
        )
    })
}

/// Windows knows no final name of what lies on a snapshot of a volume, which has none itself. So a
/// path on one is resolved as it is, and no part of it below `root` may be a link.
fn without_links(path: &Path, root: &Path) -> Result<PathBuf, DiskError> {
    let failed = |error| {
        let what = "cannot find this file or folder on the snapshot";
        DiskError::io(&path.display().to_string(), what, error)
    };
    for part in path.ancestors().take_while(|part| *part != root) {
        let found = part.symlink_metadata().map_err(failed)?;
        if found.file_type().is_symlink() {
            let what = format!(
                "{} is a link, and may lead off the snapshot",
                part.display()
            );
            return Err(DiskError::new(DiskErrorKind::OutsideRoot, what)
                .in_file(&path.display().to_string())
                .hint("put the file itself where the link is"));
        }
    }
    Ok(path.to_owned())
}

/// Returns the entry of exactly this name, or else those that differ from it in case alone.
pub(crate) fn entries_named(folder: &Path, name: &str) -> Vec<PathBuf> {
    // A name with a separator or a stream in it is no name: joining it could lead anywhere.
    if name.contains(['/', '\\', ':', '\0']) {
        return Vec::new();
    }
    let exact = folder.join(name);
    if exact.symlink_metadata().is_ok() {
        return vec![exact];
    }
    let lower = name.to_lowercase();
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.to_lowercase() == lower)
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}
