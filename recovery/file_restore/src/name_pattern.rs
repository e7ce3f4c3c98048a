//! Patterns of names: `*.docx`.

use globset::{GlobBuilder, GlobMatcher};
use guest_files::FileName;

use crate::TreeError;

/// A pattern that one name fits or does not: `*` for any letters, `?` for one, `[…]` for one of some.
#[derive(Debug, Clone)]
pub struct NamePattern {
    matcher: GlobMatcher,
}

impl NamePattern {
    /// Makes a pattern whose case does not count.
    ///
    /// # Errors
    ///
    /// `Pattern`, which says what makes no sense.
    pub fn new(pattern: &str) -> Result<Self, TreeError> {
        Self::of(pattern, false)
    }

    pub(crate) fn of(pattern: &str, is_case_sensitive: bool) -> Result<Self, TreeError> {
        let glob = GlobBuilder::new(pattern)
            .case_insensitive(!is_case_sensitive)
            .literal_separator(true)
            .backslash_escape(false)
            .build();
        let glob = glob.map_err(|error| {
            TreeError::Pattern(format!("the pattern {pattern:?}: {}", error.kind()))
        })?;
        Ok(Self {
            matcher: glob.compile_matcher(),
        })
    }

    /// Returns whether a name fits.
    pub fn fits(&self, name: &FileName) -> bool {
        self.matcher
            .is_match(String::from_utf8_lossy(name.as_bytes()).as_ref())
    }
}
