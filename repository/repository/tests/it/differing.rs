//! A disk is compared with a stream by the names of its chunks.

use block_io::{ByteRanges, ExtentKind, MemoryDisk};
use disk_model::CountedDisk;
use proptest::prelude::*;
use repository::RepositoryErrorKind;

use crate::known_disks::{SECTOR, SectorDisk};
use crate::support::{CHUNK, Quiet, back_up, disk_bytes, init, store_point};

const CHUNK_BYTES: u64 = CHUNK as u64;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn exactly_the_chunks_that_differ_are_found(
        writes in prop::collection::vec((0_usize..600 * CHUNK, 0_u8..3), 0..20),
        within in prop::option::of((0_u64..600, 1_u64..200)),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let repository = init(folder.path());
        // The last chunk is not a whole one.
        let len = 600 * CHUNK + 700;
        let mut bytes = disk_bytes(3, len);
        bytes[100 * CHUNK..200 * CHUNK].fill(0);
        let point = back_up(&repository, "vm", &bytes);
        let before = bytes.clone();
        for (offset, value) in writes {
            bytes[offset] = value;
        }
        let within = within.map(|(first, count)| {
            let start = first * CHUNK_BYTES + 5;
            let end = (start + count * CHUNK_BYTES).min(len as u64);
            ByteRanges::from_iter(std::iter::once(start..end))
        });
        let chunks = before.chunks(CHUNK).zip(bytes.chunks(CHUNK)).enumerate();
        let looked_at = |at: usize| {
            let start = (at * CHUNK) as u64;
            within.as_ref().is_none_or(|within| within.intersects(start..start + CHUNK_BYTES))
        };
        let expected: ByteRanges = chunks
            .filter(|(at, (before, after))| before != after && looked_at(*at))
            .map(|(at, (chunk, _))| (at * CHUNK) as u64..(at * CHUNK + chunk.len()) as u64)
            .collect();
        let disk = MemoryDisk::new(bytes);
        let stream = &point.streams[0];
        let found = repository.compare_device(&disk, stream, within.as_ref(), &Quiet).unwrap();
        prop_assert_eq!(found.ranges, expected);
    }
}

#[test]
fn what_a_disk_says_is_empty_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let per_chunk = CHUNK / SECTOR;
    let mut disk = SectorDisk::new(600 * per_chunk);
    disk.put(0..300 * per_chunk, ExtentKind::Data, 5);
    let run = repository.begin_run(2).unwrap();
    let point = store_point(&run, "vm", &disk, None).unwrap();
    // One chunk is emptied, one is filled.
    disk.put(7 * per_chunk..8 * per_chunk, ExtentKind::Zero, 0);
    disk.put(500 * per_chunk..501 * per_chunk, ExtentKind::Data, 9);
    let disk = CountedDisk::new(disk);
    let found = repository
        .compare_device(&disk, &point.streams[0], None, &Quiet)
        .unwrap();
    let expected = [7, 500].map(|chunk| chunk * CHUNK_BYTES..(chunk + 1) * CHUNK_BYTES);
    assert_eq!(found.ranges, ByteRanges::from_iter(expected));
    assert_eq!(found.read_bytes, 300 * CHUNK_BYTES);
    assert_eq!(disk.take_set().total_bytes(), 300 * CHUNK_BYTES);
}

#[test]
fn a_disk_of_another_size_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let point = back_up(&repository, "vm", &disk_bytes(1, 4 * CHUNK));
    let disk = MemoryDisk::new(vec![0; 5 * CHUNK]);
    let error = repository
        .compare_device(&disk, &point.streams[0], None, &Quiet)
        .unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Unsupported);
}
