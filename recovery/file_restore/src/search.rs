//! A search for the places that a path with patterns fits.

use guest_files::{FileError, FileName, GuestFileSystem, NodeId, NodeKind};

use crate::name_pattern::is_pattern;
use crate::{Found, NamePattern, TreeError, Walk, WalkItem};

/// A search for what fits a path.
pub(crate) struct Search<'a> {
    system: &'a dyn GuestFileSystem,
    volume_name: &'a str,
    failures: u64,
    failed: &'a mut dyn FnMut(String, FileError),
    held: Held,
}

/// What a search may hold of the places that fit: the guest decides how many there are.
#[derive(Clone, Copy)]
struct Held {
    places: usize,
    name_bytes: usize,
}

/// All that a search may hold.
const MOST: Held = Held {
    places: 1_000_000,
    name_bytes: 512 << 20,
};
/// What a name takes besides its bytes, about.
const NAME_BYTES: usize = 32;

impl Held {
    /// Counts one more place.
    fn add(&mut self, path: &[FileName]) -> Result<(), TreeError> {
        let names = path.iter();
        let bytes = names.map(|name| name.as_bytes().len().saturating_add(NAME_BYTES));
        self.places = self.places.saturating_add(1);
        self.name_bytes = self.name_bytes.saturating_add(bytes.sum());
        if self.places > MOST.places || self.name_bytes > MOST.name_bytes {
            let what = format!("more than {} places fit; name a folder", self.places - 1);
            return Err(TreeError::Pattern(what));
        }
        Ok(())
    }
}

impl<'a> Search<'a> {
    /// Searches a volume; `failed` is told what cannot be read.
    pub(crate) fn new(
        system: &'a dyn GuestFileSystem,
        volume_name: &'a str,
        failed: &'a mut dyn FnMut(String, FileError),
    ) -> Self {
        Self {
            system,
            volume_name,
            failures: 0,
            failed,
            held: Held {
                places: 0,
                name_bytes: 0,
            },
        }
    }

    /// Returns how much could not be read.
    pub(crate) fn failures(&self) -> u64 {
        self.failures
    }

    /// Goes one name of a path on: returns what it fits, in the order of paths, each once.
    pub(crate) fn step(
        &mut self,
        reached: Vec<Found>,
        name: &str,
    ) -> Result<Vec<Found>, TreeError> {
        self.held = Held {
            places: 0,
            name_bytes: 0,
        };
        let mut found = match name {
            "**" => self.with_all_folders(reached)?,
            name => self.entries(reached, name)?,
        };
        found.sort_by(|one, other| {
            let place = (&one.path, one.left_behind);
            place.cmp(&(&other.path, other.left_behind))
        });
        found.dedup_by(|one, other| one.path == other.path);
        Ok(found)
    }

    /// Returns the entries of folders that a name fits.
    fn entries(&mut self, folders: Vec<Found>, name: &str) -> Result<Vec<Found>, TreeError> {
        let mut found = Vec::new();
        for folder in folders {
            if folder.node.kind != NodeKind::Folder {
                continue;
            }
            match self.entries_of(&folder, name)? {
                Ok(entries) => {
                    for entry in entries {
                        self.held.add(&entry.path)?;
                        found.push(entry);
                    }
                }
                Err(error) => self.fail(&folder.path, error),
            }
        }
        Ok(found)
    }

    fn entries_of(
        &mut self,
        folder: &Found,
        name: &str,
    ) -> Result<Result<Vec<Found>, FileError>, TreeError> {
        let system = self.system;
        let exact = match FileName::new(name.as_bytes()) {
            Some(wanted) => system.find(folder.node.id, &wanted).map(|id| (wanted, id)),
            None => return Ok(Ok(Vec::new())),
        };
        match exact {
            Ok((wanted, Some(id))) => return Ok(Ok(self.entry(folder, wanted, id, false))),
            Ok(_) if !is_pattern(name) => return Ok(Ok(Vec::new())),
            Ok(_) => {}
            Err(error) => return Ok(Err(error)),
        }
        let pattern = NamePattern::of(name, system.about().is_case_sensitive)?;
        let entries = match crate::walk::entries(system, folder.node.id) {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(error)),
        };
        let fitting = entries.into_iter().filter(|(name, _)| pattern.fits(name));
        let found = fitting.flat_map(|(name, id)| self.entry(folder, name, id, true));
        Ok(Ok(found.collect()))
    }

    /// Returns an entry, if it can be told what it is.
    fn entry(
        &mut self,
        folder: &Found,
        name: FileName,
        id: NodeId,
        by_pattern: bool,
    ) -> Vec<Found> {
        let path: Vec<FileName> = folder.path.iter().cloned().chain([name]).collect();
        match self.system.node(id) {
            Ok(node) => vec![Found {
                volume: folder.volume,
                left_behind: if by_pattern {
                    folder.left_behind.min(folder.path.len())
                } else {
                    folder.left_behind
                },
                path,
                node,
            }],
            Err(error) => {
                self.fail(&path, error);
                Vec::new()
            }
        }
    }

    /// Returns the folders, and all folders under them. They come in the order of paths.
    fn with_all_folders(&mut self, folders: Vec<Found>) -> Result<Vec<Found>, TreeError> {
        let mut all = Vec::new();
        let mut walked: Option<Vec<FileName>> = None;
        for mut folder in folders {
            if folder.node.kind != NodeKind::Folder {
                continue;
            }
            // It was found on the way: `**/**` is no more than `**`.
            let within = |walked: &Vec<FileName>| folder.path.starts_with(walked);
            if walked.as_ref().is_some_and(within) {
                continue;
            }
            folder.left_behind = folder.left_behind.min(folder.path.len());
            for item in Walk::new(self.system, &folder.node) {
                match item {
                    WalkItem::Entry(entry) if entry.node.kind == NodeKind::Folder => {
                        let path: Vec<_> = folder.path.iter().cloned().chain(entry.path).collect();
                        self.held.add(&path)?;
                        all.push(Found {
                            path,
                            node: entry.node,
                            ..folder
                        });
                    }
                    WalkItem::Entry(_) => {}
                    WalkItem::Failed { path, error } => {
                        let path: Vec<_> = folder.path.iter().cloned().chain(path).collect();
                        self.fail(&path, error);
                    }
                }
            }
            self.held.add(&folder.path)?;
            walked = Some(folder.path.clone());
            all.push(folder);
        }
        Ok(all)
    }

    fn fail(&mut self, path: &[FileName], error: FileError) {
        self.failures += 1;
        let path = crate::take_out::shown(path);
        (self.failed)(format!("/{}/{path}", self.volume_name), error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_holds_no_more_than_it_may() {
        let path = [FileName::new(b"name").unwrap()];
        let mut held = MOST;
        held.places -= 1;
        held.name_bytes = 0;
        held.add(&path).unwrap();
        assert!(matches!(held.add(&path), Err(TreeError::Pattern(_))));
        let mut held = MOST;
        held.places = 0;
        assert!(matches!(held.add(&path), Err(TreeError::Pattern(_))));
    }
}
