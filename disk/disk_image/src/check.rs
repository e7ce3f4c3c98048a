//! Looking for everything that is wrong with an image and its parents.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use block_io::{DiskError, ImageFile, OsFile};
use serde::Serialize;

use crate::chain::Chain;
use crate::disk_image::OpenOptions;
use crate::image_format::{Family, ImageFormat, detect};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Info,
    /// The file breaks a rule, but the disk reads as it should.
    Warning,
    /// The disk cannot be read, or part of it would be read wrongly.
    Error,
}

/// Something that [`check`] found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where in the file, in bytes, where that is known.
    pub offset: Option<u64>,
    /// What was expected and what was found.
    pub message: String,
    /// What can be done, where something is known to help.
    pub hint: Option<String>,
}

/// What was found in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileCheck {
    /// The file.
    pub path: PathBuf,
    /// Its format; `None` where it could not be told.
    pub format: Option<ImageFormat>,
    /// What was found.
    pub problems: Vec<Problem>,
}

/// What was found in a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The files that could be found, leaf first.
    pub files: Vec<FileCheck>,
}

impl CheckReport {
    /// Returns the worst of all problems; `None`: there are none.
    pub fn worst(&self) -> Option<Severity> {
        self.files
            .iter()
            .flat_map(|file| &file.problems)
            .map(|problem| problem.severity)
            .max()
    }
}

/// Looks for everything that is wrong with an image and its parents, not only for the first thing.
///
/// Structures are looked at, not data: the formats have no checksums of it. Fails only where the
/// image itself cannot be opened as a file (`NotFound`, `Denied`, `InUse`, `OutsideRoot`).
pub fn check(path: &Path, options: &OpenOptions) -> Result<CheckReport, DiskError> {
    let bounds = options.bounds_of(path)?;
    let resolved = bounds.contain(path)?;
    let leaf: Arc<dyn ImageFile> = Arc::new(OsFile::open(&resolved)?);
    let chain = match Chain::open(&resolved, &bounds) {
        Ok(chain) => chain,
        Err(error) => {
            let mut problems = check_file(Arc::clone(&leaf), &resolved);
            if problems
                .iter()
                .all(|problem| problem.severity < Severity::Error)
            {
                problems.push(Problem::of(&error));
            }
            return Ok(CheckReport {
                files: vec![FileCheck {
                    path: resolved,
                    format: None,
                    problems,
                }],
            });
        }
    };
    let mut files: Vec<FileCheck> = chain
        .files
        .iter()
        .map(|file| FileCheck {
            path: file.path.clone(),
            format: Some(file.layer.format()),
            problems: check_file(Arc::clone(&file.file), &file.path),
        })
        .collect();
    if let (Some(error), Some(last)) = (&chain.broken, files.last_mut()) {
        last.problems.push(Problem::of(error));
    }
    for (child, parent) in chain.files.iter().zip(chain.files.iter().skip(1)) {
        let sectors = [child, parent].map(|file| file.layer.as_layer().sector_bytes());
        if let ([ours, theirs], Some(file)) = (sectors, files.first_mut())
            && ours != theirs
        {
            file.problems.push(Problem {
                severity: Severity::Error,
                offset: None,
                message: format!(
                    "{} has {ours}-byte sectors and its parent {theirs}",
                    child.name()
                ),
                hint: None,
            });
        }
    }
    Ok(CheckReport { files })
}

impl Problem {
    fn of(error: &DiskError) -> Self {
        Self {
            severity: Severity::Error,
            offset: error.offset(),
            message: error.to_string(),
            hint: error.hint_text().map(str::to_owned),
        }
    }
}

fn check_file(file: Arc<dyn ImageFile>, path: &Path) -> Vec<Problem> {
    match detect(&*file, path) {
        Ok(Family::Vhdx) => vhdx_format::check(file)
            .into_iter()
            .map(|problem| Problem {
                severity: match problem.severity {
                    vhdx_format::Severity::Info => Severity::Info,
                    vhdx_format::Severity::Warning => Severity::Warning,
                    vhdx_format::Severity::Error => Severity::Error,
                },
                offset: problem.offset,
                message: problem.message,
                hint: None,
            })
            .collect(),
        Ok(Family::Vhd) => vhd_format::check(file)
            .into_iter()
            .map(|problem| Problem {
                severity: if problem.serious {
                    Severity::Error
                } else {
                    Severity::Warning
                },
                offset: problem.offset,
                message: problem.message,
                hint: None,
            })
            .collect(),
        // Any bytes are a raw image.
        Ok(Family::Raw) => Vec::new(),
        Err(error) => vec![Problem::of(&error)],
    }
}
