//! From the segments of a logical volume to a device.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use block_io::BlockDevice;

use super::volume_group::{Area, Layout, Leg, LogicalVolume, Segment, VolumeGroup};
use super::{Physical, contradicts, raid_leg};
use crate::Obstacle;
use crate::composed::{Stripes, device_part, joined, mirrored, striped, zeros};

/// How deep logical volumes may lie on each other.
const DEPTH_MAX: usize = 8;

type Device = Arc<dyn BlockDevice>;

/// Makes devices of a group's volumes, each once.
pub(super) struct Mapper<'a> {
    group: &'a VolumeGroup,
    physical: &'a Physical,
    made: RefCell<BTreeMap<String, Result<Device, Obstacle>>>,
}

impl<'a> Mapper<'a> {
    pub(super) fn new(group: &'a VolumeGroup, physical: &'a Physical) -> Self {
        Self {
            group,
            physical,
            made: RefCell::default(),
        }
    }

    /// Returns a volume's device, or why there is none.
    pub(super) fn device(&self, name: &str) -> Result<Device, Obstacle> {
        self.at_depth(name, 0)
    }

    pub(super) fn size_bytes(&self, volume: &LogicalVolume) -> u64 {
        let extents = volume.segments.iter().map(|segment| segment.extents);
        let extents = extents.fold(0_u64, u64::saturating_add);
        extents.saturating_mul(self.group.extent_bytes)
    }

    fn at_depth(&self, name: &str, depth: usize) -> Result<Device, Obstacle> {
        if let Some(made) = self.made.borrow().get(name) {
            return made.clone();
        }
        let Some(volume) = self.group.volumes.get(name).filter(|_| depth <= DEPTH_MAX) else {
            return Err(self.contradicts(&format!("refers to {name}, and does not describe it")));
        };
        // Who leads back here is told so, and nothing goes round for ever.
        let looped = self.contradicts(&format!("makes {name} out of itself"));
        let mut made = self.made.borrow_mut();
        made.insert(name.to_owned(), Err(looped));
        drop(made);
        let device = self.volume(volume, depth);
        self.made
            .borrow_mut()
            .insert(name.to_owned(), device.clone());
        device
    }

    fn volume(&self, volume: &LogicalVolume, depth: usize) -> Result<Device, Obstacle> {
        let mut parts = Vec::new();
        let mut next_extent = 0;
        for segment in &volume.segments {
            if segment.start_extent != next_extent {
                let what = format!("leaves a hole in {} at extent {next_extent}", volume.name);
                return Err(self.contradicts(&what));
            }
            next_extent = segment.start_extent.saturating_add(segment.extents);
            parts.push(self.segment(volume, segment, depth)?);
        }
        joined(parts)
            .filter(|device| device.size_bytes() > 0)
            .ok_or_else(|| self.contradicts(&format!("describes no extents of {}", volume.name)))
    }

    fn segment(
        &self,
        volume: &LogicalVolume,
        segment: &Segment,
        depth: usize,
    ) -> Result<Device, Obstacle> {
        let wrong = |what: &str| self.contradicts(&format!("{what} in {}", volume.name));
        let len_bytes = segment.extents.checked_mul(self.group.extent_bytes);
        let len_bytes = len_bytes.ok_or_else(|| wrong("has a segment that no disk holds"))?;
        match &segment.layout {
            Layout::Striped { areas, chunk_bytes } => {
                let count = areas.len() as u64;
                let each = len_bytes.checked_div(count);
                let each = each.ok_or_else(|| wrong("has a segment that lies nowhere"))?;
                let mut members = Vec::new();
                for area in areas {
                    members.push(self.area(area, each, depth)?);
                }
                if count == 1 {
                    return joined(members).ok_or_else(|| wrong("has a segment that lies nowhere"));
                }
                let stripes = Stripes {
                    chunk_bytes: *chunk_bytes,
                    rotation: 0,
                };
                striped(members, stripes)
                    .filter(|device| device.size_bytes() == len_bytes)
                    .ok_or_else(|| wrong("has stripes that do not fit their segment"))
            }
            Layout::Mirrored(legs) => {
                let device = self.legs(legs, depth)?;
                device_part(&device, 0, len_bytes)
                    .ok_or_else(|| wrong("has a mirror that is shorter than its segment"))
            }
            Layout::Zero => Ok(zeros(len_bytes)),
            Layout::Other(kind) => Err(not_read(kind)),
        }
    }

    fn area(&self, area: &Area, len_bytes: u64, depth: usize) -> Result<Device, Obstacle> {
        let begin = area.first_extent.checked_mul(self.group.extent_bytes);
        let (device, begin) = match self.group.physical.get(&area.on) {
            Some(member) => {
                let Some(device) = self.physical.get(&member.id) else {
                    return Err(Obstacle::missing(format!(
                        "physical volume {} of volume group {} ({}) is on none of the disks",
                        dashed(&member.id),
                        self.group.name,
                        member.guest_name,
                    )));
                };
                let begin = begin.and_then(|begin| begin.checked_add(member.data_offset));
                (Arc::clone(device), begin)
            }
            None => (self.at_depth(&area.on, depth + 1)?, begin),
        };
        let part = begin.and_then(|begin| device_part(&device, begin, len_bytes));
        part.ok_or_else(|| self.contradicts(&format!("reaches beyond the end of {}", area.on)))
    }

    /// Mirrors what can be had of the legs, those that are known to be behind left out.
    fn legs(&self, legs: &[Leg], depth: usize) -> Result<Device, Obstacle> {
        let mut images = Vec::new();
        let mut failed = None;
        for (number, leg) in legs.iter().enumerate() {
            let metadata = leg.metadata.as_deref();
            let metadata = metadata.and_then(|name| self.at_depth(name, depth + 1).ok());
            match self.at_depth(&leg.image, depth + 1) {
                Ok(image) => images.push((number, metadata, image)),
                Err(why) => failed = failed.or(Some(why)),
            }
        }
        let images = raid_leg::in_step(images);
        mirrored(images).ok_or_else(|| {
            failed.unwrap_or_else(|| self.contradicts("has a mirror of which no leg is whole"))
        })
    }

    fn contradicts(&self, what: &str) -> Obstacle {
        contradicts(&self.group.name, what)
    }
}

/// Names what is not read.
fn not_read(kind: &str) -> Obstacle {
    let what = match kind {
        "thin" => {
            "the volume is a thin one of LVM: its blocks lie in a pool that only a kernel maps"
        }
        "thin-pool" => "the volume is LVM's pool of thin volumes",
        "snapshot" => "the volume is a snapshot of LVM: it holds only what was written since",
        "cache" | "cache-pool" | "writecache" => {
            "the volume is cached by LVM: what was written last may lie in the cache alone"
        }
        "error" => "a part of the volume was declared lost by its administrator",
        other => return Obstacle::not_read(format!("the volume is made by LVM as {other}")),
    };
    Obstacle::not_read(what)
}

/// Returns an id with hyphens as LVM2 prints it.
fn dashed(id: &str) -> String {
    let mut text = String::new();
    for (at, letter) in id.chars().enumerate() {
        if matches!(at, 6 | 10 | 14 | 18 | 22 | 26) {
            text.push('-');
        }
        text.push(letter);
    }
    text
}
