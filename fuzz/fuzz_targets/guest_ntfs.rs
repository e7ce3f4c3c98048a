//! A changed volume of NTFS: opened, listed and read, with no panic and no end that does not come.

#![no_main]

mod posix_volume;

use libfuzzer_sys::fuzz_target;
use volume_map::Content;

fuzz_target!(|input: &[u8]| {
    posix_volume::attack(
        input,
        Content::Ntfs,
        "8M",
        "mkntfs -F -Q -q image && for i in $(seq 100); do ntfscp -q -f image tree/a/$i $i; done && \
         ntfscp -q -f image tree/large large && ntfscp -q -f -N stream image tree/a/9 large",
    );
});
