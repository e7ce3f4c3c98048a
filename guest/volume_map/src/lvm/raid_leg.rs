//! Which legs of an LVM mirror are in step, by the superblock that each keeps beside its image.
//!
//! Facts: the kernel's documentation of dm-raid (`Documentation/admin-guide/device-mapper/dm-raid.rst`)
//! and what its superblocks look like: "DmRd", features, devices, position, events, failed devices, how
//! far this one was rebuilt.

use std::sync::Arc;

use block_io::BlockDevice;

use crate::reader::{Reader, u64_at};

type Device = Arc<dyn BlockDevice>;

/// Written where nothing is left to rebuild.
const REBUILT: u64 = u64::MAX;

struct State {
    events: u64,
    /// One bit for each leg.
    failed: u64,
    rebuilt_to: u64,
}

/// Takes legs (number, superblock's device, image) and returns the images that may be read. A leg
/// whose superblock nobody can read is taken at its word: a group that was never active has none.
pub(super) fn in_step(legs: Vec<(usize, Option<Device>, Device)>) -> Vec<Device> {
    let states: Vec<Option<State>> = legs
        .iter()
        .map(|(_, metadata, _)| state(metadata.as_ref()?))
        .collect();
    let newest = states.iter().flatten().map(|state| state.events).max();
    let failed = states.iter().flatten();
    let failed = failed
        .filter(|state| Some(state.events) == newest)
        .fold(0, |failed, state| failed | state.failed);
    let is_in_step = |number: usize, state: &Option<State>| match state {
        Some(state) => {
            let bit = u32::try_from(number)
                .ok()
                .and_then(|bit| 1_u64.checked_shl(bit));
            Some(state.events) == newest
                && failed & bit.unwrap_or(0) == 0
                && state.rebuilt_to == REBUILT
        }
        None => newest.is_none(),
    };
    legs.into_iter()
        .zip(&states)
        .filter(|((number, ..), state)| is_in_step(*number, state))
        .map(|((_, _, image), _)| image)
        .collect()
}

fn state(metadata: &Device) -> Option<State> {
    let bytes = Reader::new(metadata).read(0, 512).ok()?;
    bytes.starts_with(b"DmRd").then(|| State {
        events: u64_at(&bytes, 16),
        failed: u64_at(&bytes, 24),
        rebuilt_to: u64_at(&bytes, 32),
    })
}
