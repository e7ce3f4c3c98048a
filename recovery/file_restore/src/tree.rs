//! A guest's files as one tree: volumes at the top, then folders.

use std::collections::BTreeMap;
use std::fmt;

use guest_files::{FileError, FileName, GuestFileSystem, Node, NodeKind};
use guest_reader::{Guest, VolumeFacts};

use crate::name_pattern::is_pattern;
use crate::search::Search;
use crate::{GuestPath, VolumeName};

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
    /// How many of the names are left behind when it is taken out: those before the first pattern,
    /// so that what a pattern finds in several folders stays apart; of an exact path all but the
    /// last.
    pub left_behind: usize,
}

impl Found {
    /// Returns the names that it has where it is taken out to.
    pub fn kept_path(&self) -> &[FileName] {
        self.path.get(self.left_behind..).unwrap_or_default()
    }

    /// Returns whether taking `self` out brings `other` to the same place.
    fn brings(&self, other: &Self) -> bool {
        let same = self.volume == other.volume && self.left_behind == other.left_behind;
        let within = self.node.kind == NodeKind::Folder || self.path.len() == other.path.len();
        same && within && other.path.starts_with(&self.path)
    }
}

/// Leaves out what comes with something else of the list: `**` finds a folder, and all that is in it
/// once more.
pub fn outermost(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by(|one, other| {
        let place = |found: &Found| (found.volume, found.left_behind);
        (place(one), &one.path).cmp(&(place(other), &other.path))
    });
    // What is in a folder stands behind it, before anything else does.
    found.dedup_by(|later, kept| kept.brings(later));
    found
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
        found.left_behind = found.path.len().saturating_sub(1);
        Ok(found)
    }

    /// Finds all files and folders whose path a pattern fits. `*`, `?` and `[…]` fit letters of one
    /// name, `**` any number of folders. A name that is there as it was written is meant, whatever
    /// it has in it. Without a pattern in it, a path is one place.
    ///
    /// # Errors
    ///
    /// `NotFound` where nothing fits, `Pattern`, and those of [`Tree::find`]; `File` where a part of
    /// what could fit cannot be read.
    pub fn matching(&self, place: &GuestPath) -> Result<Vec<Found>, TreeError> {
        let mut failed = None;
        let found = self.matching_with(place, &mut |path, error| {
            failed.get_or_insert(error.of(path));
        });
        match failed {
            Some(error) => Err(error.into()),
            None => found,
        }
    }

    /// Does what [`Tree::matching`] does, and goes on where something cannot be read: `failed` is
    /// told the path of it, and why.
    ///
    /// # Errors
    ///
    /// Those of [`Tree::matching`], but for what `failed` is told.
    pub fn matching_with(
        &self,
        place: &GuestPath,
        failed: &mut dyn FnMut(String, FileError),
    ) -> Result<Vec<Found>, TreeError> {
        if !place.names.iter().any(|name| is_pattern(name)) {
            return self.find(place).map(|found| vec![found]);
        }
        let (volume, system) = self.system_of(place)?;
        let mut search = Search::new(system, self.name(volume), failed);
        let mut top = self.top(volume, system)?;
        top.left_behind = usize::MAX;
        let mut reached = vec![top];
        for name in &place.names {
            reached = search.step(reached, name)?;
        }
        for found in &mut reached {
            // All names were there as they were written: it is one place.
            if found.left_behind == usize::MAX {
                found.left_behind = found.path.len().saturating_sub(1);
            }
        }
        if reached.is_empty() && search.failures() == 0 {
            let what = format!(
                "nothing in volume {} fits {}",
                self.name(volume),
                place.names.join("/")
            );
            return Err(TreeError::NotFound(what));
        }
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
            left_behind: 0,
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

fn file_name(name: &str) -> Result<FileName, TreeError> {
    FileName::new(name.as_bytes())
        .ok_or_else(|| TreeError::NotFound(format!("no file is called {name:?}")))
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
