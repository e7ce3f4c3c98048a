//! A collector beside writers that pause, clocks that jump, and hosts that die.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use block_io::{ByteRanges, MemoryDisk};
use repository::{CollectOptions, RepositoryErrorKind};
use store_faults::{Fault, ListingLag, MemoryStore};

use super::site::{DAY, HOUR, Site, back_up, collect_on, noise, open_on};
use crate::support::{CHUNK, Quiet, publish, read_back, store_changed_point, store_point};

const SIZE: usize = 2 << 20;

/// A repository in which disk 1 is garbage that is old enough to be condemned.
fn site_with_garbage() -> Site {
    let mut site = Site::new();
    let old = site.back_up("vm", &noise(1, SIZE));
    site.back_up("other", &noise(2, SIZE));
    site.remove(&old);
    site.store.advance(4 * DAY);
    site
}

fn collect(store: &MemoryStore) {
    let _ = collect_on(&store.another_host(), &CollectOptions::default()).unwrap();
}

#[test]
fn what_a_writer_found_before_it_was_condemned_is_mended_after_the_point() {
    let mut site = site_with_garbage();
    let (repository, _) = site.open();
    let run = repository.begin_run(2).unwrap();
    // The garbage is found by its names and used.
    let disk = noise(1, SIZE);
    let device = MemoryDisk::new(disk.clone());
    let stored = run.store_stream(&device, None, &Quiet).unwrap();
    collect(&site.store);
    assert_eq!(stored.statistics.new_bytes, 0, "the garbage was not found");
    let root = stored.root.clone();
    let point = publish(&run, "vm", &device, stored).unwrap();
    assert_ne!(point.streams[0].root, root, "it was not mended");
    assert_eq!(repository.points_of("vm").unwrap().len(), 1);
    site.remember(&point, &disk);
    site.collect_until_clean();
    site.check();
    assert!(site.store.names("condemned/").is_empty());
}

#[test]
fn a_writer_that_begins_later_uses_nothing_that_is_condemned() {
    let mut site = site_with_garbage();
    collect(&site.store);
    let point = site.back_up("vm", &noise(1, SIZE));
    assert!(point.streams[0].statistics.new_bytes > 0);
    site.collect_until_clean();
    site.check();
}

#[test]
fn a_writer_that_pauses_for_any_time_publishes_whole_points_or_none() {
    // Where in the run it sleeps: before the first pack, in the middle, before the point.
    for pause in [1, 13, 30, 72, 200] {
        for step in [0, 1, 2, 3, 4, 5] {
            for collections in [1, 2, 5] {
                let mut site = site_with_garbage();
                let (repository, host) = site.open();
                let store = site.store.clone();
                host.set_fault(Fault::None, false);
                host.before_step(step, move || {
                    for _ in 0..collections {
                        collect(&store);
                        store.advance(pause * HOUR / collections);
                    }
                    collect(&store);
                });
                // Half of it is the garbage, half is new.
                let disk = [noise(1, SIZE / 2), noise(9, SIZE / 2)].concat();
                match back_up(&repository, "vm", &disk) {
                    Ok(_) => {
                        let point = repository.points_of("vm").unwrap().pop().unwrap();
                        site.remember(&point, &disk);
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), RepositoryErrorKind::Collected, "{error}");
                        assert!(repository.points_of("vm").unwrap().is_empty());
                        site.back_up("vm", &disk);
                    }
                }
                site.check();
                site.collect_until_clean();
                site.check();
            }
        }
    }
}

#[test]
fn a_parent_that_is_pruned_while_its_child_is_stored_takes_nothing_with_it() {
    // The child shares subtrees of the parent that nobody reads.
    for hours in [0, 5, 26, 80] {
        let mut site = Site::new();
        let mut disk = noise(1, 4 << 20);
        let parent = site.back_up("vm", &disk);
        site.store.advance(4 * DAY);
        let (repository, _) = site.open();
        let run = repository.begin_run(2).unwrap();
        site.remove(&parent);
        collect(&site.store);
        site.store.advance(hours * HOUR);
        collect(&site.store);
        disk[..CHUNK].fill(7);
        let mut changed = ByteRanges::new();
        changed.insert(0, CHUNK as u64);
        let device = MemoryDisk::new(disk.clone());
        match store_changed_point(&run, "vm", &device, &parent, &changed) {
            Ok(_) => {
                let point = repository.points_of("vm").unwrap().pop().unwrap();
                site.remember(&point, &disk);
            }
            Err(error) => assert!(hours >= 24, "{hours}: {error}"),
        }
        site.check();
        site.collect_until_clean();
        site.check();
    }
}

#[test]
fn a_child_of_a_point_that_the_collector_did_not_see_needs_nothing_condemned() {
    // The child begins so long after it was condemned, and is published so long after that.
    for (before, between) in [(0, 25), (20, 5)] {
        child_of_an_unseen_point(before, between);
    }
}

fn child_of_an_unseen_point(hours_before: u32, hours_between: u32) {
    // The parent is published between the collector's listing and what it condemns.
    let mut site = site_with_garbage();
    let (repository, _) = site.open();
    // Its first leaf is new, and what the leaf points to is not. All of its second leaf is new.
    let mut disk = noise(1, SIZE);
    disk[..CHUNK].fill(5);
    disk[SIZE / 2..].copy_from_slice(&noise(8, SIZE / 2));
    let published = Arc::new(Mutex::new(None));
    let collector = site.store.another_host();
    collector.set_fault(Fault::None, false);
    let run = repository.begin_run(2).unwrap();
    let (device, seen) = (MemoryDisk::new(disk.clone()), Arc::clone(&published));
    // Step 0 says that packs are collected; step 1 condemns.
    collector.before_step(1, move || {
        *seen.lock().unwrap() = Some(store_point(&run, "vm", &device, None).unwrap());
    });
    let report = collect_on(&collector, &CollectOptions::default()).unwrap();
    assert!(report.condemned_packs > 0);
    let parent = published.lock().unwrap().take().unwrap();
    site.remember(&parent, &disk);
    site.store.advance(hours_before * HOUR);
    // Whoever begins now knows what is condemned, but shares subtrees that lie in it unread.
    let (repository, _) = site.open();
    let run = repository.begin_run(2).unwrap();
    let mut child_disk = disk.clone();
    child_disk[SIZE - CHUNK..].fill(3);
    let mut changed = ByteRanges::new();
    changed.insert((SIZE - CHUNK) as u64, CHUNK as u64);
    let device = MemoryDisk::new(child_disk.clone());
    let stored = run
        .store_changed(&device, &parent.streams[0], &changed, &Quiet)
        .unwrap();
    // The parent is pruned, and the next collection lists the points before the child is there.
    site.remove(&parent);
    site.store.advance(hours_between * HOUR);
    collect(&site.store);
    let published = publish(&run, "vm", &device, stored);
    match published {
        Ok(point) => {
            let point = repository.points_of("vm").unwrap().pop().unwrap_or(point);
            site.remember(&point, &child_disk);
        }
        Err(error) => assert_eq!(error.kind(), RepositoryErrorKind::Collected, "{error}"),
    }
    site.check();
    site.collect_until_clean();
    site.check();
}

#[test]
fn a_run_of_many_days_keeps_its_packs() {
    let mut site = site_with_garbage();
    let (repository, host) = site.open();
    host.set_fault(Fault::None, false);
    // Three hours for each object, a collection for each.
    for step in 0..200 {
        let store = site.store.clone();
        host.before_step(step, move || {
            store.advance(HOUR * 3);
            collect(&store);
        });
    }
    let disk = noise(7, 50 << 20);
    let run = repository.begin_run(2).unwrap();
    let device = MemoryDisk::new(disk.clone());
    store_point(&run, "vm", &device, None).unwrap();
    drop(run);
    assert!(host.steps() > 45, "{}", host.steps());
    let point = repository.points_of("vm").unwrap().pop().unwrap();
    site.remember(&point, &disk);
    assert!(site.store.names("runs/").is_empty());
    site.check();
}

#[test]
fn with_no_other_writers_a_writer_that_was_there_all_the_same_publishes_nothing_broken() {
    for step in 0..6 {
        let mut site = site_with_garbage();
        let (repository, host) = site.open();
        host.set_fault(Fault::None, false);
        let store = site.store.clone();
        host.before_step(step, move || {
            let alone = CollectOptions {
                no_other_writers: true,
                ..CollectOptions::default()
            };
            let _ = collect_on(&store.another_host(), &alone).unwrap();
        });
        let disk = [noise(1, SIZE / 2), noise(9, SIZE / 2)].concat();
        if back_up(&repository, "vm", &disk).is_ok() {
            let point = repository.points_of("vm").unwrap().pop().unwrap();
            site.remember(&point, &disk);
        }
        site.check();
        site.back_up("again", &disk);
        site.check();
    }
}

#[test]
fn a_listing_that_lags_hides_neither_points_nor_what_is_condemned() {
    for seed in 1..20 {
        let mut site = site_with_garbage();
        let lag = ListingLag {
            time: HOUR - Duration::from_secs(1),
            requests: 0,
        };
        site.store.set_lag(lag, seed * 0x9E37_79B9);
        let (repository, _) = site.open();
        let run = repository.begin_run(2).unwrap();
        collect(&site.store);
        let disk = noise(1, SIZE);
        let device = MemoryDisk::new(disk.clone());
        let asked = store_point(&run, "vm", &device, None).unwrap();
        let names = site.store.names("points/");
        site.store.set_lag(ListingLag::default(), 1);
        let point = open_on(&site.store).points_of("vm").unwrap().pop();
        let point = point.unwrap_or_else(|| panic!("{names:?} without {}", asked.id));
        site.remember(&point, &disk);
        site.store.set_lag(lag, seed * 0x9E37_79B9 + 1);
        for _ in 0..4 {
            site.store.advance(12 * HOUR);
            collect(&site.store);
        }
        assert_eq!(read_back(&site.repository(), &point).unwrap(), disk);
        site.check();
    }
}
