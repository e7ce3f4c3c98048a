//! A HyperVStorage container of any bytes: no panic, and what parses comes back from the writer.
//!
//! The checksums stand in the way of a fuzzer, so the input is tried as it is and with every
//! checksum of headers, object table and key table made right.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vm_config::{VmConfiguration, read_vmcx, with_disk_paths, write_vmcx};

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    let mut sealed = bytes.to_vec();
    for (at, len, crc) in [(0, 46, 4), (0x1000, 46, 4), (0x3000, 10, 6)] {
        seal(&mut sealed, at, len, crc);
    }
    for slot in 0..227 {
        seal(&mut sealed, 0x2008 + slot * 18, 18, 1);
    }
    seal_entries(&mut sealed);
    check(&sealed);
});

fn check(bytes: &[u8]) {
    let Ok(tree) = read_vmcx("fuzz", bytes) else {
        return;
    };
    // What was read is within the writer's bounds, but for the file's size, which slack decides.
    if let Ok(written) = write_vmcx(&tree) {
        assert_eq!(read_vmcx("fuzz", &written).expect("what we wrote"), tree);
    }
    // A log that lies over the tables makes the edit fail, never a copy that reads otherwise.
    if let (Ok(configuration), Ok(closed)) = (
        VmConfiguration::from_tree(&tree),
        with_disk_paths(bytes, &[]),
    ) {
        let again = VmConfiguration::from_bytes("fuzz", &closed).expect("a closed copy");
        assert_eq!(again, configuration);
    }
}

/// Makes the entries of a key table at the usual place right.
fn seal_entries(bytes: &mut [u8]) {
    let mut at = 0x300a_usize;
    while let Some(head) = bytes.get(at..at + 21) {
        let len = u32::from_le_bytes([head[2], head[3], head[4], head[5]]) as usize;
        let data = 21 + usize::from(head[20]);
        let meaningful = match (head[1] & 1, head[0]) {
            (1, _) => data + 12,
            (_, 3..=5) => data + 8,
            (_, 8) => data + 4,
            (_, 9) => data + 12,
            _ => {
                let length = bytes
                    .get(at + data..)
                    .and_then(|rest| rest.first_chunk::<4>());
                let length = length.map_or(0, |length| u32::from_le_bytes(*length));
                data.saturating_add(4).saturating_add(length as usize)
            }
        };
        seal(bytes, at, meaningful, 12);
        if len < 21 {
            return;
        }
        at = at.saturating_add(len).min(bytes.len());
    }
}

fn seal(bytes: &mut [u8], at: usize, len: usize, crc: usize) {
    let Some(part) = bytes.get_mut(at..at.saturating_add(len)) else {
        return;
    };
    part[crc..crc + 4].fill(0);
    let sum = crc32(part);
    part[crc..crc + 4].copy_from_slice(&sum.to_le_bytes());
}

/// CRC-32 as zlib has it, bit by bit: the target needs no more speed than that.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc: u32, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
