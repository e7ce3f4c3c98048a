//! What is told of a run that took files out.

use guest_files::FileName;
use serde::Serialize;

use crate::take_out::shown;
use crate::target::Lost;

/// Most problems that are kept with their text; the rest is counted.
const PROBLEMS_MAX: usize = 1000;

/// What was taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TakeOutReport {
    /// Files, with links to the same file counted each.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// Symbolic links and junctions.
    pub links: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// What could not be read or written: its path, and why. The rest was taken out.
    pub failed: Vec<(String, String)>,
    /// What the target cannot hold.
    pub lost: Lost,
    /// How many more failed than are listed.
    pub more_failed: u64,
    /// Whether the person stopped it.
    pub cancelled: bool,
}

impl TakeOutReport {
    pub(crate) fn fail(&mut self, path: &[FileName], why: &dyn std::fmt::Display) {
        if self.failed.len() < PROBLEMS_MAX {
            self.failed.push((shown(path), why.to_string()));
        } else {
            self.more_failed += 1;
        }
    }
}
