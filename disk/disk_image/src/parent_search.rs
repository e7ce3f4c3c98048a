//! Finding the parent of one file.
//!
//! A locator's paths say where to look, the linkage says which file is the right one. Nothing is
//! opened that lies outside the bounds, links resolved.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use block_io::{DiskError, DiskErrorKind};

use crate::bounds::Bounds;
use crate::chain::OpenedFile;
use crate::image_layer::ImageLayer;
use crate::root_folder::entries_named;
use crate::windows_path::WindowsPath;

pub(crate) struct ParentSearch<'a> {
    child: &'a OpenedFile,
    bounds: &'a Bounds,
    /// The places that were looked at, as the error lists them.
    tried: Vec<String>,
    looked_at: HashSet<PathBuf>,
    mismatches: Vec<String>,
    /// Why a candidate could not be opened.
    failed: Option<DiskError>,
    outside: Option<DiskError>,
}

impl<'a> ParentSearch<'a> {
    pub(crate) fn new(child: &'a OpenedFile, bounds: &'a Bounds) -> Self {
        Self {
            child,
            bounds,
            tried: Vec::new(),
            looked_at: HashSet::new(),
            mismatches: Vec::new(),
            failed: None,
            outside: None,
        }
    }

    /// Tries the relative path, then the absolute ones, then the same names beside the child.
    pub(crate) fn find(mut self) -> Result<OpenedFile, DiskError> {
        let folder = self.child.path.parent().unwrap_or(Path::new("")).to_owned();
        let claim = self.child.layer.parent_claim();
        let (absolute, relative): (Vec<_>, Vec<_>) =
            claim.paths.iter().partition(|path| path.is_absolute());
        for path in relative {
            self.tried.push(path.to_string());
            match self.bounds.relative(&folder, path) {
                Some(files) => {
                    if let Some(parent) = self.choose(&files)? {
                        return Ok(parent);
                    }
                }
                None => self.note_outside(path),
            }
        }
        for path in absolute {
            self.tried.push(path.to_string());
            let files = self.bounds.absolute(path)?;
            if let Some(parent) = self.choose(&files)? {
                return Ok(parent);
            }
        }
        for name in claim.paths.iter().filter_map(WindowsPath::file_name) {
            if let Some(parent) = self.choose(&entries_named(&folder, name))? {
                return Ok(parent);
            }
        }
        Err(self.into_error())
    }

    /// Returns the one of `files` that the linkage names. Two are `Ambiguous`.
    fn choose(&mut self, files: &[PathBuf]) -> Result<Option<OpenedFile>, DiskError> {
        let mut right: Vec<OpenedFile> = Vec::new();
        for file in files {
            if let Some(parent) = self.attempt(file) {
                right.push(parent);
            }
        }
        if right.len() > 1 {
            let names: Vec<String> = right.iter().map(OpenedFile::name).collect();
            return Err(DiskError::new(
                DiskErrorKind::Ambiguous,
                format!("several files are its parent: {}", names.join(", ")),
            )
            .in_file(&self.child.name())
            .hint("keep one copy of the parent in the folder"));
        }
        Ok(right.pop())
    }

    fn attempt(&mut self, path: &Path) -> Option<OpenedFile> {
        let resolved = match self.bounds.contain(path) {
            Ok(resolved) => resolved,
            Err(error) if error.kind() == DiskErrorKind::OutsideRoot => {
                self.outside.get_or_insert(error);
                return None;
            }
            // A dangling link is a file that is not there.
            Err(_) => return None,
        };
        if !self.looked_at.insert(resolved.clone()) {
            return None;
        }
        match OpenedFile::open(&resolved, self.bounds) {
            Ok(parent) if self.child.layer.accepts(&parent.layer) => Some(parent),
            Ok(other) => {
                self.mismatches.push(mismatch(&other));
                None
            }
            Err(error) => {
                self.failed.get_or_insert(error);
                None
            }
        }
    }

    fn note_outside(&mut self, path: &WindowsPath) {
        let error = DiskError::new(
            DiskErrorKind::OutsideRoot,
            format!(
                "the path of its parent, {path}, leads out of {}",
                self.bounds
            ),
        )
        .in_file(&self.child.name())
        .hint("name the folder that holds all the files of the chain");
        self.outside.get_or_insert(error);
    }

    fn into_error(self) -> DiskError {
        let child = self.child.name();
        let expected = self.child.layer.parent_ids().unwrap_or_default();
        let expected: Vec<String> = expected.iter().map(|id| format!("{{{id}}}")).collect();
        let expected = expected.join(" or ");
        if let Some(error) = self.failed {
            return error.hint(format!(
                "this is the parent of {child}: get a whole copy of it, or look at it with \
                 `lifeboat disk check`"
            ));
        }
        if !self.mismatches.is_empty() {
            return DiskError::new(
                DiskErrorKind::ParentMismatch,
                format!(
                    "its parent must have the {} {expected}, but {}",
                    link_noun(&self.child.layer),
                    self.mismatches.join(", ")
                ),
            )
            .in_file(&child)
            .hint(
                "the parent was changed or replaced after the child was made: find the right one",
            );
        }
        if let Some(error) = self.outside {
            return error;
        }
        DiskError::new(
            DiskErrorKind::ParentMissing,
            format!(
                "its parent {expected} was not found under {}; looked for {}",
                self.bounds,
                if self.tried.is_empty() {
                    "nothing, as the file names no path".to_owned()
                } else {
                    self.tried.join(", ")
                }
            ),
        )
        .in_file(&child)
        .hint("copy the parent beside the child, or name the folder that holds both")
    }
}

fn link_noun(layer: &ImageLayer) -> &'static str {
    match layer {
        ImageLayer::Vhdx(_) => "data write GUID",
        ImageLayer::Vhd(_) | ImageLayer::Raw(_) => "unique id",
    }
}

fn mismatch(other: &OpenedFile) -> String {
    match other.layer.link_id() {
        Some(id) => format!("{} ({}) has {{{id}}}", other.name(), other.layer.format()),
        None => format!("{} is a raw image", other.name()),
    }
}
