//! From the leaf of a chain to its base.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use block_io::{DiskError, DiskErrorKind, FileStamp, ImageFile, OsFile};
use uuid::Uuid;

use crate::bounds::Bounds;
use crate::image_layer::ImageLayer;
use crate::parent_search::ParentSearch;

/// A chain of more files is refused: Hyper-V allows 50 checkpoints.
const MAX_FILES: usize = 256;

/// One opened file, with what it looked like when it was opened.
#[derive(Clone)]
pub(crate) struct OpenedFile {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn ImageFile>,
    pub(crate) stamp: Option<FileStamp>,
    pub(crate) layer: ImageLayer,
}

impl OpenedFile {
    /// Opens a file inside of `bounds`, for reading alone.
    pub(crate) fn open(path: &Path, bounds: &Bounds) -> Result<Self, DiskError> {
        let path = bounds.contain(path)?;
        let file: Arc<dyn ImageFile> = Arc::new(if bounds.is_host() {
            OsFile::open_held_still(&path)?
        } else {
            OsFile::open(&path)?
        });
        Self::of_file(file, path)
    }

    /// Takes a file that somebody else has opened.
    fn of_file(file: Arc<dyn ImageFile>, path: PathBuf) -> Result<Self, DiskError> {
        // The stamp is taken before anything is read: a change while the structures are read is
        // seen as well.
        let stamp = file
            .stamp()
            .map_err(|error| DiskError::io(file.name(), "cannot read the file's times", error))?;
        let layer = ImageLayer::open(Arc::clone(&file), &path)?;
        Ok(Self {
            path,
            file,
            stamp,
            layer,
        })
    }

    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// The files that were found, leaf first, and why there are no more where the base was not reached.
pub(crate) struct Chain {
    pub(crate) files: Vec<OpenedFile>,
    pub(crate) broken: Option<DiskError>,
}

impl Chain {
    /// Opens `leaf` and all its ancestors. Fails where the leaf itself cannot be opened.
    pub(crate) fn open(leaf: &Path, bounds: &Bounds) -> Result<Self, DiskError> {
        let mut chain = Self {
            files: vec![OpenedFile::open(leaf, bounds)?],
            broken: None,
        };
        let mut seen = Seen::default();
        while let Some(child) = chain.files.last() {
            let next = seen.add(child).and_then(|()| {
                if child.layer.parent_ids().is_none() {
                    return Ok(None);
                }
                ParentSearch::new(child, bounds).find().map(Some)
            });
            match next {
                Ok(Some(parent)) => chain.files.push(parent),
                Ok(None) => break,
                Err(error) => {
                    chain.broken = Some(error);
                    break;
                }
            }
        }
        Ok(chain)
    }

    /// Takes files that are said to be a chain, leaf first, and sees whether they are.
    pub(crate) fn of_files(files: Vec<Arc<dyn ImageFile>>) -> Result<Vec<OpenedFile>, DiskError> {
        let mut seen = Seen::default();
        let mut opened: Vec<OpenedFile> = Vec::with_capacity(files.len().min(MAX_FILES));
        for file in files {
            let path = PathBuf::from(file.name());
            let file = OpenedFile::of_file(file, path)?;
            if let Some(child) = opened.last()
                && !child.layer.accepts(&file.layer)
            {
                let what = format!("{} is not its parent: the linkage differs", file.name());
                return Err(
                    DiskError::new(DiskErrorKind::ParentMismatch, what).in_file(&child.name())
                );
            }
            seen.add(&file)?;
            opened.push(file);
        }
        match opened.last() {
            Some(last) if last.layer.parent_ids().is_some() => {
                let what = "its parent is not among the files";
                Err(DiskError::new(DiskErrorKind::ParentMissing, what).in_file(&last.name()))
            }
            _ => Ok(opened),
        }
    }

    /// Returns the files, or why the chain is not whole.
    pub(crate) fn whole(self) -> Result<Vec<OpenedFile>, DiskError> {
        match self.broken {
            Some(error) => Err(error),
            None => Ok(self.files),
        }
    }
}

/// What is in the chain already: paths with all links resolved, and identities, so that a copy of
/// a file under another name does not make the chain endless.
#[derive(Default)]
struct Seen {
    paths: HashSet<PathBuf>,
    ids: HashSet<Uuid>,
}

impl Seen {
    fn add(&mut self, file: &OpenedFile) -> Result<(), DiskError> {
        let new = self.paths.insert(file.path.clone())
            && file.layer.link_id().is_none_or(|id| self.ids.insert(id));
        if !new {
            return Err(DiskError::new(
                DiskErrorKind::ParentLoop,
                "the chain of parents returns to this file",
            )
            .in_file(&file.name()));
        }
        if self.paths.len() > MAX_FILES {
            return Err(DiskError::new(
                DiskErrorKind::ParentLoop,
                format!("the chain of parents has more than {MAX_FILES} files"),
            )
            .in_file(&file.name()));
        }
        Ok(())
    }
}
