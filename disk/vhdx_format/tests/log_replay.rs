//! Logs built by hand: what is replayed, and what is refused.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "test helpers; the numbers are small"
)]

mod support;

use block_io::{BlockDevice as _, DiskErrorKind};
use support::images::{MIB, chain, image, layer, memory, small};
use support::raw_log::{Part, RawEntry, SECTOR, place, seal, set_log_guid};
use uuid::Uuid;
use vhdx_format::{CreateKind, VhdxLayer};

const SIZE: u64 = 2 * MIB;
const GUID: Uuid = Uuid::from_u128(0xFEED);
/// Where the first block of an image lies: behind headers, log, metadata, BAT.
const BLOCK: u64 = 4 * MIB;

/// An image whose first block is full of 0x11, with a log that is not empty.
fn dirty() -> Vec<u8> {
    let mut bytes = image(
        &small(SIZE, CreateKind::Dynamic),
        &[(0, vec![0x11; 1 << 20])],
    );
    set_log_guid(&mut bytes, GUID);
    bytes
}

fn entry(sequence: u64, tail: u32, parts: Vec<Part>) -> RawEntry {
    RawEntry {
        guid: GUID,
        sequence,
        tail,
        flushed: 5 * MIB,
        last: 5 * MIB,
        parts,
    }
}

/// Data whose first and last bytes differ from what the log stores in their place.
fn data(block_offset: u64, fill: u8) -> Part {
    let mut content = vec![fill; SECTOR];
    content[..8].copy_from_slice(&[0xA1, 2, 3, 4, 5, 6, 7, 8]);
    content[SECTOR - 4..].copy_from_slice(&[9, 8, 7, 0xB6]);
    Part::Data {
        file_offset: BLOCK + block_offset,
        content,
    }
}

fn zero(block_offset: u64, len_bytes: u64) -> Part {
    Part::Zero {
        file_offset: BLOCK + block_offset,
        len_bytes,
    }
}

fn read(bytes: &[u8], offset: u64) -> Vec<u8> {
    let mut found = vec![0; SECTOR];
    chain(&[bytes]).read_at(offset, &mut found).unwrap();
    found
}

fn content(part: &Part) -> Vec<u8> {
    match part {
        Part::Data { content, .. } => content.clone(),
        Part::Zero { len_bytes, .. } => vec![0; usize::try_from(*len_bytes).unwrap()],
    }
}

fn refused(bytes: &[u8]) -> String {
    let error = VhdxLayer::open(memory(bytes.to_vec())).err().unwrap();
    assert_eq!(error.kind(), DiskErrorKind::Corrupt, "{error}");
    error.to_string()
}

#[test]
fn data_and_zeros_are_replayed_with_the_displaced_bytes() {
    let mut bytes = dirty();
    let parts = vec![data(4096, 0x22), zero(8192, 8192), data(16384, 0x33)];
    place(&mut bytes, 0, &entry(7, 0, parts.clone()).build());
    let before = bytes.clone();
    assert!(layer(&bytes).info().log_replayed);
    assert_eq!(read(&bytes, 0), vec![0x11; SECTOR]);
    assert_eq!(read(&bytes, 4096), content(&parts[0]));
    assert_eq!(read(&bytes, 8192), vec![0; SECTOR]);
    assert_eq!(read(&bytes, 12288), vec![0; SECTOR]);
    assert_eq!(read(&bytes, 16384), content(&parts[2]));
    assert_eq!(read(&bytes, 20480), vec![0x11; SECTOR]);
    // A read that begins and ends inside of replayed sectors.
    let mut found = vec![0; 6000];
    chain(&[&bytes]).read_at(7000, &mut found).unwrap();
    assert_eq!(found[..1192], content(&parts[0])[7000 - 4096..]);
    assert!(found[1192..].iter().all(|byte| *byte == 0));
    assert!(bytes == before);
}

#[test]
fn the_later_of_data_and_zeros_wins() {
    for (first, second) in [
        (data(4096, 0x22), zero(0, 1 << 20)),
        (zero(0, 1 << 20), data(4096, 0x22)),
        (data(4096, 0x22), data(4096, 0x44)),
    ] {
        let mut bytes = dirty();
        let one = entry(1, 0, vec![first]).build();
        let two = entry(2, 0, vec![second.clone()]).build();
        place(&mut bytes, 0, &one);
        place(&mut bytes, one.len(), &two);
        assert_eq!(read(&bytes, 4096)[..], content(&second)[..SECTOR]);
    }
}

#[test]
fn an_entry_wraps_round_the_end_of_the_log() {
    let mut bytes = dirty();
    let start = (1 << 20) - 2 * SECTOR;
    let parts: Vec<Part> = (0..5).map(|n| data(n * 4096, 0x50 + n as u8)).collect();
    let one = entry(1, start as u32, parts.clone()).build();
    place(&mut bytes, start, &one);
    let next = (start + one.len()) % (1 << 20);
    place(
        &mut bytes,
        next,
        &entry(2, start as u32, vec![data(40960, 9)]).build(),
    );
    for (part, offset) in parts.iter().zip([0, 4096, 8192, 12288, 16384]) {
        assert_eq!(read(&bytes, offset), content(part));
    }
    assert_eq!(read(&bytes, 40960), content(&data(40960, 9)));
}

#[test]
fn an_entry_of_many_descriptors_spans_descriptor_sectors() {
    let mut bytes = dirty();
    let parts: Vec<Part> = (0..250_u64).map(|n| data(n * 4096, n as u8)).collect();
    place(&mut bytes, 0, &entry(1, 0, parts.clone()).build());
    for number in [0, 125, 126, 249_usize] {
        assert_eq!(read(&bytes, number as u64 * 4096), content(&parts[number]));
    }
}

#[test]
fn only_entries_from_the_tail_on_are_replayed() {
    let mut bytes = dirty();
    let one = entry(1, 0, vec![data(4096, 0x22)]).build();
    let tail = u32::try_from(one.len()).unwrap();
    let two = entry(2, tail, vec![data(8192, 0x33)]).build();
    place(&mut bytes, 0, &one);
    place(&mut bytes, one.len(), &two);
    assert_eq!(read(&bytes, 4096), vec![0x11; SECTOR]);
    assert_eq!(read(&bytes, 8192), content(&data(8192, 0x33)));
}

#[test]
fn entries_of_other_sessions_and_torn_ones_are_passed_over() {
    let mut bytes = dirty();
    let good = entry(5, 0, vec![data(4096, 0x22)]).build();
    place(&mut bytes, 0, &good);
    // A longer run of an older session.
    let stale = RawEntry {
        guid: Uuid::from_u128(0xDEAD),
        ..entry(900, 65536, vec![data(4096, 0x66)])
    };
    place(&mut bytes, 65536, &stale.build());
    // The next entry, whose last sector never reached the disk.
    let torn = entry(6, 0, vec![data(4096, 0x77), data(8192, 0x77)]).build();
    place(&mut bytes, good.len(), &torn[..torn.len() - SECTOR]);
    // And one whose sequence number does not follow.
    let gap = entry(4, 131_072, vec![data(4096, 0x88)]).build();
    place(&mut bytes, 131_072, &gap);
    assert_eq!(read(&bytes, 4096), content(&data(4096, 0x22)));
    assert_eq!(read(&bytes, 8192), vec![0x11; SECTOR]);
}

#[test]
fn an_entry_without_descriptors_is_an_empty_log() {
    let mut bytes = dirty();
    place(&mut bytes, 0, &entry(1, 0, vec![]).build());
    assert_eq!(read(&bytes, 4096), vec![0x11; SECTOR]);
    assert!(layer(&bytes).info().log_replayed);
}

#[test]
fn a_log_may_make_the_file_longer() {
    let mut bytes = dirty();
    // BAT entry 1: a second block at the end, which the file does not have yet.
    let mut bat = bytes[3 << 20..][..SECTOR].to_vec();
    bat[8..16].copy_from_slice(&((5 * MIB) | 6).to_le_bytes());
    let longer = RawEntry {
        last: 6 * MIB,
        ..entry(
            1,
            0,
            vec![
                Part::Data {
                    file_offset: 3 * MIB,
                    content: bat,
                },
                data(MIB + 4096, 0x22),
            ],
        )
    };
    place(&mut bytes, 0, &longer.build());
    assert_eq!(read(&bytes, MIB), vec![0; SECTOR]);
    assert_eq!(read(&bytes, MIB + 4096), content(&data(0, 0x22)));
}

#[test]
fn a_log_without_a_valid_sequence_is_refused() {
    let bytes = dirty();
    assert!(refused(&bytes).contains("no valid sequence"));
    let good = entry(1, 0, vec![data(4096, 0x22)]).build();
    // (offset, byte) of one thing wrong in an otherwise valid, sealed entry.
    let broken: [(&str, usize, Vec<u8>); 9] = [
        ("signature", 0, b"logf".to_vec()),
        ("length", 8, vec![1, 0x20, 0, 0]),
        ("length beyond the log", 8, vec![0, 0, 0x20, 0]),
        ("tail", 12, vec![0, 0x10, 0, 0]),
        ("sequence number", 16, vec![0; 8]),
        ("descriptor count", 24, vec![2, 0, 0, 0]),
        ("descriptor's signature", 64, b"disc".to_vec()),
        ("descriptor's sequence number", 64 + 24, vec![9]),
        ("data sector's sequence number", SECTOR + 4, vec![1]),
    ];
    for (what, at, change) in broken {
        let mut entry = good.clone();
        entry[at..at + change.len()].copy_from_slice(&change);
        seal(&mut entry);
        let mut bytes = dirty();
        place(&mut bytes, 0, &entry);
        assert!(refused(&bytes).contains("no valid sequence"), "{what}");
    }
    let mut unsealed = good;
    unsealed[SECTOR + 100] ^= 1;
    let mut bytes = dirty();
    place(&mut bytes, 0, &unsealed);
    assert!(refused(&bytes).contains("no valid sequence"));
}

#[test]
fn a_file_cut_below_what_the_log_knows_is_refused() {
    let mut bytes = dirty();
    let cut = RawEntry {
        flushed: 6 * MIB,
        ..entry(1, 0, vec![data(4096, 0x22)])
    };
    place(&mut bytes, 0, &cut.build());
    assert!(refused(&bytes).contains("cut short"));
}

#[test]
fn ranges_that_may_not_be_logged_are_refused() {
    for (file_offset, len_bytes) in [
        (64 << 10, 4096),
        (128 << 10, 4096),
        (BLOCK + 1, 4096),
        (BLOCK, 100),
        (MIB, 4096),
        (256 << 10, 2 * MIB),
        (1 << 60, 4096),
        (u64::MAX - 4095, 4096),
        (BLOCK, !4095),
    ] {
        let mut bytes = dirty();
        let part = Part::Zero {
            file_offset,
            len_bytes,
        };
        place(&mut bytes, 0, &entry(1, 0, vec![part]).build());
        assert!(
            refused(&bytes).contains("may not be logged"),
            "{file_offset} {len_bytes}"
        );
    }
    let mut bytes = dirty();
    let huge = RawEntry {
        last: 1 << 62,
        ..entry(1, 0, vec![])
    };
    place(&mut bytes, 0, &huge.build());
    refused(&bytes);
}

#[test]
fn a_log_full_of_claims_is_read_in_linear_time() {
    // Each sector claims to start an entry as long as the log: walking each would take minutes.
    let mut bytes = dirty();
    let mut claim = entry(1, 0, vec![]).build();
    claim[8..12].copy_from_slice(&(1_u32 << 20).to_le_bytes());
    for sector in 0..256 {
        place(&mut bytes, sector * SECTOR, &claim);
    }
    refused(&bytes);
}
