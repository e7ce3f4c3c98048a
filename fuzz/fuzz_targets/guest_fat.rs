//! A changed volume of FAT: opened, listed and read, with no panic and no end that does not come.

#![no_main]

mod posix_volume;

use libfuzzer_sys::fuzz_target;
use volume_map::Content;

fuzz_target!(|input: &[u8]| {
    posix_volume::attack(
        input,
        Content::Fat16,
        "18M",
        "mkfs.vfat -F 16 -s 1 image && mcopy -s -i image tree/a tree/large ::/",
    );
});
