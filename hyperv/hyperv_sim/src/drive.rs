//! Where the host's files lie on this machine.
//!
//! | Path of the host | Where |
//! |---|---|
//! | `C:\x\y` | `DIR/drives/C/x/y` |
//! | `C:\ClusterStorage\Volume1\x` of a node | `CLUSTER/storage/volumes/Volume1/x` |
//! | `\\nas\vm\x` of a node | `CLUSTER/storage/shares/nas/vm/x` |

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk_image::{DriveMap, OpenOptions};

use crate::cluster::shared_storage;
use crate::host_state::HostState;
use crate::{SimError, SimErrorKind};

/// Returns the folder of a drive, which need not exist.
pub(crate) fn drive_folder(dir: &Path, letter: char) -> PathBuf {
    dir.join("drives")
        .join(letter.to_ascii_uppercase().to_string())
}

/// Lists the drives that there are: `C:\` and its folder, and what a node shares with others.
pub(crate) fn drives(dir: &Path) -> Result<Vec<(String, PathBuf)>, SimError> {
    let mut drives = Vec::new();
    for (name, folder) in folders(&dir.join("drives"))? {
        drives.push((format!("{name}:\\"), folder));
    }
    if let Some(storage) = shared_storage(dir) {
        for (name, folder) in folders(&storage.join("volumes"))? {
            drives.push((format!("{SHARED_VOLUMES}\\{name}"), folder));
        }
        for (server, folder) in folders(&storage.join("shares"))? {
            for (share, folder) in folders(&folder)? {
                drives.push((format!("\\\\{server}\\{share}"), folder));
            }
        }
    }
    drives.sort();
    Ok(drives)
}

impl HostState {
    /// Says where the parents of a disk's file may lie: on the host's drives, and on what it shares
    /// with other nodes.
    pub(crate) fn open_options(&self) -> Result<OpenOptions, SimError> {
        if shared_storage(self.dir()).is_none() {
            return Ok(OpenOptions::below(self.dir().join("drives")));
        }
        let mut map = DriveMap::new();
        for (prefix, folder) in drives(self.dir())? {
            map = map.with(&prefix, &folder)?;
        }
        Ok(OpenOptions::on_host(Arc::new(map)))
    }
}

/// Where a node sees the volumes of its cluster.
const SHARED_VOLUMES: &str = "C:\\ClusterStorage";

/// Lists the entries of a folder by name; of one that is not there, none.
fn folders(folder: &Path) -> Result<Vec<(String, PathBuf)>, SimError> {
    let failed = |error| SimError::io(folder.display(), error);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if let Some(name) = entry.file_name().to_str() {
            found.push((name.to_owned(), entry.path()));
        }
    }
    Ok(found)
}

/// Returns where a share, such as `\\nas\vm`, lies below the storage of a cluster.
pub(crate) fn share_folder(storage: &Path, share: &str) -> Option<PathBuf> {
    let (server, share) = share.strip_prefix("\\\\")?.split_once('\\')?;
    let plain = |name: &str| !name.is_empty() && name != ".." && !name.contains(['\\', '/', ':']);
    (plain(server) && plain(share)).then(|| storage.join("shares").join(server).join(share))
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
    let unified = match unified.strip_prefix("\\\\?\\UNC\\") {
        Some(share) => format!("\\\\{share}"),
        None => unified,
    };
    let plain = unified.strip_prefix("\\\\?\\").unwrap_or(&unified);
    let (mut path, rest) = root(dir, plain).ok_or_else(wrong)?;
    for part in rest
        .split('\\')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        if part == ".." || part.contains([':', '\0']) {
            return Err(wrong());
        }
        path = existing(&path, part);
    }
    Ok(path)
}

/// Returns the folder of a path's drive, or of what is shared, and what is below it.
fn root<'a>(dir: &Path, plain: &'a str) -> Option<(PathBuf, &'a str)> {
    if let Some(share) = plain.strip_prefix("\\\\") {
        return Some((shared_storage(dir)?.join("shares"), share));
    }
    let below = plain.get(..SHARED_VOLUMES.len());
    if below.is_some_and(|below| below.eq_ignore_ascii_case(SHARED_VOLUMES))
        && let Some(rest) = plain.get(SHARED_VOLUMES.len()..)
        && (rest.is_empty() || rest.starts_with('\\'))
        && let Some(storage) = shared_storage(dir)
    {
        return Some((storage.join("volumes"), rest));
    }
    let (drive, rest) = plain.split_once('\\').unwrap_or((plain, ""));
    match drive.as_bytes() {
        [letter, b':'] if letter.is_ascii_alphabetic() => {
            Some((drive_folder(dir, char::from(*letter)), rest))
        }
        _ => None,
    }
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
