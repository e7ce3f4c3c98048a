//! Missing, truncated, swapped and flipped objects.

use std::fs;
use std::path::Path;

use repository::{Repository, RestorePoint};

use crate::support::{CHUNK, Quiet, back_up, disk_bytes, init, listing, open, read_back};

struct Case {
    folder: tempfile::TempDir,
    points: Vec<(RestorePoint, Vec<u8>)>,
}

fn case() -> Case {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let mut bytes = disk_bytes(1, 300 * CHUNK);
    let mut points = vec![(back_up(&repository, "vm", &bytes), bytes.clone())];
    bytes[5 * CHUNK..6 * CHUNK].fill(9);
    points.push((back_up(&repository, "vm", &bytes), bytes));
    Case { folder, points }
}

/// Whatever was done to the repository: nothing wrong is ever read, and if anything that a point
/// needs is not as it was, opening, checking or verifying says so.
fn nothing_wrong_is_read(folder: &Path, points: &[(RestorePoint, Vec<u8>)]) -> bool {
    let Ok(repository) = open(folder) else {
        return false;
    };
    let (listed, unreadable) = repository.points().unwrap();
    let mut whole = unreadable.is_empty() && listed.len() == points.len();
    for (point, bytes) in points {
        match read_back(&repository, point) {
            Ok(read) => assert_eq!(&read, bytes, "wrong bytes were returned"),
            Err(_) => whole = false,
        }
    }
    whole
}

fn check_is_clean(repository: &Repository) -> bool {
    repository.check(true, &Quiet).unwrap().damage.is_empty()
}

#[test]
fn a_flipped_bit_in_any_object_is_found_and_never_returned_as_data() {
    let Case { folder, points } = case();
    for (object, size) in listing(folder.path()) {
        let path = folder.path().join(&object);
        let good = fs::read(&path).unwrap();
        let size = usize::try_from(size).unwrap();
        let step = (size / 60).max(1);
        for at in (0..size).step_by(step).chain([size - 1]) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, &bad).unwrap();
            nothing_wrong_is_read(folder.path(), &points);
            match open(folder.path()) {
                // A slot is JSON: a flipped bit may change nothing, such as the kind's name.
                Ok(_) if object.starts_with("keys/") => {}
                // Index pages are checked when they are used; a bad one means storing again.
                Ok(_) if object.starts_with("index/") => {}
                Ok(repository) => assert!(!check_is_clean(&repository), "{object} byte {at}"),
                Err(_) => {}
            }
        }
        fs::write(&path, &good).unwrap();
    }
    assert!(check_is_clean(&open(folder.path()).unwrap()));
}

#[test]
fn missing_and_truncated_objects_are_found() {
    let Case { folder, points } = case();
    for (object, size) in listing(folder.path()) {
        let path = folder.path().join(&object);
        let good = fs::read(&path).unwrap();
        for len in [None, Some(0), Some(size / 2), Some(size - 1)] {
            match len {
                None => fs::remove_file(&path).unwrap(),
                Some(len) => fs::write(&path, &good[..usize::try_from(len).unwrap()]).unwrap(),
            }
            let whole = nothing_wrong_is_read(folder.path(), &points);
            if !object.starts_with("index/") && !object.starts_with("keys/") {
                let clean = open(folder.path()).is_ok_and(|repository| check_is_clean(&repository));
                // A point that is gone is not damage of what is left, but it is not there.
                assert!(!whole || !clean, "{object} cut to {len:?}");
            }
            fs::write(&path, &good).unwrap();
        }
    }
}

#[test]
fn swapped_objects_are_found() {
    let Case { folder, points } = case();
    let objects = listing(folder.path());
    let of = |prefix: &str| -> Vec<_> {
        objects
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(n, _)| n)
            .collect()
    };
    for prefix in ["packs/", "points/"] {
        let names = of(prefix);
        assert!(names.len() >= 2, "{prefix}");
        let (a, b) = (folder.path().join(names[0]), folder.path().join(names[1]));
        let (bytes_a, bytes_b) = (fs::read(&a).unwrap(), fs::read(&b).unwrap());
        fs::write(&a, &bytes_b).unwrap();
        fs::write(&b, &bytes_a).unwrap();
        assert!(!nothing_wrong_is_read(folder.path(), &points));
        assert!(!check_is_clean(&open(folder.path()).unwrap()));
        fs::write(&a, &bytes_a).unwrap();
        fs::write(&b, &bytes_b).unwrap();
    }
}

#[test]
fn verify_says_which_ranges_are_lost_and_the_next_backup_heals_what_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let bytes = disk_bytes(7, 1500 * CHUNK);
    let point = back_up(&repository, "vm", &bytes);
    let (largest, _) = listing(folder.path())
        .into_iter()
        .filter(|(name, _)| name.starts_with("packs/"))
        .max_by_key(|(_, size)| *size)
        .unwrap();
    fs::remove_file(folder.path().join(&largest)).unwrap();
    let repository = open(folder.path()).unwrap();
    let report = repository.verify_point(&point, &Quiet).unwrap();
    assert!(!report.damage.is_empty());
    for damage in &report.damage {
        assert_eq!(damage.vm.as_deref(), Some("vm"));
        assert!(damage.text.contains("packs/"), "{}", damage.text);
        assert!(damage.len_bytes.unwrap() <= 256 * CHUNK as u64);
    }
    assert!(!check_is_clean(&repository));
    let healed = back_up(&repository, "vm", &bytes);
    assert_eq!(read_back(&repository, &healed).unwrap(), bytes);
    assert!(
        repository
            .verify_point(&healed, &Quiet)
            .unwrap()
            .damage
            .is_empty()
    );
}
