//! Any bytes as a VHD: opened, checked and read, with no panic and no extent that lies.

#![no_main]

use std::sync::Arc;

use block_io::{DiskLayer as _, ImageFile as _, LayerExtentKind, MemoryFile};
use libfuzzer_sys::fuzz_target;
use vhd_format::{VhdLayer, check};

/// Offsets that are looked at in one disk: its size is the input's claim.
const PROBES: u64 = 32;

fuzz_target!(|bytes: &[u8]| {
    let file = Arc::new(MemoryFile::new("fuzz.vhd", bytes.to_vec()));
    let _ = check(file.clone());
    let Ok(layer) = VhdLayer::open(file.clone()) else {
        return;
    };
    let size = layer.size_bytes();
    let mut buffer = vec![0; 8192];
    for probe in 0..PROBES {
        let offset = size / PROBES * probe;
        let Ok(extent) = layer.layer_extent_at(offset, size - offset) else {
            continue;
        };
        assert!(extent.len_bytes > 0 && extent.len_bytes <= size - offset);
        if extent.kind == LayerExtentKind::Data {
            let len = usize::try_from(extent.len_bytes).map_or(8192, |len| len.min(8192));
            // What is called data lies in the file: every block is checked before it is named.
            layer.read_layer_at(offset, &mut buffer[..len]).unwrap();
        }
    }
    assert_eq!(file.size_bytes().unwrap(), bytes.len() as u64);
});
