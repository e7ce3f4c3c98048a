//! Removable disks and shares, found again wherever they are mounted.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::{Mounts, StoreError, StoreErrorKind};

/// Folders of a medium that are looked into for a repository, at most.
const MOST_FOLDERS: usize = 1000;
/// How deep below the medium's root a repository is looked for.
const DEPTH: usize = 2;

/// What a medium is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Medium {
    /// The label of its volume, or what it is mounted as.
    Label(String),
    /// The beginning of the id of the repository on it, hex digits.
    Repository(String),
}

/// A folder on a medium that may be mounted anywhere, or nowhere.
///
/// Written as `label:NAME/path` or `id:PREFIX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediumPath {
    medium: Medium,
    /// Below the medium's root; parts joined by `/`, none of them `..`.
    path: String,
}

/// What is not the name of a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadMediumPath(String);

impl fmt::Display for BadMediumPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadMediumPath {}

impl FromStr for MediumPath {
    type Err = BadMediumPath;

    fn from_str(text: &str) -> Result<Self, BadMediumPath> {
        let bad = |why: &str| Err(BadMediumPath(format!("`{text}`: {why}")));
        let (medium, path) = match (text.strip_prefix("label:"), text.strip_prefix("id:")) {
            (Some(rest), _) => {
                let (label, path) = rest.split_once('/').unwrap_or((rest, ""));
                if label.is_empty() {
                    return bad("there is no label after `label:`");
                }
                (Medium::Label(label.to_owned()), path)
            }
            (_, Some(prefix)) => {
                let prefix = prefix.to_ascii_lowercase();
                let hex = prefix.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
                if prefix.len() < 4 || !hex {
                    return bad("write at least four hex digits of the repository's id");
                }
                (Medium::Repository(prefix), "")
            }
            _ => return bad("write label:NAME/path or id:PREFIX"),
        };
        let parts = path.split('/').filter(|part| !part.is_empty());
        if parts
            .clone()
            .any(|part| matches!(part, "." | "..") || part.contains(['\\', ':']))
        {
            return bad("the path must lie below the medium's root");
        }
        Ok(Self {
            medium,
            path: parts.collect::<Vec<_>>().join("/"),
        })
    }
}

impl fmt::Display for MediumPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.medium, self.path.as_str()) {
            (Medium::Label(label), "") => write!(f, "label:{label}"),
            (Medium::Label(label), path) => write!(f, "label:{label}/{path}"),
            (Medium::Repository(prefix), _) => write!(f, "id:{prefix}"),
        }
    }
}

impl MediumPath {
    /// Returns whether a text is meant as one: it begins with `label:` or `id:`.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("label:") || text.starts_with("id:")
    }

    /// Returns what the medium is known by.
    pub fn medium(&self) -> &Medium {
        &self.medium
    }

    /// Returns the folder, where its medium is mounted now.
    ///
    /// `id_of` returns the id of the repository in a folder, where one is there; it is asked for
    /// folders up to two levels below a medium's root. `MediumAbsent` where no medium fits,
    /// `Unsupported` where more than one does: which one is meant is not ours to guess.
    pub fn find(
        &self,
        mounts: &dyn Mounts,
        id_of: &dyn Fn(&Path) -> Option<String>,
    ) -> Result<PathBuf, StoreError> {
        let mounted = mounts.mounts().map_err(|error| {
            let what = "cannot tell what is mounted on this machine";
            StoreError::io(&self.to_string(), what, error)
        })?;
        let mut found: Vec<PathBuf> = match &self.medium {
            Medium::Label(label) => mounted
                .iter()
                .filter(|mount| mount.labels.contains(label))
                .map(|mount| {
                    self.path
                        .split('/')
                        .fold(mount.folder.clone(), |path, part| match part.is_empty() {
                            true => path,
                            false => path.join(part),
                        })
                })
                .collect(),
            Medium::Repository(prefix) => {
                let fits = |folder: &Path| {
                    id_of(folder).is_some_and(|id| id.to_ascii_lowercase().starts_with(prefix))
                };
                let roots = mounted.iter().map(|mount| mount.folder.as_path());
                roots.flat_map(|root| search(root, &fits)).collect()
            }
        };
        found.sort();
        found.dedup();
        self.only(found)
    }

    fn only(&self, mut found: Vec<PathBuf>) -> Result<PathBuf, StoreError> {
        let name = self.to_string();
        if found.len() > 1 {
            let folders: Vec<String> = found.iter().map(|it| it.display().to_string()).collect();
            let text = format!(
                "more than one medium fits, name the folder instead: {}",
                folders.join(", ")
            );
            return Err(StoreError::new(StoreErrorKind::Unsupported, &name, text));
        }
        found.pop().ok_or_else(|| {
            let text = match &self.medium {
                Medium::Label(label) => format!(
                    "waiting for medium {label}: nothing of that label is mounted; connect the \
                     disk or share and mount it"
                ),
                Medium::Repository(prefix) => format!(
                    "waiting for the medium with repository {prefix}: none that is mounted holds \
                     it; connect the disk or share and mount it"
                ),
            };
            StoreError::new(StoreErrorKind::MediumAbsent, &name, text)
        })
    }
}

/// Returns the folders that fit, at and below `root`. What cannot be looked into does not fit.
fn search(root: &Path, fits: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut level = vec![root.to_owned()];
    let mut queued = 1;
    for depth in 0..=DEPTH {
        let mut below = Vec::new();
        for folder in level {
            if fits(&folder) {
                found.push(folder);
                continue;
            }
            if depth == DEPTH {
                continue;
            }
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            // A link may lead anywhere, another medium's root too.
            let folders = entries.filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir()));
            let before = below.len();
            below.extend(
                folders
                    .map(|entry| entry.path())
                    .take(MOST_FOLDERS.saturating_sub(queued)),
            );
            queued += below.len() - before;
        }
        level = below;
    }
    found
}

#[cfg(test)]
mod tests;
