//! A changed volume of XFS: opened, listed and read, with no panic and no end that does not come.

#![no_main]

mod posix_volume;

use libfuzzer_sys::fuzz_target;
use volume_map::Content;

fuzz_target!(|input: &[u8]| {
    posix_volume::attack(
        input,
        Content::Xfs,
        "300M",
        "mkfs.xfs -q -p prototype image",
    );
});
