//! Any bytes as the metadata of a BitLocker volume, all copies alike and their checksum right: they are
//! read to their end, with no panic and little memory. Without the key nothing opens.

#![no_main]

use std::sync::Arc;

use block_io::{BlockDevice, MemoryDisk};
use encrypted_volumes::{BitLockerSecret, bitlocker_protectors, open_bitlocker};
use libfuzzer_sys::fuzz_target;

const AREA_BYTES: usize = 64 << 10;
const COPIES: [usize; 3] = [AREA_BYTES, 2 * AREA_BYTES, 3 * AREA_BYTES];
const DISK_BYTES: usize = 5 * AREA_BYTES;
/// "4967d63b-2e29-4ad8-8399-f6a339e3d001"
const IDENTIFIER: [u8; 16] = [
    0x3B, 0xD6, 0x67, 0x49, 0x29, 0x2E, 0xD8, 0x4A, 0x83, 0x99, 0xF6, 0xA3, 0x39, 0xE3, 0xD0, 0x01,
];

fuzz_target!(|input: &[u8]| {
    let Some((file, block)) = input.split_at_checked(200) else {
        return;
    };
    let mut block = block[..block.len().min(AREA_BYTES - 512)].to_vec();
    block.resize(block.len().next_multiple_of(16).max(112), 0);
    block[..8].copy_from_slice(b"-FVE-FS-");
    let size = u16::try_from(block.len() / 16).unwrap();
    block[8..10].copy_from_slice(&size.to_le_bytes());
    block[10..12].copy_from_slice(&[2, 0]);
    let mut disk = vec![0; DISK_BYTES];
    disk[..11].copy_from_slice(b"\xEB\x58\x90-FVE-FS-");
    disk[160..176].copy_from_slice(&IDENTIFIER);
    for (number, place) in COPIES.iter().enumerate() {
        let place = (*place as u64).to_le_bytes();
        disk[176 + 8 * number..][..8].copy_from_slice(&place);
        block[32 + 8 * number..][..8].copy_from_slice(&place);
    }
    block[68..76].copy_from_slice(&[1, 0, 0, 0, 48, 0, 0, 0]);
    let sum = crc32fast::hash(&block).to_le_bytes();
    block.extend([96, 0, 2, 0]);
    block.extend(sum);
    for place in COPIES {
        disk[place..place + block.len()].copy_from_slice(&block);
    }
    let disk: Arc<dyn BlockDevice> = Arc::new(MemoryDisk::new(disk));
    let _ = bitlocker_protectors(&disk);
    for secret in [BitLockerSecret::ClearKey, BitLockerSecret::StartupKey(file)] {
        assert!(open_bitlocker(Arc::clone(&disk), &secret).is_err());
    }
});
