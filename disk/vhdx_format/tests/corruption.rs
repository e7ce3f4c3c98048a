//! Damage of every field: the right error, never a panic, never memory without bound.
#![expect(clippy::unwrap_used, reason = "test helpers; the numbers are small")]

mod support;

use std::sync::Arc;

use block_io::{DiskErrorKind, DiskLayer as _, LayerExtentKind, MemoryFile};
use disk_model::pattern;
use support::images::{MIB, image, layer, memory, small, small_child};
use support::raw_log::seal;
use vhdx_format::{
    CreateKind, GuidSource, ParentLocator, Problem, Severity, VhdxDisk, VhdxLayer, check,
};

const SIZE: u64 = 3 * MIB;
const HEADERS: [usize; 2] = [64 << 10, 128 << 10];
const REGIONS: [usize; 2] = [192 << 10, 256 << 10];
const METADATA: usize = 2 << 20;
const ITEMS: usize = METADATA + (64 << 10);
const BAT: usize = 3 << 20;

fn base() -> Vec<u8> {
    image(
        &small(SIZE, CreateKind::Dynamic),
        &[(0, pattern(1, 2 << 20))],
    )
}

fn child() -> Vec<u8> {
    let options = small_child(layer(&base()).info(), 200);
    image(&options, &[(512, pattern(2, 512))])
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

/// Changes a field of both copies of a structure, and makes their checksums right again.
fn put_sealed(bytes: &mut [u8], copies: [usize; 2], length: usize, at: usize, field: &[u8]) {
    for copy in copies {
        put(bytes, copy + at, field);
        seal(&mut bytes[copy..copy + length]);
    }
}

fn errors(bytes: Vec<u8>) -> Vec<Problem> {
    let mut problems = check(memory(bytes));
    problems.retain(|problem| problem.severity == Severity::Error);
    problems
}

#[track_caller]
fn refused(bytes: Vec<u8>, kind: DiskErrorKind, text: &str) {
    assert!(!errors(bytes.clone()).is_empty(), "check finds nothing");
    let error = VhdxLayer::open(memory(bytes)).err().expect("it opens");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(text), "{error}");
    assert_eq!(error.file(), Some("test.vhdx"));
}

#[test]
fn one_good_header_is_enough_and_two_bad_ones_are_not() {
    for copy in HEADERS {
        let mut bytes = base();
        bytes[copy + 100] ^= 1;
        assert_eq!(layer(&bytes).info().size_bytes, SIZE);
        let problems = check(memory(bytes));
        assert!(problems.iter().any(|problem| {
            problem.severity == Severity::Warning && problem.offset == Some(copy as u64)
        }));
    }
    let mut bytes = base();
    for copy in HEADERS {
        bytes[copy] ^= 1;
    }
    refused(bytes, DiskErrorKind::Corrupt, "both headers are bad");
}

#[test]
fn headers_of_one_number_are_accepted_only_when_alike() {
    let mut bytes = base();
    let second = bytes[HEADERS[1]..][..4096].to_vec();
    put(&mut bytes, HEADERS[0], &second);
    assert_eq!(layer(&bytes).info().sequence_number, 2);
    bytes[HEADERS[0] + 40] ^= 1;
    seal(&mut bytes[HEADERS[0]..HEADERS[0] + 4096]);
    refused(bytes, DiskErrorKind::Corrupt, "sequence number");
}

#[test]
fn header_fields_are_checked() {
    let cases: [(usize, &[u8], DiskErrorKind, &str); 7] = [
        (66, &[2, 0], DiskErrorKind::Corrupt, "version"),
        (68, &[1, 0, 0, 0], DiskErrorKind::Corrupt, "log"),
        (68, &[0, 0, 0, 0x80], DiskErrorKind::Unsupported, "log"),
        (72, &[0; 8], DiskErrorKind::Corrupt, "log"),
        (72, &[0xFF; 8], DiskErrorKind::Corrupt, "log"),
        (48, &[1; 16], DiskErrorKind::Corrupt, "no valid sequence"),
        (
            72,
            &(2 * MIB).to_le_bytes(),
            DiskErrorKind::Corrupt,
            "overlap",
        ),
    ];
    for (at, field, kind, text) in cases {
        let mut bytes = base();
        put_sealed(&mut bytes, HEADERS, 4096, at, field);
        refused(bytes, kind, text);
    }
    let mut bytes = base();
    put_sealed(&mut bytes, HEADERS, 4096, 48, &[1; 16]);
    put_sealed(&mut bytes, HEADERS, 4096, 64, &[1, 0]);
    refused(bytes, DiskErrorKind::Unsupported, "version");
}

#[test]
fn the_region_table_has_a_second_copy() {
    for copy in REGIONS {
        let mut bytes = base();
        bytes[copy + 20] ^= 1;
        assert_eq!(layer(&bytes).info().size_bytes, SIZE);
        assert!(errors(bytes).is_empty());
    }
}

#[test]
fn region_fields_are_checked() {
    let second = 16 + 32;
    let cases: [(usize, &[u8], DiskErrorKind, &str); 10] = [
        (0, b"rego", DiskErrorKind::Corrupt, "signature"),
        (8, &[0, 8, 0, 0], DiskErrorKind::Corrupt, "2047"),
        (8, &[1, 0, 0, 0], DiskErrorKind::Corrupt, "no metadata"),
        (16, &[7; 16], DiskErrorKind::Unsupported, "do not know"),
        (
            32,
            &1_u64.to_le_bytes(),
            DiskErrorKind::Corrupt,
            "whole MiB",
        ),
        (32, &[0; 8], DiskErrorKind::Corrupt, "whole MiB"),
        (
            32,
            &(1_u64 << 62).to_le_bytes(),
            DiskErrorKind::Corrupt,
            "end of the file",
        ),
        (40, &[0; 4], DiskErrorKind::Corrupt, "whole MiB"),
        (
            40,
            &[0, 0, 0xF0, 0xFF],
            DiskErrorKind::Corrupt,
            "end of the file",
        ),
        (
            second + 16,
            &(3 * MIB).to_le_bytes(),
            DiskErrorKind::Corrupt,
            "overlap",
        ),
    ];
    for (at, field, kind, text) in cases {
        let mut bytes = base();
        put_sealed(&mut bytes, REGIONS, 64 << 10, at, field);
        refused(bytes, kind, text);
    }
    let mut bytes = base();
    let first: Vec<u8> = bytes[REGIONS[0] + 16..][..16].to_vec();
    put_sealed(&mut bytes, REGIONS, 64 << 10, second, &first);
    refused(bytes, DiskErrorKind::Corrupt, "twice");
}

#[test]
fn regions_that_are_not_required_are_found_as_qemu_writes_them() {
    let mut bytes = base();
    for entry in [16, 48] {
        put_sealed(&mut bytes, REGIONS, 64 << 10, entry + 28, &[0; 4]);
    }
    assert_eq!(layer(&bytes).info().size_bytes, SIZE);
    // An unknown region that nobody needs is passed over.
    put_sealed(&mut bytes, REGIONS, 64 << 10, 8, &[3, 0, 0, 0]);
    put_sealed(&mut bytes, REGIONS, 64 << 10, 80, &[9; 16]);
    put_sealed(&mut bytes, REGIONS, 64 << 10, 96, &(4 * MIB).to_le_bytes());
    put_sealed(&mut bytes, REGIONS, 64 << 10, 104, &[0, 0, 0x10, 0]);
    assert_eq!(layer(&bytes).info().size_bytes, SIZE);
}

#[test]
fn metadata_fields_are_checked() {
    // Items of a new file: parameters, size, logical and physical sector size, id.
    let cases: [(usize, &[u8], DiskErrorKind, &str); 16] = [
        (METADATA, b"metadatb", DiskErrorKind::Corrupt, "signature"),
        (METADATA + 10, &[0, 8], DiskErrorKind::Corrupt, "2047"),
        (METADATA + 10, &[4, 0], DiskErrorKind::Corrupt, "disk id"),
        (
            METADATA + 32,
            &[7; 16],
            DiskErrorKind::Unsupported,
            "do not know",
        ),
        (
            METADATA + 48,
            &[1, 0, 0, 0],
            DiskErrorKind::Corrupt,
            "leaves its region",
        ),
        (
            METADATA + 48,
            &[0xFF; 4],
            DiskErrorKind::Corrupt,
            "leaves its region",
        ),
        (
            METADATA + 52,
            &[0xFF; 4],
            DiskErrorKind::Corrupt,
            "leaves its region",
        ),
        (
            METADATA + 52,
            &[4, 0, 0, 0],
            DiskErrorKind::Corrupt,
            "expected 8",
        ),
        (ITEMS, &[0; 4], DiskErrorKind::Corrupt, "block size"),
        (
            ITEMS,
            &[0, 0, 0x30, 0],
            DiskErrorKind::Corrupt,
            "block size",
        ),
        (
            ITEMS,
            &[0, 0, 0, 0x20],
            DiskErrorKind::Corrupt,
            "block size",
        ),
        (
            ITEMS + 4,
            &[2, 0, 0, 0],
            DiskErrorKind::Corrupt,
            "parent locator",
        ),
        (ITEMS + 8, &[0; 8], DiskErrorKind::Corrupt, "disk size"),
        (ITEMS + 8, &[0xFF; 8], DiskErrorKind::Corrupt, "disk size"),
        (
            ITEMS + 8,
            &(64_u64 << 40).to_le_bytes(),
            DiskErrorKind::Corrupt,
            "allocation table",
        ),
        (
            ITEMS + 16,
            &[0, 4, 0, 0],
            DiskErrorKind::Corrupt,
            "logical sector size",
        ),
    ];
    for (at, field, kind, text) in cases {
        let mut bytes = base();
        put(&mut bytes, at, field);
        refused(bytes, kind, text);
    }
    let mut bytes = base();
    let incomplete = uuid::uuid!("71CC85F0-1B69-4E28-9558-C3BF83AE75D3").to_bytes_le();
    put(&mut bytes, METADATA + 10, &[6, 0]);
    put(&mut bytes, METADATA + 32 * 6, &incomplete);
    refused(bytes, DiskErrorKind::Corrupt, "did not finish");
}

#[test]
fn block_entries_are_checked_when_they_are_read() {
    let cases: [(u64, &str); 6] = [
        (4, "unknown state 4"),
        (5, "unknown state 5"),
        (7 | (4 * MIB), "no parent"),
        (6, "outside the file"),
        (6 | (6 * MIB), "outside the file"),
        (6 | !(MIB - 1), "outside the file"),
    ];
    for (entry, text) in cases {
        let mut bytes = base();
        put(&mut bytes, BAT, &entry.to_le_bytes());
        let opened = layer(&bytes);
        let mut buf = [0; 512];
        for error in [
            opened.read_layer_at(0, &mut buf).unwrap_err(),
            opened.layer_extent_at(0, 512).unwrap_err(),
        ] {
            assert_eq!(error.kind(), DiskErrorKind::Corrupt);
            assert_eq!(error.offset(), Some(BAT as u64));
            assert!(error.to_string().contains(text), "{error}");
        }
        // The other block is none the worse for it.
        opened.read_layer_at(MIB, &mut buf).unwrap();
        let problems = errors(bytes.clone());
        assert!(
            problems
                .iter()
                .any(|problem| problem.message.contains(text)),
            "{problems:?}"
        );
        let file = Arc::new(MemoryFile::new("test.vhdx", bytes));
        let error = VhdxDisk::open_writable(file, GuidSource::Random)
            .err()
            .unwrap();
        assert_eq!(error.kind(), DiskErrorKind::Corrupt);
    }
}

#[test]
fn every_state_reads_as_the_format_says() {
    for (bytes, parent) in [
        (base(), LayerExtentKind::Parent),
        (child(), LayerExtentKind::Parent),
    ] {
        for (state, kind) in [
            (0, parent),
            (1, LayerExtentKind::Zero),
            (2, LayerExtentKind::Zero),
            (3, LayerExtentKind::Zero),
            (6 | (4 * MIB), LayerExtentKind::Data),
        ] {
            let mut bytes = bytes.clone();
            put(&mut bytes, BAT, &u64::to_le_bytes(state));
            let extent = layer(&bytes).layer_extent_at(0, MIB).unwrap();
            assert_eq!(
                (extent.kind, extent.len_bytes),
                (kind, MIB),
                "state {state}"
            );
        }
    }
}

#[test]
fn a_partial_block_needs_its_bitmap() {
    let bytes = child();
    let bitmap = BAT + 8 * 4096;
    assert_ne!(bytes[bitmap], 0, "the bitmap's entry follows 4096 blocks");
    for (entry, text) in [
        (0_u64, "no sector bitmap"),
        (6 | 1 << 40, "outside the file"),
    ] {
        let mut bytes = bytes.clone();
        put(&mut bytes, bitmap, &entry.to_le_bytes());
        let error = layer(&bytes).layer_extent_at(0, 512).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert!(
            errors(bytes)
                .iter()
                .any(|problem| problem.message.contains(text))
        );
    }
}

#[test]
fn all_defects_are_listed_and_not_only_the_first() {
    let mut bytes = base();
    put(&mut bytes, BAT, &(5_u64).to_le_bytes());
    put(&mut bytes, BAT + 8, &(6 | (2 * MIB)).to_le_bytes());
    put(&mut bytes, BAT + 16, &(6 | (99 * MIB)).to_le_bytes());
    bytes[HEADERS[0]] ^= 1;
    bytes[REGIONS[1]] ^= 1;
    bytes.extend([0; 512]);
    let problems = check(memory(bytes));
    let count = |severity| {
        problems
            .iter()
            .filter(|problem| problem.severity == severity)
            .count()
    };
    assert_eq!(count(Severity::Error), 3, "{problems:#?}");
    assert_eq!(count(Severity::Warning), 2, "{problems:#?}");
    // Two blocks that nobody names any more, and 512 bytes at the end.
    assert_eq!(count(Severity::Info), 2, "{problems:#?}");
}

#[test]
fn two_blocks_in_one_place_are_an_overlap() {
    let mut bytes = base();
    put(&mut bytes, BAT + 8, &(6 | (4 * MIB)).to_le_bytes());
    let problems = errors(bytes);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("overlaps"));
    assert_eq!(problems[0].offset, Some(BAT as u64 + 8));
}

#[test]
fn a_block_cut_by_the_end_of_the_file_is_zero_behind_it() {
    let mut bytes = base();
    bytes.truncate((5 << 20) + 1000);
    let opened = layer(&bytes);
    let mut found = vec![1; 2000];
    opened.read_layer_at(MIB, &mut found).unwrap();
    assert_eq!(found[..1000], pattern(1, 2 << 20)[1 << 20..][..1000]);
    assert!(found[1000..].iter().all(|byte| *byte == 0));
    assert!(errors(bytes.clone()).is_empty());
    // Writing makes room for it again, behind it.
    let file = Arc::new(MemoryFile::new("cut.vhdx", bytes));
    let target = Arc::clone(&file) as Arc<dyn block_io::WritableFile>;
    let disk = VhdxDisk::open_writable(target, GuidSource::Random).unwrap();
    disk.write_layer_at(2 * MIB, &[7; 512]).unwrap();
    disk.close().unwrap();
    assert!(errors(file.to_vec()).is_empty());
    assert_eq!(file.to_vec().len(), 7 << 20);
}

#[test]
fn bytes_behind_the_last_mib_are_ignored_as_disk2vhd_leaves_them() {
    let mut bytes = base();
    bytes.extend([0xEE; 512]);
    let file = Arc::new(MemoryFile::new("trailing.vhdx", bytes));
    let target = Arc::clone(&file) as Arc<dyn block_io::WritableFile>;
    let disk = VhdxDisk::open_writable(target, GuidSource::Random).unwrap();
    disk.write_layer_at(2 * MIB + 512, &[7; 512]).unwrap();
    disk.close().unwrap();
    let bytes = file.to_vec();
    assert!(errors(bytes.clone()).is_empty());
    let mut found = [1; 512];
    layer(&bytes).read_layer_at(2 * MIB, &mut found).unwrap();
    assert_eq!(found, [0; 512]);
}

#[test]
fn a_block_that_kept_its_place_does_not_show_what_it_held() {
    let mut bytes = base();
    let length = bytes.len();
    put(&mut bytes, BAT, &(3 | (4 * MIB)).to_le_bytes());
    let file = Arc::new(MemoryFile::new("trimmed.vhdx", bytes));
    let target = Arc::clone(&file) as Arc<dyn block_io::WritableFile>;
    let disk = VhdxDisk::open_writable(target, GuidSource::Random).unwrap();
    disk.write_layer_at(512, &[7; 512]).unwrap();
    disk.close().unwrap();
    let bytes = file.to_vec();
    assert_eq!(bytes.len(), length);
    let mut found = vec![1; 2048];
    layer(&bytes).read_layer_at(0, &mut found).unwrap();
    assert_eq!(found, [vec![0; 512], vec![7; 512], vec![0; 1024]].concat());
}

#[test]
fn stale_bits_of_a_block_do_not_hide_the_parent() {
    let mut bytes = child();
    let entry: [u8; 8] = bytes[BAT + 8 * 4096..][..8].try_into().unwrap();
    let bitmap = usize::try_from(u64::from_le_bytes(entry) & !(MIB - 1)).unwrap();
    // All bits of the second block, which is not present: they carry no meaning.
    put(&mut bytes, bitmap + 256, &[0xFF; 256]);
    let file = Arc::new(MemoryFile::new("stale.avhdx", bytes));
    let target = Arc::clone(&file) as Arc<dyn block_io::WritableFile>;
    let disk = VhdxDisk::open_writable(target, GuidSource::Random).unwrap();
    disk.write_layer_at(MIB + 1024, &[7; 512]).unwrap();
    disk.close().unwrap();
    let opened = layer(&file.to_vec());
    let kind = |offset| opened.layer_extent_at(offset, 512).unwrap().kind;
    assert_eq!(kind(MIB + 512), LayerExtentKind::Parent);
    assert_eq!(kind(MIB + 1024), LayerExtentKind::Data);
    assert_eq!(kind(MIB + 1536), LayerExtentKind::Parent);
}

#[test]
fn a_header_at_the_last_sequence_number_refuses_changes() {
    let mut bytes = base();
    put_sealed(&mut bytes, HEADERS, 4096, 8, &[0xFF; 8]);
    let second = bytes[HEADERS[1]..][..4096].to_vec();
    put(&mut bytes, HEADERS[0], &second);
    let file = Arc::new(MemoryFile::new("last.vhdx", bytes));
    let disk = VhdxDisk::open_writable(file, GuidSource::Random).unwrap();
    let error = disk.write_layer_at(0, &[1; 512]).unwrap_err();
    assert_eq!(error.kind(), DiskErrorKind::Unsupported);
}

/// Finds the parent locator of a child we made: the last item.
fn locator(bytes: &[u8]) -> usize {
    let kind = uuid::uuid!("B04AEFB7-D19E-4A81-B789-25B8E9445913").to_bytes_le();
    let items = &bytes[ITEMS..ITEMS + 4096];
    ITEMS + items.windows(16).position(|window| window == kind).unwrap()
}

#[test]
fn the_parent_locator_is_checked() {
    let bytes = child();
    let at = locator(&bytes);
    let cases: [(usize, &[u8], &str); 6] = [
        (0, &[0], "unknown type"),
        (18, &[0xFF, 0xFF], "claims 65535"),
        (20, &[0xFF; 4], "leaves the parent locator"),
        (24, &[0xFF; 4], "leaves the parent locator"),
        (28, &[0; 4], "lacks parent_linkage"),
        (30, &[2, 0], "not a GUID"),
    ];
    for (offset, field, text) in cases {
        let mut bytes = bytes.clone();
        put(&mut bytes, at + offset, field);
        refused(bytes, DiskErrorKind::Corrupt, text);
    }
}

#[test]
fn a_second_linkage_is_accepted_unless_it_is_nil() {
    let parent = layer(&base()).info().clone();
    let child = layer(&child());
    let locator = child.parent_locator().unwrap();
    assert!(locator.accepts(&parent));
    let other = uuid::Uuid::from_u128(77);
    let moved = ParentLocator {
        linkage: other,
        linkage2: Some(parent.data_write_guid),
        ..locator.clone()
    };
    assert!(moved.accepts(&parent) && moved.accepts_guid(other));
    let alone = ParentLocator {
        linkage2: None,
        ..moved
    };
    assert!(!alone.accepts(&parent) && !alone.accepts_guid(uuid::Uuid::nil()));
}
