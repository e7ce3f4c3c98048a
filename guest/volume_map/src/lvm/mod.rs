//! LVM2: volume groups over physical volumes.
//!
//! ```text
//!   label (sector 0-3) ─► PV header ─► metadata areas ─► text, in a ring with checksum ─► VolumeGroup
//!   VolumeGroup + all PVs with its id ─► segments: linear, striped, mirrors' legs ─► volumes
//! ```
//!
//! Facts: LVM2's own manual pages (`lvmraid(7)`, `vgcfgbackup(8)`), the description of the on-disk
//! format in libvslvm's documentation, and what `pvck --dump` shows. The metadata of a group is written
//! to each of its physical volumes; the one with the highest `seqno` is the group's.

mod checksum;
mod metadata_text;
mod physical_volume;
mod raid_leg;
mod segments;
#[cfg(test)]
mod tests;
mod volume_group;

use std::collections::BTreeMap;
use std::sync::Arc;

use block_io::BlockDevice;

use crate::Obstacle;
use crate::guest_volume::Origin;
use crate::search::{Made, Search};
pub(crate) use physical_volume::{PhysicalVolume, physical_volume};
use segments::Mapper;
use volume_group::VolumeGroup;

/// The physical volumes that are here, by their ids.
type Physical = BTreeMap<String, Arc<dyn BlockDevice>>;

/// Puts together all logical volumes of physical ones that nobody has asked for yet.
pub(crate) fn assemble(search: &mut Search<'_>) {
    let mut groups: BTreeMap<String, VolumeGroup> = BTreeMap::new();
    let mut physical = Physical::new();
    let mut names = BTreeMap::new();
    for found in search.found_mut() {
        let (Some(here), false) = (&found.physical, found.taken) else {
            continue;
        };
        if let Some(device) = &found.volume.device {
            names.insert(here.id.clone(), found.volume.name.clone());
            // A copy of a disk has the same id; the first one is the one.
            physical
                .entry(here.id.clone())
                .or_insert_with(|| Arc::clone(device));
        }
        if let Some(group) = &here.group
            && groups
                .get(&group.id)
                .is_none_or(|known| known.seqno < group.seqno)
        {
            groups.insert(group.id.clone(), group.clone());
        }
    }
    let mut groups: Vec<VolumeGroup> = groups.into_values().collect();
    groups.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    for group in groups {
        for member in group.physical.values() {
            if let Some(name) = names.get(&member.id) {
                search.mark_used(name, format!("volume group {}", group.name));
            }
        }
        add_volumes(search, &group, &physical);
    }
    for found in search.found_mut() {
        if found.physical.is_some() && !found.taken && found.volume.obstacle.is_none() {
            let what = "the physical volume of LVM is in no volume group that is described here";
            found.volume.obstacle = Some(Obstacle::missing(what));
        }
    }
}

fn add_volumes(search: &mut Search<'_>, group: &VolumeGroup, physical: &Physical) {
    let mapper = Mapper::new(group, physical);
    let volumes = group.volumes.iter();
    for (key, volume) in volumes.filter(|(_, volume)| volume.is_visible) {
        let origin = Origin::Lvm {
            group: group.name.clone(),
            volume: volume.name.clone(),
        };
        let made = Made::new(origin).named(mapper_name(&group.name, &volume.name));
        match mapper.device(key) {
            Ok(device) => {
                search.add(made, &device);
            }
            Err(why) => search.add_without_device(made, mapper.size_bytes(volume), why),
        }
    }
}

/// Returns the name as Linux has it below `/dev/mapper`: a hyphen of a name is doubled there.
fn mapper_name(group: &str, volume: &str) -> String {
    let doubled = |name: &str| name.replace('-', "--");
    format!("{}-{}", doubled(group), doubled(volume))
}

/// A damaged group.
fn contradicts(group: &str, what: &str) -> Obstacle {
    Obstacle::damaged(format!("the metadata of volume group {group} {what}"))
}
