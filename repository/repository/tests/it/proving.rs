//! What a source calls unchanged is looked at all the same.

use block_io::{ByteRanges, ExtentKind, MemoryDisk};
use disk_model::CountedDisk;
use repository::SampleBudget;

use crate::changed::full_disk;
use crate::known_disks::{SECTOR, SectorDisk};
use crate::support::{
    CHUNK, Quiet, back_up, init, open, read_back, store_changed_point, store_point,
};

const CHUNK_BYTES: u64 = CHUNK as u64;

#[test]
fn a_lie_is_found_when_the_sweep_comes_by_and_healed_by_reading_all() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let chunks = 1000;
    let mut bytes = full_disk(chunks * CHUNK);
    let first = back_up(&repository, "vm", &bytes);
    // The host tells of one write and keeps another one for itself.
    bytes[10 * CHUNK] ^= 1;
    bytes[613 * CHUNK + 77] ^= 1;
    let changed: ByteRanges = std::iter::once(10 * CHUNK_BYTES..10 * CHUNK_BYTES + 1).collect();
    let disk = CountedDisk::new(MemoryDisk::new(bytes.clone()));
    let run = open(folder.path()).unwrap().begin_run(2).unwrap();
    let stream = &first.streams[0];
    let step = 100 * CHUNK_BYTES;
    let mut found = Vec::new();
    for day in 0..10 {
        let budget = SampleBudget::new(0, day * step..(day + 1) * step).unwrap();
        let report = run
            .prove_unchanged(&disk, stream, &changed, &budget, &Quiet)
            .unwrap();
        // A chunk that is known to have changed is not proved.
        let expected = if day == 0 { 99 } else { 100 };
        assert_eq!(report.chunks, expected);
        assert_eq!(report.read_bytes, expected * CHUNK_BYTES);
        assert_eq!(disk.take_set().total_bytes(), expected * CHUNK_BYTES);
        assert_eq!(report.different_chunks, report.differences.len() as u64);
        found.extend(report.differences.into_iter().map(|offset| (day, offset)));
    }
    assert_eq!(found, [(6, 613 * CHUNK_BYTES)]);
    // What follows from the lie, and what heals it.
    let wrong = store_changed_point(&run, "vm", &disk, &first, &changed).unwrap();
    assert_ne!(read_back(&repository, &wrong).unwrap(), bytes);
    let healed = store_point(&run, "vm", &disk, Some(&wrong)).unwrap();
    assert_eq!(read_back(&repository, &healed).unwrap(), bytes);
}

#[test]
fn random_chunks_find_a_large_lie_and_the_list_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let mut bytes = full_disk(1000 * CHUNK);
    let first = back_up(&repository, "vm", &bytes);
    for chunk in bytes.chunks_mut(CHUNK).skip(200) {
        chunk[9] ^= 1;
    }
    let disk = CountedDisk::new(MemoryDisk::new(bytes));
    let run = repository.begin_run(3).unwrap();
    let budget = SampleBudget::with_seed(500, 0..0, [1; 32]);
    let none = ByteRanges::new();
    let report = run
        .prove_unchanged(&disk, &first.streams[0], &none, &budget, &Quiet)
        .unwrap();
    let read = disk.take_set();
    assert_eq!((report.chunks, report.read_bytes), (500, 500 * CHUNK_BYTES));
    assert_eq!(read.total_bytes(), 500 * CHUNK_BYTES);
    let different: Vec<u64> = read
        .iter()
        .flat_map(|range| range.step_by(CHUNK))
        .filter(|offset| *offset >= 200 * CHUNK_BYTES)
        .collect();
    assert_eq!(report.different_chunks, different.len() as u64);
    assert_eq!(report.differences, different[..64]);
}

#[test]
fn what_holds_nothing_is_proved_without_reading_it() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let per_chunk = CHUNK / SECTOR;
    let mut disk = SectorDisk::new(600 * per_chunk);
    disk.put(0..300 * per_chunk, ExtentKind::Data, 5);
    disk.put(400 * per_chunk..500 * per_chunk, ExtentKind::Zero, 0);
    let run = repository.begin_run(2).unwrap();
    let point = store_point(&run, "vm", &disk, None).unwrap();
    let prove = |disk: &SectorDisk| {
        let disk = CountedDisk::new(disk.clone());
        let budget = SampleBudget::new(7, 0..600 * CHUNK_BYTES).unwrap();
        let none = ByteRanges::new();
        let report = run
            .prove_unchanged(&disk, &point.streams[0], &none, &budget, &Quiet)
            .unwrap();
        assert_eq!(disk.take_set().total_bytes(), report.read_bytes);
        assert_eq!(report.chunks, 600);
        (report.read_bytes / CHUNK_BYTES, report.differences)
    };
    assert_eq!(prove(&disk), (300, vec![]));
    // Zeros that were written for nothing, and the other way round: both read as zero.
    disk.put(350 * per_chunk..360 * per_chunk, ExtentKind::Data, 0);
    disk.put(
        410 * per_chunk..420 * per_chunk,
        ExtentKind::NotAllocated,
        0,
    );
    assert_eq!(prove(&disk), (310, vec![]));
    // Data where nothing was, and nothing where data was.
    disk.put(599 * per_chunk..599 * per_chunk + 1, ExtentKind::Data, 1);
    disk.put(3 * per_chunk..5 * per_chunk, ExtentKind::NotAllocated, 0);
    let expected = vec![3 * CHUNK_BYTES, 4 * CHUNK_BYTES, 599 * CHUNK_BYTES];
    assert_eq!(prove(&disk), (309, expected));
}
