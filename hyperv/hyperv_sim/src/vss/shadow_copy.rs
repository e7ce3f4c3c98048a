//! Snapshots of volumes: `DIR/shadows/<device>` holds the volume's files as they were.
//!
//! Where files can have two names, disks are not copied: the snapshot is another name of the same
//! file, and whoever writes to it next takes a copy first (see `image::unshare`).

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vss::{Snapshot, VolumeKind};

use super::snap_volume::SnapVolume;
use crate::host_state::HostState;
use crate::{SimError, TraceKind};

/// What comes before the name of a device.
const DEVICE_ROOT: &str = "\\\\?\\GLOBALROOT\\Device\\";
/// `VSS_VOLSNAP_ATTR_…`
pub(crate) const NO_WRITERS: u32 = 0x10;
const HARDWARE_ASSISTED: u32 = 0x1_0000;
const DIFFERENTIAL: u32 = 0x2_0000;
const AUTORECOVER: u32 = 0x40_0000;
const FILE_SHARE: u32 = 0x400_0000;

/// A snapshot of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShadowCopy {
    /// Its id.
    pub(crate) id: Uuid,
    /// The set that it was made with.
    pub(crate) set: Uuid,
    /// The backup that it goes with.
    pub(crate) session: Uuid,
    /// Where it is read, without a backslash at the end.
    pub(crate) device: String,
    /// The volume's name.
    pub(crate) volume: String,
    /// The volume's mount point.
    pub(crate) mount: String,
    /// Who made it.
    pub(crate) provider: Uuid,
    /// `VSS_VOLSNAP_ATTR_…`
    pub(crate) attributes: u32,
    /// When it was made.
    pub(crate) created: Timestamp,
    /// The folder below `shadows` that holds its files.
    pub(crate) folder: String,
}

impl ShadowCopy {
    /// Returns it as requesters see it.
    pub(crate) fn seen(&self) -> Snapshot {
        Snapshot {
            id: self.id,
            set: self.set,
            device: self.device.clone(),
            volume: self.volume.clone(),
            provider: self.provider,
            attributes: self.attributes,
            created: self.created,
        }
    }
}

/// Returns the folder that holds the snapshots of a host's volumes.
pub(crate) fn shadows_folder(dir: &Path) -> PathBuf {
    dir.join("shadows")
}

/// Returns the folder of the snapshot that a path lies on, and what comes after the device.
pub(crate) fn shadow_folder_of<'a>(dir: &Path, path: &'a str) -> Option<(PathBuf, &'a str)> {
    let (device, rest) = match strip_prefix_of_any_case(path, DEVICE_ROOT) {
        Some(below) => below.split_once('\\').unwrap_or((below, "")),
        None => {
            let below = path
                .strip_prefix("\\\\")
                .filter(|below| !below.starts_with('?'))?;
            let (_, below) = below.split_once('\\')?;
            let (share, rest) = below.split_once('\\').unwrap_or((below, ""));
            // `\\server\share@{…}` is the snapshot of a share.
            let end = path.len() - rest.len();
            if !share.contains("@{") {
                return None;
            }
            return existing(dir, &share_folder(path.get(..end)?), rest);
        }
    };
    let is_plain = device.chars().all(|own| own.is_ascii_alphanumeric());
    is_plain.then(|| existing(dir, device, rest)).flatten()
}

fn existing<'a>(dir: &Path, name: &str, rest: &'a str) -> Option<(PathBuf, &'a str)> {
    let folder = shadows_folder(dir).join(name);
    folder.is_dir().then_some((folder, rest))
}

/// Returns the name of the folder of a share's snapshot.
fn share_folder(device: &str) -> String {
    let plain = |own: char| match own {
        own if own.is_ascii_alphanumeric() || "-@{}_$".contains(own) => own.to_ascii_lowercase(),
        _ => '_',
    };
    let device = device.trim_matches('\\');
    device.chars().map(plain).collect()
}

fn strip_prefix_of_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| text.get(prefix.len()..))?
}

/// What a snapshot is made for.
pub(crate) struct SnapshotOrder {
    pub(crate) id: Uuid,
    pub(crate) set: Uuid,
    pub(crate) session: Uuid,
    pub(crate) provider: Uuid,
    pub(crate) with_writers: bool,
}

impl HostState {
    /// Makes the snapshot of a volume; it is there at once.
    pub(crate) fn snap_volume(
        &mut self,
        volume: &SnapVolume,
        order: &SnapshotOrder,
    ) -> Result<(), SimError> {
        let shares = volume.kind == VolumeKind::FileShare;
        let number = self.facts.vss.last_device + u32::from(!shares);
        let device = if shares {
            let share = volume.name.trim_end_matches('\\');
            format!("{share}@{{{}}}", order.id)
        } else {
            format!("{DEVICE_ROOT}HarddiskVolumeShadowCopy{number}")
        };
        let folder = match strip_prefix_of_any_case(&device, DEVICE_ROOT) {
            Some(name) => name.to_owned(),
            None => share_folder(&device),
        };
        let target = shadows_folder(self.dir()).join(&folder);
        remove_tree(&target)?;
        self.begin_volume_backup(&volume.mount)?;
        copy_tree(&volume.folder, &target)?;
        let sort = match self.hardware_provider(order.provider) {
            Some(_) => HARDWARE_ASSISTED,
            None if shares => FILE_SHARE,
            None => DIFFERENTIAL,
        };
        let copy = ShadowCopy {
            id: order.id,
            set: order.set,
            session: order.session,
            device: device.clone(),
            volume: volume.name.clone(),
            mount: volume.mount.clone(),
            provider: order.provider,
            attributes: sort
                | if order.with_writers {
                    AUTORECOVER
                } else {
                    NO_WRITERS
                },
            created: self.now,
            folder,
        };
        let vss = &mut self.facts_mut().vss;
        vss.last_device = number;
        vss.shadow_copies.push(copy);
        let volume = volume.mount.clone();
        self.trace(None, TraceKind::VolumeSnapshot { volume, device });
        Ok(())
    }

    /// Lists the snapshots of a backup, in the order of its volumes.
    pub(crate) fn shadow_copies_of(&self, session: Uuid) -> impl Iterator<Item = &ShadowCopy> {
        let copies = self.facts.vss.shadow_copies.iter();
        copies.filter(move |copy| copy.session == session)
    }

    /// Removes the snapshots of a backup; their files go once that is saved.
    pub(crate) fn delete_shadow_copies(&mut self, session: Uuid) {
        let copies: Vec<ShadowCopy> = self.shadow_copies_of(session).cloned().collect();
        if copies.is_empty() {
            return;
        }
        let kept = &mut self.facts_mut().vss.shadow_copies;
        kept.retain(|copy| copy.session != session);
        for copy in copies {
            let folder = shadows_folder(self.dir()).join(&copy.folder);
            self.doomed_folders.push(folder);
            // A volume that is gone has no backups to count.
            let _ = self.end_volume_backup(&copy.mount);
            let device = copy.device;
            self.trace(None, TraceKind::SnapshotDeleted { device });
        }
    }

    /// Returns where a file of the host lies in the snapshots of a backup; `None`: its volume is
    /// not in the set.
    pub(crate) fn in_shadow_copy(&self, session: Uuid, host_path: &str) -> Option<PathBuf> {
        let volume = self.snap_volume_of(host_path)?;
        let below = volume.below(host_path)?;
        let copy = self
            .shadow_copies_of(session)
            .find(|copy| copy.volume == volume.name)?;
        let mut path = shadows_folder(self.dir()).join(&copy.folder);
        // The case of names is that of the live file.
        let live = self.local_path(host_path).ok()?;
        match live.strip_prefix(&volume.folder) {
            Ok(same) => path.push(same),
            Err(_) => path.extend(below.split('\\')),
        }
        Some(path)
    }
}

/// Copies a folder with all below it.
fn copy_tree(source: &Path, target: &Path) -> Result<(), SimError> {
    let failed = |error| SimError::io(source.display(), error);
    fs::create_dir_all(target).map_err(failed)?;
    for entry in fs::read_dir(source).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let to = target.join(entry.file_name());
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            copy_tree(&entry.path(), &to)?;
        } else if kind.is_file() {
            crate::image::share_or_copy(&entry.path(), &to)
                .map_err(|error| SimError::io(to.display(), error))?;
        }
    }
    Ok(())
}

/// Removes a folder with all below it, unless it is gone already.
pub(crate) fn remove_tree(folder: &Path) -> Result<(), SimError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(SimError::io(folder.display(), error))
        }
        _ => Ok(()),
    }
}
