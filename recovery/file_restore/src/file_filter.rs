//! Which files somebody looks for.

use std::ops::RangeInclusive;

use globset::{GlobBuilder, GlobMatcher};
use guest_files::{FileName, Node, NodeKind, Time};

use crate::TreeError;

/// Which files somebody looks for: by name or path, by size, by when they changed last.
#[derive(Debug, Clone)]
pub struct FileFilter {
    matcher: GlobMatcher,
    /// Whether names alone are looked at.
    is_name: bool,
    letter: Option<char>,
    size_bytes: Option<RangeInclusive<u64>>,
    modified_from: Option<Time>,
    modified_before: Option<Time>,
}

impl FileFilter {
    /// Takes a pattern whose case does not count. Without a slash it is one of names: `*.docx`. With
    /// one it is one of paths: `/1/etc/**/*.conf` from a volume on, `etc/*.conf` in any folder,
    /// `C:\Users\**\*.pst` in the volume that has this letter.
    ///
    /// # Errors
    ///
    /// `Pattern`, which says what makes no sense.
    pub fn new(pattern: &str) -> Result<Self, TreeError> {
        let (letter, rest) = match pattern.as_bytes() {
            [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic() => (
                Some(char::from(letter.to_ascii_uppercase())),
                pattern.get(3..).unwrap_or(""),
            ),
            _ => (None, pattern),
        };
        let slashes = match rest.contains('/') {
            true => rest.to_owned(),
            false => rest.replace('\\', "/"),
        };
        let is_name = letter.is_none() && !slashes.contains('/');
        let glob = match (slashes.strip_prefix('/'), letter) {
            (_, Some(_)) => format!("*/{slashes}"),
            (Some(anchored), None) => anchored.to_owned(),
            (None, None) if is_name => slashes,
            (None, None) => format!("**/{slashes}"),
        };
        let built = GlobBuilder::new(&glob)
            .case_insensitive(true)
            .literal_separator(true)
            .backslash_escape(false)
            .build();
        let built = built.map_err(|error| {
            TreeError::Pattern(format!("the pattern {pattern:?}: {}", error.kind()))
        })?;
        Ok(Self {
            matcher: built.compile_matcher(),
            is_name,
            letter,
            size_bytes: None,
            modified_from: None,
            modified_before: None,
        })
    }

    /// Only files of so many bytes.
    #[must_use]
    pub fn of_size(mut self, size_bytes: Option<RangeInclusive<u64>>) -> Self {
        self.size_bytes = size_bytes;
        self
    }

    /// Only what changed at this time or later, and before that one.
    #[must_use]
    pub fn modified(mut self, from: Option<Time>, before: Option<Time>) -> Self {
        self.modified_from = from;
        self.modified_before = before;
        self
    }

    /// Returns the drive letter of the volume that is looked into, where it is one alone.
    pub fn letter(&self) -> Option<char> {
        self.letter
    }

    /// Returns whether a file of a volume is looked for.
    pub fn fits(&self, volume: &str, path: &[FileName], node: &Node) -> bool {
        self.fits_path(volume, path) && self.fits_node(node)
    }

    fn fits_path(&self, volume: &str, path: &[FileName]) -> bool {
        let text = |name: &FileName| String::from_utf8_lossy(name.as_bytes()).into_owned();
        let Some(last) = path.last() else {
            return false;
        };
        if self.is_name {
            return self.matcher.is_match(text(last));
        }
        let names = std::iter::once(volume.to_owned()).chain(path.iter().map(text));
        self.matcher.is_match(names.collect::<Vec<_>>().join("/"))
    }

    fn fits_node(&self, node: &Node) -> bool {
        let of_size = self
            .size_bytes
            .as_ref()
            .is_none_or(|range| node.kind == NodeKind::File && range.contains(&node.size_bytes));
        let modified = node.times.modified;
        let is_late = self
            .modified_from
            .is_none_or(|from| modified.is_some_and(|own| own >= from));
        let is_early = self
            .modified_before
            .is_none_or(|end| modified.is_some_and(|own| own < end));
        of_size && is_late && is_early
    }
}

#[cfg(test)]
mod tests {
    use guest_files::{NodeId, Owner, Times};

    use super::*;

    fn node(size_bytes: u64, modified: i64) -> Node {
        let time = Time {
            seconds: modified,
            nanoseconds: 0,
        };
        Node {
            id: NodeId { tree: 0, number: 1 },
            kind: NodeKind::File,
            size_bytes,
            links: 1,
            times: Times {
                modified: Some(time),
                ..Times::default()
            },
            owner: Owner::Windows { attributes: 0 },
        }
    }

    fn fits(pattern: &str, path: &str) -> bool {
        let mut names = path.split('/');
        let volume = names.next().unwrap();
        let names: Vec<_> = names
            .map(|name| FileName::new(name.as_bytes()).unwrap())
            .collect();
        FileFilter::new(pattern)
            .unwrap()
            .fits(volume, &names, &node(0, 0))
    }

    #[test]
    fn a_pattern_without_a_slash_is_one_of_names() {
        assert!(fits("*.DOCX", "1/users/ann/plan.docx"));
        assert!(!fits("users", "1/users/ann/plan.docx"));
    }

    #[test]
    fn a_pattern_with_a_slash_is_one_of_paths() {
        assert!(fits("/1/etc/*.conf", "1/etc/a.conf"));
        assert!(!fits("/1/etc/*.conf", "2/etc/a.conf"));
        assert!(!fits("/1/etc/*.conf", "1/etc/sub/a.conf"));
        assert!(fits("/*/etc/**/*.conf", "vg-root/etc/sub/deep/a.conf"));
        assert!(fits("etc/*.conf", "1/srv/old/etc/a.conf"));
        assert!(fits("C:\\users\\**\\*.pst", "2/Users/ann/mail.pst"));
        assert!(!fits("C:\\ann\\*.pst", "2/Users/ann/mail.pst"));
        assert_eq!(FileFilter::new("c:\\x").unwrap().letter(), Some('C'));
        assert!(FileFilter::new("[").is_err());
    }

    #[test]
    fn sizes_and_times_leave_out_what_is_not_between_them() {
        let path = [FileName::new(b"x").unwrap()];
        let at = |seconds| {
            Some(Time {
                seconds,
                nanoseconds: 0,
            })
        };
        let any = || FileFilter::new("*").unwrap();
        let large = any().of_size(Some(10..=20));
        assert_eq!(
            [9, 10, 20, 21].map(|size| large.fits("1", &path, &node(size, 0))),
            [false, true, true, false]
        );
        let recent = any().modified(at(5), at(7));
        assert_eq!(
            [4, 5, 6, 7].map(|time| recent.fits("1", &path, &node(0, time))),
            [false, true, true, false]
        );
    }
}
