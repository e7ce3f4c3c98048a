//! What is stored once, and how little the next time.

use std::collections::BTreeSet;
use std::sync::Arc;

use block_io::{BlockDevice as _, MemoryDisk};
use object_store::FolderStore;
use repository::{Repository, RepositoryErrorKind, StreamObserver};
use store_faults::CountingStore;

use crate::support::{
    CHUNK, PASSWORD, Quiet, back_up, disk_bytes, init, listing, open, options, read_back,
    store_point,
};

const LEN: usize = 1000 * CHUNK;

#[test]
fn an_unchanged_disk_adds_the_restore_point_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = disk_bytes(1, LEN);
    let first = back_up(&init(folder.path()), "vm", &bytes);
    let before: BTreeSet<_> = listing(folder.path()).into_iter().collect();
    let second = back_up(&open(folder.path()).unwrap(), "vm", &bytes);
    let after: BTreeSet<_> = listing(folder.path()).into_iter().collect();
    let new: Vec<_> = after.difference(&before).collect();
    assert_eq!(new.len(), 1, "{new:?}");
    assert!(new[0].0.starts_with("points/"));
    assert_eq!(first.streams[0].root, second.streams[0].root);
    assert_eq!(second.streams[0].statistics.changed_bytes, 0);
}

#[test]
fn a_change_adds_what_changed_and_the_path_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let mut bytes = disk_bytes(1, LEN);
    back_up(&repository, "vm", &bytes);
    bytes[700 * CHUNK] ^= 1;
    let point = back_up(&repository, "vm", &bytes);
    let statistics = point.streams[0].statistics;
    assert_eq!(
        (statistics.changed_bytes, statistics.new_bytes),
        (CHUNK as u64, CHUNK as u64)
    );
    // A chunk, a leaf of 256 entries and the root.
    assert!(
        statistics.stored_bytes < CHUNK as u64 + 12_000 + 500,
        "{statistics:?}"
    );
    assert_eq!(read_back(&repository, &point).unwrap(), bytes);
}

#[test]
fn equal_disks_of_two_vms_are_stored_once_even_if_the_index_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = disk_bytes(1, LEN);
    back_up(&init(folder.path()), "one", &bytes);
    let new_bytes = |vm| {
        let statistics = back_up(&open(folder.path()).unwrap(), vm, &bytes).streams[0].statistics;
        (statistics.new_bytes, statistics.stored_bytes)
    };
    assert_eq!(new_bytes("two"), (0, 0));
    std::fs::remove_dir_all(folder.path().join("index")).unwrap();
    assert_eq!(new_bytes("three"), (0, 0));
    assert_eq!(
        open(folder.path())
            .unwrap()
            .check(true, &Quiet)
            .unwrap()
            .damage,
        []
    );
}

#[test]
fn equal_chunks_within_a_disk_are_stored_once_by_any_number_of_workers() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let bytes = disk_bytes(1, 8 * CHUNK).repeat(400);
    for (workers, turn) in [(1, 1), (8, 2)] {
        let run = repository.begin_run(workers).unwrap();
        let vm = format!("vm {workers}");
        let disk = MemoryDisk::new(bytes.iter().map(|b| b.rotate_left(turn)).collect());
        let point = store_point(&run, &vm, &disk, None).unwrap();
        let statistics = point.streams[0].statistics;
        assert!(
            statistics.new_bytes <= 8 * CHUNK as u64,
            "{workers} workers: {statistics:?}"
        );
    }
}

#[test]
fn two_runs_at_the_same_time_both_succeed() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let points: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4u32)
            .map(|number| {
                let folder = folder.path();
                scope.spawn(move || {
                    let bytes = disk_bytes(number / 2, LEN);
                    let repository = open(folder).unwrap();
                    (back_up(&repository, &format!("vm {number}"), &bytes), bytes)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let repository = open(folder.path()).unwrap();
    assert_eq!(repository.points().unwrap().0.len(), 4);
    for (point, bytes) in &points {
        assert_eq!(&read_back(&repository, point).unwrap(), bytes);
    }
    assert_eq!(repository.check(true, &Quiet).unwrap().damage, []);
}

/// Asks to stop after some bytes.
struct StopAfter(std::sync::atomic::AtomicI64);

impl StreamObserver for StopAfter {
    fn advanced(&self, stream_bytes: u64, _: u64) {
        let bytes = i64::try_from(stream_bytes).unwrap();
        self.0
            .fetch_sub(bytes, std::sync::atomic::Ordering::Relaxed);
    }
    fn cancelled(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed) < 0
    }
}

#[test]
fn a_run_that_was_stopped_is_carried_on_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let len = 3000 * CHUNK;
    let bytes = disk_bytes(9, len);
    let disk = MemoryDisk::new(bytes.clone());
    let whole = {
        let elsewhere = tempfile::tempdir().unwrap();
        back_up(&init(elsewhere.path()), "vm", &bytes).streams[0]
            .statistics
            .new_bytes
    };
    let run = repository.begin_run(2).unwrap();
    let stop = StopAfter(i64::try_from(len / 2).unwrap().into());
    let error = run.store_stream(&disk, None, &stop).unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Cancelled);
    run.flush().unwrap();
    drop(run);
    assert_eq!(repository.points().unwrap().0.len(), 0);
    let point = back_up(&open(folder.path()).unwrap(), "vm", &bytes);
    let rest = point.streams[0].statistics.new_bytes;
    assert!(
        rest < whole * 2 / 3,
        "{rest} of {whole} bytes were stored again"
    );
    assert_eq!(read_back(&repository, &point).unwrap(), bytes);
}

#[test]
fn a_source_that_fails_does_not_spoil_the_run_for_the_next_disk() {
    struct Broken(MemoryDisk);
    impl block_io::BlockDevice for Broken {
        fn size_bytes(&self) -> u64 {
            self.0.size_bytes()
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), block_io::DiskError> {
            if offset > LEN as u64 / 2 {
                return Err(block_io::DiskError::corrupt(
                    "broken.vhdx",
                    offset,
                    "unreadable",
                ));
            }
            self.0.read_at(offset, buf)
        }
        fn extent_at(&self, o: u64, max: u64) -> Result<block_io::Extent, block_io::DiskError> {
            self.0.extent_at(o, max)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let bytes = disk_bytes(1, LEN);
    let run = repository.begin_run(4).unwrap();
    let error = run
        .store_stream(&Broken(MemoryDisk::new(bytes.clone())), None, &Quiet)
        .unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Source);
    let point = store_point(&run, "vm", &MemoryDisk::new(bytes.clone()), None).unwrap();
    assert_eq!(read_back(&repository, &point).unwrap(), bytes);
}

#[test]
fn a_cold_random_read_costs_one_fetch_for_each_thing_that_was_not_seen() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(CountingStore::new(
        FolderStore::create(folder.path()).unwrap(),
    ));
    let repository = Repository::init(store.clone(), &[PASSWORD], options()).unwrap();
    let point = back_up(&repository, "vm", &disk_bytes(1, LEN));
    let repository = Repository::open(store.clone(), &PASSWORD).unwrap();
    let disk = repository.open_stream(&point.streams[0]).unwrap();
    store.take();
    let mut buf = [0; 512];
    // A window with root and leaf, and the chunk; with one key there is no need for headers.
    disk.read_at(2 * CHUNK as u64 + 100, &mut buf).unwrap();
    assert_eq!(store.take().reads, 2);
    // The same chunk again, and its neighbour in the same leaf and pack.
    disk.read_at(2 * CHUNK as u64 + 700, &mut buf).unwrap();
    assert_eq!(store.take().reads, 0);
    disk.read_at(6 * CHUNK as u64, &mut buf).unwrap();
    let counts = store.take();
    assert_eq!(counts.reads, 1);
    assert!(counts.read_bytes <= CHUNK as u64 + 17);
}
