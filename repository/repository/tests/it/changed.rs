//! Only what changed is read, and the point is the same as if all had been.

use block_io::{BlockDevice as _, ByteRanges, ExtentKind, MemoryDisk};
use disk_model::CountedDisk;
use proptest::prelude::*;
use proptest::test_runner::Config;
use repository::{RepositoryErrorKind, SampleBudget, StreamStatistics};

use crate::known_disks::{Pattern, PatternDisk, SectorDisk};
use crate::support::{
    CHUNK, Quiet, back_up, disk_bytes, init, open, read_back, store_changed_point, store_point,
};

const CHUNK_BYTES: u64 = CHUNK as u64;

/// Bytes without a chunk of zeros: a full disk.
pub(crate) fn full_disk(len: usize) -> Vec<u8> {
    let mut bytes = disk_bytes(1, len);
    for (number, chunk) in bytes.chunks_mut(CHUNK).enumerate() {
        chunk[0] = u8::try_from(number % 200).unwrap() + 1;
    }
    bytes
}

/// Small writes in three places of a disk, as a database makes them.
pub(crate) fn clustered_writes(bytes: &mut [u8]) -> ByteRanges {
    let mut changed = ByteRanges::new();
    for (place, count) in [(100, 20), (701, 5), (2_300, 11)] {
        for write in 0..count {
            let at = place * CHUNK + write * 1_700 + 13;
            bytes[at..at + 300].fill(0xA5);
            changed.insert(at as u64, 300);
        }
    }
    changed
}

fn content(statistics: StreamStatistics) -> [u64; 4] {
    [
        statistics.data_bytes,
        statistics.zero_bytes,
        statistics.not_allocated_bytes,
        statistics.skipped_bytes,
    ]
}

#[test]
fn what_is_read_is_what_changed_in_whole_chunks_and_exactly_the_sample() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let mut bytes = full_disk(3000 * CHUNK + 100);
    let first = back_up(&repository, "vm", &bytes);
    let changed = clustered_writes(&mut bytes);
    let rounded = changed.rounded(CHUNK_BYTES, bytes.len() as u64);
    let disk = CountedDisk::new(MemoryDisk::new(bytes.clone()));

    let repository = open(folder.path()).unwrap();
    let run = repository.begin_run(3).unwrap();
    let window = 40 * CHUNK_BYTES..60 * CHUNK_BYTES;
    let budget = SampleBudget::with_seed(16, window, [7; 32]);
    let report = run
        .prove_unchanged(&disk, &first.streams[0], &changed, &budget, &Quiet)
        .unwrap();
    let proved = disk.take_set();
    assert_eq!(report.chunks, 20 + 16);
    assert_eq!((report.different_chunks, report.lost_chunks), (0, 0));
    // The short last chunk may be in the sample.
    let len = proved.total_bytes();
    assert!(len == 36 * CHUNK_BYTES || len == 35 * CHUNK_BYTES + 100);
    assert_eq!(report.read_bytes, len);
    assert!(proved.iter().all(|range| !rounded.intersects(range)));

    let point = store_changed_point(&run, "vm", &disk, &first, &changed).unwrap();
    assert_eq!(disk.take_set(), rounded);
    let statistics = point.streams[0].statistics;
    assert_eq!(statistics.read_bytes, rounded.total_bytes());
    assert_eq!(statistics.changed_bytes, rounded.total_bytes());
    assert_eq!(content(statistics), content(first.streams[0].statistics));
    assert_eq!(read_back(&repository, &point).unwrap(), bytes);
    assert_eq!(repository.check(true, &Quiet).unwrap().damage, []);
}

#[test]
fn no_change_reads_nothing_and_adds_the_restore_point_alone() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    for len in [0, 10, 100 * CHUNK, 700 * CHUNK] {
        let bytes = disk_bytes(2, len);
        let first = back_up(&repository, &format!("vm {len}"), &bytes);
        let disk = CountedDisk::new(MemoryDisk::new(bytes));
        let run = repository.begin_run(2).unwrap();
        // What lies beyond the end of the disk is no change.
        let beyond: ByteRanges = std::iter::once(len as u64..len as u64 + 5000).collect();
        for changed in [ByteRanges::new(), beyond] {
            let stored = run
                .store_changed(&disk, &first.streams[0], &changed, &Quiet)
                .unwrap();
            assert_eq!(stored.root, first.streams[0].root);
            assert_eq!(stored.statistics.stored_bytes, 0);
            assert_eq!(
                content(stored.statistics),
                content(first.streams[0].statistics)
            );
        }
        assert_eq!(disk.take(), []);
    }
}

#[test]
fn one_byte_at_either_end_of_a_chunk_reads_this_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let mut bytes = full_disk(600 * CHUNK + 1);
    let mut point = back_up(&repository, "vm", &bytes);
    let run = repository.begin_run(2).unwrap();
    for at in [
        0,
        CHUNK,
        3 * CHUNK - 1,
        256 * CHUNK - 1,
        256 * CHUNK,
        600 * CHUNK,
    ] {
        bytes[at] ^= 0x55;
        let disk = CountedDisk::new(MemoryDisk::new(bytes.clone()));
        let changed: ByteRanges = std::iter::once(at as u64..at as u64 + 1).collect();
        point = store_changed_point(&run, "vm", &disk, &point, &changed).unwrap();
        let start = at / CHUNK * CHUNK;
        let end = (start + CHUNK).min(bytes.len());
        assert_eq!(disk.take(), vec![start as u64..end as u64; 1]);
        assert_eq!(read_back(&repository, &point).unwrap(), bytes);
    }
}

#[test]
fn a_whole_branch_of_the_map_comes_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    // Three nodes of 256 MiB below the root.
    let mut disk = PatternDisk {
        empty: true,
        size_bytes: 600 << 20,
        chunk_bytes: CHUNK_BYTES,
        exceptions: [(5, Pattern::Data(1))].into(),
    };
    let run = repository.begin_run(2).unwrap();
    let mut point = store_point(&run, "vm", &disk, None).unwrap();
    for (chunk, pattern) in [
        (70_000, Pattern::Data(2)),
        (70_000, Pattern::NotAllocated),
        (140_000, Pattern::Zero),
        (5, Pattern::NotAllocated),
        (140_000, Pattern::NotAllocated),
        (65_536, Pattern::Data(3)),
    ] {
        disk.exceptions.insert(chunk, pattern);
        let at = chunk * CHUNK_BYTES;
        let changed: ByteRanges = std::iter::once(at..at + 1).collect();
        point = store_changed_point(&run, "vm", &disk, &point, &changed).unwrap();
        let all = run.store_stream(&disk, None, &Quiet).unwrap();
        let name = all.root.as_ref().unwrap().name();
        assert_eq!(point.streams[0].root.as_ref().unwrap().name(), name);
        assert_eq!(
            content(point.streams[0].statistics),
            content(all.statistics)
        );
    }
    assert_eq!(repository.check(true, &Quiet).unwrap().damage, []);
}

#[test]
fn another_size_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let first = back_up(&repository, "vm", &disk_bytes(1, 300 * CHUNK));
    let run = repository.begin_run(2).unwrap();
    let disk = MemoryDisk::new(disk_bytes(1, 301 * CHUNK));
    let (stream, none) = (&first.streams[0], ByteRanges::new());
    let error = run.store_changed(&disk, stream, &none, &Quiet).unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Unsupported);
    let budget = SampleBudget::new(1, 0..0).unwrap();
    let error = run
        .prove_unchanged(&disk, stream, &none, &budget, &Quiet)
        .unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Unsupported);
    // The run is none the worse for it.
    store_point(&run, "vm", &disk, Some(&first)).unwrap();
}

/// What a guest does to its disk: sectors, whether they are written, zeroed or trimmed, and with
/// what.
#[derive(Debug, Clone)]
struct Write {
    first: usize,
    count: usize,
    kind: ExtentKind,
    seed: u8,
}

fn writes(count: usize) -> impl Strategy<Value = Vec<Write>> {
    let kind = prop_oneof![
        3 => Just(ExtentKind::Data),
        1 => Just(ExtentKind::Zero),
        1 => Just(ExtentKind::NotAllocated),
    ];
    let len = prop_oneof![1_usize..40, 1_usize..5_000];
    let write = (0_usize..6_000, len, kind, 0_u8..4).prop_map(|(first, count, kind, seed)| Write {
        first,
        count,
        kind,
        seed,
    });
    prop::collection::vec(write, 0..count)
}

proptest! {
    #![proptest_config(Config { cases: 48, ..Config::default() })]

    /// Disks of up to three leaves; changes that are written, zeroed and trimmed; a host that
    /// reports too much. Twice in a row, so that a map that was changed is changed again.
    #[test]
    fn what_changed_gives_the_map_that_reading_all_gives(
        sectors in 1_usize..6_000,
        first in writes(12),
        rounds in prop::collection::vec((writes(6), prop::collection::vec((0_u64..3_000_000, 0_u64..70_000), 0..3)), 2),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let repository = init(folder.path());
        let mut disk = SectorDisk::new(sectors);
        for write in first {
            disk.put(write.first..write.first + write.count, write.kind, write.seed);
        }
        let run = repository.begin_run(3).unwrap();
        let mut point = store_point(&run, "vm", &disk, None).unwrap();
        for (writes, too_much) in rounds {
            let mut changed = ByteRanges::new();
            for write in writes {
                let range = disk.put(write.first..write.first + write.count, write.kind, write.seed);
                changed.insert(range.start, range.end - range.start);
            }
            for (at, len) in too_much {
                changed.insert(at, len);
            }
            let counted = CountedDisk::new(disk.clone());
            let next = store_changed_point(&run, "vm", &counted, &point, &changed).unwrap();
            let rounded = changed.rounded(CHUNK_BYTES, disk.size_bytes());
            let outside = counted.take().into_iter().any(|read| {
                let len = read.end - read.start;
                rounded.iter().all(|range| range.start > read.start || range.end < read.start + len)
            });
            prop_assert!(!outside, "what nobody called changed was read");
            let (stream, all) = {
                let all = run.store_stream(&disk, None, &Quiet).unwrap();
                (next.streams[0].clone(), all)
            };
            let name = |root: &Option<repository::StreamRoot>| {
                root.as_ref().map(|root| root.name().to_owned())
            };
            prop_assert_eq!(name(&stream.root), name(&all.root));
            prop_assert_eq!(content(stream.statistics), content(all.statistics));
            prop_assert_eq!(&read_back(&repository, &next).unwrap(), &disk.bytes);
            let budget = SampleBudget::new(0, 0..disk.size_bytes()).unwrap();
            let report = run
                .prove_unchanged(&disk, &stream, &ByteRanges::new(), &budget, &Quiet)
                .unwrap();
            prop_assert_eq!(report.different_chunks, 0);
            prop_assert_eq!(report.chunks, disk.size_bytes().div_ceil(CHUNK_BYTES));
            point = next;
        }
        prop_assert_eq!(repository.check(true, &Quiet).unwrap().damage, []);
    }
}
