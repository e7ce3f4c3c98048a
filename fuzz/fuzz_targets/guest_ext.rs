//! A changed volume of ext: opened, listed and read, with no panic and no end that does not come.

#![no_main]

mod posix_volume;

use libfuzzer_sys::fuzz_target;
use volume_map::Content;

fuzz_target!(|input: &[u8]| {
    posix_volume::attack(
        input,
        Content::Ext,
        "8M",
        "mkfs.ext4 -q -F -b 1024 -O inline_data,^metadata_csum -d tree image",
    );
});
