//! Which files somebody looks for.

use std::ops::RangeInclusive;

use globset::{GlobBuilder, GlobMatcher};
use guest_files::{FileName, Node, NodeKind, Time};

use crate::{TreeError, VolumeName};

/// Which files somebody looks for: by name or path, by size, by when they changed last.
#[derive(Debug, Clone)]
pub struct FileFilter {
    matcher: GlobMatcher,
    /// Whether names alone are looked at.
    is_name: bool,
    volume: Option<VolumeName>,
    /// What the names of the volumes fit that are looked into, where they are named.
    volumes: Option<GlobMatcher>,
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
            (None, None) if is_name => slashes.clone(),
            (None, None) => format!("**/{slashes}"),
        };
        let matcher = compiled(&glob).map_err(|error| {
            TreeError::Pattern(format!("the pattern {pattern:?}: {}", error.kind()))
        })?;
        let volume = match letter {
            None => slashes
                .strip_prefix('/')
                .and_then(|it| it.split('/').next()),
            Some(_) => None,
        };
        Ok(Self {
            matcher,
            is_name,
            // A pattern that is none by itself, as of alternatives with a slash, fits any volume.
            volumes: volume.and_then(|volume| compiled(volume).ok()),
            volume: letter
                .map(VolumeName::Letter)
                .or_else(|| volume.map(|name| VolumeName::Listed(name.to_owned()))),
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

    /// Returns how the volumes that are looked into are named, where not all are: a drive letter, or
    /// a pattern of names.
    pub fn volume(&self) -> Option<&VolumeName> {
        self.volume.as_ref()
    }

    /// Returns whether a volume of this name is looked into. By a drive letter it cannot be told.
    pub fn fits_volume(&self, name: &str) -> bool {
        self.volumes
            .as_ref()
            .is_none_or(|volumes| volumes.is_match(name))
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

fn compiled(glob: &str) -> Result<GlobMatcher, globset::Error> {
    let built = GlobBuilder::new(glob)
        .case_insensitive(true)
        .literal_separator(true)
        .backslash_escape(false)
        .build();
    built.map(|glob| glob.compile_matcher())
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
        let letter = FileFilter::new("c:\\x").unwrap();
        assert_eq!(letter.volume(), Some(&VolumeName::Letter('C')));
        assert!(FileFilter::new("[").is_err());
    }

    #[test]
    fn volumes_that_are_named_are_looked_into_alone() {
        let looks = |pattern: &str| {
            let filter = FileFilter::new(pattern).unwrap();
            ["1", "2", "vg-root"].map(|volume| filter.fits_volume(volume))
        };
        assert_eq!(looks("/2/etc/*.conf"), [false, true, false]);
        assert_eq!(looks("/VG-*/**/x"), [false, false, true]);
        assert_eq!(looks("/9/x"), [false; 3]);
        for all in ["*.conf", "etc/*.conf", "/**/x", "/*/x", "/{1/x,2/y}"] {
            assert_eq!(looks(all), [true; 3], "{all}");
        }
        let volume = |pattern: &str| FileFilter::new(pattern).unwrap().volume().cloned();
        assert_eq!(volume("/9/x"), Some(VolumeName::Listed("9".to_owned())));
        assert_eq!(volume("etc/x"), None);
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
