//! What is shared unread, when the repository has lost some of it.

use std::fs;
use std::path::{Path, PathBuf};

use block_io::{ByteRanges, MemoryDisk};
use disk_model::CountedDisk;
use repository::{RestorePoint, SampleBudget, StoredStream};

use crate::support::{
    CHUNK, Quiet, back_up, disk_bytes, init, listing, open, read_back, store_changed_point,
};

const LEN: usize = 2000 * CHUNK;

/// Returns the packs of a kind (byte 8 of a pack), in order of their names.
fn packs(folder: &Path, kind: u8) -> Vec<PathBuf> {
    listing(folder)
        .into_iter()
        .filter(|(name, _)| name.starts_with("packs/"))
        .map(|(name, _)| folder.join(name))
        .filter(|path| fs::read(path).unwrap()[8] == kind)
        .collect()
}

/// Returns the pack of chunks that was filled last, which has nothing of the beginning of the disk:
/// the others are full.
fn last_pack(folder: &Path) -> PathBuf {
    let len = |path: &PathBuf| fs::metadata(path).unwrap().len();
    packs(folder, 1).into_iter().min_by_key(len).unwrap()
}

/// A backed-up disk that is about to change in one chunk.
struct Case {
    folder: tempfile::TempDir,
    first: RestorePoint,
    disk: CountedDisk<MemoryDisk>,
    bytes: Vec<u8>,
    changed: ByteRanges,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = disk_bytes(1, LEN);
        let first = back_up(&init(folder.path()), "vm", &bytes);
        bytes[CHUNK + 5] ^= 1;
        Self {
            folder,
            first,
            disk: CountedDisk::new(MemoryDisk::new(bytes.clone())),
            bytes,
            changed: std::iter::once(CHUNK as u64..CHUNK as u64 + 100).collect(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn store(&self) -> StoredStream {
        let run = open(self.path()).unwrap().begin_run(2).unwrap();
        run.store_changed(&self.disk, &self.first.streams[0], &self.changed, &Quiet)
            .unwrap()
    }

    /// Makes a point in a run of its own, and says whether it reads as the disk is.
    fn point_is_whole(&self) -> bool {
        let repository = open(self.path()).unwrap();
        let run = repository.begin_run(2).unwrap();
        let point =
            store_changed_point(&run, "vm", &self.disk, &self.first, &self.changed).unwrap();
        read_back(&repository, &point).is_ok_and(|bytes| bytes == self.bytes)
    }
}

#[test]
fn lost_data_is_read_again_and_nothing_else() {
    let case = Case::new();
    let data = packs(case.path(), 1);
    assert!(data.len() > 2, "too few packs to mean anything");
    let lost = fs::metadata(&data[1]).unwrap().len();
    fs::remove_file(&data[1]).unwrap();
    assert!(read_back(&open(case.path()).unwrap(), &case.first).is_err());
    let stored = case.store();
    assert!(stored.mended_bytes > lost / 2, "{stored:?}");
    let read = case.disk.take_set().total_bytes();
    assert!(read < LEN as u64 * 2 / 3, "{read} of {LEN} bytes were read");
    // The changed chunk may have been in the lost pack, and is read in any case.
    let changed = CHUNK as u64;
    assert!([0, changed].contains(&(read - stored.mended_bytes)));
    assert_eq!(stored.statistics.read_bytes, read);
    assert!(case.point_is_whole());
    let run = open(case.path()).unwrap().begin_run(2).unwrap();
    let all = run.store_stream(&case.disk, None, &Quiet).unwrap();
    assert_eq!(all.statistics.data_bytes, stored.statistics.data_bytes);
    assert_eq!(all.statistics.zero_bytes, stored.statistics.zero_bytes);
}

#[test]
fn a_pack_that_an_index_lists_is_missed_wherever_the_change_is() {
    let case = Case::new();
    fs::remove_file(last_pack(case.path())).unwrap();
    assert!(case.point_is_whole());
}

#[test]
fn a_lost_node_beside_the_way_to_the_change_is_read_again() {
    let mut case = Case::new();
    let nodes = packs(case.path(), 2);
    // A second point, whose root and first leaf lie in a pack of their own.
    let repository = open(case.path()).unwrap();
    let run = repository.begin_run(2).unwrap();
    case.first = store_changed_point(&run, "vm", &case.disk, &case.first, &case.changed).unwrap();
    drop(run);
    // No index tells that the first pack is missing.
    fs::remove_dir_all(case.path().join("index")).unwrap();
    nodes.iter().for_each(|path| fs::remove_file(path).unwrap());
    case.disk.take();
    assert!(case.point_is_whole());
    assert!(case.disk.take_set().total_bytes() > LEN as u64 / 2);
}

#[test]
fn a_lost_or_damaged_map_costs_a_full_read_and_no_backup() {
    let case = Case::new();
    for path in packs(case.path(), 2) {
        fs::remove_file(path).unwrap();
    }
    let stored = case.store();
    assert_eq!(stored.mended_bytes, LEN as u64 - CHUNK as u64);
    assert!(case.point_is_whole());

    // All packs are there, and one byte of a node is wrong.
    let case = Case::new();
    for path in packs(case.path(), 2) {
        let mut bytes = fs::read(&path).unwrap();
        bytes[100] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let touched: ByteRanges = std::iter::once(0..LEN as u64).collect();
    let case = Case {
        changed: touched,
        ..case
    };
    assert!(case.point_is_whole());
}

#[test]
fn what_no_index_lists_is_missed_by_a_change_and_found_by_check_and_by_proof() {
    let case = Case::new();
    fs::remove_dir_all(case.path().join("index")).unwrap();
    fs::remove_file(last_pack(case.path())).unwrap();
    // Nothing on the way to the change says that a pack is gone.
    assert!(!case.point_is_whole());
    let repository = open(case.path()).unwrap();
    assert_ne!(repository.check(false, &Quiet).unwrap().damage, []);
    // The proof comes by, and the same run reads again what is lost.
    let run = repository.begin_run(2).unwrap();
    let stream = &case.first.streams[0];
    let budget = SampleBudget::new(0, 0..LEN as u64).unwrap();
    let report = run
        .prove_unchanged(&case.disk, stream, &case.changed, &budget, &Quiet)
        .unwrap();
    assert_eq!(report.different_chunks, 0);
    assert!(report.lost_chunks > 0);
    let point = store_changed_point(&run, "vm", &case.disk, &case.first, &case.changed).unwrap();
    assert_eq!(read_back(&repository, &point).unwrap(), case.bytes);
}
