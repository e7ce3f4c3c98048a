//! `POINT:/N/folder/file` and `POINT:C:\folder\file`.

use std::fmt;

use guest_files::FileName;

/// A place in a restore point, as people write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointPath {
    /// The restore point, in any of the ways that name one.
    pub point: String,
    /// The place in it.
    pub place: GuestPath,
}

/// A place in a guest: a volume, and names from its top folder on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestPath {
    /// Which volume; `None` for the list of all.
    pub volume: Option<VolumeName>,
    /// The folders, and the file: patterns where a command takes some.
    pub names: Vec<String>,
}

/// How a volume is named.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum VolumeName {
    /// As `files volumes` names it: `1`, `vg-root`.
    Listed(String),
    /// By the letter that the guest's own registry gives it; upper case.
    Letter(char),
}

/// What is wrong with a path that somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathError {
    what: String,
}

impl PointPath {
    /// Reads `POINT`, `POINT:/…` or `POINT:X:…`.
    ///
    /// A point's own name may have colons in it (`SQL01@2026-05-01T22:00`): what begins the place is
    /// the first colon before a slash, or before a letter that a colon follows.
    ///
    /// # Errors
    ///
    /// A name that leads out of its folder (`..`), or no point.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let begin = text
            .char_indices()
            .find(|(at, letter)| *letter == ':' && begins_place(text.get(at + 1..).unwrap_or("")));
        let (point, place) = match begin {
            Some((at, _)) => (text.get(..at), text.get(at + 1..)),
            None => (Some(text), None),
        };
        let point = point.unwrap_or("").to_owned();
        if point.is_empty() {
            return Err(PathError {
                what: format!(
                    "{text:?} names no restore point: write POINT:/N/path, or POINT:C:\\path"
                ),
            });
        }
        Ok(Self {
            point,
            place: GuestPath::parse(place.unwrap_or("/"))?,
        })
    }
}

/// Returns whether this is what follows the colon after a point.
fn begins_place(rest: &str) -> bool {
    let mut letters = rest.chars();
    match (letters.next(), letters.next()) {
        (Some('/' | '\\'), _) => true,
        (Some(letter), Some(':')) => letter.is_ascii_alphabetic(),
        _ => false,
    }
}

impl GuestPath {
    /// Reads `/`, `/N/folder/file` or `C:\folder\file`. After a drive letter both slashes divide;
    /// after a volume's name only `/` does, since a name on Linux may have a `\` in it.
    ///
    /// # Errors
    ///
    /// `.` and `..`, which no folder has in a path of ours.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut start = text.chars();
        if let (Some(letter), Some(':')) = (start.next(), start.next()) {
            let volume = Some(VolumeName::Letter(letter.to_ascii_uppercase()));
            let names = names(start.as_str().split(['/', '\\']), text)?;
            return Ok(Self { volume, names });
        }
        let mut names = names(text.split('/'), text)?.into_iter();
        Ok(Self {
            volume: names.next().map(VolumeName::Listed),
            names: names.collect(),
        })
    }
}

fn names<'a>(parts: impl Iterator<Item = &'a str>, text: &str) -> Result<Vec<String>, PathError> {
    let parts = parts.filter(|part| !part.is_empty());
    let checked = parts.map(|part| match FileName::new(part.as_bytes()) {
        Some(_) => Ok(part.to_owned()),
        None => Err(PathError {
            what: format!("{text:?}: a path into a restore point has no {part:?} in it"),
        }),
    });
    checked.collect()
}

impl fmt::Display for VolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed(name) => write!(f, "/{name}"),
            Self::Letter(letter) => write!(f, "{letter}:"),
        }
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for PathError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, Option<VolumeName>, Vec<String>) {
        let path = PointPath::parse(text).unwrap();
        (path.point, path.place.volume, path.place.names)
    }

    fn listed(name: &str) -> Option<VolumeName> {
        Some(VolumeName::Listed(name.to_owned()))
    }

    #[test]
    fn a_point_may_have_colons_of_its_own() {
        let (point, volume, names) = parsed("SQL01@2026-05-01T22:00:/3/etc/fstab");
        assert_eq!(point, "SQL01@2026-05-01T22:00");
        assert_eq!(volume, listed("3"));
        assert_eq!(names, ["etc", "fstab"]);
    }

    #[test]
    fn a_drive_letter_divides_by_both_slashes() {
        let (point, volume, names) = parsed("SQL01@latest:c:\\Users/ann\\a b.txt");
        assert_eq!(point, "SQL01@latest");
        assert_eq!(volume, Some(VolumeName::Letter('C')));
        assert_eq!(names, ["Users", "ann", "a b.txt"]);
    }

    #[test]
    fn after_a_listed_name_a_backslash_is_a_letter() {
        assert_eq!(parsed("x:/vg-root/a\\b").2, ["a\\b"]);
    }

    #[test]
    fn without_a_place_it_is_the_list_of_volumes() {
        for text in ["91bc", "91bc:/"] {
            assert_eq!(parsed(text), ("91bc".to_owned(), None, Vec::new()));
        }
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for bad in ["x:/1/../2", "x:C:\\..", ":/1", "x:/./1"] {
            assert!(PointPath::parse(bad).is_err(), "{bad}");
        }
    }
}
