//! Copies that die, and sources that are damaged.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use block_io::ByteRanges;
use object_store::FolderStore;
use repository::{Repository, RestorePoint, Unlock};
use store_faults::{Fault, FaultySystem};

use crate::repositories::{back_up, copy, disk_bytes, folder_store, init, point, read_back};

const LEN: usize = 3 << 20;

fn open_with(folder: &Path, system: FaultySystem) -> Repository {
    let store = FolderStore::with_system(folder, system).unwrap();
    Repository::open(Arc::new(store), &Unlock::Password("two")).unwrap()
}

fn three_points(folder: &Path) -> (Repository, Vec<(RestorePoint, Vec<u8>)>) {
    let source = init(folder_store(folder), "one", 4096);
    let mut bytes = disk_bytes(1, LEN);
    let mut made = Vec::new();
    for hour in 0..3 {
        bytes[usize::try_from(hour).unwrap() << 20..][..70_000].fill(200);
        let point = back_up(&source, "web", hour, &bytes, &ByteRanges::new());
        made.push((point, bytes.clone()));
    }
    (source, made)
}

#[test]
fn a_copy_that_dies_at_any_step_goes_on_where_it_was() {
    let a = tempfile::tempdir().unwrap();
    let (source, made) = three_points(a.path());
    let mut step = 0;
    let mut died = 0;
    loop {
        let b = tempfile::tempdir().unwrap();
        drop(init(folder_store(b.path()), "two", 4096));
        let system = FaultySystem::new(Fault::DieAt(step));
        let first = copy(&source, &open_with(b.path(), system.clone()));
        system.lose_what_was_not_flushed().unwrap();
        let target = open_with(b.path(), FaultySystem::new(Fault::None));
        let whole = target.points().unwrap().0.len();
        for found in target.points().unwrap().0 {
            let (_, bytes) = made.iter().find(|(point, _)| point.id == found.id).unwrap();
            assert!(read_back(&target, &found) == *bytes, "step {step}");
        }
        let report = copy(&source, &target).unwrap();
        assert_eq!(report.counts(), (3 - whole, whole, 0), "step {step}");
        for (original, bytes) in &made {
            assert!(read_back(&target, &point(&target, &original.id)) == *bytes);
        }
        if !system.struck() {
            assert!(first.is_ok());
            break;
        }
        died += 1;
        step += 3;
    }
    assert!(died > 8, "only {died} deaths");
}

#[test]
fn a_damaged_point_is_told_and_the_others_are_copied() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (source, made) = three_points(a.path());
    let target = init(folder_store(b.path()), "two", 4096);
    // The packs of the second run: newer than the first point, older than the third.
    let mut packs = Vec::new();
    for folder in fs::read_dir(a.path().join("packs")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = file.unwrap();
            packs.push((file.metadata().unwrap().modified().unwrap(), file.path()));
        }
    }
    packs.sort();
    // The newest packs belong to the last point alone.
    let (_, newest) = packs.last().unwrap();
    let mut bytes = fs::read(newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(newest).unwrap();
    fs::write(newest, bytes).unwrap();
    drop(source);
    let source = Repository::open(folder_store(a.path()), &Unlock::Password("one")).unwrap();
    let report = copy(&source, &target).unwrap();
    let (copied, there, failed) = report.counts();
    assert_eq!((copied, there, failed), (2, 0, 1), "{report:?}");
    for (original, bytes) in &made[..2] {
        assert!(read_back(&target, &point(&target, &original.id)) == *bytes);
    }
}
