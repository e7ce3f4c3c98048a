//! Volumes of the host.

use wmi::Instance;

/// A volume of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VolumeFacts {
    /// Where it is mounted, with `\` at the end, in lower case: `d:\`, `c:\clusterstorage\volume1\`.
    pub(crate) mount: String,
    /// `\\?\Volume{…}\`, in lower case.
    pub(crate) device: String,
    /// Its size in bytes.
    pub(crate) size_bytes: u64,
    /// What is free on it, in bytes.
    pub(crate) free_bytes: u64,
    /// `NTFS`, `ReFS`, `CSVFS`, `FAT32` …
    pub(crate) file_system: Option<String>,
}

impl VolumeFacts {
    pub(super) fn of(instance: &Instance) -> Option<Self> {
        let mut mount = instance.text("Name")?.to_lowercase();
        if !mount.ends_with('\\') {
            mount.push('\\');
        }
        Some(Self {
            mount,
            device: instance.text("DeviceID").unwrap_or_default().to_lowercase(),
            size_bytes: instance.number("Capacity")?,
            free_bytes: instance.number("FreeSpace")?,
            file_system: instance.text("FileSystem"),
        })
    }

    /// Returns whether a path of the host lies on the volume, as the length of what they share.
    fn holds(&self, path: &str) -> Option<usize> {
        [&self.mount, &self.device]
            .into_iter()
            .filter(|root| !root.is_empty() && path.starts_with(root.as_str()))
            .map(String::len)
            .max()
    }
}

/// Returns the volume that a path of the host lies on: the one with the longest mount point. A
/// share has none.
pub(crate) fn volume_of<'a>(volumes: &'a [VolumeFacts], path: &str) -> Option<&'a VolumeFacts> {
    let lower = path.to_lowercase().replace('/', "\\");
    let path = lower
        .strip_prefix(r"\\?\")
        .filter(|rest| !rest.starts_with("volume{"))
        .unwrap_or(&lower);
    volumes
        .iter()
        .filter_map(|volume| Some((volume.holds(path)?, volume)))
        .max_by_key(|(shared, _)| *shared)
        .map(|(_, volume)| volume)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(mount: &str, device: &str) -> VolumeFacts {
        let instance = Instance::new("Win32_Volume")
            .with("Name", mount)
            .with("DeviceID", device)
            .with("Capacity", "100")
            .with("FreeSpace", "50");
        VolumeFacts::of(&instance).unwrap()
    }

    #[test]
    fn the_longest_mount_point_wins() {
        let volumes = [
            volume(r"C:\", r"\\?\Volume{a}\"),
            volume(r"C:\ClusterStorage\Volume1\", r"\\?\Volume{b}\"),
        ];
        let mount = |path| volume_of(&volumes, path).map(|volume| volume.mount.as_str());
        let csv = Some(r"c:\clusterstorage\volume1\");
        assert_eq!(mount(r"c:\VMs\a.vhdx"), Some(r"c:\"));
        assert_eq!(mount(r"C:\ClusterStorage\volume1\a.vhdx"), csv);
        assert_eq!(mount(r"C:\ClusterStorage\Volume10\a.vhdx"), Some(r"c:\"));
        assert_eq!(mount(r"\\?\C:\a.vhdx"), Some(r"c:\"));
        assert_eq!(mount(r"\\?\Volume{B}\a.vhdx"), csv);
        assert_eq!(mount(r"\\server\share\a.vhdx"), None);
        assert_eq!(mount(r"E:\a.vhdx"), None);
    }
}
