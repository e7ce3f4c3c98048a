//! What was stored comes back.

use block_io::{BlockDevice as _, ExtentKind, MemoryDisk};
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::support::{
    CHUNK, Quiet, SparseDisk, back_up, disk_bytes, init, open, read_back, store_point,
};

#[test]
fn a_disk_comes_back_byte_for_byte_also_from_a_repository_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = disk_bytes(1, 5 * 256 * CHUNK + 1000);
    let point = back_up(&init(folder.path()), "vm", &bytes);
    let repository = open(folder.path()).unwrap();
    let (points, unreadable) = repository.points().unwrap();
    assert_eq!((points.len(), unreadable.len()), (1, 0));
    assert_eq!(read_back(&repository, &points[0]).unwrap(), bytes);
    let report = repository.verify_point(&point, &Quiet).unwrap();
    assert!(report.damage.is_empty() && report.data_bytes > 0);
    let report = repository.check(true, &Quiet).unwrap();
    assert_eq!(report.damage, []);
    assert!(report.frames >= report.packs);
}

#[test]
fn disks_of_every_awkward_size_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let leaf = 256 * CHUNK;
    for size in [
        0,
        1,
        511,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        leaf - 1,
        leaf,
        leaf + 1,
        3 * leaf + 17,
    ] {
        let bytes = disk_bytes(2, size);
        let point = back_up(&repository, "vm", &bytes);
        assert_eq!(
            read_back(&repository, &point).unwrap(),
            bytes,
            "{size} bytes"
        );
    }
    assert_eq!(repository.check(true, &Quiet).unwrap().damage, []);
}

#[test]
fn a_disk_that_is_all_zero_or_empty_stores_one_node_and_no_data() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let point = back_up(&repository, "vm", &vec![0; 300 * CHUNK]);
    assert_eq!(point.streams[0].statistics.data_bytes, 0);
    assert!(point.streams[0].statistics.stored_bytes < 1000);
    assert_eq!(
        read_back(&repository, &point).unwrap(),
        vec![0; 300 * CHUNK]
    );
}

#[test]
fn what_holds_nothing_is_not_read_and_stays_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let len = 600 * CHUNK;
    let mut bytes = disk_bytes(3, len);
    let chunk = CHUNK as u64;
    let empty = vec![
        (10 * chunk + 5..270 * chunk + 7, ExtentKind::NotAllocated),
        (300 * chunk..301 * chunk, ExtentKind::Zero),
        (400 * chunk..600 * chunk, ExtentKind::NotAllocated),
    ];
    for (range, _) in &empty {
        bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()].fill(0);
    }
    let disk = SparseDisk {
        bytes: MemoryDisk::new(bytes.clone()),
        empty,
    };
    let run = repository.begin_run(2).unwrap();
    let point = store_point(&run, "vm", &disk, None).unwrap();
    assert_eq!(read_back(&repository, &point).unwrap(), bytes);
    let stored = repository.open_stream(&point.streams[0]).unwrap();
    let kind = |chunk_number: u64| stored.extent_at(chunk_number * chunk, 1).unwrap().kind;
    assert_eq!(kind(100), ExtentKind::NotAllocated);
    assert_eq!(kind(300), ExtentKind::Zero);
    assert_eq!(kind(599), ExtentKind::NotAllocated);
    // 259 whole chunks and 200 at the end hold nothing.
    assert_eq!(
        point.streams[0].statistics.not_allocated_bytes,
        (259 + 200) * chunk
    );
    let all = stored.extent_at(400 * chunk, 200 * chunk).unwrap();
    assert_eq!(all.kind, ExtentKind::NotAllocated);
}

proptest! {
    #![proptest_config(Config { cases: 24, ..Config::default() })]

    /// A disk that changes, grows and shrinks, against plain vectors: every point reads as the
    /// disk was, at random ranges too, and what compare says covers what changed.
    #[test]
    fn every_point_of_a_changing_disk_reads_as_the_disk_was(
        sizes in prop::collection::vec(1usize..700 * CHUNK, 2..5),
        writes in prop::collection::vec((any::<u16>(), 1usize..9000, any::<u8>()), 0..12),
        reads in prop::collection::vec((any::<u32>(), 1usize..70_000), 8),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let repository = init(folder.path());
        let mut disk = disk_bytes(4, sizes[0]);
        let mut history = Vec::new();
        for (round, size) in sizes.iter().enumerate() {
            disk.resize(*size, 0);
            for (at, len, value) in writes.iter().skip(round).step_by(sizes.len()) {
                let at = usize::from(*at) * 43 % disk.len();
                let end = (at + len).min(disk.len());
                disk[at..end].fill(*value);
            }
            history.push((back_up(&repository, "vm", &disk), disk.clone()));
        }
        for (point, bytes) in &history {
            prop_assert_eq!(&read_back(&repository, point).unwrap(), bytes);
            let stored = repository.open_stream(&point.streams[0]).unwrap();
            for (at, len) in &reads {
                let at = *at as usize % bytes.len();
                let mut buf = vec![0xEE; (*len).min(bytes.len() - at)];
                stored.read_at(at as u64, &mut buf).unwrap();
                prop_assert_eq!(&buf[..], &bytes[at..at + buf.len()]);
            }
        }
        for pair in history.windows(2) {
            let ((old, old_bytes), (new, new_bytes)) = (&pair[0], &pair[1]);
            let found = repository.compare_streams(&old.streams[0], &new.streams[0]).unwrap();
            let covered = |at: usize| found.iter().any(|d| {
                (d.offset..d.offset + d.len_bytes).contains(&(at as u64))
            });
            for at in (0..new_bytes.len().min(old_bytes.len())).step_by(97) {
                prop_assert!(old_bytes[at] == new_bytes[at] || covered(at), "{} is missed", at);
            }
        }
    }
}
