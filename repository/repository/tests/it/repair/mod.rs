//! Repair: what is whole stays, what is lost is named, and the next backup heals it.

mod crashes;
mod every_object;
mod healing;

use std::sync::Arc;

use block_io::BlockDevice as _;
use repository::{CheckDepth, Repository, RepositoryError, RestorePoint};
use store_faults::MemoryStore;

use crate::support::{CHUNK, PASSWORD, Quiet, back_up, disk_bytes, options};

const LEN: usize = 300 * CHUNK;

/// A repository in memory with three points, and what each should read as.
pub(crate) struct Case {
    pub(crate) store: MemoryStore,
    pub(crate) points: Vec<(RestorePoint, Vec<u8>)>,
}

pub(crate) fn open(store: &MemoryStore) -> Result<Repository, RepositoryError> {
    Repository::open(Arc::new(store.clone()), &PASSWORD)
}

impl Case {
    /// Two points of a VM that differ in one chunk, and one of another VM.
    pub(crate) fn new() -> Self {
        let store = MemoryStore::new();
        let repository = Repository::init(Arc::new(store.clone()), &[PASSWORD], options()).unwrap();
        let mut bytes = disk_bytes(1, LEN);
        let mut points = vec![(back_up(&repository, "vm", &bytes), bytes.clone())];
        bytes[5 * CHUNK..6 * CHUNK].fill(9);
        points.push((back_up(&repository, "vm", &bytes), bytes));
        let other = disk_bytes(2, LEN / 2);
        points.push((back_up(&repository, "other", &other), other));
        Self { store, points }
    }

    /// Returns the case with a store of its own.
    pub(crate) fn fork(&self) -> Self {
        Self {
            store: self.store.fork(),
            points: self.points.clone(),
        }
    }

    /// Says of each chunk of each point whether it can be read. What is read is right.
    pub(crate) fn readable(&self) -> Vec<Vec<bool>> {
        let Ok(repository) = open(&self.store) else {
            return Vec::new();
        };
        let readable = |(point, bytes): &(RestorePoint, Vec<u8>)| {
            let disk = repository.open_stream(&point.streams[0]).unwrap();
            let mut whole = vec![0; bytes.len()];
            if disk.read_at(0, &mut whole).is_ok() {
                assert!(whole == *bytes, "wrong bytes were read");
                return vec![true; bytes.len() / CHUNK];
            }
            let chunks = bytes.chunks(CHUNK).enumerate();
            chunks
                .map(|(number, expected)| {
                    let mut chunk = vec![0; CHUNK];
                    let read = disk.read_at((number * CHUNK) as u64, &mut chunk).is_ok();
                    assert!(!read || chunk == expected, "wrong bytes were read");
                    read
                })
                .collect()
        };
        self.points.iter().map(readable).collect()
    }

    /// Says of each point whether all of it can be read.
    pub(crate) fn whole(&self) -> Vec<bool> {
        let readable = self.readable();
        readable
            .iter()
            .map(|chunks| chunks.iter().all(|read| *read))
            .collect()
    }

    /// Plans a repair after reading all data, and does it.
    pub(crate) fn repair(&self) -> Result<repository::RepairReport, RepositoryError> {
        let repository = open(&self.store)?;
        let plan = repository.plan_repair(CheckDepth::AllData, &Quiet)?;
        repository.repair(&plan, &Quiet)
    }

    /// Backs everything up again that the points have.
    pub(crate) fn back_up_again(&self) {
        let repository = open(&self.store).unwrap();
        for (point, bytes) in self.points.iter().rev() {
            back_up(&repository, &point.vm.identity, bytes);
        }
    }

    /// Sees that repair made nothing worse, that the check tells what is lost, and that the next
    /// backups heal everything.
    pub(crate) fn heals(&self, before: &[Vec<bool>], what: &str) {
        let after = self.readable();
        for (number, (before, after)) in before.iter().zip(&after).enumerate() {
            let worse = before
                .iter()
                .zip(after)
                .position(|(before, after)| *before && !after);
            assert_eq!(
                worse, None,
                "{what}: point {number} can be read less than before"
            );
        }
        let repository = open(&self.store).unwrap();
        let report = repository.check(false, &Quiet).unwrap();
        for ((point, _), chunks) in self.points.iter().zip(&after) {
            let lost: u64 = report
                .lost
                .iter()
                .filter(|lost| lost.point == point.id)
                .map(|lost| lost.lost_bytes)
                .sum();
            let unreadable = chunks.iter().filter(|read| !**read).count() * CHUNK;
            let listed = repository.points().unwrap().0;
            if listed.iter().any(|listed| listed.id == point.id) {
                assert_eq!(lost, unreadable as u64, "{what}: {}", point.id);
            }
        }
        self.back_up_again();
        assert_eq!(self.whole(), [true; 3], "{what}: not healed");
    }
}
