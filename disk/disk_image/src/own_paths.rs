//! The paths of this very machine, where it is the host itself.

use std::path::{Path, PathBuf};

use crate::{DriveMap, HostPaths};

/// Where Windows shows the snapshots of volumes.
const SNAPSHOTS: &str = "\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy";

/// The paths of this very machine, where it is the host itself: the drives and shares that were
/// named, and snapshots of volumes and of these shares, which come and go.
///
/// A share that was not named is not there: no file can make this machine sign in to a server.
#[derive(Debug)]
pub struct OwnPaths {
    named: DriveMap,
}

impl OwnPaths {
    /// Takes the drives and shares that are this machine's own.
    pub fn new(named: DriveMap) -> Self {
        Self { named }
    }

    /// Returns where the snapshot begins that a path lies on, with a backslash at the end.
    fn snapshot_of(&self, host_path: &str) -> Option<String> {
        if let Some(root) = snapshot_root(host_path) {
            return Some(root);
        }
        let (share, root) = share_of_snapshot(host_path)?;
        self.named.locate(&share).map(|_| root)
    }
}

impl HostPaths for OwnPaths {
    fn locate(&self, host_path: &str) -> Option<PathBuf> {
        let Some(root) = self.snapshot_of(host_path) else {
            return self.named.locate(host_path);
        };
        let snapshot = DriveMap::new().with(&root, Path::new(&root)).ok()?;
        snapshot.locate(host_path)
    }

    fn place(&self, host_path: &str) -> Option<PathBuf> {
        // Nothing is made on a snapshot.
        self.named.place(host_path)
    }

    fn roots(&self) -> Vec<PathBuf> {
        self.named.roots()
    }
}

/// Returns `\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopyN\` of a path on such a snapshot.
pub(crate) fn snapshot_root(path: &str) -> Option<String> {
    let head = path.get(..SNAPSHOTS.len())?;
    if !head.eq_ignore_ascii_case(SNAPSHOTS) {
        return None;
    }
    let rest = path.get(SNAPSHOTS.len()..)?;
    let number = rest.split('\\').next()?;
    let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| format!("{SNAPSHOTS}{number}\\"))
}

/// Returns `\\server\share\` and `\\server\share@{…}\` of a path on a snapshot of a share
/// (MS-FSRVP: its snapshots are shares beside it).
fn share_of_snapshot(path: &str) -> Option<(String, String)> {
    let mut parts = path.strip_prefix("\\\\")?.split('\\');
    let (server, snapshot) = (parts.next()?, parts.next()?);
    let (share, id) = snapshot.split_once("@{")?;
    let is_name = |name: &str| !name.is_empty() && name != "?" && name != ".";
    (is_name(server) && is_name(share) && id.ends_with('}')).then(|| {
        let share = format!("\\\\{server}\\{share}\\");
        (share, format!("\\\\{server}\\{snapshot}\\"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_told_by_their_device() {
        let device = r"\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy";
        for (path, number) in [
            (format!(r"{device}12\VMs\a.vhdx"), "12"),
            (format!(r"{device}3"), "3"),
            (format!(r"{}3\a", device.to_lowercase()), "3"),
        ] {
            let expected = format!(r"{device}{number}\");
            assert_eq!(snapshot_root(&path), Some(expected), "{path}");
        }
        for path in [
            device,
            r"\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopyX\a",
            r"\\?\GLOBALROOT\Device\HarddiskVolume1\a",
            r"\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy1é\a",
            r"C:\a",
            "",
        ] {
            assert_eq!(snapshot_root(path), None, "{path}");
        }
    }

    #[test]
    fn snapshots_of_shares_are_told_from_shares() {
        let found = share_of_snapshot(r"\\nas\vm@{0C1D}\web\a.vhdx");
        let expected = (r"\\nas\vm\".to_owned(), r"\\nas\vm@{0C1D}\".to_owned());
        assert_eq!(found, Some(expected));
        for path in [
            r"\\nas\vm\a",
            r"\\?\x@{1}\a",
            r"\\nas\vm@{1\a",
            r"\\nas",
            r"C:\a@{1}\b",
        ] {
            assert_eq!(share_of_snapshot(path), None, "{path}");
        }
    }

    #[test]
    fn a_share_that_was_not_named_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.vhdx"), b"").unwrap();
        let named = DriveMap::new().with("C:\\", folder.path()).unwrap();
        let paths = OwnPaths::new(named);
        assert!(paths.locate(r"C:\a.vhdx").is_some());
        assert_eq!(paths.locate(r"\\nas\vm\a.vhdx"), None);
        assert_eq!(paths.locate(r"\\nas\vm@{1}\a.vhdx"), None);
        assert_eq!(paths.roots().len(), 1);
    }
}
