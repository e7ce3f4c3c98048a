//! Lost data that comes back.

use std::collections::BTreeSet;

use repository::CheckDepth;

use crate::collect::site::{DAY, Site, noise};
use crate::repair::{Case, open};
use crate::support::{CHUNK, Quiet, disk_bytes};

/// Returns the largest pack of a kind (byte 8 of a pack).
fn largest_pack(case: &Case, kind: u8) -> String {
    let packs = case.store.names("packs/").into_iter();
    let of_kind = packs.filter(|name| case.store.bytes_of(name).unwrap()[8] == kind);
    of_kind
        .max_by_key(|name| case.store.bytes_of(name).unwrap().len())
        .unwrap()
}

#[test]
fn a_backup_heals_older_points_of_a_lost_pack_without_being_asked() {
    for kind in [1, 2] {
        let case = Case::new();
        assert!(case.store.lose(&largest_pack(&case, kind)));
        assert_ne!(case.whole(), [true; 3]);
        case.back_up_again();
        assert_eq!(case.whole(), [true; 3], "packs of kind {kind}");
        // What indexes say of the lost pack is for repair to put right.
        let repaired = case.repair().unwrap();
        assert!(repaired.after.is_good(), "{:?}", repaired.after);
        assert_eq!(repaired.lost_frames, 0);
    }
}

#[test]
fn what_is_lost_is_told_by_point_disk_and_range_and_remembered_until_it_is_healed() {
    let case = Case::new();
    let pack = largest_pack(&case, 1);
    // A frame in the middle: one chunk of both points.
    let size = case.store.bytes_of(&pack).unwrap().len();
    assert!(case.store.tamper(&pack, |bytes| bytes[size / 2] ^= 1));
    let report = open(&case.store).unwrap().check(true, &Quiet).unwrap();
    let points: BTreeSet<&str> = report.lost.iter().map(|lost| &*lost.point).collect();
    let both = case.points[..2].iter().map(|(point, _)| &*point.id);
    assert_eq!(points, both.collect());
    for lost in &report.lost {
        assert_eq!((lost.lost_bytes, lost.more_ranges), (CHUNK as u64, 0));
        assert_eq!(lost.ranges.len(), 1);
        assert!(lost.text.contains(&pack), "{}", lost.text);
        assert_eq!((&*lost.vm, &*lost.stream), ("vm", "disk.vhdx"));
    }
    let repaired = case.repair().unwrap();
    assert_eq!(repaired.lost_frames, 1);
    assert!(repaired.salvaged_frames > 50);
    assert_eq!(repaired.after.lost.len(), 2);
    assert_eq!(case.store.names("lost/").len(), 1);
    assert_eq!(case.store.names("quarantine/").len(), 1);
    assert!(!case.store.names("packs/").contains(&pack));
    // A run that does not have it changes nothing; a second repair does nothing.
    crate::support::back_up(
        &open(&case.store).unwrap(),
        "new",
        &disk_bytes(7, 9 * CHUNK),
    );
    assert_eq!(case.repair().unwrap().lost_frames, 1);
    assert_eq!(case.store.names("lost/").len(), 1);
    case.back_up_again();
    assert_eq!(case.store.names("lost/"), [""; 0]);
    assert_eq!(case.whole(), [true; 3]);
    let plan = open(&case.store).unwrap();
    let plan = plan.plan_repair(CheckDepth::AllData, &Quiet).unwrap();
    assert!(!plan.is_needed(), "{:?}", plan.check);
}

#[test]
fn a_store_that_keeps_everything_is_repaired_all_the_same() {
    let case = Case::new();
    let pack = largest_pack(&case, 1);
    assert!(case.store.tamper(&pack, |bytes| bytes[5000] ^= 1));
    let before = case.readable();
    case.store.deny_removal(true);
    let repaired = case.repair().unwrap();
    assert!(
        repaired.kept.iter().any(|kept| kept.object == pack),
        "{:?}",
        repaired.kept
    );
    assert_eq!(repaired.removed, [""; 0]);
    case.heals(&before, "kept");
}

#[test]
fn a_plan_changes_nothing_and_a_good_repository_needs_none() {
    let case = Case::new();
    let plan = |case: &Case| {
        let repository = open(&case.store).unwrap();
        repository.plan_repair(CheckDepth::AllData, &Quiet).unwrap()
    };
    assert!(!plan(&case).is_needed());
    let pack = largest_pack(&case, 2);
    assert!(case.store.lose(&pack));
    let names = case.store.names("");
    let plan = plan(&case);
    assert!(plan.is_needed());
    assert_eq!(plan.missing_packs, [pack]);
    assert!(plan.lost_frames > 0);
    assert_eq!(case.store.names(""), names);
}

#[test]
fn what_is_lost_is_an_error_and_the_rest_can_be_read() {
    let case = Case::new();
    assert!(case.store.lose(&largest_pack(&case, 1)));
    case.repair().unwrap();
    let chunks = &case.readable()[0];
    assert!(chunks.contains(&true) && chunks.contains(&false));
    let repository = open(&case.store).unwrap();
    let verified = repository.verify_point(&case.points[0].0, &Quiet).unwrap();
    assert!(!verified.damage.is_empty());
}

#[test]
fn damage_that_seeds_choose_is_found_repaired_and_healed() {
    for seed in 0..12_u64 {
        let case = Case::new();
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % (below as u64)).unwrap()
        };
        for _ in 0..=random(4) {
            let names: Vec<String> = ["packs/", "index/"]
                .iter()
                .flat_map(|folder| case.store.names(folder))
                .collect();
            let name = &names[random(names.len())];
            let size = case.store.bytes_of(name).unwrap().len().max(1);
            let (at, mask) = (random(size), 1 << random(8));
            match random(4) {
                0 => drop(case.store.lose(name)),
                1 => drop(case.store.tamper(name, |bytes| bytes.truncate(at))),
                _ => drop(case.store.tamper(name, |bytes| {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= mask;
                    }
                })),
            }
        }
        let before = case.readable();
        case.repair().unwrap();
        case.heals(&before, &format!("seed {seed}"));
        let last = case.repair().unwrap();
        assert!(last.after.is_good(), "seed {seed}: {:?}", last.after);
    }
}

#[test]
fn a_repair_leads_to_nothing_that_is_condemned_and_lists_none_of_it() {
    let mut site = Site::new();
    let bytes = noise(1, 1 << 20);
    let old = site.back_up("vm", &bytes);
    site.back_up("other", &noise(2, 1 << 20));
    let garbage = site.store.names("packs/");
    site.remove(&old);
    site.store.advance(4 * DAY);
    site.collect();
    assert!(!site.store.names("condemned/").is_empty());
    // The same data again: it is stored again, and lost again, while the old copy is condemned.
    site.back_up("vm", &bytes);
    let packs = site.store.names("packs/").into_iter();
    let lost = packs.filter(|pack| !garbage.contains(pack));
    let lost = lost.filter(|pack| site.store.bytes_of(pack).unwrap()[8] == 1);
    for pack in lost {
        assert!(site.store.lose(&pack));
    }
    // Without an index, as after a repair that found it damaged.
    for index in site.store.names("index/") {
        site.store.tamper(&index, |bytes| bytes[40] ^= 1);
    }
    let repository = site.repository();
    let plan = repository.plan_repair(CheckDepth::AllData, &Quiet).unwrap();
    let repaired = repository.repair(&plan, &Quiet).unwrap();
    assert!(repaired.lost_frames > 0);
    assert_eq!(repaired.healed_frames, 0);
    assert_eq!(site.store.names("forward/"), [""; 0]);
    // What is found by its name would be found there.
    let again = site.back_up("vm", &bytes);
    assert!(again.streams[0].statistics.new_bytes > 0);
    site.check();
    site.collect_until_clean();
    site.check();
}
