//! Any bytes as what a repository holds behind its encryption: a hostile host has the keys.

#![no_main]

use libfuzzer_sys::fuzz_target;
use repository::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::map_node(bytes);
    fuzzing::frame(bytes);
    fuzzing::index_directory(bytes);
    fuzzing::pack_footer(bytes);
    fuzzing::text(bytes);
});
