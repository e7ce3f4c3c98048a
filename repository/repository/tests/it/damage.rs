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

/// Returns the largest pack, which holds chunks.
fn largest_pack(folder: &Path) -> std::path::PathBuf {
    let packs = listing(folder)
        .into_iter()
        .filter(|(name, _)| name.starts_with("packs/"));
    folder.join(packs.max_by_key(|(_, size)| *size).unwrap().0)
}

#[test]
fn verify_says_which_ranges_are_lost_of_every_point_that_shares_them() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = disk_bytes(7, 1500 * CHUNK);
    let repository = init(folder.path());
    let points = [
        back_up(&repository, "vm", &bytes),
        back_up(&repository, "vm", &bytes),
    ];
    fs::remove_file(largest_pack(folder.path())).unwrap();
    let repository = open(folder.path()).unwrap();
    for point in &points {
        let report = repository.verify_point(point, &Quiet).unwrap();
        assert!(!report.damage.is_empty());
        for damage in &report.damage {
            assert_eq!(damage.vm.as_deref(), Some("vm"));
            assert!(damage.text.contains("packs/"), "{}", damage.text);
            assert!(damage.len_bytes.unwrap() <= 256 * CHUNK as u64);
        }
        // The structure alone says the same, in merged ranges.
        let check = repository.check(false, &Quiet).unwrap();
        let lost = check.lost.iter().find(|lost| lost.point == point.id);
        let lost = lost.unwrap_or_else(|| panic!("{} is broken too", point.id));
        let by_chunk = report.damage.iter().filter_map(|damage| damage.len_bytes);
        assert_eq!(lost.lost_bytes, by_chunk.sum::<u64>());
        assert_eq!(lost.more_ranges > 0, lost.ranges.len() == 64);
    }
}

#[test]
fn the_next_backup_stores_again_what_is_gone_cut_short_or_known_to_a_dead_run_alone() {
    let cases: [fn(&Path); 4] = [
        |folder| fs::remove_file(largest_pack(folder)).unwrap(),
        |folder| {
            let pack = fs::OpenOptions::new()
                .write(true)
                .open(largest_pack(folder))
                .unwrap();
            pack.set_len(5000).unwrap();
        },
        |folder| {
            fs::remove_file(largest_pack(folder)).unwrap();
            fs::remove_dir_all(folder.join("index")).unwrap();
        },
        |folder| {
            // A run that died wrote nodes of the same content, which nobody has listed.
            let bytes = disk_bytes(7, 1500 * CHUNK);
            fs::remove_dir_all(folder.join("index")).unwrap();
            back_up(&open(folder).unwrap(), "other", &bytes[..1100 * CHUNK]);
            fs::remove_dir_all(folder.join("index")).unwrap();
            fs::remove_dir_all(folder.join("points")).unwrap();
            fs::remove_file(largest_pack(folder)).unwrap();
        },
    ];
    for (number, harm) in cases.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = disk_bytes(7, 1500 * CHUNK);
        back_up(&init(folder.path()), "vm", &bytes);
        harm(folder.path());
        let repository = open(folder.path()).unwrap();
        for vm in ["vm", "new"] {
            let healed = back_up(&repository, vm, &bytes);
            assert_eq!(
                read_back(&repository, &healed).unwrap(),
                bytes,
                "case {number}, {vm}"
            );
            let report = repository.verify_point(&healed, &Quiet).unwrap();
            assert!(report.damage.is_empty(), "case {number}, {vm}");
        }
    }
}
