//! Any bytes as the log of a VHDX: replayed in memory and in place, to the same disk.
//!
//! The input is the start of the log. Where a sector claims to be an entry, its checksum is made
//! right, or no input would come past it.

#![no_main]

use std::sync::{Arc, OnceLock};

use block_io::{DiskLayer as _, MemoryFile, NewImage as _};
use libfuzzer_sys::fuzz_target;
use vhdx_format::{CreateKind, CreateOptions, GuidSource, VhdxDisk, VhdxLayer, check, create};

const LOG: usize = 1 << 20;
const LOG_BYTES: usize = 1 << 20;
const SECTOR: usize = 4096;
const DISK_BYTES: u64 = 2 << 20;
/// The log's GUID: sixteen times this byte.
const GUID: u8 = 0x47;

/// A small base disk whose headers name a log.
fn dirty_file() -> &'static [u8] {
    static DIRTY: OnceLock<Vec<u8>> = OnceLock::new();
    DIRTY.get_or_init(|| {
        let options = CreateOptions {
            block_bytes: 1 << 20,
            guids: GuidSource::Counting(1),
            ..CreateOptions::new(DISK_BYTES, CreateKind::Dynamic)
        };
        let file = Arc::new(MemoryFile::new("good.vhdx", Vec::new()));
        let new = create(file.clone(), &options).unwrap();
        new.write_at(0, &[7; 1 << 20]).unwrap();
        Box::new(new).finish().unwrap();
        let mut bytes = file.to_vec();
        for header in [64 << 10, 128 << 10] {
            bytes[header + 48..header + 64].fill(GUID);
            seal(&mut bytes[header..header + SECTOR]);
        }
        bytes
    })
}

fn seal(bytes: &mut [u8]) {
    bytes[4..8].fill(0);
    // CRC-32C, a bit at a time.
    let crc = !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82F6_3B78 & 0_u32.wrapping_sub(crc & 1))
        })
    });
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
}

fuzz_target!(|input: &[u8]| {
    let mut bytes = dirty_file().to_vec();
    let len = input.len().min(64 << 10);
    bytes[LOG..LOG + len].copy_from_slice(&input[..len]);
    for at in (LOG..LOG + len).step_by(SECTOR) {
        let length =
            u32::from_le_bytes([bytes[at + 8], bytes[at + 9], bytes[at + 10], bytes[at + 11]]);
        let length = usize::try_from(length).unwrap_or(0);
        if bytes[at..].starts_with(b"loge") && length >= 64 && at + length <= LOG + LOG_BYTES {
            seal(&mut bytes[at..at + length]);
        }
    }
    let file = Arc::new(MemoryFile::new("fuzz.vhdx", bytes.clone()));
    let _ = check(file.clone());
    let Ok(layer) = VhdxLayer::open(file.clone()) else {
        return;
    };
    assert!(layer.info().log_replayed);
    let read = |layer: &VhdxLayer| {
        let size = layer.size_bytes().min(DISK_BYTES);
        let mut disk = vec![0; usize::try_from(size).unwrap()];
        layer.read_layer_at(0, &mut disk).ok().map(|()| disk)
    };
    let (first, second) = (read(&layer), read(&layer));
    assert!(first == second);
    assert!(file.to_vec() == bytes, "reading changed the file");
    // In memory, a file that the log makes very long cannot be replayed in place.
    let longest = bytes[LOG..LOG + len]
        .chunks_exact(SECTOR)
        .map(|sector| u64::from_le_bytes(sector[56..64].try_into().unwrap()))
        .max();
    if longest.is_none_or(|bytes| bytes > 64 << 20) {
        return;
    }
    if let Ok(disk) = VhdxDisk::open_writable(file.clone(), GuidSource::Counting(50)) {
        disk.close().unwrap();
        let replayed = VhdxLayer::open(file).unwrap();
        assert!(!replayed.info().log_replayed);
        assert!(
            read(&replayed) == first,
            "replay in memory and in place differ"
        );
    }
});
