//! From the members of an array to a device.

use std::sync::Arc;

use block_io::BlockDevice;

use super::level;
use super::superblock::{Role, Superblock};
use super::zones;
use crate::Obstacle;
use crate::composed::{device_part, joined, mirrored, near_copies};

type Device = Arc<dyn BlockDevice>;

/// A member that is here.
pub(super) struct Member {
    pub(super) superblock: Superblock,
    pub(super) device: Device,
    /// The name of the volume that it is.
    pub(super) volume: String,
}

/// Returns the member that has seen the last change.
pub(super) fn newest(members: &[Member]) -> Option<&Member> {
    let active = members.iter().filter(|member| {
        let superblock = &member.superblock;
        matches!(superblock.role_of(superblock.number), Role::Active(_))
    });
    let newest = active.max_by_key(|member| member.superblock.events);
    newest.or_else(|| members.iter().max_by_key(|it| it.superblock.events))
}

/// Returns how large an array is, as far as its superblock alone says.
pub(super) fn size_bytes(newest: &Superblock) -> u64 {
    let data_members = match newest.level {
        4 | 5 => newest.members.saturating_sub(1),
        6 => newest.members.saturating_sub(2),
        1 => 1,
        _ => newest.members,
    };
    let copies = match newest.level {
        10 => u64::from(newest.layout & 0xFF).max(1),
        _ => 1,
    };
    let all = newest.used_bytes.saturating_mul(u64::from(data_members));
    all / copies
}

/// Puts the array together as its newest member describes it.
pub(super) fn device(newest: &Superblock, members: &[Member]) -> Result<Device, Obstacle> {
    let name = level::name(newest.level);
    if newest.is_reshaping {
        let what = format!("the array is being reshaped ({name}), and each half has another form");
        return Err(Obstacle::not_read(what));
    }
    let places = places(newest, members)?;
    match newest.level {
        1 => mirror(newest, places),
        level::LINEAR => joined(all(places)?).ok_or_else(|| wrong("is longer than any disk")),
        0 => zones::striped_zones(all(places)?, newest.chunk_bytes, newest.layout),
        10 => raid10(newest, places),
        4..=6 => Err(Obstacle::not_read(format!(
            "the volume is an array of level {name}: its parity is not read"
        ))),
        _ => Err(Obstacle::not_read(format!(
            "the volume is an array of kind {name}"
        ))),
    }
}

/// A place of the array, and who is there.
struct Place {
    /// Cut to the data; `None`: nobody, or somebody who is behind.
    data: Option<Device>,
    /// How many of the last changes it has not seen.
    behind: u64,
    /// Why nobody is here.
    absent: &'static str,
}

/// Finds out who is at each place: a member that the newest one calls active and that has seen all
/// changes but at most the last (as the kernel has it), and is whole.
fn places(newest: &Superblock, members: &[Member]) -> Result<Vec<Place>, Obstacle> {
    let count = usize::try_from(newest.members).unwrap_or(usize::MAX);
    if count == 0 || count > newest.roles.len() {
        return Err(wrong("has more members than its superblock lists"));
    }
    let mut places: Vec<Place> = std::iter::repeat_with(|| Place {
        data: None,
        behind: u64::MAX,
        absent: "is on none of the disks",
    })
    .take(count)
    .collect();
    for member in members {
        let own = &member.superblock;
        let Role::Active(place) = newest.role_of(own.number) else {
            continue;
        };
        let place = usize::try_from(place)
            .ok()
            .and_then(|at| places.get_mut(at));
        let Some(place) = place else { continue };
        let behind = newest.events.saturating_sub(own.events);
        if behind > 1 || own.is_rebuilding {
            if place.data.is_none() {
                place.absent = "has not seen the last changes";
            }
            continue;
        }
        let data = device_part(&member.device, own.data_offset, data_bytes(newest, own));
        let data = data.ok_or_else(|| {
            wrong(&format!(
                "reaches beyond the end of its member {}",
                member.volume
            ))
        })?;
        if behind < place.behind {
            *place = Place {
                data: Some(data),
                behind,
                absent: "",
            };
        }
    }
    Ok(places)
}

/// Where each member has its own size, all of it counts, in whole chunks.
fn data_bytes(newest: &Superblock, own: &Superblock) -> u64 {
    match newest.level {
        0 | level::LINEAR => match newest.chunk_bytes {
            0 => own.data_bytes,
            chunk => own.data_bytes / chunk * chunk,
        },
        _ => newest.used_bytes,
    }
}

/// Returns the members of an array that needs each.
fn all(places: Vec<Place>) -> Result<Vec<Device>, Obstacle> {
    let count = places.len();
    let members = places.into_iter().enumerate();
    let members = members.map(|(at, place)| {
        place.data.ok_or_else(|| {
            Obstacle::missing(format!(
                "member {at} of the array's {count} {}, and it needs each",
                place.absent
            ))
        })
    });
    members.collect()
}

/// A mirror reads of those first that have seen most.
fn mirror(newest: &Superblock, mut places: Vec<Place>) -> Result<Device, Obstacle> {
    let count = places.len();
    places.sort_by_key(|place| place.behind);
    let members: Vec<Device> = places.into_iter().filter_map(|place| place.data).collect();
    mirrored(members)
        .filter(|device| device.size_bytes() >= newest.used_bytes)
        .ok_or_else(|| {
            let what = format!("none of the array's {count} mirrors is here and in step");
            Obstacle::missing(what)
        })
}

/// The layout's bytes: near copies, far copies, and whether those are moved on by a chunk.
fn raid10(newest: &Superblock, places: Vec<Place>) -> Result<Device, Obstacle> {
    let (near, far) = (newest.layout & 0xFF, newest.layout >> 8);
    if far != 1 {
        let what = "the volume is an array of level raid10 with its layout \"far\" or \"offset\"";
        return Err(Obstacle::not_read(what));
    }
    let count = places.len();
    let here = places.iter().filter(|place| place.data.is_some()).count();
    let members = places.into_iter().map(|place| place.data).collect();
    let copies = u64::from(near);
    let device = near_copies(members, copies, newest.chunk_bytes, newest.used_bytes);
    device.ok_or_else(|| {
        let what = format!("{here} of the array's {count} members are here and in step: too few");
        Obstacle::missing(what)
    })
}

fn wrong(what: &str) -> Obstacle {
    Obstacle::damaged(format!("the array {what}"))
}
