//! raid0 over members of different sizes: the first zone lies on all of them as far as the shortest
//! goes, the next one on those that are longer, and so on.

use std::sync::Arc;

use block_io::BlockDevice;

use crate::Obstacle;
use crate::composed::{Stripes, device_part, joined, striped};

type Device = Arc<dyn BlockDevice>;

/// Chunks are dealt out by their number in the array, whatever zone they lie in (before Linux 3.14).
const ORIGINAL: u32 = 1;
/// Chunks are dealt out by their number in their zone.
const ALTERNATE: u32 = 2;

/// Stripes over members in their order; `layout` tells two kernels apart, which laid out the second
/// zone in different ways.
pub(super) fn striped_zones(
    members: Vec<Device>,
    chunk_bytes: u64,
    layout: u32,
) -> Result<Device, Obstacle> {
    let damaged = || Obstacle::damaged("the array describes stripes that its members cannot hold");
    let mut sizes: Vec<u64> = members.iter().map(|member| member.size_bytes()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    if sizes.len() > 1 && !matches!(layout, ORIGINAL | ALTERNATE) {
        return Err(Obstacle::not_read(
            "the array stripes over members of different sizes, and does not say which of two kernels \
             laid it out",
        ));
    }
    let mut zones = Vec::new();
    let (mut begin, mut done_bytes) = (0, 0_u64);
    for end in sizes {
        let on = members.iter().filter(|member| member.size_bytes() >= end);
        let on: Option<Vec<Device>> = on
            .map(|member| device_part(member, begin, end - begin))
            .collect();
        let stripes = Stripes {
            chunk_bytes,
            rotation: match layout {
                ORIGINAL => done_bytes.checked_div(chunk_bytes).ok_or_else(damaged)?,
                _ => 0,
            },
        };
        let zone = on.and_then(|on| striped(on, stripes)).ok_or_else(damaged)?;
        done_bytes = done_bytes
            .checked_add(zone.size_bytes())
            .ok_or_else(damaged)?;
        zones.push(zone);
        begin = end;
    }
    joined(zones).ok_or_else(damaged)
}
