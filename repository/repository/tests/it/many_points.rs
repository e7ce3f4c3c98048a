//! Ten thousand points: how many objects a listing reads.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use repository::{Note, Repository, RestorePoint};
use store_faults::MemoryStore;

use crate::support::{PASSWORD, back_up, options};

const POINTS: u32 = 10_000;
const VMS: u32 = 250;

/// Publishes points that have what the first one has, one minute after the other.
fn publish(repository: &Repository, like: &RestorePoint, numbers: std::ops::Range<u32>) {
    let run = repository.begin_run(1).unwrap();
    for number in numbers {
        let mut point = like.clone();
        point.id = RestorePoint::new_id().unwrap();
        point.vm.identity = format!("identity of {}", number % VMS);
        point.vm.name = format!("VM{:03}", number % VMS);
        point.started += SignedDuration::from_mins(i64::from(number));
        point.warnings = vec![format!("warning {}", number % 7)];
        run.publish(&point).unwrap();
    }
}

/// Lists everything; returns how many objects that read.
fn reads(store: &MemoryStore, repository: &Repository, points: u32) -> u64 {
    store.take_counts();
    let catalog = repository.catalog().unwrap();
    let counts = store.take_counts();
    assert_eq!(catalog.points.len(), points as usize);
    assert!(catalog.unreadable.is_empty());
    let in_order = catalog
        .points
        .is_sorted_by_key(|point| point.summary.started);
    assert!(in_order);
    // Roll-ups, notes and points; the key ring may be looked for too.
    assert!(counts.listings <= 5, "{counts:?}");
    counts.reads
}

#[test]
fn a_listing_of_ten_thousand_points_reads_at_most_twenty_objects() {
    let store = MemoryStore::new();
    let repository = Repository::init(Arc::new(store.clone()), &[PASSWORD], options()).unwrap();
    let like = back_up(&repository, "first", &[7; 20_000]);
    // Programs that knew no roll-ups left these: they are read one by one, and rolled up once.
    publish(&repository, &like, 1..POINTS);
    assert_eq!(reads(&store, &repository, POINTS), u64::from(POINTS));
    assert_eq!(repository.roll_up_points().unwrap().written, 1);
    assert_eq!(reads(&store, &repository, POINTS), 1);
    let mut most = 0;
    for run in 0..100 {
        publish(&repository, &like, POINTS + run..POINTS + run + 1);
        if run % 3 == 0 {
            let note = Note::Comment(run.to_string());
            repository
                .add_note(&like.id, &note, Timestamp::now())
                .unwrap();
        }
        repository.roll_up_points().unwrap();
        most = most.max(store.names("rollups/").len());
    }
    assert!(most <= 6, "{most} roll-ups");
    let points = POINTS + 100;
    assert!(reads(&store, &repository, points) <= 20);
    // One that is damaged is nothing, and the next run writes it anew.
    let mut roll_ups = store.names("rollups/");
    roll_ups.sort_by_key(|object| store.bytes_of(object).unwrap().len());
    let largest = roll_ups.pop().unwrap();
    store.tamper(&largest, |bytes| bytes.truncate(bytes.len() / 2));
    let fallback = reads(&store, &repository, points);
    assert!(fallback > u64::from(POINTS) / 2, "{fallback}");
    repository.roll_up_points().unwrap();
    assert!(reads(&store, &repository, points) <= 20);
    assert!(
        store.bytes_of(&largest).is_none(),
        "the damaged one is left"
    );
    // So does one after all were lost.
    for object in store.names("rollups/") {
        assert!(store.lose(&object));
    }
    repository.roll_up_points().unwrap();
    assert!(reads(&store, &repository, points) <= 20);
}

#[test]
fn what_new_data_is_compared_with_is_found_with_one_object_read() {
    let store = MemoryStore::new();
    let repository = Repository::init(Arc::new(store.clone()), &[PASSWORD], options()).unwrap();
    for number in 0..20_u8 {
        store.advance(std::time::Duration::from_secs(3600));
        back_up(&repository, "vm", &[number; 5000]);
    }
    let all = repository.points_of("vm").unwrap();
    store.take_counts();
    let newest = repository.newest_point_of("vm", |_| true).unwrap().unwrap();
    assert_eq!(store.take_counts().reads, 1);
    let data = |point: &RestorePoint| point.streams[0].root.clone();
    let last = repository.newest_point_of("vm", |point| data(point) == data(&all[0]));
    assert_eq!(last.unwrap().unwrap().id, all[0].id);
    assert!(all.iter().any(|point| point.id == newest.id));
    assert!(
        repository
            .newest_point_of("vm", |_| false)
            .unwrap()
            .is_none()
    );
    assert!(
        repository
            .newest_point_of("nobody", |_| true)
            .unwrap()
            .is_none()
    );
}
