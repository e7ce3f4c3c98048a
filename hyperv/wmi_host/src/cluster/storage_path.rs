//! Where a path of a cluster's host lies (CLUS-11, CLUS-12).

/// Where a path lies, as far as it matters which node reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoragePath {
    /// On a cluster shared volume, which all nodes see: its mount, such as
    /// `c:\clusterstorage\volume1`, in lower case.
    SharedVolume(String),
    /// On a share: `\\server\share`, in lower case.
    Share(String),
    /// On a drive, or another volume, of one node.
    OwnVolume,
}

/// Where clusters mount their shared volumes, unless they say otherwise
/// (`MSCluster_Cluster.SharedVolumesRoot`).
const ROOT: &str = r"c:\clusterstorage\";

impl StoragePath {
    /// Tells where a path lies. It may be written in any of the ways that Windows takes: with
    /// either slash, in any case, with `\\?\` before it, with `.` and empty parts in it.
    pub(crate) fn of(path: &str) -> Self {
        let path = normal(path);
        if let Some(rest) = path.strip_prefix(r"\\") {
            let mut parts = rest.split('\\');
            return match (parts.next(), parts.next()) {
                (Some(server), Some(share)) if !server.is_empty() && !share.is_empty() => {
                    of_share(server, share, parts)
                }
                _ => Self::OwnVolume,
            };
        }
        path.strip_prefix(ROOT)
            .and_then(shared_volume)
            .unwrap_or(Self::OwnVolume)
    }

    /// Returns whether every node of a cluster can be expected to see it.
    pub(crate) fn is_shared(&self) -> bool {
        *self != Self::OwnVolume
    }
}

/// Returns whether a path, or the beginning of one, names storage that every node of a cluster sees:
/// shared volumes, the folder that they are mounted in, and shares.
pub fn is_shared_storage(path: &str) -> bool {
    let is_root = format!("{}\\", normal(path)) == ROOT;
    is_root || StoragePath::of(path).is_shared()
}

/// A node's own drive may be seen as a share: `\\hv1\c$\ClusterStorage\Volume1`.
fn of_share<'a>(server: &str, share: &str, mut rest: impl Iterator<Item = &'a str>) -> StoragePath {
    let is_own = share == "c$" && rest.next() == Some("clusterstorage");
    if is_own && let Some(volume) = rest.next().and_then(shared_volume) {
        return volume;
    }
    // The administrator's share of the cluster's root.
    if share == "clusterstorage$"
        && let Some(volume) = rest.next().and_then(shared_volume)
    {
        return volume;
    }
    StoragePath::Share(format!(r"\\{server}\{share}"))
}

fn shared_volume(rest: &str) -> Option<StoragePath> {
    let name = rest.split('\\').next().filter(|name| !name.is_empty())?;
    Some(StoragePath::SharedVolume(format!("{ROOT}{name}")))
}

/// Brings a path into one form: lower case, backslashes, without `\\?\`, `.`, `..` and empty parts.
fn normal(path: &str) -> String {
    let lower = path.trim().to_lowercase().replace('/', "\\");
    let (prefix, rest) = match lower.strip_prefix(r"\\?\unc\") {
        Some(rest) => (r"\\", rest),
        None => match lower.strip_prefix(r"\\?\").or(lower.strip_prefix(r"\??\")) {
            Some(rest) => ("", rest),
            None => match lower.strip_prefix(r"\\") {
                Some(rest) => (r"\\", rest),
                None => ("", lower.as_str()),
            },
        },
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('\\') {
        match part {
            "" | "." => {}
            // Neither a drive nor a share can be left this way.
            ".." => {
                let kept = if prefix.is_empty() { 1 } else { 2 };
                parts.truncate(parts.len().saturating_sub(1).max(kept.min(parts.len())));
            }
            part => parts.push(part),
        }
    }
    format!("{prefix}{}", parts.join("\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_volumes_and_shares_are_told_however_they_are_written() {
        let volume1 = StoragePath::SharedVolume(r"c:\clusterstorage\volume1".to_owned());
        for path in [
            r"C:\ClusterStorage\Volume1\vm\a.vhdx",
            r"c:\clusterstorage\VOLUME1",
            r"C:/ClusterStorage/Volume1/vm/a.vhdx",
            r"\\?\C:\ClusterStorage\Volume1\a.vhdx",
            r"\??\C:\ClusterStorage\Volume1\a.vhdx",
            r"C:\\ClusterStorage\.\Volume1\\a.vhdx",
            r"C:\ClusterStorage\Volume2\..\Volume1\a.vhdx",
            r"C:\VMs\..\ClusterStorage\Volume1\a.vhdx",
            r"C:\..\ClusterStorage\Volume1\a.vhdx",
            r"\\hv1\C$\ClusterStorage\Volume1\a.vhdx",
            r"\\hv1\ClusterStorage$\Volume1\a.vhdx",
        ] {
            assert_eq!(StoragePath::of(path), volume1, "{path}");
        }
        let share = StoragePath::Share(r"\\nas\vm".to_owned());
        for path in [
            r"\\NAS\vm\a.vhdx",
            r"\\nas\VM",
            r"//nas/vm/a.vhdx",
            r"\\?\UNC\nas\vm\x\a.vhdx",
            r"\\nas\vm\..\..\a.vhdx",
        ] {
            assert_eq!(StoragePath::of(path), share, "{path}");
        }
        for path in [
            r"C:\VMs\a.vhdx",
            r"C:\ClusterStorage",
            r"C:\ClusterStorage\",
            r"C:\ClusterStorageOld\Volume1\a.vhdx",
            r"D:\ClusterStorage\Volume1\a.vhdx",
            r"\\?\Volume{0eba351e-0000}\a.vhdx",
            r"\\nas",
            r"\\",
            "",
            "PHYSICALDRIVE1",
        ] {
            assert_eq!(StoragePath::of(path), StoragePath::OwnVolume, "{path}");
        }
        assert_eq!(
            StoragePath::of(r"C:\ClusterStorage\Volume10\a.vhdx"),
            StoragePath::SharedVolume(r"c:\clusterstorage\volume10".to_owned())
        );
        assert!(
            is_shared_storage(r"C:\ClusterStorage") && is_shared_storage(r"C:/clusterstorage\")
        );
        assert!(!is_shared_storage(r"C:\") && is_shared_storage(r"\\nas\vm\"));
        assert!(share.is_shared() && !StoragePath::OwnVolume.is_shared());
    }
}
