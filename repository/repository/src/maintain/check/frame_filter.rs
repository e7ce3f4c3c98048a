//! Which frames packs are said to hold, in little memory.

use crate::format::{Bloom, Locator, Name};

/// A filter over frames: name and place of each, in 10 bits.
///
/// It has every frame that was put in. One that was not is taken for one that was about once in a
/// hundred times: so it cannot be overlooked that something is missing, only one frame of it.
pub(crate) struct FrameFilter(Bloom);

/// Returns something as random as the name that stands for the place as well. The pack is not in
/// it: the caller knows which packs the filter is about.
fn key(name: &Name, offset: u32, stored_bytes: u32) -> Name {
    let mut key = *name;
    let places = offset
        .to_le_bytes()
        .into_iter()
        .zip(stored_bytes.to_le_bytes());
    for (number, (offset, stored)) in places.enumerate() {
        key.0[number] ^= offset;
        key.0[8 + number] ^= stored;
    }
    key
}

impl FrameFilter {
    pub(crate) fn with_capacity(frames: usize) -> Self {
        Self(Bloom::with_capacity(frames))
    }

    pub(crate) fn insert(&mut self, name: &Name, offset: u32, stored_bytes: u32) {
        self.0.insert(&key(name, offset, stored_bytes));
    }

    pub(crate) fn may_contain(&self, name: &Name, locator: &Locator) -> bool {
        let key = key(name, locator.offset, locator.stored_bytes);
        self.0.may_contain(&key)
    }
}
