//! What a host that holds the keys of a domain writes makes a collector delete nothing.

use std::time::Duration;

use block_io::BlockDevice as _;
use object_store::ObjectStore as _;
use store_faults::MemoryStore;

use crate::collect::forward_map::ForwardMap;
use crate::collect::pack_table::{ListedPack, PackTable};
use crate::format::{Condemned, Forward, IndexObject, Locator, PackId};
use crate::test_repository::{self, Quiet, at_host, back_up, disk};
use crate::{CollectOptions, CollectReport, HostKey, Repository, RestorePoint};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn made() -> (MemoryStore, Repository, HostKey) {
    let (store, repository) = test_repository::made();
    let key = repository.add_host("hostile").unwrap();
    (store, repository, key)
}

/// Fails unless a point reads as `expected`.
fn check(repository: &Repository, point: &RestorePoint, expected: &[u8]) {
    let device = repository.open_stream(&point.streams[0]).unwrap();
    let mut bytes = vec![0; expected.len()];
    device.read_at(0, &mut bytes).unwrap();
    assert!(bytes == expected, "{}", point.id);
}

fn collect(repository: &Repository, no_other_writers: bool) -> CollectReport {
    let options = CollectOptions {
        no_other_writers,
        workers: 2,
        ..CollectOptions::default()
    };
    repository.collect(&options, &Quiet).unwrap()
}

/// Leads every frame of every pack to one junk pack.
fn lead_all_to_junk(store: &MemoryStore, owner: &Repository, host: &Repository) -> PackId {
    let packs = store.names("packs/");
    let junk = PackId::random().unwrap();
    store.put_new(&junk.object_name(), &[7; 1 << 20]).unwrap();
    for object in packs {
        let pack = PackId::from_object_name(&object).unwrap();
        let size_bytes = store.size_bytes(&object).unwrap();
        // Junk of an earlier round is no pack.
        let Ok((_, entries)) = owner.shared.read_trailer(pack, size_bytes) else {
            continue;
        };
        let to_junk = |old_offset| Forward {
            old_offset,
            target: Locator {
                pack: junk,
                offset: 96,
                stored_bytes: 100,
            },
        };
        let offsets = entries.iter().map(|entry| entry.offset);
        let mut forwards: Vec<Forward> = offsets.map(to_junk).collect();
        host.shared.put_forward(pack, &mut forwards).unwrap();
    }
    junk
}

#[test]
fn hostile_forwards_for_every_pack_make_no_collector_delete_what_points_need() {
    for no_other_writers in [true, false] {
        let (store, owner, key) = made();
        let disks = [disk(1, 40), disk(2, 40)];
        let points = [back_up(&owner, &disks[0]), back_up(&owner, &disks[1])];
        let gone = back_up(&owner, &disk(3, 40));
        let needed = store.names("packs/");
        lead_all_to_junk(&store, &owner, &at_host(&store, &key));
        owner.remove_point(&gone).unwrap();
        for _ in 0..4 {
            store.advance(4 * DAY);
            let report = collect(&owner, no_other_writers);
            assert_eq!(report.missing_packs, 0);
            for (point, bytes) in points.iter().zip(&disks) {
                check(&owner, point, bytes);
            }
        }
        // What nothing needs goes all the same.
        assert!(needed.iter().any(|pack| store.bytes_of(pack).is_none()));
        // And what is rewritten is led to by the owner, on no host's word.
        let packs = store.names("packs/");
        lead_all_to_junk(&store, &owner, &at_host(&store, &key));
        let all = CollectOptions {
            rewrite_below: 1.0,
            workers: 2,
            ..CollectOptions::default()
        };
        owner.remove_point(&points[1]).unwrap();
        for _ in 0..4 {
            store.advance(4 * DAY);
            owner.collect(&all, &Quiet).unwrap();
            check(&owner, &points[0], &disks[0]);
        }
        assert!(packs.iter().any(|pack| store.bytes_of(pack).is_none()));
    }
}

#[test]
fn an_index_of_one_domain_that_lists_anothers_packs_condemns_none_of_them() {
    let (store, owner, _) = made();
    let hostile = owner.add_domain("hostile").unwrap();
    let key = hostile.add_host("another").unwrap();
    let bytes = disk(1, 40);
    let point = back_up(&owner, &bytes);
    let unneeded = back_up(&owner, &disk(2, 40));
    owner.remove_point(&unneeded).unwrap();
    let objects = store.names("packs/");
    let packs = objects.iter().filter_map(|o| PackId::from_object_name(o));
    let packs: Vec<PackId> = packs.collect();
    let host = at_host(&store, &key);
    let index = IndexObject::build(host.shared.domain(), &mut [], packs.clone()).unwrap();
    let name = index.id.index_object_name();
    store.put_new(&name, &index.bytes).unwrap();
    let now = "2020-01-01T00:00:00Z".parse().unwrap();
    let content = Condemned {
        marked: now,
        packs: packs.clone(),
        ..Condemned::default()
    };
    host.shared.put_condemned(&content).unwrap();
    store.advance(4 * DAY);
    // On the word of the hostile domain nothing is deleted or written anew.
    let report = collect(&owner, false);
    assert_eq!((report.deleted_packs, report.rewritten_packs), (0, 0));
    assert!(objects.iter().all(|pack| store.bytes_of(pack).is_some()));
    // What is condemned is condemned by its own domain, and goes a grace later.
    assert!(report.condemned_packs > 0);
    let condemned = owner.shared.condemned_objects(&Default::default()).unwrap();
    let own = owner.shared.domain().id;
    let named: usize = condemned.0.iter().filter(|o| o.domain == own).count();
    assert_eq!(named, 1);
    store.advance(2 * DAY);
    assert_eq!(collect(&owner, false).deleted_packs, report.condemned_packs);
    check(&owner, &point, &bytes);
}

#[test]
fn junk_among_the_condemned_objects_is_counted_and_stops_nobody() {
    let (store, owner, _) = made();
    let bytes = disk(1, 40);
    let point = back_up(&owner, &bytes);
    for (number, junk) in [&b""[..], b"junk", &[7; 200]].into_iter().enumerate() {
        store
            .put_new(&format!("condemned/{number:032x}"), junk)
            .unwrap();
    }
    assert_eq!(collect(&owner, false).foreign_condemned, 3);
    back_up(&owner, &disk(2, 40));
    check(&owner, &point, &bytes);
    // One that says that it is ours and is not is an error, which names it.
    let content = Condemned::default();
    let name = owner.shared.put_condemned(&content).unwrap();
    let copy = format!("condemned/{:032x}", 99);
    assert!(store.duplicate(&name, &copy));
    let error = owner
        .collect(&CollectOptions::default(), &Quiet)
        .unwrap_err();
    assert!(error.to_string().contains(&copy), "{error}");
}

#[test]
fn circles_of_forwards_keep_everything_where_it_is_and_too_many_are_refused() {
    let (_store, owner, key) = made();
    let host = at_host(&_store, &key);
    let pack = |n: u8| PackId([n; 16]);
    let listed = (0..200).map(|n| ListedPack {
        id: pack(n),
        size_bytes: 1000,
        written: 0,
    });
    let table = PackTable::new(listed.collect());
    let to = |n: u8| Forward {
        old_offset: 100,
        target: Locator {
            pack: pack(n),
            offset: 100,
            stored_bytes: 10,
        },
    };
    let domain = owner.shared.domain().id;
    let places = |start: u8| {
        let map = ForwardMap::load(&owner.shared).unwrap();
        let mut found = map.resolve(&table, domain, &to(start).target)?;
        found.sort_unstable_by_key(|place| place.pack);
        let numbers: Vec<u32> = found.iter().map(|place| place.pack).collect();
        Ok::<_, crate::RepositoryError>(numbers)
    };
    // Vouched: away from 1 to 3, which 2 leads to.
    owner.shared.put_forward(pack(1), &mut [to(2)]).unwrap();
    owner.shared.put_forward(pack(2), &mut [to(3)]).unwrap();
    assert_eq!(places(1).unwrap(), [3]);
    // On a host's word what is there stays, too.
    host.shared.put_forward(pack(3), &mut [to(4)]).unwrap();
    host.shared.put_forward(pack(1), &mut [to(5)]).unwrap();
    assert_eq!(places(1).unwrap(), [3, 4, 5]);
    // A vouched circle.
    owner.shared.put_forward(pack(10), &mut [to(11)]).unwrap();
    owner.shared.put_forward(pack(11), &mut [to(10)]).unwrap();
    assert_eq!(places(10).unwrap(), [10, 11]);
    // Eight hops of 64 branches each, every pack to every one of the next eight.
    for hop in 0..8u8 {
        for branch in 0..8 {
            for next in 0..8 {
                let (from, target) = (100 + hop * 8 + branch, 108 + hop * 8 + next);
                host.shared
                    .put_forward(pack(from), &mut [to(target)])
                    .unwrap();
            }
        }
    }
    let error = places(100).unwrap_err();
    assert!(error.to_string().contains("forwarding objects"), "{error}");
    // What has nothing to do with it is told all the same.
    assert_eq!(places(50).unwrap(), [50]);
}
