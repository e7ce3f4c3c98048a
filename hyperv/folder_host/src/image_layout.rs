//! Where the image files of a tree lie to each other.

use std::path::{Path, PathBuf};

use block_io::{DiskError, DiskErrorKind};
use disk_image::DiskImage;

use crate::catalog::slashed;

const DISKS: &str = "Virtual Hard Disks";

/// Gives image files their paths below the VM's own folder, such that the relative paths by which
/// children name their parents stay right.
pub(crate) struct ImageLayout {
    /// What the paths are counted from.
    from: PathBuf,
    /// The folder of the VM that they go to.
    into: Option<&'static str>,
}

impl ImageLayout {
    /// Looks at all files of the chains. Where they all lie in folders of the VM's own folder, that
    /// layout is kept; else all of them go into one folder, and keep their ways to each other.
    pub(crate) fn of(chains: &[DiskImage], own: &Path) -> Result<Self, DiskError> {
        let files = || chains.iter().flat_map(DiskImage::chain);
        let own = own.canonicalize().unwrap_or_else(|_| own.to_owned());
        let is_below = |path: &Path| {
            path.parent()
                .is_some_and(|folder| folder != own && folder.starts_with(&own))
        };
        let layout = if files().all(|file| is_below(&file.path)) {
            Self {
                from: own,
                into: None,
            }
        } else {
            let folders = files().filter_map(|file| file.path.parent().map(Path::to_owned));
            Self {
                from: folders
                    .reduce(|one, other| common(&one, &other))
                    .unwrap_or(own),
                into: Some(DISKS),
            }
        };
        // Names that differ in case alone are one name where the tree may be restored to.
        let mut taken: Vec<(String, &Path)> = Vec::new();
        for file in files() {
            let name = layout.relative(&file.path).to_lowercase();
            match taken.iter().find(|(other, _)| *other == name) {
                Some((_, path)) if *path == file.path => {}
                Some((_, path)) => {
                    let what = format!("{} has the same name but for its case", path.display());
                    let file = file.path.display().to_string();
                    return Err(DiskError::new(DiskErrorKind::Ambiguous, what).in_file(&file));
                }
                None => taken.push((name, &file.path)),
            }
        }
        Ok(layout)
    }

    /// Returns the path of one of the files below the VM's own folder.
    pub(crate) fn relative(&self, path: &Path) -> String {
        let below = slashed(path.strip_prefix(&self.from).unwrap_or(path));
        match self.into {
            Some(folder) => format!("{folder}/{below}"),
            None => below,
        }
    }
}

fn common(one: &Path, other: &Path) -> PathBuf {
    let both = one.components().zip(other.components());
    both.take_while(|(a, b)| a == b)
        .map(|(part, _)| part)
        .collect()
}
