//! Death at every step of a backup, and every step failing once.

use std::path::Path;
use std::sync::Arc;

use block_io::{ByteRanges, MemoryDisk};
use object_store::FolderStore;
use repository::{Repository, RepositoryError, RestorePoint};
use store_faults::{Fault, FaultySystem};

use crate::support::{
    CHUNK, PASSWORD, Quiet, back_up, disk_bytes, init, open, read_back, store_changed_point,
    store_point,
};

const LEN: usize = 700 * CHUNK;

/// Runs a second backup with a fault in the repository's folder.
fn second_backup(
    folder: &Path,
    system: &FaultySystem,
    bytes: &[u8],
    changed: Option<&ByteRanges>,
) -> Result<RestorePoint, RepositoryError> {
    let store = Arc::new(FolderStore::with_system(folder, system.clone()).unwrap());
    let repository = Repository::open(store, &PASSWORD)?;
    let previous = repository.points_of("vm")?.pop();
    let run = repository.begin_run(2)?;
    let disk = MemoryDisk::new(bytes.to_vec());
    match (changed, &previous) {
        (Some(changed), Some(previous)) => {
            store_changed_point(&run, "vm", &disk, previous, changed)
        }
        _ => store_point(&run, "vm", &disk, previous.as_ref()),
    }
}

/// The second backup reads all, or what changed.
fn survives(fault: impl Fn(usize) -> Fault) {
    survives_with(&fault, None);
    let changed: ByteRanges = std::iter::once(0..400 * CHUNK as u64).collect();
    survives_with(&fault, Some(&changed));
}

fn survives_with(fault: &impl Fn(usize) -> Fault, changed: Option<&ByteRanges>) {
    let first_bytes = disk_bytes(1, LEN);
    let mut second_bytes = first_bytes.clone();
    second_bytes[..400 * CHUNK].copy_from_slice(&disk_bytes(2, 400 * CHUNK));
    let mut step = 0;
    loop {
        let folder = tempfile::tempdir().unwrap();
        let first = back_up(&init(folder.path()), "vm", &first_bytes);
        let system = FaultySystem::new(fault(step));
        let result = second_backup(folder.path(), &system, &second_bytes, changed);
        let struck = system.struck();
        system.lose_what_was_not_flushed().unwrap();

        let repository = open(folder.path()).unwrap();
        let report = repository.check(true, &Quiet).unwrap();
        assert_eq!(report.damage, [], "step {step}");
        assert_eq!(
            read_back(&repository, &first).unwrap(),
            first_bytes,
            "step {step}"
        );
        let points = repository.points().unwrap().0;
        if let Ok(point) = &result {
            // A run that said that all is well has a point that is.
            assert!(
                points.iter().any(|listed| listed.id == point.id),
                "step {step}"
            );
        }
        for point in points.iter().filter(|point| point.id != first.id) {
            assert_eq!(
                read_back(&repository, point).unwrap(),
                second_bytes,
                "step {step}"
            );
        }
        let next = back_up(&repository, "vm", &second_bytes);
        assert_eq!(
            read_back(&repository, &next).unwrap(),
            second_bytes,
            "step {step}"
        );
        assert_eq!(
            repository.check(true, &Quiet).unwrap().damage,
            [],
            "step {step}"
        );
        if !struck {
            assert!(step > 10, "only {step} steps: too few to mean anything");
            assert!(result.is_ok());
            return;
        }
        step += 1;
    }
}

#[test]
fn death_at_any_step_leaves_a_clean_repository_that_the_next_run_uses() {
    survives(Fault::DieAt);
}

#[test]
fn any_step_that_fails_once_leaves_a_clean_repository_that_the_next_run_uses() {
    survives(Fault::FailOnce);
}
