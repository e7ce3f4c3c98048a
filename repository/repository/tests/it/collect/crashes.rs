//! A collector that dies at each write and removal, or of which one fails once.

use repository::{CollectOptions, Repository, RepositoryError, RestorePoint};
use store_faults::{Fault, MemoryStore};

use super::site::{DAY, HOUR, Site, back_up, collect_on, noise, open_on};
use crate::support::{CHUNK, Quiet, read_back};

const SIZE: usize = 384 << 10;

/// A repository in which one collection has everything to do.
struct Scene {
    site: Site,
    /// What the script removes; its chunks are what `sparse` shares.
    old: RestorePoint,
    /// What became garbage, which the next backup finds and stores again.
    garbage: Vec<u8>,
}

fn scene() -> Scene {
    let mut site = Site::new();
    // Of this nothing is left but what says so.
    let forgotten = site.back_up("forgotten", &noise(1, SIZE));
    site.remove(&forgotten);
    site.store.advance(4 * DAY);
    let _ = site.collect();
    // This is condemned, and its grace is over when the script begins.
    let garbage = noise(2, SIZE);
    let condemned = site.back_up("condemned", &garbage);
    // Of this every eighth chunk stays alive: worth moving.
    let whole = noise(3, 2 * SIZE);
    let old = site.back_up("vm", &whole);
    let mut sparse = whole;
    let new = noise(4, 2 * SIZE);
    for (number, chunk) in sparse.chunks_mut(CHUNK).enumerate() {
        if number % 8 != 0 {
            chunk.copy_from_slice(&new[number * CHUNK..][..CHUNK]);
        }
    }
    site.back_up("vm", &sparse);
    site.remove(&condemned);
    site.store.advance(4 * DAY);
    let deleted = site.collect();
    assert!(deleted.deleted_packs > 0 && deleted.condemned_packs > 0);
    // Small indexes, more than are left alone.
    for number in 0..9 {
        site.back_up(&format!("small {number}"), &noise(20 + number, CHUNK));
    }
    site.store.advance(30 * HOUR);
    Scene { site, old, garbage }
}

/// Prunes and collects as one host, and goes on after what fails; returns what the first
/// collection did.
fn script(
    host: &MemoryStore,
    old: &RestorePoint,
) -> Result<repository::CollectReport, RepositoryError> {
    let options = CollectOptions::default();
    let first = prune(host, old).and_then(|()| collect_on(host, &options));
    host.advance(30 * HOUR);
    let second = collect_on(host, &options);
    host.advance(30 * HOUR);
    let third = collect_on(host, &options);
    let first = first?;
    second.and(third).map(|_| first)
}

fn prune(host: &MemoryStore, old: &RestorePoint) -> Result<(), RepositoryError> {
    Repository::open(std::sync::Arc::new(host.clone()), &crate::support::PASSWORD)?
        .remove_point(old)
}

/// Every point that the store lists reads back whole, and those that were not removed are there.
fn check(site: &Site, step: usize, when: &str) {
    let repository = site.repository();
    let (points, damaged) = repository.points().unwrap();
    assert!(damaged.is_empty(), "step {step}, {when}: {damaged:?}");
    for (point, bytes) in site.expected.values() {
        let read = read_back(&repository, point);
        let whole = read.as_ref().is_ok_and(|read| *read == **bytes);
        assert!(whole, "step {step}, {when}: {:?}", read.err());
    }
    for point in points {
        let read = read_back(&repository, &point);
        assert!(read.is_ok(), "step {step}, {when}: {:?}", read.err());
    }
}

/// What others find after a collector that failed: nothing is missing, and all garbage goes.
fn goes_on_after(mut site: Site, scene: &Scene, step: usize) {
    check(&site, step, "after the fault");
    // A backup that finds what is garbage, condemned or half gone.
    let point = back_up(&site.repository(), "next", &scene.garbage).unwrap();
    site.remember(&point, &scene.garbage);
    collect_on(&site.store.another_host(), &CollectOptions::default()).unwrap();
    check(&site, step, "after the next collection");
    prune(&site.store.another_host(), &scene.old).unwrap();
    for _ in 0..8 {
        site.store.advance(4 * DAY);
        let _ = site.collect();
    }
    check(&site, step, "at the end");
    let last = site.collect();
    assert_eq!(
        last.packs, last.needed_packs,
        "step {step}: garbage is left"
    );
    assert_eq!(last.missing_packs, 0, "step {step}");
    assert_eq!(site.store.names("condemned/"), [""; 0], "step {step}");
    // Indexes list what is there, and no more of them than are left alone.
    assert!(site.store.names("index/").len() <= 8, "step {step}");
    let checked = site.repository().check(false, &Quiet).unwrap();
    assert!(checked.is_good(), "step {step}: {checked:?}");
}

/// Runs the script with a fault at each of its writes and removals.
fn survives(fault: impl Fn(usize) -> Fault) {
    let scene = scene();
    let mut step = 0;
    loop {
        let mut site = scene.site.fork();
        site.expected.remove(&scene.old.id);
        let host = site.store.another_host();
        host.set_fault(fault(step), false);
        let result = script(&host, &scene.old);
        let struck = host.steps() > step;
        goes_on_after(site, &scene, step);
        if !struck {
            let report = result.unwrap();
            // Nothing of what a collection does was left out.
            assert!(
                report.deleted_packs > 0 && report.condemned_packs > 0,
                "{report:?}"
            );
            assert!(
                report.rewritten_packs > 0 && report.indexes_written > 0,
                "{report:?}"
            );
            assert!(step > 20, "only {step} steps: too few to mean anything");
            return;
        }
        step += 1;
    }
}

#[test]
fn a_collector_that_dies_at_any_write_or_removal_takes_nothing_and_leaves_nothing() {
    survives(Fault::DieAt);
}

#[test]
fn a_write_or_removal_that_fails_once_takes_nothing_and_leaves_nothing() {
    survives(Fault::FailOnce);
}

/// A collector that somebody else acts within, at one of its requests of any kind.
fn interleaved(act: impl Fn(&Site, &Scene) + Copy + Send + 'static) {
    let scene = std::sync::Arc::new(scene());
    let requests = {
        let site = scene.site.fork();
        let host = site.store.another_host();
        host.set_fault(Fault::None, true);
        script(&host, &scene.old).unwrap();
        host.steps()
    };
    // A sample of them: all take too long for every day.
    let stride = (requests / 60).max(1);
    for step in (0..requests).step_by(stride) {
        let mut site = scene.site.fork();
        site.expected.remove(&scene.old.id);
        let host = site.store.another_host();
        host.set_fault(Fault::None, true);
        let (store, others) = (site.store.another_host(), std::sync::Arc::clone(&scene));
        host.before_step(step, move || {
            let site = Site {
                store,
                expected: std::collections::BTreeMap::new(),
            };
            act(&site, &others);
        });
        // Either may fail over what the other did; neither may take anything.
        drop(script(&host, &scene.old));
        goes_on_after(site, &scene, step);
    }
}

#[test]
fn a_collection_within_a_collection_takes_nothing_that_is_needed() {
    interleaved(|site, _| {
        site.collect();
    });
}

#[test]
fn a_collector_that_sleeps_while_others_collect_and_back_up_takes_nothing_that_is_needed() {
    interleaved(|site, scene| {
        site.collect();
        back_up(&site.repository(), "beside", &scene.garbage).unwrap();
        site.store.advance(30 * HOUR);
        site.collect();
        let bytes = [noise(3, SIZE), noise(5, SIZE)].concat();
        back_up(&site.repository(), "vm", &bytes).unwrap();
    });
}

#[test]
fn two_collectors_and_a_writer_at_once_end_with_every_point_whole() {
    let scene = scene();
    let mut site = scene.site.fork();
    prune(&site.store.another_host(), &scene.old).unwrap();
    site.expected.remove(&scene.old.id);
    for round in 0..4 {
        let written = std::thread::scope(|scope| {
            let store = &site.store;
            let collectors = [(); 2].map(|()| {
                let host = store.another_host();
                scope.spawn(move || collect_on(&host, &CollectOptions::default()))
            });
            let bytes = [&scene.garbage[..], &noise(30 + round, SIZE / 2)].concat();
            let writer = scope.spawn(move || {
                let result = back_up(&open_on(&store.another_host()), "writer", &bytes);
                (result, bytes)
            });
            for collector in collectors {
                collector.join().unwrap().unwrap();
            }
            writer.join().unwrap()
        });
        if let (Ok(point), bytes) = written {
            site.remember(&point, &bytes);
        }
        check(&site, round as usize, "after a round");
        site.store.advance(30 * HOUR);
    }
    goes_on_after(site, &scene, 4);
}
