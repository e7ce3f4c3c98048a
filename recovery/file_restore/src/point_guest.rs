//! From a restore point to its guest.

use std::collections::BTreeMap;
use std::sync::Arc;

use block_io::BlockDevice;
use guest_reader::{Guest, VolumeFacts};
use guest_system::FstabDevice;
use repository::{Repository, RestorePoint};
use vm_restore::{RestoreError, disk_count, open_disk};
use volume_map::{Content, Origin};

use crate::ahead_disk::AheadDisk;

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
    let disks = u32::try_from(disk_count(point)?).unwrap_or(u32::MAX);
    let opened = (0..disks).map(|number| open_disk(repository, point, number, checkpoint));
    let ahead = |device| Arc::new(AheadDisk::new(device)) as Arc<dyn BlockDevice>;
    opened
        .map(|disk| disk.map(|disk| ahead(disk.device)))
        .collect()
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
            match only_one(guest, |facts| facts.windows_id == Some(id)) {
                Ok(Some(volume)) => match names.letters.insert(letter, volume) {
                    Some(other) if other != volume => disputed.push(letter),
                    _ => {}
                },
                Ok(None) => {}
                Err(several) => names.notes.push(format!(
                    "{letter}: fits the volumes {several}, which say that they are one, so it is \
                     given to none"
                )),
            }
        }
        for point in system.mount_points.unwrap_or_default() {
            match only_one(guest, |facts| is_named(facts, &point.device)) {
                Ok(Some(volume)) => names.mounted.push((point.path, volume)),
                Ok(None) => {}
                Err(several) => names.notes.push(format!(
                    "what volume {} mounts at {} fits the volumes {several}, so it is shown at none",
                    facts.name, point.path
                )),
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

/// Returns the one volume that fits; `None` where there is none, the names where there are several:
/// disks that are copies of each other. What is a part of another volume is none.
fn only_one(guest: &dyn Guest, fits: impl Fn(&VolumeFacts) -> bool) -> Result<Option<u32>, String> {
    let volumes = (0..).zip(&guest.facts().volumes);
    let fitting = volumes.filter(|(_, facts)| facts.used_by.is_empty() && fits(facts));
    let fitting: Vec<(u32, &VolumeFacts)> = fitting.collect();
    match fitting.as_slice() {
        [] => Ok(None),
        [(number, _)] => Ok(Some(*number)),
        several => {
            let names = several.iter().map(|(_, facts)| format!("/{}", facts.name));
            Err(names.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Returns whether a line of `fstab` names a volume in a way that can be told from here.
fn is_named(facts: &VolumeFacts, device: &FstabDevice) -> bool {
    let partition = match &facts.origin {
        Origin::Partition { name, guid, .. } | Origin::Inner { name, guid, .. } => {
            Some((name, guid))
        }
        _ => None,
    };
    match device {
        FstabDevice::Uuid(uuid) => !uuid.is_empty() && facts.uuid.eq_ignore_ascii_case(uuid),
        FstabDevice::Label(label) => !label.is_empty() && facts.label == *label,
        FstabDevice::PartitionUuid(uuid) => partition.is_some_and(|(_, guid)| {
            guid.is_some_and(|guid| guid.to_string().eq_ignore_ascii_case(uuid))
        }),
        FstabDevice::PartitionLabel(label) => {
            partition.is_some_and(|(name, _)| !label.is_empty() && name == label)
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
}

#[cfg(test)]
mod tests;
