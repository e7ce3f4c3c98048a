//! What all connections share.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use file_view::{FileView, ViewError, ViewErrorKind, ViewNode};
use hyper::StatusCode;

use crate::web_path;

/// Told what could not be read, in words: many clients show a number only.
pub type Told = dyn Fn(&str) + Send + Sync;

/// Bytes of the random word in the path.
const WORD_BYTES: usize = 16;
/// Most problems that are told.
const TOLD_MAX: usize = 100;

pub(crate) struct Service {
    pub(crate) view: Arc<FileView>,
    word: String,
    told: Box<Told>,
    problems: AtomicUsize,
    tags: RandomState,
}

impl Service {
    pub(crate) fn new(view: Arc<FileView>, told: Box<Told>) -> io::Result<Self> {
        let mut word = [0; WORD_BYTES];
        getrandom::fill(&mut word).map_err(io::Error::other)?;
        Ok(Self {
            view,
            word: word.iter().map(|byte| format!("{byte:02x}")).collect(),
            told,
            problems: AtomicUsize::new(0),
            tags: RandomState::new(),
        })
    }

    /// Returns the path of the top folder.
    pub(crate) fn top(&self) -> String {
        format!("/{}/", self.word)
    }

    /// Returns the names below the top folder; `None` for who does not know the word, and for what is
    /// no path.
    pub(crate) fn names(&self, path: &str) -> Option<Vec<Vec<u8>>> {
        web_path::names(self.below_top(path)?)
    }

    /// Returns whether a path begins with the word.
    pub(crate) fn knows(&self, path: &str) -> bool {
        self.below_top(path).is_some()
    }

    /// Returns what comes behind the word in a path; `None` for who does not know it.
    fn below_top<'p>(&self, path: &'p str) -> Option<&'p str> {
        let path = path.strip_prefix('/')?;
        let (word, rest) = path.split_once('/').unwrap_or((path, ""));
        let is_same = word.len() == self.word.len() && {
            let pairs = word.bytes().zip(self.word.bytes());
            // All of it, however early they differ: how long it takes tells nothing.
            pairs.fold(0, |differ, (one, other)| differ | (one ^ other)) == 0
        };
        is_same.then_some(rest)
    }

    /// Finds what a path names. Links of the view itself are followed: WebDAV has none.
    pub(crate) fn find(&self, names: &[Vec<u8>]) -> Result<ViewNode, ViewError> {
        let mut node = ViewNode::TOP;
        for name in names {
            node = self.view.follow(self.view.find(node, name)?);
        }
        Ok(node)
    }

    /// Returns what stands for a file's content, which never changes, as long as this runs.
    pub(crate) fn etag(&self, node: ViewNode) -> String {
        format!("\"{:016x}\"", self.tags.hash_one(node))
    }

    /// Turns an error into a status, and tells what a status cannot.
    pub(crate) fn failed(&self, error: &ViewError) -> StatusCode {
        let status = match error.kind() {
            ViewErrorKind::NotFound | ViewErrorKind::NotAFolder | ViewErrorKind::WrongKind => {
                return StatusCode::NOT_FOUND;
            }
            ViewErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
            ViewErrorKind::TooMany => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        match self.problems.fetch_add(1, Ordering::Relaxed) {
            before if before < TOLD_MAX => (self.told)(&error.to_string()),
            TOLD_MAX => (self.told)("there is more that cannot be read; it is not told any more"),
            _ => {}
        }
        status
    }
}
