//! Patterns of names: `*.docx`.

use globset::{GlobBuilder, GlobMatcher};
use guest_files::FileName;

use crate::TreeError;

/// A pattern that one name fits or does not: `*` for any letters, `?` for one, `[…]` for one of some.
/// Everything else stands for itself, braces too.
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
        let glob = GlobBuilder::new(&with_plain_braces(pattern))
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

/// Returns whether a name is a pattern.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// Braces mean a choice to `globset`; here they are letters, as they are in file names.
fn with_plain_braces(pattern: &str) -> String {
    let mut plain = String::with_capacity(pattern.len());
    let mut is_in_class = false;
    for letter in pattern.chars() {
        match letter {
            '{' | '}' if !is_in_class => {
                plain.push('[');
                plain.push(letter);
                plain.push(']');
                continue;
            }
            '[' => is_in_class = true,
            ']' => is_in_class = false,
            _ => {}
        }
        plain.push(letter);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        let name = FileName::new(name.as_bytes()).unwrap();
        NamePattern::new(pattern).unwrap().fits(&name)
    }

    #[test]
    fn braces_are_letters() {
        assert!(fits("{3F2504E0-*}", "{3f2504e0-4f89}"));
        assert!(!fits("{a,b}*", "a"));
        assert!(fits("{a,b}*", "{a,b}.txt"));
        assert!(fits("[{}]x*", "}x"));
        assert!(fits("*}", "x}"));
    }

    #[test]
    fn stars_marks_and_classes_stand_for_letters_of_one_name() {
        assert!(fits("*.DOCX", "a.docx"));
        assert!(fits("file-0[12]?", "file-01x"));
        assert!(!fits("file-0[12]?", "file-03x"));
        assert!(NamePattern::new("[a").is_err());
    }
}
