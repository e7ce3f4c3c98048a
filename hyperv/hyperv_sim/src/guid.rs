//! GUIDs as Hyper-V writes them, and where they come from.

use uuid::{Builder, Uuid};

/// Writes a GUID in upper case, as in names of files and instances.
pub(crate) fn guid_text(id: Uuid) -> String {
    id.hyphenated().to_string().to_ascii_uppercase()
}

/// Returns the `count`th GUID of a seed: random to look at, the same each time.
pub(crate) fn seeded_guid(seed: u64, count: u64) -> Uuid {
    let high = u128::from(mixed(seed ^ count.rotate_left(32)));
    let low = u128::from(mixed(mixed(count).wrapping_add(seed)));
    Builder::from_random_bytes((high << 64 | low).to_be_bytes()).into_uuid()
}

/// Returns the `count`th number of a seed.
pub(crate) fn seeded_number(seed: u64, count: u64) -> u64 {
    mixed(seed.rotate_left(17) ^ mixed(count))
}

/// The finalizer of SplitMix64: a bijection that spreads all bits.
fn mixed(value: u64) -> u64 {
    let mut value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
