//! File systems that lie on several volumes.

use std::collections::BTreeMap;
use std::sync::Arc;

use guest_files::{DeviceOf, device_of};
use volume_map::{Content, GuestVolume};

/// Finds the file systems that lie on several volumes (Btrfs). The first volume of each has its files;
/// of the others it is said that they are parts of it. Returns for each volume the others that it is
/// to be opened with.
///
/// Volumes that say that they are the same part of one file system are copies, of which nobody can
/// tell which is the newer: they stay by themselves.
pub(crate) fn file_systems(volumes: &mut [GuestVolume]) -> Vec<Vec<usize>> {
    let mut others = vec![Vec::new(); volumes.len()];
    for parts in groups(volumes).into_values() {
        let numbers = parts.iter().map(|(_, part)| part.number);
        let mut numbers: Vec<u64> = numbers.collect();
        numbers.sort_unstable();
        numbers.dedup();
        let ([(first, _), rest @ ..], true) = (parts.as_slice(), numbers.len() == parts.len())
        else {
            continue;
        };
        let name = volumes.get(*first).map(|volume| volume.name.clone());
        let name = name.unwrap_or_default();
        for (at, _) in rest {
            if let Some(volume) = volumes.get_mut(*at) {
                volume.used_by.push(format!("the Btrfs of /{name}"));
            }
        }
        if let Some(others) = others.get_mut(*first) {
            others.extend(rest.iter().map(|(at, _)| *at));
        }
    }
    others
}

/// Returns the volumes of each file system that has several.
fn groups(volumes: &[GuestVolume]) -> BTreeMap<String, Vec<(usize, DeviceOf)>> {
    let is_btrfs = |volume: &GuestVolume| {
        volume.content == Content::Btrfs && volume.used_by.is_empty() && volume.obstacle.is_none()
    };
    let mut groups: BTreeMap<String, Vec<_>> = BTreeMap::new();
    let several = volumes.iter().filter(|volume| is_btrfs(volume)).nth(1);
    if several.is_none() {
        return groups;
    }
    for (at, volume) in volumes.iter().enumerate() {
        let Some(device) = volume.device.as_ref().filter(|_| is_btrfs(volume)) else {
            continue;
        };
        // One that cannot be told says why when it is opened.
        if let Ok(Some(part)) = device_of(Arc::clone(device), volume.content) {
            groups
                .entry(part.uuid.clone())
                .or_default()
                .push((at, part));
        }
    }
    groups.retain(|_, parts| parts.len() > 1);
    groups
}
