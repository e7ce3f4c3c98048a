//! The host's files as they are on volume snapshots.

use std::path::PathBuf;
use std::sync::Arc;

use ::vss::{Snapshot, SnapshotVolume};
use disk_image::HostPaths;
use hyperv_host::{HostError, HostErrorKind};
use jiff::Timestamp;

/// The host's files as they are on volume snapshots: `C:\x` is `<device>\x`.
///
/// What lies on a volume without a snapshot is not there, so that a live file is never opened,
/// whatever a parent locator says (requirement VSS-09). No drive letter is taken or given
/// (requirement VSS-16).
#[derive(Debug)]
pub(crate) struct SnapshotView {
    host: Arc<dyn HostPaths>,
    snapped: Vec<Snapped>,
}

/// A volume with its snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapped {
    /// Where paths on the volume begin, with a backslash at the end: its mount point, or its name.
    pub(crate) prefixes: Vec<String>,
    /// Where its snapshot is read, without a backslash at the end.
    pub(crate) device: String,
}

impl SnapshotView {
    /// Sees snapshots through the host's own paths.
    pub(crate) fn new(host: Arc<dyn HostPaths>, snapped: Vec<Snapped>) -> Self {
        Self { host, snapped }
    }

    /// Returns the path of the snapshot, as the host names it.
    fn on_snapshot(&self, host_path: &str) -> Option<String> {
        let path = plain(host_path);
        // A path that goes up might leave its volume.
        if path.split('\\').any(|part| part == "..") {
            return None;
        }
        let fits = |prefix: &str| {
            let head = path.get(..prefix.len())?;
            head.eq_ignore_ascii_case(prefix).then_some(prefix.len())
        };
        let places = self.snapped.iter().flat_map(|snapped| {
            let prefixes = snapped.prefixes.iter();
            prefixes.filter_map(move |prefix| Some((fits(prefix)?, snapped)))
        });
        // A volume may be mounted in a folder of another one.
        let (shared, snapped) = places.max_by_key(|(shared, _)| *shared)?;
        Some(format!("{}\\{}", snapped.device, path.get(shared..)?))
    }
}

/// Finds out where the snapshots of volumes are read, and when they were made.
pub(super) fn view_of(
    snapshots: &[Snapshot],
    volumes: &[SnapshotVolume],
    bytes: Option<Arc<dyn HostPaths>>,
    host: &str,
) -> Result<(SnapshotView, Timestamp), HostError> {
    let mut snapped = Vec::new();
    let mut taken = None;
    let refused = |text: String| HostError::new(HostErrorKind::Refused, text);
    for volume in volumes {
        // Not all of Windows ends a volume's name with a backslash.
        let plain = |name: &str| name.trim_end_matches('\\').to_ascii_lowercase();
        let same = |own: &&Snapshot| plain(&own.volume) == plain(&volume.name);
        let own = snapshots.iter().find(same);
        let own =
            own.ok_or_else(|| refused(format!("{host}: {} was not snapped", volume.mount)))?;
        taken = taken.max(Some(own.created));
        snapped.push(Snapped {
            prefixes: vec![volume.mount.clone(), volume.name.clone()],
            device: own.device.trim_end_matches('\\').to_owned(),
        });
    }
    let nothing = || refused(format!("{host}: no volume was snapped"));
    let taken = taken.ok_or_else(nothing)?;
    let bytes = bytes.ok_or_else(nothing)?;
    Ok((SnapshotView::new(bytes, snapped), taken))
}

/// Writes a path with backslashes, and without `\\?\` where a drive or share follows.
fn plain(host_path: &str) -> String {
    let path = host_path.replace('/', "\\");
    let Some(rest) = path.strip_prefix(r"\\?\") else {
        return path;
    };
    if let Some(share) = rest
        .get(..4)
        .filter(|head| head.eq_ignore_ascii_case(r"UNC\"))
    {
        return format!(r"\\{}", rest.get(share.len()..).unwrap_or_default());
    }
    match rest.as_bytes() {
        [letter, b':', ..] if letter.is_ascii_alphabetic() => rest.to_owned(),
        _ => path,
    }
}

impl HostPaths for SnapshotView {
    fn locate(&self, host_path: &str) -> Option<PathBuf> {
        self.host.locate(&self.on_snapshot(host_path)?)
    }

    fn roots(&self) -> Vec<PathBuf> {
        let devices = self.snapped.iter();
        let roots =
            devices.filter_map(|snapped| self.host.locate(&format!("{}\\", snapped.device)));
        roots.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Echo;

    impl HostPaths for Echo {
        fn locate(&self, host_path: &str) -> Option<PathBuf> {
            Some(PathBuf::from(host_path))
        }

        fn roots(&self) -> Vec<PathBuf> {
            Vec::new()
        }
    }

    #[test]
    fn paths_lead_to_the_snapshot_of_their_volume_and_nowhere_else() {
        let snapped = |prefixes: &[&str], number: u32| Snapped {
            prefixes: prefixes.iter().map(|own| (*own).to_owned()).collect(),
            device: format!(r"\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy{number}"),
        };
        let snapped = vec![
            snapped(&[r"C:\", r"\\?\Volume{a}\"], 1),
            snapped(&[r"C:\ClusterStorage\Volume1\", r"\\?\Volume{b}\"], 2),
            snapped(&[r"\\server\share\"], 3),
        ];
        let view = SnapshotView::new(Arc::new(Echo), snapped);
        let table = [
            (r"C:\VMs\a.vhdx", Some(r"1\VMs\a.vhdx")),
            (r"c:/vms/a.vhdx", Some(r"1\vms\a.vhdx")),
            (r"\\?\C:\VMs\a.vhdx", Some(r"1\VMs\a.vhdx")),
            (r"\\?\volume{A}\x", Some(r"1\x")),
            (r"C:\clusterstorage\volume1\x", Some(r"2\x")),
            (
                r"C:\ClusterStorage\Volume10\x",
                Some(r"1\ClusterStorage\Volume10\x"),
            ),
            (r"\\?\UNC\SERVER\share\x", Some(r"3\x")),
            (r"\\server\other\x", None),
            (r"D:\x", None),
            (r"C:\ClusterStorage\Volume1\..\..\x", None),
            (r"x", None),
            ("", None),
        ];
        for (path, expected) in table {
            let found = view.locate(path);
            let expected = expected
                .map(|tail| format!(r"\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy{tail}"));
            assert_eq!(found, expected.map(PathBuf::from), "{path}");
        }
        assert_eq!(view.roots().len(), 3);
    }
}
