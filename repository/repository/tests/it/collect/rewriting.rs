//! Sparse packs are rewritten, and what moved is followed.

use block_io::{ByteRanges, MemoryDisk};
use repository::{CollectOptions, CollectReport};

use super::site::{DAY, Site, noise};
use crate::support::{CHUNK, Quiet, store_changed_point};

const SIZE: usize = 4 << 20;

/// A repository of which most packs are a quarter alive: a point that shares every fourth chunk
/// with one that is gone.
fn sparse_site() -> Site {
    let mut site = Site::new();
    let mut disk = noise(1, SIZE);
    let old = site.back_up("vm", &disk);
    let new = noise(2, SIZE);
    for (number, chunk) in disk.chunks_mut(CHUNK).enumerate() {
        if number % 4 != 0 {
            chunk.copy_from_slice(&new[number * CHUNK..][..CHUNK]);
        }
    }
    site.back_up("vm", &disk);
    site.remove(&old);
    site.store.advance(4 * DAY);
    site
}

fn collect_twice(site: &Site) -> CollectReport {
    let report = site.collect();
    site.check();
    site.store.advance(2 * DAY);
    site.collect();
    report
}

#[test]
fn sparse_packs_are_moved_and_every_reader_and_writer_follows() {
    let mut site = sparse_site();
    let before = site.bytes_below("packs/");
    let report = collect_twice(&site);
    assert!(report.rewritten_packs > 0);
    assert!(report.moved_bytes < report.rewritten_bytes / 2);
    site.check();
    let after = site.bytes_below("packs/");
    assert!(after * 10 < before * 7, "{before} {after}");
    assert!(!site.store.names("forward/").is_empty());
    // The whole repository checks, and nothing of it is stored again.
    let repository = site.repository();
    let checked = repository.check(true, &Quiet).unwrap();
    assert!(checked.is_good(), "{checked:?}");
    let parent = repository.points_of("vm").unwrap().pop().unwrap();
    let (_, bytes) = site.expected[&parent.id].clone();
    let again = site.back_up("vm", &bytes);
    assert_eq!(again.streams[0].statistics.new_bytes, 0);
    assert_eq!(again.streams[0].root, parent.streams[0].root);
    // What only reads changes shares what moved, unread.
    let run = repository.begin_run(2).unwrap();
    let mut disk = bytes.to_vec();
    disk[..CHUNK].fill(9);
    let mut changed = ByteRanges::new();
    changed.insert(0, CHUNK as u64);
    let device = MemoryDisk::new(disk.clone());
    let point = store_changed_point(&run, "vm", &device, &parent, &changed).unwrap();
    assert_eq!(point.streams[0].statistics.new_bytes, CHUNK as u64);
    site.remember(&point, &disk);
    site.collect_until_clean();
    site.check();
}

#[test]
fn what_moved_again_and_again_is_followed_and_forwards_that_lead_nowhere_go() {
    let mut site = Site::new();
    let mut disk = noise(1, SIZE);
    site.back_up("vm", &disk);
    let all = CollectOptions {
        rewrite_below: 1.0,
        ..CollectOptions::default()
    };
    let mut rewritten = 0;
    for round in 2..14 {
        // A fifth of what is left of the first disk goes each time.
        let new = noise(round, SIZE);
        for (number, chunk) in disk.chunks_mut(CHUNK).enumerate() {
            if number % 3 == 0 || number % 14 == round as usize {
                chunk.copy_from_slice(&new[number * CHUNK..][..CHUNK]);
            }
        }
        let olds: Vec<_> = site
            .expected
            .values()
            .map(|(point, _)| point.clone())
            .collect();
        site.back_up("vm", &disk);
        for old in olds {
            site.remove(&old);
        }
        site.store.advance(4 * DAY);
        rewritten += site.try_collect(&all).unwrap().rewritten_packs;
        site.check();
    }
    assert!(rewritten > 8, "{rewritten}");
    site.collect_until_clean();
    site.check();
    // When nothing needs what moved, what says where it went goes too.
    let olds: Vec<_> = site
        .expected
        .values()
        .map(|(point, _)| point.clone())
        .collect();
    for old in olds {
        site.remove(&old);
    }
    site.collect_until_clean();
    site.collect_until_clean();
    assert_eq!(site.store.names("forward/"), Vec::<String>::new());
    assert_eq!(site.packs(), 0);
}

#[test]
fn a_full_store_is_collected_but_nothing_is_moved() {
    let mut site = sparse_site();
    let gone = site.back_up("gone", &noise(3, SIZE));
    site.remove(&gone);
    site.store.advance(4 * DAY);
    let used = site.store.stored_bytes();
    site.store.set_capacity(Some(used + (64 << 10)));
    let report = site.collect();
    assert!(report.store_is_full);
    assert!(report.condemned_packs > 0);
    site.check();
    site.store.advance(2 * DAY);
    let report = site.collect();
    assert!(report.deleted_packs > 0);
    // Now there is room.
    assert!(report.rewritten_packs > 0);
    site.check();
    site.store.set_capacity(None);
    site.collect_until_clean();
    site.check();
}
