//! A host that adds restore points, and can neither read nor remove any.

use std::sync::Arc;

use block_io::{ByteRanges, MemoryDisk};
use repository::{
    CollectOptions, HostKey, RecoveryKey, Repository, RepositoryError, RepositoryErrorKind, Unlock,
};
use store_faults::MemoryStore;

use crate::collect::site::{DAY, HOUR, collect_on, noise};
use crate::domains::{made, opened};
use crate::support::{
    CHUNK, Quiet, back_up, disk_bytes, options, publish, read_back, store_changed_point,
};

const LEN: usize = 300 * CHUNK;

fn at_host(store: &MemoryStore, key: &HostKey) -> Result<Repository, RepositoryError> {
    let host = store.another_host();
    host.deny_removal(true);
    Repository::open(Arc::new(host), &Unlock::HostKey(key))
}

#[test]
fn a_host_backs_up_where_nothing_can_be_removed_and_the_owner_restores_it() {
    let (store, repository) = made();
    let key = repository
        .add_domain("web01")
        .unwrap()
        .add_host("web01")
        .unwrap();
    let typed = HostKey::parse(&key.to_text().to_lowercase()).unwrap();
    let host = at_host(&store, &typed).unwrap();
    assert_eq!(
        (host.domain(), host.domains()),
        ("web01", vec!["web01".to_owned()])
    );
    let first_bytes = disk_bytes(1, LEN);
    let first = back_up(&host, "vm", &first_bytes);
    // An incremental, in a run of a process of its own: by what changed, and by comparing all.
    let mut bytes = first_bytes.clone();
    bytes[9 * CHUNK..10 * CHUNK].fill(200);
    let host = at_host(&store, &key).unwrap();
    let changed: ByteRanges = std::iter::once(9 * CHUNK as u64..10 * CHUNK as u64).collect();
    let device = MemoryDisk::new(bytes.clone());
    let run = host.begin_run(2).unwrap();
    let previous = host.points_of("vm").unwrap().pop().unwrap();
    let second = store_changed_point(&run, "vm", &device, &previous, &changed).unwrap();
    assert_eq!(second.streams[0].statistics.new_bytes, CHUNK as u64);
    drop(run);
    let third = back_up(&host, "vm", &bytes);
    assert_eq!(third.streams[0].statistics.new_bytes, 0);
    let fourth = back_up(&host, "copy", &bytes);
    assert_eq!(
        fourth.streams[0].statistics.new_bytes, 0,
        "found by the index"
    );
    // The host reads nothing, not even what it wrote.
    let error = read_back(&host, &first).unwrap_err();
    assert!(error.to_string().contains("restore point"), "{error}");
    for (point, bytes) in [(&first, &first_bytes), (&second, &bytes), (&third, &bytes)] {
        assert_eq!(&read_back(&opened(&store), point).unwrap(), bytes);
    }
    assert_eq!(opened(&store).check(true, &Quiet).unwrap().damage, []);
}

#[test]
fn a_host_is_refused_whatever_is_not_adding_points() {
    let (store, repository) = made();
    let key = repository.add_domain("h").unwrap().add_host("h").unwrap();
    let host = at_host(&store, &key).unwrap();
    let point = back_up(&host, "vm", &disk_bytes(1, LEN));
    let before = store.names("");
    let recovery = RecoveryKey::generate().unwrap();
    let unlock = Unlock::RecoveryKey(&recovery);
    let cost = options().password_cost;
    let refusals = [
        host.remove_point(&point).err(),
        host.keys().err(),
        host.add_key(&unlock, None, cost).err(),
        host.remove_key("0123456789abcdef").err(),
        host.change_password("new", None, cost).err(),
        host.new_data_key().err(),
        host.add_domain("other").err(),
        host.add_host("other").err(),
        host.hosts().err(),
        host.remove_host("h").err(),
    ];
    for refusal in refusals {
        let error = refusal.unwrap();
        assert_eq!(error.kind(), RepositoryErrorKind::WriteOnly, "{error}");
        assert!(error.to_string().contains("a host's key"), "{error}");
    }
    assert_eq!(store.names(""), before, "refused before anything was done");
    // And another domain is not even seen.
    let error = host.in_domain("default").err().unwrap();
    assert_eq!(error.kind(), RepositoryErrorKind::NoSuchKey);
}

#[test]
fn what_belongs_to_other_domains_is_counted_and_not_called_damaged() {
    let (store, repository) = made();
    let theirs = back_up(&repository, "vm", &disk_bytes(1, LEN));
    let key = repository.add_domain("h").unwrap().add_host("h").unwrap();
    let host = at_host(&store, &key).unwrap();
    let own = back_up(&host, "vm", &disk_bytes(1, LEN));
    assert_ne!(own.streams[0].statistics.new_bytes, 0, "nothing is shared");
    let (points, unreadable) = host.points().unwrap();
    assert_eq!(points.iter().map(|p| &p.id).collect::<Vec<_>>(), [&own.id]);
    let kinds: Vec<_> = unreadable.iter().map(RepositoryError::kind).collect();
    assert_eq!(kinds, [RepositoryErrorKind::OtherDomain]);
    assert!(read_back(&host, &theirs).is_err());
    // The owner has the keys of both.
    assert_eq!(opened(&store).points().unwrap().0.len(), 2);
}

#[test]
fn hosts_of_one_domain_share_and_a_new_key_pair_reaches_them() {
    let (store, repository) = made();
    let domain = repository.add_domain("farm").unwrap();
    let keys = ["a", "b", "c"].map(|name| domain.add_host(name).unwrap());
    let bytes = disk_bytes(1, LEN);
    let first = back_up(&at_host(&store, &keys[0]).unwrap(), "one", &bytes);
    let long_open = at_host(&store, &keys[1]).unwrap();
    let second = back_up(&long_open, "two", &bytes);
    assert_eq!(second.streams[0].statistics.new_bytes, 0);
    // The key pair changes: a host that is open learns of it at its next run.
    domain.new_data_key().unwrap();
    let third = back_up(&long_open, "three", &disk_bytes(2, LEN));
    // A host that is removed is known no more; the others go on.
    domain.remove_host("a").unwrap();
    let error = at_host(&store, &keys[0]).err().unwrap();
    assert_eq!(error.kind(), RepositoryErrorKind::WrongKey);
    let fourth = back_up(
        &at_host(&store, &keys[2]).unwrap(),
        "four",
        &disk_bytes(3, LEN),
    );
    let reader = opened(&store);
    for (point, seed) in [(&first, 1), (&second, 1), (&third, 2), (&fourth, 3)] {
        assert_eq!(read_back(&reader, point).unwrap(), disk_bytes(seed, LEN));
    }
    let names: Vec<_> = reader
        .hosts()
        .unwrap()
        .into_iter()
        .map(|h| h.name)
        .collect();
    assert_eq!(names, ["b", "c"]);
    let hosts = reader.domain_list().unwrap().remove(1).hosts;
    assert_eq!(hosts, ["b", "c"]);
}

#[test]
fn a_host_key_is_neither_a_recovery_key_nor_the_other_way_round() {
    let (store, repository) = made();
    let key = repository.add_host("h").unwrap();
    let text = key.to_text();
    assert!(text.starts_with("LBH1-"));
    assert!(RecoveryKey::parse(&text).is_err());
    let recovery = RecoveryKey::generate().unwrap();
    assert!(HostKey::parse(&recovery.to_text()).is_err());
    // As a recovery key its bytes open nothing.
    let as_recovery = text.replacen("LBH1-", "LB1-", 1);
    let as_recovery = RecoveryKey::parse(&as_recovery).unwrap();
    let result = Repository::open(Arc::new(store), &Unlock::RecoveryKey(&as_recovery));
    assert_eq!(result.err().unwrap().kind(), RepositoryErrorKind::WrongKey);
}

#[test]
fn a_point_that_needs_what_was_condemned_long_ago_keeps_no_other_one_from_being_published() {
    for (hours, published) in [(1, true), (30, false)] {
        let (store, repository) = made();
        let domain = repository.add_domain("web01").unwrap();
        let key = domain.add_host("web01").unwrap();
        let host = at_host(&store, &key).unwrap();
        let old = back_up(&host, "vm", &noise(1, LEN));
        back_up(&host, "other", &noise(2, LEN));
        opened(&store).remove_point(&old).unwrap();
        store.advance(4 * DAY);
        let host = at_host(&store, &key).unwrap();
        let run = host.begin_run(2).unwrap();
        let found = MemoryDisk::new(noise(1, LEN));
        let stored = run.store_stream(&found, None, &Quiet).unwrap();
        assert_eq!(stored.statistics.new_bytes, 0, "the garbage was not found");
        let collected = collect_on(&store.another_host(), &CollectOptions::default()).unwrap();
        assert!(collected.condemned_packs > 0, "{collected:?}");
        store.advance(hours * HOUR);
        let result = publish(&run, "vm", &found, stored);
        assert_eq!(result.is_ok(), published, "{result:?}");
        if let Err(error) = result {
            assert_eq!(error.kind(), RepositoryErrorKind::WriteOnly, "{error}");
        }
        let new = MemoryDisk::new(noise(3, LEN));
        let stored = run.store_stream(&new, None, &Quiet).unwrap();
        let point = publish(&run, "new", &new, stored).unwrap();
        assert_eq!(read_back(&opened(&store), &point).unwrap(), noise(3, LEN));
        for _ in 0..3 {
            store.advance(2 * DAY);
            let _ = collect_on(&store.another_host(), &CollectOptions::default()).unwrap();
        }
        for point in opened(&store).points_of("vm").unwrap() {
            assert_eq!(read_back(&opened(&store), &point).unwrap(), noise(1, LEN));
        }
    }
}
