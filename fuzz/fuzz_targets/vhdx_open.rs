//! Changes to a good VHDX: opened, checked and read, with no panic and no extent that lies.
//!
//! A VHDX has 4 MiB before its first block, so the input is not the file but a list of changes to
//! a differencing file: which structure, where in it, and up to 15 bytes. Checksums are made right
//! again, or few inputs would come past them.

#![no_main]

use std::sync::{Arc, OnceLock};

use block_io::{DiskLayer as _, LayerExtentKind, MemoryFile, NewImage as _};
use libfuzzer_sys::fuzz_target;
use vhdx_format::{CreateKind, CreateOptions, GuidSource, ParentLink, VhdxLayer, check, create};

/// Start, and length under one checksum, of every structure of the file.
const PLACES: [(usize, usize); 8] = [
    (0, 0),
    (64 << 10, 4096),
    (128 << 10, 4096),
    (192 << 10, 64 << 10),
    (256 << 10, 64 << 10),
    (2 << 20, 0),
    ((2 << 20) + (64 << 10), 0),
    (3 << 20, 0),
];
/// Offsets that are looked at in one disk: its size is the input's claim.
const PROBES: u64 = 32;

fn good_file() -> &'static [u8] {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    GOOD.get_or_init(|| {
        let link = ParentLink {
            data_write_guid: Default::default(),
            relative_path: Some(".\\base.vhdx".into()),
            absolute_path: None,
            volume_path: None,
        };
        let options = CreateOptions {
            block_bytes: 1 << 20,
            guids: GuidSource::Counting(1),
            ..CreateOptions::new(3 << 20, CreateKind::Differencing(link))
        };
        let file = Arc::new(MemoryFile::new("good.vhdx", Vec::new()));
        let new = create(file.clone(), &options).unwrap();
        new.write_at(512, &[7; 4096]).unwrap();
        new.write_at(1 << 20, &[8; 1 << 20]).unwrap();
        Box::new(new).finish().unwrap();
        file.to_vec()
    })
}

fn changed(input: &[u8]) -> Vec<u8> {
    let mut bytes = good_file().to_vec();
    let mut rest = input;
    while let [place, low, high, length, tail @ ..] = rest {
        let (start, sealed) = PLACES[usize::from(place % 8)];
        let at = start + usize::from(u16::from_le_bytes([*low, *high]));
        let (change, tail) = tail.split_at(usize::from(length % 16).min(tail.len()));
        bytes[at..at + change.len()].copy_from_slice(change);
        if sealed > 0 && place & 0x80 == 0 {
            bytes[start + 4..start + 8].fill(0);
            let crc = crc32c(&bytes[start..start + sealed]);
            bytes[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
        }
        rest = tail;
    }
    bytes
}

/// CRC-32C, a bit at a time: the structures are short.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82F6_3B78 & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

fuzz_target!(|input: &[u8]| {
    let bytes = changed(input);
    let file = Arc::new(MemoryFile::new("fuzz.vhdx", bytes.clone()));
    let _ = check(file.clone());
    let Ok(layer) = VhdxLayer::open(file.clone()) else {
        return;
    };
    let size = layer.size_bytes();
    let (mut first, mut second) = (vec![0; 8192], vec![1; 8192]);
    for probe in 0..PROBES {
        let offset = size / PROBES * probe;
        let Ok(extent) = layer.layer_extent_at(offset, size - offset) else {
            continue;
        };
        assert!(extent.len_bytes > 0 && extent.len_bytes <= size - offset);
        let len = usize::try_from(extent.len_bytes).map_or(8192, |len| len.min(8192));
        if extent.kind == LayerExtentKind::Data {
            // What is called data can be read, and reads the same twice.
            layer.read_layer_at(offset, &mut first[..len]).unwrap();
            layer.read_layer_at(offset, &mut second[..len]).unwrap();
            assert!(first[..len] == second[..len]);
        } else if extent.kind == LayerExtentKind::Zero {
            layer.read_layer_at(offset, &mut first[..len]).unwrap();
            assert!(first[..len].iter().all(|byte| *byte == 0));
        }
    }
    assert!(file.to_vec() == bytes, "reading changed the file");
});
