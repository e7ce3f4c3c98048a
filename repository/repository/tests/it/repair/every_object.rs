//! Every kind of object, damaged in every way.

use repository::{CheckDepth, check_bytes};
use store_faults::MemoryStore;

use crate::repair::{Case, open};
use crate::support::Quiet;

type Harm = Box<dyn Fn(&MemoryStore, &str)>;

fn tamper(change: impl Fn(&mut Vec<u8>) + 'static) -> Harm {
    Box::new(move |store, name| assert!(store.tamper(name, &change)))
}

/// Ways to harm an object, and whether its checksum alone tells.
fn harms(size: usize) -> Vec<(String, bool, Harm)> {
    let mut harms: Vec<(String, bool, Harm)> = Vec::new();
    for len in [0, 10, 63, 96, size / 3, size / 2, size - 33, size - 1] {
        let cut = tamper(move |bytes| bytes.truncate(len));
        harms.push((format!("cut to {len}"), true, cut));
    }
    for at in [
        0,
        8,
        9,
        20,
        40,
        50,
        90,
        100,
        size / 2,
        size - 60,
        size - 45,
        size - 34,
        size - 1,
    ] {
        let flip = tamper(move |bytes| {
            let at = at.min(bytes.len() - 1);
            bytes[at] ^= 0x10;
        });
        harms.push((format!("flipped at {at}"), true, flip));
    }
    let garbage = tamper(|bytes| *bytes = vec![0xA5; 3 << 20]);
    harms.push(("garbage".to_owned(), true, garbage));
    let longer = tamper(|bytes| bytes.extend([0; 100]));
    harms.push(("longer".to_owned(), true, longer));
    let missing: Harm = Box::new(|store, name| assert!(store.lose(name)));
    harms.push(("missing".to_owned(), false, missing));
    let swapped: Harm = Box::new(|store, name| {
        let folder = &name[..name.find('/').unwrap() + 1];
        if let Some(other) = store.names(folder).iter().find(|other| *other != name) {
            assert!(store.swap(name, other));
        }
    });
    harms.push(("swapped".to_owned(), false, swapped));
    let older: Harm = Box::new(|store, name| {
        let folder = &name[..name.find('/').unwrap() + 1];
        if let Some(other) = store.names(folder).iter().find(|other| *other != name) {
            store.lose(name);
            assert!(store.duplicate(other, name));
        }
    });
    harms.push(("replaced by another".to_owned(), false, older));
    let twice: Harm = Box::new(|store, name| {
        let (rest, last) = name.split_at(name.len() - 1);
        let other = if last == "0" { "1" } else { "0" };
        assert!(store.duplicate(name, &format!("{rest}{other}")));
    });
    harms.push(("duplicated".to_owned(), false, twice));
    harms
}

fn every_harm_of(folder: &str) {
    let case = Case::new();
    let names = case.store.names(folder);
    assert!(!names.is_empty());
    for name in names {
        let size = case.store.bytes_of(&name).unwrap().len();
        for (what, checksum_tells, harm) in harms(size) {
            let case = case.fork();
            let what = format!("{name} {what}");
            harm(&case.store, &name);
            let keyless = check_bytes(&case.store, &Quiet).unwrap();
            assert!(!checksum_tells || !keyless.damage.is_empty(), "{what}");
            let Ok(repository) = open(&case.store) else {
                continue;
            };
            let before = case.readable();
            let whole = case.whole() == [true; 3];
            let listed = repository.points().unwrap().0.len();
            let structure = repository.check(false, &Quiet).unwrap();
            let report = repository.check(true, &Quiet).unwrap();
            assert!(whole || !report.is_good(), "{what}: nothing was found");
            assert!(!checksum_tells || !report.is_good(), "{what}: not found");
            assert!(structure.is_good() || !report.is_good(), "{what}");
            // A point that is gone or does not authenticate is beyond repair, and harms no other.
            let repaired = case.repair().unwrap();
            if folder != "points/" {
                assert_eq!(listed, 3, "{what}");
                assert_eq!(repaired.kept, [], "{what}");
                assert_eq!(
                    repaired.after.damage.is_empty(),
                    repaired.lost_frames == 0,
                    "{what}: {:?}",
                    repaired.after.damage
                );
            }
            case.heals(&before, &what);
            let again = case.repair().unwrap();
            if folder != "points/" {
                assert!(again.after.is_good(), "{what}: {:?}", again.after);
                let all = open(&case.store).unwrap();
                let all = all.check(CheckDepth::AllData, &Quiet).unwrap();
                assert!(all.is_good(), "{what}: {all:?}");
            }
        }
    }
}

#[test]
fn a_pack_damaged_in_any_way_loses_what_is_damaged_alone_and_heals() {
    every_harm_of("packs/");
}

#[test]
fn an_index_damaged_in_any_way_is_written_anew() {
    every_harm_of("index/");
}

#[test]
fn a_point_damaged_in_any_way_harms_no_other() {
    every_harm_of("points/");
}

#[test]
fn a_forged_checksum_deceives_whoever_has_no_key_and_nobody_else() {
    let case = Case::new();
    let name = case.store.names("packs/").remove(0);
    assert!(case.store.tamper(&name, |bytes| {
        bytes[120] ^= 1;
        let content = bytes.len() - 32;
        let hash = *blake3::hash(&bytes[..content]).as_bytes();
        bytes[content..].copy_from_slice(&hash);
    }));
    let keyless = check_bytes(&case.store, &Quiet).unwrap();
    assert_eq!(keyless.damage, []);
    let repository = open(&case.store).unwrap();
    assert!(!repository.check(true, &Quiet).unwrap().is_good());
}

#[test]
fn the_structure_asks_little_and_no_more_for_more_points_of_the_same() {
    let case = Case::new();
    let cost = |case: &Case| {
        let repository = open(&case.store).unwrap();
        case.store.take_counts();
        assert!(repository.check(false, &Quiet).unwrap().is_good());
        case.store.take_counts()
    };
    let few = cost(&case);
    case.back_up_again();
    let (_, bytes) = &case.points[2];
    let repository = open(&case.store).unwrap();
    let settled = cost(&case);
    for _ in 0..10 {
        crate::support::back_up(&repository, "other", bytes);
    }
    let many = cost(&case);
    // A point each, and nothing else: its map is that of the point before.
    assert_eq!(
        many.reads,
        settled.reads + 10,
        "{few:?} {settled:?} {many:?}"
    );
    assert_eq!(many.listings, settled.listings);
    assert!(few.reads < 40, "{few:?}");
}
