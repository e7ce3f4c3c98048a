//! Thousands of damaged files: no panic, no endless loop, and what is read is consistent.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "test helpers; the numbers are small"
)]

mod support;

use std::sync::Arc;

use block_io::{DiskLayer as _, ImageFile, LayerExtentKind, MemoryFile, WritableFile};
use disk_model::pattern;
use support::images::{MIB, image, layer, small, small_child};
use support::raw_log::{Part, RawEntry, place, seal, set_log_guid};
use vhdx_format::{CreateKind, GuidSource, VhdxDisk, VhdxLayer, check};

const SIZE: u64 = 2 * MIB;

struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// The parts of a file whose bytes mean something, and how long the sealed structure is.
const PLACES: [(usize, usize, usize); 9] = [
    (0, 16, 0),
    (64 << 10, 80, 4096),
    (128 << 10, 80, 4096),
    (192 << 10, 80, 64 << 10),
    (256 << 10, 80, 64 << 10),
    (1 << 20, 160, 8192),
    (2 << 20, 256, 0),
    ((2 << 20) + (64 << 10), 400, 0),
    (3 << 20, 32, 0),
];

fn mutate(file: &MemoryFile, clean: &[u8], random: &mut Random) -> Vec<(usize, usize)> {
    let mut dirty = Vec::new();
    for _ in 0..=random.next(3) {
        let (start, length, sealed) = PLACES[random.next(PLACES.len() as u64) as usize];
        let at = start + random.next(length as u64) as usize;
        let value = [0, 1, 0x7F, 0x80, 0xFF, random.next(256) as u8][random.next(6) as usize];
        let width = [1, 2, 4, 8][random.next(4) as usize];
        file.write_all_at(at as u64, &vec![value; width]).unwrap();
        let end = (at + width).max(start + sealed);
        if sealed > 0 && random.next(8) > 0 {
            let mut structure = vec![0; sealed];
            file.read_exact_at(start as u64, &mut structure).unwrap();
            seal(&mut structure);
            file.write_all_at(start as u64, &structure).unwrap();
        }
        dirty.push((start, end));
    }
    if random.next(40) == 0 {
        file.set_size_bytes(random.next(clean.len() as u64))
            .unwrap();
        dirty.push((0, clean.len()));
    }
    dirty
}

/// Reads twice, and compares with the extents.
fn exercise(layer: &VhdxLayer) {
    let size = layer.size_bytes();
    let mut offset = 0;
    let mut first = vec![0; 3000];
    let mut second = vec![1; 3000];
    for _ in 0..200 {
        if offset >= size {
            break;
        }
        let Ok(extent) = layer.layer_extent_at(offset, size - offset) else {
            offset += MIB / 2;
            continue;
        };
        assert!((1..=size - offset).contains(&extent.len_bytes));
        let len = extent.len_bytes.min(3000) as usize;
        let one = layer.read_layer_at(offset, &mut first[..len]);
        let two = layer.read_layer_at(offset, &mut second[..len]);
        assert_eq!(one.is_ok(), two.is_ok());
        if one.is_ok() {
            assert!(first[..len] == second[..len]);
            if extent.kind == LayerExtentKind::Zero {
                assert!(first[..len].iter().all(|byte| *byte == 0));
            }
        }
        offset += extent.len_bytes;
    }
}

#[test]
fn damaged_files_neither_panic_nor_hang() {
    let base = image(
        &small(SIZE, CreateKind::Dynamic),
        &[(0, pattern(1, 70_000))],
    );
    let child = image(
        &small_child(layer(&base).info(), 200),
        &[(512, pattern(2, 1024))],
    );
    let mut logged = child.clone();
    set_log_guid(&mut logged, uuid::Uuid::from_u128(5));
    let entry = RawEntry {
        guid: uuid::Uuid::from_u128(5),
        sequence: 3,
        tail: 0,
        flushed: 0,
        last: logged.len() as u64,
        parts: vec![
            Part::Zero {
                file_offset: 5 * MIB,
                len_bytes: 8192,
            },
            Part::Data {
                file_offset: 4 * MIB,
                content: pattern(1, 4096),
            },
        ],
    };
    place(&mut logged, 0, &entry.build());
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    let mut opened = 0;
    for clean in [base, child, logged] {
        let file = Arc::new(MemoryFile::new("mutated.vhdx", clean.clone()));
        for _ in 0..1200 {
            let dirty = mutate(&file, &clean, &mut random);
            let image: Arc<dyn ImageFile> = Arc::clone(&file) as Arc<dyn ImageFile>;
            if let Ok(layer) = VhdxLayer::open(Arc::clone(&image)) {
                opened += 1;
                exercise(&layer);
            }
            drop(check(image));
            // Restoring only what changed keeps thousands of cases cheap.
            file.set_size_bytes(clean.len() as u64).unwrap();
            for (start, end) in dirty {
                file.write_all_at(start as u64, &clean[start..end]).unwrap();
            }
        }
        for _ in 0..60 {
            let file = Arc::new(MemoryFile::new("mutated.vhdx", clean.clone()));
            mutate(&file, &clean, &mut random);
            if file.to_vec().len() > 1 << 30 {
                continue;
            }
            if let Ok(disk) = VhdxDisk::open_writable(file, GuidSource::Random)
                && disk.info().size_bytes <= 64 * MIB
                && disk.info().block_bytes <= 16 << 20
            {
                drop(disk.write_layer_at(0, &[1; 4096]));
                drop(disk.close());
            }
        }
    }
    assert!(
        opened > 300,
        "only {opened} damaged files opened: the test sees too little"
    );
}
