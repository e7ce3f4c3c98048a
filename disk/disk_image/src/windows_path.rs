//! A path of a Windows host: a name to look for, never a path of this machine.

use std::fmt;

/// A path as a host wrote it: `C:\VMs\a.vhdx`, `.\a.avhdx`, `\\server\share\a.vhdx`,
/// `\\?\Volume{…}\VMs\a.vhdx`.
///
/// The path is never opened: its components are matched with files under a folder that the person
/// named ([`crate::PathIndex`]), or looked up in the folder that stands for its drive
/// ([`crate::DriveMap`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowsPath {
    text: String,
    absolute: bool,
    volume: Option<String>,
    /// `..` is a name like any other after `\\?\`, and there is no such name.
    verbatim: bool,
    components: Vec<String>,
}

impl WindowsPath {
    /// Reads a path; both `\` and `/` separate.
    pub fn parse(text: &str) -> Self {
        let unified = text.replace('/', "\\");
        let (rest, absolute) = without_prefix(&unified);
        Self {
            text: text.to_owned(),
            absolute,
            volume: volume_of(&unified),
            verbatim: unified.starts_with("\\\\?\\"),
            components: rest
                .split('\\')
                .filter(|component| !component.is_empty() && *component != ".")
                .map(str::to_owned)
                .collect(),
        }
    }

    /// Returns the components after drive, share or volume. `..` is among them.
    pub fn components(&self) -> &[String] {
        &self.components
    }

    /// Returns drive, share or volume in lower case: `c:`, `\\server\share`, `volume{…}`, or what
    /// else stands after `\\?\`. `None` where the path is relative, to a drive or the current one
    /// too, so that no one place is meant.
    pub(crate) fn volume(&self) -> Option<&str> {
        self.volume.as_deref()
    }

    /// Returns the components without `..`; `None` where they would lead above the volume.
    pub(crate) fn resolved(&self) -> Option<Vec<&str>> {
        let mut resolved: Vec<&str> = Vec::new();
        for component in &self.components {
            if component != ".." {
                resolved.push(component);
            } else if self.verbatim || resolved.pop().is_none() {
                return None;
            }
        }
        Some(resolved)
    }

    /// Returns whether the path starts at a drive, a share, a volume or a root.
    pub fn is_absolute(&self) -> bool {
        self.absolute
    }

    /// Returns the last component, unless it is `..` or there is none.
    pub fn file_name(&self) -> Option<&str> {
        self.components
            .last()
            .map(String::as_str)
            .filter(|name| *name != "..")
    }
}

impl fmt::Display for WindowsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns what [`WindowsPath::volume`] tells of a path with `\` between its components.
fn volume_of(path: &str) -> Option<String> {
    let share = |rest: &str| {
        let mut parts = rest.split('\\').filter(|part| !part.is_empty());
        Some(format!("\\\\{}\\{}", parts.next()?, parts.next()?))
    };
    let volume = if let Some(rest) = path
        .strip_prefix("\\\\?\\")
        .or_else(|| path.strip_prefix("\\\\.\\"))
    {
        match rest.split_once('\\') {
            Some((head, rest)) if head.eq_ignore_ascii_case("UNC") => share(rest)?,
            Some((head, _)) => head.to_owned(),
            None => rest.to_owned(),
        }
    } else if let Some(rest) = path.strip_prefix("\\\\") {
        share(rest)?
    } else {
        match path.as_bytes() {
            [drive, b':'] | [drive, b':', b'\\', ..] if drive.is_ascii_alphabetic() => {
                path[..2].to_owned()
            }
            _ => return None,
        }
    };
    (!volume.is_empty()).then(|| volume.to_lowercase())
}

/// Cuts off drive, server and share, device or volume.
fn without_prefix(path: &str) -> (&str, bool) {
    let skip = |path: &'_ str, count: usize| -> usize {
        path.split_inclusive('\\').take(count).map(str::len).sum()
    };
    if let Some(rest) = path
        .strip_prefix("\\\\?\\")
        .or_else(|| path.strip_prefix("\\\\.\\"))
    {
        // `UNC\server\share\…`, `C:\…`, `Volume{…}\…` or the name of a device.
        let is_unc = rest
            .get(..4)
            .is_some_and(|head| head.eq_ignore_ascii_case("UNC\\"));
        return (&rest[skip(rest, if is_unc { 3 } else { 1 })..], true);
    }
    if let Some(rest) = path.strip_prefix("\\\\") {
        return (&rest[skip(rest, 2)..], true);
    }
    match path.as_bytes() {
        [drive, b':', ..] if drive.is_ascii_alphabetic() => (&path[2..], true),
        [b'\\', ..] => (path, true),
        _ => (path, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (bool, Vec<String>) {
        let path = WindowsPath::parse(text);
        (path.is_absolute(), path.components().to_vec())
    }

    #[test]
    fn drives_shares_and_volumes_are_cut_off() {
        let expected = (true, vec!["VMs".to_owned(), "a.vhdx".to_owned()]);
        for text in [
            "C:\\VMs\\a.vhdx",
            "c:/VMs/a.vhdx",
            "\\\\?\\C:\\VMs\\a.vhdx",
            "\\\\server\\share\\VMs\\a.vhdx",
            "\\\\?\\UNC\\server\\share\\VMs\\a.vhdx",
            "\\\\?\\Volume{0eba351e-0000-0000-0000-100000000000}\\VMs\\a.vhdx",
            "\\VMs\\.\\a.vhdx",
        ] {
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn relative_paths_keep_their_way_up() {
        assert_eq!(
            parts("..\\base\\a.vhdx"),
            (
                false,
                vec!["..".to_owned(), "base".to_owned(), "a.vhdx".to_owned()]
            )
        );
        assert_eq!(WindowsPath::parse(".\\..").file_name(), None);
    }

    #[test]
    fn odd_texts_do_no_harm() {
        for text in [
            "",
            "\\",
            "\\\\",
            "\\\\?\\",
            "\\\\.\\PhysicalDrive0",
            "C:",
            "ü:\\x",
            "\\\\?\\é",
        ] {
            let _ = WindowsPath::parse(text);
        }
        assert_eq!(
            WindowsPath::parse("\\\\.\\PhysicalDrive0").file_name(),
            None
        );
    }
}
