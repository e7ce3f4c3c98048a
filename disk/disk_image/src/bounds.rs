//! What a chain may be made of, and where its paths lead.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use block_io::{DiskError, DiskErrorKind};

use crate::host_paths::HostPaths;
use crate::root_folder::RootFolder;
use crate::windows_path::WindowsPath;

/// The folders that hold all files of a chain, and how the paths in them are read.
pub(crate) struct Bounds {
    roots: Vec<RootFolder>,
    /// `None`: an absolute path is one of another machine, and only its tail says something.
    host: Option<Arc<dyn HostPaths>>,
}

impl Bounds {
    /// Opens a folder that holds the files, wherever the host had them.
    pub(crate) fn below(root: &Path) -> Result<Self, DiskError> {
        Ok(Self {
            roots: vec![RootFolder::open(root)?],
            host: None,
        })
    }

    /// Opens the folders of a host. One that cannot be reached holds nothing; all of them is an
    /// error.
    pub(crate) fn on_host(host: Arc<dyn HostPaths>) -> Result<Self, DiskError> {
        let mut roots = Vec::new();
        let mut failed = None;
        for root in host.roots() {
            match RootFolder::open(&root) {
                Ok(root) => roots.push(root),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            Some(error) if roots.is_empty() => Err(error),
            _ => Ok(Self {
                roots,
                host: Some(host),
            }),
        }
    }

    /// Returns whether the files are a host's own, which it has open as well.
    pub(crate) fn is_host(&self) -> bool {
        self.host.is_some()
    }

    /// Resolves all links of `path` and fails with `OutsideRoot` where it lies in no root.
    pub(crate) fn contain(&self, path: &Path) -> Result<PathBuf, DiskError> {
        let mut outside = None;
        for root in &self.roots {
            match root.contain(path) {
                Ok(resolved) => return Ok(resolved),
                Err(error) => {
                    outside.get_or_insert(error);
                }
            }
        }
        Err(outside.unwrap_or_else(|| {
            DiskError::new(
                DiskErrorKind::OutsideRoot,
                "the host has no folder that this could lie in",
            )
            .in_file(&path.display().to_string())
        }))
    }

    /// Lists the files that `path`, seen from `folder`, may mean: one, or several that differ in
    /// case. `None`: it leads out of the root that `folder` lies in.
    pub(crate) fn relative(&self, folder: &Path, path: &WindowsPath) -> Option<Vec<PathBuf>> {
        self.roots
            .iter()
            .find_map(|root| root.relative(folder, path))
    }

    /// Lists the files that an absolute path may mean.
    pub(crate) fn absolute(&self, path: &WindowsPath) -> Result<Vec<PathBuf>, DiskError> {
        if let Some(host) = &self.host {
            return Ok(host.locate(&path.to_string()).into_iter().collect());
        }
        let mut files = Vec::new();
        for root in &self.roots {
            files.extend(root.by_tail(path)?);
        }
        Ok(files)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, root) in self.roots.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}{}", root.path().display())?;
        }
        Ok(())
    }
}
