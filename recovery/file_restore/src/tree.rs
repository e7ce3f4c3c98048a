//! A guest's files as one tree: volumes at the top, then folders.

use std::collections::BTreeMap;
use std::fmt;

use guest_files::{FileError, FileName, GuestFileSystem, Node, NodeKind};
use guest_reader::{Guest, VolumeFacts};

use crate::{GuestPath, NamePattern, VolumeName};

/// A guest's files.
pub struct Tree<'g> {
    guest: &'g dyn Guest,
    letters: BTreeMap<char, u32>,
}

/// A file or folder that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Which volume of the guest's list.
    pub volume: u32,
    /// The names from the volume's top folder on, as they are stored.
    pub path: Vec<FileName>,
    /// What it is.
    pub node: Node,
}

/// Why a place was not found.
#[derive(Debug)]
pub enum TreeError {
    /// There is no such volume; the text says which there are.
    NoVolume(String),
    /// There is no such file or folder: what was looked for, and what of it there is.
    NotFound(String),
    /// A pattern makes no sense.
    Pattern(String),
    /// What is there could not be read.
    File(FileError),
}

impl<'g> Tree<'g> {
    /// Makes a tree of a guest's volumes, with the drive letters that its own registry gives them.
    pub fn new(guest: &'g dyn Guest, letters: BTreeMap<char, u32>) -> Self {
        Self { guest, letters }
    }

    /// Returns the volumes, each with its letters.
    pub fn volumes(&self) -> impl Iterator<Item = (&'g VolumeFacts, Vec<char>)> + '_ {
        (0..)
            .zip(&self.guest.facts().volumes)
            .map(|(number, facts)| {
                let letters = self.letters.iter();
                let own = letters.filter(|(_, volume)| **volume == number);
                (facts, own.map(|(letter, _)| *letter).collect())
            })
    }

    /// Opens the file system of a volume.
    ///
    /// # Errors
    ///
    /// Those of its reader.
    pub fn file_system(&self, volume: u32) -> Result<&'g dyn GuestFileSystem, TreeError> {
        self.guest.open(volume).map_err(|error| {
            let name = self.name(volume);
            TreeError::File(error.of(format_args!("volume {name}")))
        })
    }

    /// Returns how paths name a volume.
    pub fn name(&self, volume: u32) -> &'g str {
        let at = usize::try_from(volume).unwrap_or(usize::MAX);
        let volumes = &self.guest.facts().volumes;
        volumes.get(at).map_or("?", |facts| facts.name.as_str())
    }

    /// Returns the number of a volume.
    ///
    /// # Errors
    ///
    /// `NoVolume`, with those that there are.
    pub fn volume(&self, name: &VolumeName) -> Result<u32, TreeError> {
        let found = match name {
            VolumeName::Letter(letter) => self.letters.get(letter).copied(),
            VolumeName::Listed(name) => {
                let mut volumes = (0..).zip(&self.guest.facts().volumes);
                volumes
                    .find(|(_, facts)| facts.name == *name)
                    .map(|(number, _)| number)
            }
        };
        found.ok_or_else(|| TreeError::NoVolume(self.known(name)))
    }

    fn known(&self, asked: &VolumeName) -> String {
        let names = self
            .guest
            .facts()
            .volumes
            .iter()
            .map(|facts| format!("/{}", facts.name));
        let letters = self.letters.keys().map(|letter| format!("{letter}:"));
        let all: Vec<String> = names.chain(letters).collect();
        match (asked, all.as_slice()) {
            (_, []) => format!("there is no volume {asked}: none was found on the disks"),
            (VolumeName::Letter(_), _) if self.letters.is_empty() => format!(
                "there is no volume {asked}: no drive letters could be read from a Windows registry; \
                 there are {}",
                all.join(", ")
            ),
            _ => format!("there is no volume {asked}; there are {}", all.join(", ")),
        }
    }

    /// Finds one file or folder by its exact path.
    ///
    /// # Errors
    ///
    /// `NoVolume`, `NotFound`, `File`.
    pub fn find(&self, place: &GuestPath) -> Result<Found, TreeError> {
        let (volume, system) = self.system_of(place)?;
        let mut found = self.top(volume, system)?;
        for name in &place.names {
            let wanted = file_name(name)?;
            let id = match found.node.kind {
                NodeKind::Folder => system.find(found.node.id, &wanted)?,
                _ => None,
            };
            let id = id.ok_or_else(|| self.not_found(&found, name))?;
            found.node = system.node(id)?;
            found.path.push(wanted);
        }
        Ok(found)
    }

    /// Finds all files and folders whose path a pattern fits. `*`, `?` and `[…]` fit letters of one
    /// name, `**` any number of folders. Without a pattern in it, a path is one place.
    ///
    /// # Errors
    ///
    /// `NotFound` where nothing fits, `Pattern`, and those of [`Tree::find`].
    pub fn matching(&self, place: &GuestPath) -> Result<Vec<Found>, TreeError> {
        if !place.names.iter().any(|name| is_pattern(name)) {
            return self.find(place).map(|found| vec![found]);
        }
        let (volume, system) = self.system_of(place)?;
        let mut reached = vec![self.top(volume, system)?];
        for name in &place.names {
            reached = if name == "**" {
                with_all_folders(system, reached)?
            } else {
                matching_entries(system, &reached, name)?
            };
        }
        if reached.is_empty() {
            let what = format!(
                "nothing in volume {} fits {}",
                self.name(volume),
                place.names.join("/")
            );
            return Err(TreeError::NotFound(what));
        }
        reached.sort_by(|one, other| one.path.cmp(&other.path));
        reached.dedup_by(|one, other| one.path == other.path);
        Ok(reached)
    }

    fn system_of(&self, place: &GuestPath) -> Result<(u32, &'g dyn GuestFileSystem), TreeError> {
        let Some(name) = &place.volume else {
            let what = "no volume is named: write POINT:/N/path; `files volumes` lists them";
            return Err(TreeError::NoVolume(what.to_owned()));
        };
        let volume = self.volume(name)?;
        Ok((volume, self.file_system(volume)?))
    }

    fn top(&self, volume: u32, system: &dyn GuestFileSystem) -> Result<Found, TreeError> {
        Ok(Found {
            volume,
            path: Vec::new(),
            node: system.node(system.root())?,
        })
    }

    fn not_found(&self, reached: &Found, name: &str) -> TreeError {
        let path: Vec<String> = reached.path.iter().map(ToString::to_string).collect();
        let place = format!("/{}/{}", self.name(reached.volume), path.join("/"));
        TreeError::NotFound(match reached.node.kind {
            NodeKind::Folder => format!("there is no {name:?} in {place}"),
            _ => format!("{place} is no folder, so there is no {name:?} in it"),
        })
    }
}

/// Returns whether a name is a pattern.
fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

fn file_name(name: &str) -> Result<FileName, TreeError> {
    FileName::new(name.as_bytes())
        .ok_or_else(|| TreeError::NotFound(format!("no file is called {name:?}")))
}

fn matching_entries(
    system: &dyn GuestFileSystem,
    folders: &[Found],
    name: &str,
) -> Result<Vec<Found>, TreeError> {
    let pattern = NamePattern::of(name, system.about().is_case_sensitive)?;
    let mut found = Vec::new();
    for folder in folders
        .iter()
        .filter(|found| found.node.kind == NodeKind::Folder)
    {
        for (name, id) in crate::walk::entries(system, folder.node.id)? {
            if pattern.fits(&name) {
                let mut path = folder.path.clone();
                path.push(name);
                found.push(Found {
                    volume: folder.volume,
                    path,
                    node: system.node(id)?,
                });
            }
        }
    }
    Ok(found)
}

/// Returns the folders, and all folders under them.
fn with_all_folders(
    system: &dyn GuestFileSystem,
    folders: Vec<Found>,
) -> Result<Vec<Found>, TreeError> {
    let mut all = Vec::new();
    for folder in folders {
        if folder.node.kind != NodeKind::Folder {
            continue;
        }
        for item in crate::Walk::new(system, &folder.node) {
            let crate::WalkItem::Entry(entry) = item else {
                continue;
            };
            if entry.node.kind == NodeKind::Folder {
                let path = folder.path.iter().cloned().chain(entry.path).collect();
                all.push(Found {
                    volume: folder.volume,
                    path,
                    node: entry.node,
                });
            }
        }
        all.push(folder);
    }
    Ok(all)
}

impl From<FileError> for TreeError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVolume(what) | Self::NotFound(what) | Self::Pattern(what) => f.write_str(what),
            Self::File(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for TreeError {}
