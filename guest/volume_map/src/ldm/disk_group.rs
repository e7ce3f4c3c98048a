//! From the records of a disk group to devices.

use std::sync::Arc;

use block_io::BlockDevice;
use uuid::Uuid;

use super::database::Database;
use super::record::{Component, ComponentLayout, Disk, PartitionOf, Volume};
use crate::Obstacle;
use crate::composed::{Stripes, device_part, joined, mirrored, striped};

type Device = Arc<dyn BlockDevice>;

/// A disk of a group that is here.
pub(super) struct Present {
    pub(super) disk_id: Uuid,
    pub(super) device: Device,
    /// Where its volumes' part begins, in bytes.
    pub(super) data_offset: u64,
    pub(super) sector_bytes: u64,
}

/// A group with its disks.
pub(super) struct DiskGroup<'a> {
    database: &'a Database,
    present: &'a [Present],
    /// How long sectors are: a group's disks all have the same.
    sector_bytes: u64,
}

impl<'a> DiskGroup<'a> {
    pub(super) fn new(database: &'a Database, present: &'a [Present]) -> Self {
        let sector_bytes = present.first().map_or(512, |disk| disk.sector_bytes);
        Self {
            database,
            present,
            sector_bytes,
        }
    }

    pub(super) fn size_bytes(&self, volume: &Volume) -> u64 {
        volume.sectors.saturating_mul(self.sector_bytes)
    }

    /// Says what a volume is made as, and makes a device of it.
    pub(super) fn device(&self, volume: &Volume) -> (&'static str, Result<Device, Obstacle>) {
        let components = self.database.components();
        let components: Vec<&Component> = components
            .filter(|component| component.volume == volume.id)
            .collect();
        let layout = match components.as_slice() {
            _ if volume.kind == "raid5" => "RAID-5",
            [_, _, ..] => "mirrored",
            [only] => match only.layout {
                ComponentLayout::Striped { .. } => "striped",
                ComponentLayout::Raid5 => "RAID-5",
                ComponentLayout::Spanned if only.partitions > 1 => "spanned",
                ComponentLayout::Spanned => "simple",
            },
            [] => "nothing",
        };
        (layout, self.mirrors(volume, &components))
    }

    fn mirrors(&self, volume: &Volume, components: &[&Component]) -> Result<Device, Obstacle> {
        let size_bytes = volume.sectors.checked_mul(self.sector_bytes);
        let size_bytes = size_bytes.ok_or_else(|| wrong(volume, "is longer than any disk"))?;
        let (mut mirrors, mut failed) = (Vec::new(), None);
        for component in components {
            let device = self.component(volume, component);
            let cut = device.and_then(|device| {
                device_part(&device, 0, size_bytes)
                    .ok_or_else(|| wrong(volume, "is longer than what it lies on"))
            });
            match cut {
                Ok(device) => mirrors.push(device),
                Err(why) => failed = failed.or(Some(why)),
            }
        }
        mirrored(mirrors).ok_or_else(|| failed.unwrap_or_else(|| wrong(volume, "lies nowhere")))
    }

    fn component(&self, volume: &Volume, component: &Component) -> Result<Device, Obstacle> {
        let partitions = self.database.partitions();
        let mut partitions: Vec<&PartitionOf> = partitions
            .filter(|partition| partition.component == component.id)
            .collect();
        if partitions.len() as u64 != component.partitions {
            return Err(wrong(volume, "has another number of parts than it says"));
        }
        match component.layout {
            ComponentLayout::Spanned => {
                partitions.sort_by_key(|partition| partition.volume_offset);
                let mut end = 0;
                for partition in &partitions {
                    if partition.volume_offset != end {
                        return Err(wrong(volume, "has parts that leave a hole or overlap"));
                    }
                    end = partition.volume_offset.saturating_add(partition.sectors);
                }
                joined(self.devices(volume, &partitions)?)
                    .ok_or_else(|| wrong(volume, "is longer than any disk"))
            }
            ComponentLayout::Striped { chunk_sectors } => {
                partitions.sort_by_key(|partition| partition.index);
                let indexes = partitions.iter().map(|partition| partition.index);
                if !indexes.eq(0..partitions.len() as u64) {
                    return Err(wrong(volume, "has stripes whose order is not known"));
                }
                let stripes = Stripes {
                    chunk_bytes: chunk_sectors.saturating_mul(self.sector_bytes),
                    rotation: 0,
                };
                striped(self.devices(volume, &partitions)?, stripes)
                    .ok_or_else(|| wrong(volume, "has stripes without a size"))
            }
            ComponentLayout::Raid5 => Err(Obstacle::not_read(
                "the volume is a RAID-5 one of Windows' dynamic disks: its parity is not read",
            )),
        }
    }

    fn devices(
        &self,
        volume: &Volume,
        partitions: &[&PartitionOf],
    ) -> Result<Vec<Device>, Obstacle> {
        let devices = partitions.iter();
        devices.map(|part| self.partition(volume, part)).collect()
    }

    fn partition(&self, volume: &Volume, part: &PartitionOf) -> Result<Device, Obstacle> {
        let mut disks = self.database.disks();
        let Some(disk) = disks.find(|disk| disk.id == part.disk) else {
            return Err(wrong(volume, "lies on a disk that the group does not know"));
        };
        let here = self
            .present
            .iter()
            .find(|here| here.disk_id == disk.disk_id);
        let Some(here) = here else {
            return Err(Obstacle::missing(missing(volume, disk)));
        };
        let bytes = |sectors: u64| sectors.checked_mul(self.sector_bytes);
        let begin = bytes(part.start).and_then(|start| start.checked_add(here.data_offset));
        begin
            .zip(bytes(part.sectors))
            .and_then(|(begin, len_bytes)| device_part(&here.device, begin, len_bytes))
            .ok_or_else(|| wrong(volume, "reaches beyond the end of its disk"))
    }
}

fn missing(volume: &Volume, disk: &Disk) -> String {
    format!(
        "{} lies on {} too, which is none of the disks (its id is {})",
        volume.name, disk.name, disk.disk_id
    )
}

fn wrong(volume: &Volume, what: &str) -> Obstacle {
    Obstacle::damaged(format!(
        "the database of the dynamic disks contradicts itself: {} {what}",
        volume.name
    ))
}
