//! Where the host's files lie on this machine: `C:\x\y` is `DIR/drives/C/x/y`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{SimError, SimErrorKind};

/// Returns the folder of a drive, which need not exist.
pub(crate) fn drive_folder(dir: &Path, letter: char) -> PathBuf {
    dir.join("drives")
        .join(letter.to_ascii_uppercase().to_string())
}

/// Lists the drives that there are: `C:\` and its folder.
pub(crate) fn drives(dir: &Path) -> Result<Vec<(String, PathBuf)>, SimError> {
    let folder = dir.join("drives");
    let failed = |error| SimError::io(folder.display(), error);
    let mut drives = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Some(name) = entry.file_name().to_str() {
            drives.push((format!("{name}:\\"), entry.path()));
        }
    }
    drives.sort();
    Ok(drives)
}

/// Returns where a file of the host lies on this machine, whether or not it exists. Components that
/// exist are found without regard to case, as on Windows.
pub(crate) fn local_path(dir: &Path, host_path: &str) -> Result<PathBuf, SimError> {
    let wrong = || {
        SimError::new(
            SimErrorKind::InvalidParameter,
            format!("{host_path:?} is not an absolute path on a drive of the host"),
        )
    };
    let unified = host_path.replace('/', "\\");
    let plain = unified.strip_prefix("\\\\?\\").unwrap_or(&unified);
    let mut parts = plain.split('\\');
    let drive = parts.next().ok_or_else(wrong)?;
    let letter = match drive.as_bytes() {
        [letter, b':'] if letter.is_ascii_alphabetic() => char::from(*letter),
        _ => return Err(wrong()),
    };
    let mut path = drive_folder(dir, letter);
    for part in parts.filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." || part.contains([':', '\0']) {
            return Err(wrong());
        }
        path = existing(&path, part);
    }
    Ok(path)
}

/// Returns the entry of this name, of whatever case; the name itself where there is none.
fn existing(folder: &Path, name: &str) -> PathBuf {
    let exact = folder.join(name);
    if exact.symlink_metadata().is_ok() {
        return exact;
    }
    let lower = name.to_lowercase();
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let found = entries.find(|entry| {
        let name = entry.file_name();
        name.to_str()
            .is_some_and(|name| name.to_lowercase() == lower)
    });
    found.map_or(exact, |entry| entry.path())
}

/// Returns the folder of a file of the host, as the host names it.
pub(crate) fn parent_folder(host_path: &str) -> &str {
    host_path.rsplit_once('\\').map_or("", |(folder, _)| folder)
}

/// Returns the name of a file of the host without its folder.
pub(crate) fn file_name(host_path: &str) -> &str {
    host_path
        .rsplit_once('\\')
        .map_or(host_path, |(_, name)| name)
}
