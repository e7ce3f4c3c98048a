//! Where files are taken out to.

mod archive_file;
mod error;
mod fill;
mod flush_behind;
mod folder;
mod identity;
mod kept_about;
mod local_name;
mod lost;
mod made_folder;
mod new_file;
mod tar_archive;
mod zip_archive;

use std::hash::{BuildHasher as _, RandomState};

use guest_files::{FileName, Link, Node, NodeId, Stream};

use crate::take_out::{About, Source};

pub use archive_file::{ArchiveFile, ArchiveOut, ToStream, ZstdOut};
pub use error::TargetError;
pub use folder::{FolderOptions, FolderTarget};
pub use lost::{Kept, Lost};
pub use tar_archive::TarTarget;
pub use zip_archive::ZipTarget;

/// A place that files are written to: paths are relative to it, and each folder comes before what is
/// in it.
pub trait FileTarget {
    /// Makes a folder.
    fn folder(
        &mut self,
        path: &[FileName],
        node: &Node,
        about: &About,
    ) -> Result<Kept, TargetError>;

    /// Writes a file from front to back.
    fn file(
        &mut self,
        path: &[FileName],
        node: &Node,
        about: &About,
        content: &mut Source<'_>,
    ) -> Result<Kept, TargetError>;

    /// Returns whether named streams are written as such. If not, those that are short enough come
    /// as extended attributes `user.NAME`, which is what NTFS has on Linux.
    fn holds_streams(&self) -> bool {
        false
    }

    /// Writes a named stream of a file or folder that is there.
    fn stream(
        &mut self,
        _path: &[FileName],
        _node: &Node,
        _stream: &Stream,
        _content: &mut Source<'_>,
    ) -> Result<Kept, TargetError> {
        Ok(Kept::without("named streams"))
    }

    /// Returns whether a file that cannot be read is there all the same, with zeros from where it
    /// could not be read: what was written to an archive stays.
    fn fills_up(&self) -> bool {
        false
    }

    /// Makes a link.
    fn link(
        &mut self,
        path: &[FileName],
        node: &Node,
        link: &Link,
        about: &About,
    ) -> Result<Kept, TargetError>;

    /// Gives a file that is there another name; returns whether the target can: if not, the file is
    /// written again.
    fn same_file(&mut self, path: &[FileName], first: &[FileName]) -> Result<bool, TargetError>;

    /// Returns what two paths have in common that would be one place here.
    fn place_key(&self, path: &[FileName]) -> Vec<u8> {
        joined(path)
    }

    /// Ends it: what has to be written last, and everything durable. Only then an archive has its
    /// name. Returns what could not be kept.
    fn finish(&mut self) -> Result<Lost, TargetError>;

    /// Ends it where it cannot be finished: files and folders that are whole stay, an archive goes.
    fn abandon(&mut self) -> Lost {
        Lost::default()
    }
}

/// Which places were written in this run, so that none is written twice: a guest's two files with
/// names that are one here, or two files of one name out of different folders.
#[derive(Default)]
pub(crate) struct Places {
    hashers: [RandomState; 2],
    files: std::collections::HashSet<u128>,
    folders: std::collections::HashMap<u128, (u32, NodeId)>,
}

/// What a folder's place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FolderPlace {
    /// Nothing is there of this run.
    New,
    /// This very folder is there.
    Same,
    /// Something else is there.
    Taken,
}

impl Places {
    /// The keys of the hashes are random, so no guest can make two places look like one.
    fn hash(&self, place: &[u8]) -> u128 {
        let [high, low] = &self.hashers;
        u128::from(high.hash_one(place)) << 64 | u128::from(low.hash_one(place))
    }

    /// Takes a place for a file; `false` where there is something of this run.
    pub(crate) fn file(&mut self, place: &[u8]) -> bool {
        let hash = self.hash(place);
        !self.folders.contains_key(&hash) && self.files.insert(hash)
    }

    /// Takes a place for a folder.
    pub(crate) fn folder(&mut self, place: &[u8], volume: u32, id: NodeId) -> FolderPlace {
        let hash = self.hash(place);
        if self.files.contains(&hash) {
            return FolderPlace::Taken;
        }
        match self.folders.insert(hash, (volume, id)) {
            None => FolderPlace::New,
            Some(there) if there == (volume, id) => FolderPlace::Same,
            Some(there) => {
                self.folders.insert(hash, there);
                FolderPlace::Taken
            }
        }
    }
}

pub(crate) fn joined(path: &[FileName]) -> Vec<u8> {
    let names: Vec<&[u8]> = path.iter().map(FileName::as_bytes).collect();
    names.join(&b'/')
}
