//! From a restore point to its guest.

use std::collections::BTreeMap;
use std::sync::Arc;

use block_io::BlockDevice;
use guest_reader::Guest;
use guest_system::{FstabDevice, MountPoint};
use repository::{Repository, RestorePoint};
use vm_restore::{RestoreError, disk_count, open_disk};
use volume_map::{Content, Origin};

/// Opens all disks of a point, as they were when it was made or at a checkpoint of it.
///
/// # Errors
///
/// Those of [`open_disk`].
pub fn open_disks(
    repository: &Repository,
    point: &RestorePoint,
    checkpoint: Option<&str>,
) -> Result<Vec<Arc<dyn BlockDevice>>, RestoreError> {
    let disks = u32::try_from(disk_count(point)).unwrap_or(u32::MAX);
    let opened = (0..disks).map(|number| open_disk(repository, point, number, checkpoint));
    opened.map(|disk| disk.map(|disk| disk.device)).collect()
}

/// What a guest's own systems say of its volumes.
#[derive(Debug, Clone, Default)]
pub struct OwnNames {
    /// Drive letters, each with the number of its volume.
    pub letters: BTreeMap<char, u32>,
    /// Where volumes are mounted, with their numbers.
    pub mounted: Vec<(String, u32)>,
    /// What a person should know: systems that could not be asked, letters that several systems give.
    pub notes: Vec<String>,
}

/// Asks the systems on a guest's volumes how they call the volumes.
///
/// A letter that two systems give to different volumes is nobody's: which of them runs is not known.
pub fn own_names(guest: &dyn Guest) -> OwnNames {
    let mut names = OwnNames::default();
    let mut disputed = Vec::new();
    for (number, facts) in (0..).zip(&guest.facts().volumes) {
        let has_system = matches!(
            facts.content,
            Content::Ntfs | Content::Ext | Content::Xfs | Content::Btrfs
        );
        if !has_system || facts.obstacle.is_some() || !facts.used_by.is_empty() {
            continue;
        }
        let system = match guest.system(number) {
            Ok(system) => system,
            Err(error) => {
                names.notes.push(format!("volume {}: {error}", facts.name));
                continue;
            }
        };
        for (letter, id) in system.letters.unwrap_or_default() {
            let mut volumes = (0..).zip(&guest.facts().volumes);
            let volume = volumes.find(|(_, facts)| facts.windows_id == Some(id));
            let Some((volume, _)) = volume else { continue };
            match names.letters.insert(letter, volume) {
                Some(other) if other != volume => disputed.push(letter),
                _ => {}
            }
        }
        for point in system.mount_points.unwrap_or_default() {
            if let Some(volume) = volume_of(guest, &point) {
                names.mounted.push((point.path, volume));
            }
        }
    }
    for letter in disputed {
        names.letters.remove(&letter);
        names.notes.push(format!(
            "two systems on the disks give {letter}: to different volumes, so it is given to none"
        ));
    }
    names
}

/// Finds the volume that a line of `fstab` names; `None` where only the guest can know.
fn volume_of(guest: &dyn Guest, point: &MountPoint) -> Option<u32> {
    let found = (0..).zip(&guest.facts().volumes).find(|(_, facts)| {
        let named = match &facts.origin {
            Origin::Partition { name, guid, .. } | Origin::Inner { name, guid, .. } => {
                Some((name, guid))
            }
            _ => None,
        };
        match &point.device {
            FstabDevice::Uuid(uuid) => !uuid.is_empty() && facts.uuid.eq_ignore_ascii_case(uuid),
            FstabDevice::Label(label) => !label.is_empty() && facts.label == *label,
            FstabDevice::PartitionUuid(uuid) => named.is_some_and(|(_, guid)| {
                guid.is_some_and(|guid| guid.to_string().eq_ignore_ascii_case(uuid))
            }),
            FstabDevice::PartitionLabel(label) => {
                named.is_some_and(|(name, _)| !label.is_empty() && name == label)
            }
            FstabDevice::Mapped(mapped) => match &facts.origin {
                Origin::Lvm { group, volume } => {
                    let double = |name: &str| name.replace('-', "--");
                    *mapped == format!("{}-{}", double(group), double(volume))
                }
                _ => false,
            },
            FstabDevice::Path(_) => false,
        }
    });
    found.map(|(number, _)| number)
}
