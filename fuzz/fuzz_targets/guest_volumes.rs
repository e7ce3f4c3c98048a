//! Any bytes as up to three disks of a VM: all volumes found, a little of each read, with no panic and no
//! end that does not come. Checksums are not checked here.

#![no_main]

use std::sync::Arc;

use block_io::{BlockDevice, MemoryDisk};
use libfuzzer_sys::fuzz_target;
use volume_map::guest_volumes;

/// Disks are at least this long, so that everything that lies further on can be reached.
const DISK_BYTES: usize = 160 << 10;

fuzz_target!(|input: &[u8]| {
    let parts = input.chunks(input.len().div_ceil(3).max(1));
    let disks: Vec<Arc<dyn BlockDevice>> = parts
        .map(|part| {
            let mut bytes = part.to_vec();
            bytes.resize(bytes.len().max(DISK_BYTES), 0);
            Arc::new(MemoryDisk::new(bytes)) as Arc<dyn BlockDevice>
        })
        .collect();
    for volume in guest_volumes(&disks).volumes {
        let Some(device) = volume.device else {
            assert!(volume.obstacle.is_some());
            continue;
        };
        let size = device.size_bytes();
        for at in [0, size / 2, size.saturating_sub(9)] {
            let len = (size - at).min(9);
            let mut bytes = [0; 9];
            device.read_at(at, &mut bytes[..len as usize]).unwrap();
            if len > 0 {
                let extent = device.extent_at(at, len).unwrap();
                assert!(extent.len_bytes > 0 && extent.len_bytes <= len);
            }
        }
    }
});
