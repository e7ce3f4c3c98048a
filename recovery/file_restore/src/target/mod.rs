//! Where files are taken out to.

mod error;
mod folder;
mod local_name;
mod tar_archive;
mod zip_archive;

use guest_files::{FileName, Link, Node, Stream};

use crate::take_out::{About, Source};

pub use error::TargetError;
pub use folder::FolderTarget;
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

    /// Ends it: what has to be written last, and everything durable.
    fn finish(self: Box<Self>) -> Result<(), TargetError>;
}

/// What of a file the target could not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// What was lost, each as a few words: "owner", "the stream Zone.Identifier".
    pub lost: Vec<String>,
}

impl Kept {
    /// Everything was kept.
    pub fn all() -> Self {
        Self::default()
    }

    /// All but this was kept.
    pub fn without(what: impl Into<String>) -> Self {
        Self {
            lost: vec![what.into()],
        }
    }

    pub(crate) fn lose(&mut self, what: impl Into<String>) {
        self.lost.push(what.into());
    }
}
