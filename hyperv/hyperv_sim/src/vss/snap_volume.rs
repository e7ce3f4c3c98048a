//! The volumes that can be snapped, and which of them a path lies on.

use std::path::PathBuf;

use uuid::Uuid;
use vss::{SnapshotVolume, VolumeKind};

use crate::guid::guid_text;
use crate::host_state::HostState;
use crate::{SimError, SimErrorKind, SimHost};

/// A volume that can be snapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapVolume {
    /// Its GUID.
    pub(crate) id: Uuid,
    /// Where paths begin that lie on it, with a backslash at the end.
    pub(crate) mount: String,
    /// Its name: `\\?\Volume{…}\`, or the share.
    pub(crate) name: String,
    /// What sort of volume.
    pub(crate) kind: VolumeKind,
    /// The folder of this machine that holds its files.
    pub(crate) folder: PathBuf,
    /// Its file system can be snapped.
    pub(crate) has_vss: bool,
}

impl SnapVolume {
    /// Returns it as requesters see it.
    pub(crate) fn seen(&self) -> SnapshotVolume {
        SnapshotVolume {
            mount: self.mount.clone(),
            name: self.name.clone(),
            kind: self.kind,
        }
    }

    /// Returns what of a path comes after the mount point, where the path lies on the volume.
    pub(crate) fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        let root = self.mount.trim_end_matches('\\');
        let head = path.get(..root.len())?;
        let rest = path.get(root.len()..)?;
        let fits = head.eq_ignore_ascii_case(root) && (rest.is_empty() || rest.starts_with('\\'));
        fits.then(|| rest.trim_start_matches('\\'))
    }
}

impl SimHost {
    /// Says whether VSS can snap a volume, such as `D:\`.
    pub fn set_volume_vss(&self, drive: &str, can: bool) -> Result<(), SimError> {
        self.act(|state| {
            let volume = state.snap_volume_of(drive);
            let volume = volume.ok_or_else(|| no_volume(drive))?.id;
            let without = &mut state.facts_mut().vss.volumes_without_vss;
            without.retain(|own| *own != volume);
            if !can {
                without.push(volume);
            }
            Ok(())
        })
    }
}

impl HostState {
    /// Lists the volumes that can be snapped: the host's own, cluster shared volumes and shares.
    pub(crate) fn snap_volumes(&self) -> Vec<SnapVolume> {
        let volumes = self.all_volumes().into_iter().filter_map(|volume| {
            Some(SnapVolume {
                id: volume.id,
                name: volume_name(volume.id),
                kind: match volume.drive.len() {
                    3 => VolumeKind::Local,
                    _ => VolumeKind::ClusterShared,
                },
                folder: self.local_path(&volume.drive).ok()?,
                mount: volume.drive,
                has_vss: has_vss(volume.file_system.as_deref()),
            })
        });
        let shares = self.membership.as_deref().map(|own| &own.facts.shares);
        let shares = shares.into_iter().flatten().filter_map(|share| {
            let mount = format!("{}\\", share.trim_end_matches('\\'));
            Some(SnapVolume {
                id: Uuid::nil(),
                name: mount.clone(),
                kind: VolumeKind::FileShare,
                folder: self.local_path(share).ok()?,
                mount,
                has_vss: true,
            })
        });
        volumes.chain(shares).collect()
    }

    /// Returns the volume that a path lies on: the one whose mount point is the longest.
    pub(crate) fn snap_volume_of(&self, path: &str) -> Option<SnapVolume> {
        let unified = path.replace('/', "\\");
        let plain = unified.strip_prefix("\\\\?\\").unwrap_or(&unified);
        let plain = if plain.starts_with("Volume{") {
            &unified
        } else {
            plain
        };
        let volumes = self.snap_volumes().into_iter();
        volumes
            .filter(|volume| {
                let named = plain.len() >= volume.name.len()
                    && plain
                        .get(..volume.name.len())
                        .is_some_and(|head| head.eq_ignore_ascii_case(&volume.name));
                named || volume.below(plain).is_some()
            })
            .max_by_key(|volume| volume.mount.len())
    }

    /// Returns the volume of a name.
    pub(crate) fn snap_volume_named(&self, name: &str) -> Option<SnapVolume> {
        let wanted = name.trim_end_matches('\\');
        let same = |own: &str| own.trim_end_matches('\\').eq_ignore_ascii_case(wanted);
        let mut volumes = self.snap_volumes().into_iter();
        volumes.find(|volume| same(&volume.name) || same(&volume.mount))
    }
}

/// Returns whether VSS snaps volumes with a file system; `None`: NTFS. Contract: 5.1 [M]
fn has_vss(file_system: Option<&str>) -> bool {
    let able = ["NTFS", "ReFS", "CSVFS"];
    file_system.is_none_or(|own| able.iter().any(|one| own.eq_ignore_ascii_case(one)))
}

/// Returns `\\?\Volume{…}\`.
pub(crate) fn volume_name(id: Uuid) -> String {
    format!("\\\\?\\Volume{{{}}}\\", guid_text(id).to_lowercase())
}

/// Makes the error for a path or a name that is no volume's.
pub(crate) fn no_volume(name: &str) -> SimError {
    SimError::new(
        SimErrorKind::NotFound,
        format!("there is no volume for {name}"),
    )
}
