//! Domains share a store, and nothing in it.

use std::sync::Arc;

use block_io::{ByteRanges, MemoryDisk};
use repository::{Repository, RepositoryErrorKind};
use store_faults::MemoryStore;

use crate::support::{
    CHUNK, PASSWORD, Quiet, back_up, disk_bytes, options, read_back, store_changed_point,
    store_point,
};

const LEN: usize = 300 * CHUNK;

pub(crate) fn made() -> (MemoryStore, Repository) {
    let store = MemoryStore::new();
    let shared = Arc::new(store.another_host());
    let repository = Repository::init(shared, &[PASSWORD], options()).unwrap();
    (store, repository)
}

pub(crate) fn opened(store: &MemoryStore) -> Repository {
    Repository::open(Arc::new(store.another_host()), &PASSWORD).unwrap()
}

#[test]
fn equal_disks_in_two_domains_share_nothing_and_any_handle_reads_both() {
    let (store, repository) = made();
    let own = repository.add_domain("finance").unwrap();
    assert_eq!(own.domain(), "finance");
    assert_eq!(repository.domains(), ["default", "finance"]);
    let bytes = disk_bytes(1, LEN);
    let first = back_up(&repository, "one", &bytes);
    let second = back_up(&own, "one", &bytes);
    let stored = |point: &repository::RestorePoint| point.streams[0].statistics.new_bytes;
    assert_eq!(stored(&first), stored(&second));
    assert_ne!(first.streams[0].root, second.streams[0].root);
    for handle in [&repository, &own, &opened(&store)] {
        let (points, unreadable) = handle.points().unwrap();
        assert_eq!((points.len(), unreadable.len()), (2, 0));
        for point in &points {
            assert_eq!(read_back(handle, point).unwrap(), bytes);
        }
        assert_eq!(handle.check(true, &Quiet).unwrap().damage, []);
    }
    // What new data is compared with is the domain's own.
    assert_eq!(repository.points_of("one").unwrap().len(), 1);
    assert_eq!(own.points_of("one").unwrap()[0].id, second.id);
    // A second backup finds all of it by its own domain's index.
    let again = back_up(&opened(&store).in_domain("finance").unwrap(), "two", &bytes);
    assert_eq!(stored(&again), 0);
    // Removing by any handle removes the right one.
    repository.remove_point(&second).unwrap();
    let (left, _) = repository.points().unwrap();
    assert!(left.iter().all(|point| point.id != second.id) && left.len() == 2);
}

#[test]
fn an_earlier_point_of_another_domain_is_compared_with_by_reading_everything() {
    let (_, repository) = made();
    let own = repository.add_domain("own").unwrap();
    let mut bytes = disk_bytes(2, LEN);
    let before = back_up(&repository, "vm", &bytes);
    bytes[7 * CHUNK] ^= 1;
    let device = MemoryDisk::new(bytes.clone());
    let run = own.begin_run(2).unwrap();
    let whole = store_point(&run, "vm", &device, Some(&before)).unwrap();
    let changed: ByteRanges = std::iter::once(7 * CHUNK as u64..8 * CHUNK as u64).collect();
    let touched = store_changed_point(&run, "vm", &device, &before, &changed).unwrap();
    for point in [&whole, &touched] {
        assert_eq!(read_back(&own, point).unwrap(), bytes);
    }
    assert_eq!(own.check(true, &Quiet).unwrap().damage, []);
}

#[test]
fn a_handle_that_was_opened_before_learns_of_domains_and_keys_that_are_made_later() {
    let (store, repository) = made();
    let earlier = opened(&store);
    let own = repository.add_domain("later").unwrap();
    let bytes = disk_bytes(3, LEN);
    let point = back_up(&own, "vm", &bytes);
    assert_eq!(read_back(&earlier, &point).unwrap(), bytes);
    assert_eq!(earlier.in_domain("later").unwrap().domain(), "later");
    // A key that is made now is used by the next run of every handle, and read by all.
    assert_eq!(repository.new_data_key().unwrap(), 2);
    let other = disk_bytes(4, LEN);
    let under_new = back_up(&earlier, "other", &other);
    assert_eq!(read_back(&repository, &under_new).unwrap(), other);
    assert_eq!(read_back(&opened(&store), &under_new).unwrap(), other);
    assert_eq!(opened(&store).check(true, &Quiet).unwrap().damage, []);
}

#[test]
fn after_a_new_data_key_old_chunks_are_still_shared_and_old_points_read() {
    let (store, repository) = made();
    let mut bytes = disk_bytes(5, LEN);
    let first = back_up(&repository, "vm", &bytes);
    let old_packs = store.names("packs/");
    repository.new_data_key().unwrap();
    bytes[3 * CHUNK..4 * CHUNK].fill(250);
    let second = back_up(&opened(&store), "vm", &bytes);
    assert_eq!(second.streams[0].statistics.new_bytes, CHUNK as u64);
    let unchanged = old_packs.iter().all(|pack| store.bytes_of(pack).is_some());
    assert!(unchanged, "nothing is encrypted anew");
    assert_eq!(read_back(&repository, &second).unwrap(), bytes);
    bytes[3 * CHUNK..4 * CHUNK].copy_from_slice(&disk_bytes(5, LEN)[3 * CHUNK..4 * CHUNK]);
    assert_eq!(read_back(&repository, &first).unwrap(), bytes);
}

#[test]
fn two_hosts_that_change_the_keys_at_once_both_succeed() {
    let (store, repository) = made();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let handle = opened(&store);
            scope.spawn(move || {
                handle.add_domain(&format!("domain-{number}")).unwrap();
                handle.new_data_key().unwrap();
            });
        }
    });
    let domains = repository.domain_list().unwrap();
    assert_eq!(domains.len(), 5);
    assert_eq!(domains[0].data_keys, 5);
    assert_eq!(store.names("rings/").len(), 9);
    let error = repository.add_domain("domain-2").err().unwrap();
    assert_eq!(error.kind(), RepositoryErrorKind::Exists);
    for wrong in ["", "a b", "a/b", &"x".repeat(65)] {
        assert!(repository.add_domain(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_ring_that_does_not_authenticate_is_passed_over_and_blocks_no_change_silently() {
    let (store, repository) = made();
    let name = store.names("rings/").remove(0);
    let forged = name.replace("-00000001", "-00000002");
    assert!(store.duplicate(&name, &forged));
    assert_eq!(opened(&store).domains(), ["default"]);
    let error = repository.add_domain("new").err().unwrap();
    assert_eq!(error.kind(), RepositoryErrorKind::Damaged);
    assert!(error.to_string().starts_with(&forged), "{error}");
    assert!(store.lose(&forged));
    repository.add_domain("new").unwrap();
}
