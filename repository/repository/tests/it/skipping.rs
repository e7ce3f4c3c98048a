//! What is left out is neither read nor claimed, and comes back as soon as it is not left out.

use block_io::{BlockDevice as _, ByteRanges, ExtentKind, MemoryDisk};
use disk_model::CountedDisk;
use proptest::prelude::*;
use proptest::test_runner::Config;
use repository::{Repository, RestorePoint, RunWriter, SampleBudget, StoredStream};

use crate::changed::full_disk;
use crate::known_disks::{SECTOR, SectorDisk};
use crate::support::{CHUNK, Quiet, back_up, init, open, publish, read_back};

const CHUNK_BYTES: u64 = CHUNK as u64;

fn chunks(range: std::ops::Range<u64>) -> ByteRanges {
    std::iter::once(range.start * CHUNK_BYTES..range.end * CHUNK_BYTES).collect()
}

/// The bytes of a disk with zeros for what is left out.
fn without(bytes: &[u8], skip: &ByteRanges) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for range in skip.iter() {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        bytes[range].fill(0);
    }
    bytes
}

fn is_clean(repository: &Repository, point: &RestorePoint) -> u64 {
    assert_eq!(repository.check(true, &Quiet).unwrap().damage, []);
    let report = repository.verify_point(point, &Quiet).unwrap();
    assert_eq!(report.damage, []);
    report.skipped_bytes
}

#[test]
fn whole_chunks_in_what_is_skipped_are_not_read_and_are_shown_as_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let bytes = full_disk(700 * CHUNK + 100);
    let disk = CountedDisk::new(MemoryDisk::new(bytes.clone()));
    // One byte less at either end, a whole leaf, and the short last chunk.
    let skip: ByteRanges = [
        3 * CHUNK_BYTES + 1..7 * CHUNK_BYTES - 1,
        256 * CHUNK_BYTES..512 * CHUNK_BYTES,
        700 * CHUNK_BYTES..bytes.len() as u64 + 9,
    ]
    .into_iter()
    .collect();
    let whole = skip.shrunk(CHUNK_BYTES, bytes.len() as u64);
    assert_eq!(whole.total_bytes(), 258 * CHUNK_BYTES + 100);
    let run = repository.begin_run(3).unwrap();
    let stored = run
        .store_stream_skipping(&disk, None, &skip, &Quiet)
        .unwrap();
    let point = publish(&run, "vm", &disk, stored).unwrap();
    let read = disk.take_set();
    assert_eq!(read.total_bytes() + whole.total_bytes(), bytes.len() as u64);
    assert!(read.iter().all(|range| !whole.intersects(range)));
    assert_eq!(
        point.streams[0].statistics.skipped_bytes,
        whole.total_bytes()
    );
    assert_eq!(
        read_back(&repository, &point).unwrap(),
        without(&bytes, &whole)
    );
    assert_eq!(is_clean(&repository, &point), whole.total_bytes());
    // Nobody who copies the disk takes it for data.
    let restored = repository.open_stream(&point.streams[0]).unwrap();
    let extent = restored
        .extent_at(256 * CHUNK_BYTES, 256 * CHUNK_BYTES)
        .unwrap();
    assert_eq!(extent.kind, ExtentKind::NotAllocated);
}

#[test]
fn what_is_not_skipped_any_more_is_read_though_nobody_calls_it_changed() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let mut bytes = full_disk(900 * CHUNK);
    let run = repository.begin_run(2).unwrap();
    let disk = MemoryDisk::new(bytes.clone());
    let skip = chunks(100..800);
    let stored = run
        .store_stream_skipping(&disk, None, &skip, &Quiet)
        .unwrap();
    let first = publish(&run, "vm", &disk, stored).unwrap();
    // A file was written into free space, and tracking does not tell.
    bytes[300 * CHUNK..310 * CHUNK].fill(0x77);
    let disk = CountedDisk::new(MemoryDisk::new(bytes.clone()));
    let mut skip: ByteRanges = chunks(100..300);
    skip.insert(310 * CHUNK_BYTES, 490 * CHUNK_BYTES);
    let none = ByteRanges::new();
    let run = open(folder.path()).unwrap().begin_run(2).unwrap();
    let stored = run
        .store_changed_skipping(&disk, &first.streams[0], &none, &skip, &Quiet)
        .unwrap();
    let second = publish(&run, "vm", &disk, stored).unwrap();
    assert_eq!(disk.take_set(), chunks(300..310));
    assert_eq!(
        read_back(&repository, &second).unwrap(),
        without(&bytes, &skip)
    );
    assert_eq!(
        second.streams[0].statistics.skipped_bytes,
        690 * CHUNK_BYTES
    );
    // Nothing is left out any more: plain `store_changed` reads the rest.
    let stored = run
        .store_changed(&disk, &second.streams[0], &none, &Quiet)
        .unwrap();
    let third = publish(&run, "vm", &disk, stored).unwrap();
    assert_eq!(disk.take_set(), skip);
    assert_eq!(read_back(&repository, &third).unwrap(), bytes);
    assert_eq!(is_clean(&repository, &third), 0);
}

#[test]
fn what_is_skipped_now_is_let_go_whether_or_not_it_changed() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let bytes = full_disk(900 * CHUNK);
    let first = back_up(&repository, "vm", &bytes);
    let disk = CountedDisk::new(MemoryDisk::new(bytes.clone()));
    let run = repository.begin_run(2).unwrap();
    let skip = chunks(200..500);
    let stored = run
        .store_changed_skipping(&disk, &first.streams[0], &chunks(490..510), &skip, &Quiet)
        .unwrap();
    assert_eq!(disk.take_set(), chunks(500..510));
    let second = publish(&run, "vm", &disk, stored).unwrap();
    assert_eq!(
        read_back(&repository, &second).unwrap(),
        without(&bytes, &skip)
    );
    assert_eq!(is_clean(&repository, &second), 300 * CHUNK_BYTES);
    // What was left out changes; that proves nothing against the source.
    let mut other = bytes.clone();
    other[200 * CHUNK..500 * CHUNK].fill(9);
    let budget = SampleBudget::new(9, 0..bytes.len() as u64).unwrap();
    let report = run
        .prove_unchanged(
            &MemoryDisk::new(other),
            &second.streams[0],
            &ByteRanges::new(),
            &budget,
            &Quiet,
        )
        .unwrap();
    assert_eq!((report.different_chunks, report.chunks), (0, 600));
}

/// Chunks of the disk, and sectors in each.
const CHUNKS: usize = 530;
const SECTORS: usize = CHUNKS * CHUNK / SECTOR;

/// What happens to the disk between two points, in sectors.
#[derive(Debug, Clone)]
struct Step {
    writes: Vec<(usize, usize, u8)>,
    skip: Vec<(usize, usize)>,
    full: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let write = (0..SECTORS, 1_usize..400, 0_u8..4);
    let skip = (0..SECTORS, 1_usize..1200);
    let step = (
        prop::collection::vec(write, 0..5),
        prop::collection::vec(skip, 0..6),
        prop::bool::weighted(0.2),
    );
    let step = step.prop_map(|(writes, skip, full)| Step { writes, skip, full });
    prop::collection::vec(step, 1..5)
}

fn store(
    run: &RunWriter,
    disk: &SectorDisk,
    previous: &RestorePoint,
    changed: &ByteRanges,
    skip: &ByteRanges,
    full: bool,
) -> StoredStream {
    let previous = &previous.streams[0];
    if full {
        run.store_stream_skipping(disk, Some(previous), skip, &Quiet)
    } else {
        run.store_changed_skipping(disk, previous, changed, skip, &Quiet)
    }
    .unwrap()
}

proptest! {
    #![proptest_config(Config::with_cases(24))]
    #[test]
    fn every_point_holds_all_but_what_was_skipped_then(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let repository = init(folder.path());
        let mut disk = SectorDisk::new(SECTORS);
        disk.put(100..SECTORS / 2, ExtentKind::Data, 7);
        let run = repository.begin_run(2).unwrap();
        let stored = run.store_stream(&disk, None, &Quiet).unwrap();
        let mut point = publish(&run, "vm", &disk, stored).unwrap();
        for step in steps {
            let mut changed = ByteRanges::new();
            for (at, len, what) in step.writes {
                let kind = match what {
                    0 => ExtentKind::NotAllocated,
                    1 => ExtentKind::Zero,
                    _ => ExtentKind::Data,
                };
                let range = disk.put(at..at + len, kind, what);
                changed.insert(range.start, range.end - range.start);
            }
            let skip: ByteRanges = step
                .skip
                .iter()
                .map(|(at, len)| (at * SECTOR) as u64..((at + len) * SECTOR) as u64)
                .collect();
            let whole = skip.shrunk(CHUNK_BYTES, disk.size_bytes());
            let stored = store(&run, &disk, &point, &changed, &skip, step.full);
            // Reading all gives the same map.
            let again = run
                .store_stream_skipping(&disk, None, &skip, &Quiet)
                .unwrap();
            prop_assert_eq!(
                stored.root.as_ref().map(|root| root.name().to_owned()),
                again.root.as_ref().map(|root| root.name().to_owned())
            );
            let kinds = |stored: &StoredStream| {
                let counted = stored.statistics;
                [
                    counted.data_bytes,
                    counted.zero_bytes,
                    counted.not_allocated_bytes,
                    counted.skipped_bytes,
                ]
            };
            prop_assert_eq!(kinds(&stored), kinds(&again));
            point = publish(&run, "vm", &disk, stored).unwrap();
            let mut bytes = vec![0; SECTORS * SECTOR];
            disk.read_at(0, &mut bytes).unwrap();
            prop_assert_eq!(read_back(&repository, &point).unwrap(), without(&bytes, &whole));
        }
    }
}
