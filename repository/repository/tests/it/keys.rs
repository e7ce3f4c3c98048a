//! What opens a repository and what does not.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;

use object_store::{FolderStore, ObjectStore as _};
use proptest::prelude::*;
use repository::{KeyFile, RecoveryKey, Repository, RepositoryErrorKind, Unlock};
use store_faults::{Fault, MemoryStore};

use crate::domains::made;
use crate::support::{CHUNK, PASSWORD, back_up, disk_bytes, init, open, options, read_back};

fn kind(result: Result<Repository, repository::RepositoryError>) -> RepositoryErrorKind {
    result.err().unwrap().kind()
}

#[test]
fn the_password_and_the_recovery_key_open_it_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let key = RecoveryKey::generate().unwrap();
    let store = Arc::new(FolderStore::create(folder.path()).unwrap());
    let unlocks = [PASSWORD, Unlock::RecoveryKey(&key)];
    let id = Repository::init(store.clone(), &unlocks, options())
        .unwrap()
        .id()
        .to_owned();
    for unlock in &unlocks {
        assert_eq!(Repository::open(store.clone(), unlock).unwrap().id(), id);
    }
    let other = RecoveryKey::generate().unwrap();
    for unlock in [
        Unlock::Password("wrong"),
        Unlock::Password(""),
        Unlock::RecoveryKey(&other),
    ] {
        let result = Repository::open(store.clone(), &unlock);
        assert_eq!(kind(result), RepositoryErrorKind::WrongKey);
    }
}

#[test]
fn neither_the_password_nor_the_recovery_key_lies_in_the_repository() {
    let folder = tempfile::tempdir().unwrap();
    let key = RecoveryKey::generate().unwrap();
    let store = Arc::new(FolderStore::create(folder.path()).unwrap());
    Repository::init(store, &[PASSWORD, Unlock::RecoveryKey(&key)], options()).unwrap();
    let text = key.to_text();
    for (object, _) in crate::support::listing(folder.path()) {
        let bytes = fs::read(folder.path().join(object)).unwrap();
        let holds = |secret: &str| bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
        assert!(!holds("correct horse") && !holds(&text) && !holds(&text[4..20]));
    }
}

#[test]
fn no_repository_an_occupied_folder_and_a_newer_version_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(kind(open(folder.path())), RepositoryErrorKind::NotFound);
    init(folder.path());
    let again = Arc::new(FolderStore::open(folder.path()).unwrap());
    assert_eq!(
        kind(Repository::init(again, &[PASSWORD], options())),
        RepositoryErrorKind::Exists
    );
    // A feature that writers must know stops writers, one that readers must know stops all.
    let features = folder.path().join("features");
    fs::create_dir(&features).unwrap();
    fs::write(features.join("unheard-of"), b"").unwrap();
    let repository = open(folder.path()).unwrap();
    assert!(repository.points().is_ok());
    let error = repository.begin_run(1).err().unwrap();
    assert_eq!(error.kind(), RepositoryErrorKind::Unsupported);
    fs::write(features.join("read-all"), b"").unwrap();
    assert_eq!(kind(open(folder.path())), RepositoryErrorKind::Unsupported);
}

#[test]
fn changed_parameters_and_a_lost_key_ring_are_damage() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let file = folder.path().join("lifeboat-repository");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text.replace("\"chunk_bytes\":4096", "\"chunk_bytes\":8192"),
    )
    .unwrap();
    assert_eq!(kind(open(folder.path())), RepositoryErrorKind::Damaged);
    fs::write(&file, text).unwrap();
    assert!(open(folder.path()).is_ok());
    fs::remove_dir_all(folder.path().join("rings")).unwrap();
    assert_eq!(kind(open(folder.path())), RepositoryErrorKind::Damaged);
    fs::remove_dir_all(folder.path().join("keys")).unwrap();
    assert_eq!(kind(open(folder.path())), RepositoryErrorKind::Damaged);
}

#[test]
fn a_slot_that_asks_for_endless_work_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let slot = fs::read_dir(folder.path().join("keys"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let text = fs::read_to_string(&slot).unwrap();
    fs::write(
        &slot,
        text.replace("\"memory_kib\":64", "\"memory_kib\":4000000000"),
    )
    .unwrap();
    assert_eq!(kind(open(folder.path())), RepositoryErrorKind::Unsupported);
}

fn cost() -> repository::PasswordCost {
    options().password_cost
}

#[test]
fn several_passwords_and_key_files_open_it_until_they_are_removed() {
    let (store, repository) = made();
    let file = KeyFile::new(&disk_bytes(1, 4 * CHUNK)[3 * CHUNK..]).unwrap();
    let recovery = RecoveryKey::generate().unwrap();
    let unlocks = [
        Unlock::Password("second"),
        Unlock::KeyFile(&file),
        Unlock::RecoveryKey(&recovery),
    ];
    let slots = unlocks.each_ref().map(|unlock| {
        let label = Some("  of the\u{1b}[31m office");
        repository.add_key(unlock, label, cost()).unwrap()
    });
    let open = |unlock: &Unlock<'_>| Repository::open(Arc::new(store.another_host()), unlock);
    assert!(unlocks.iter().chain([&PASSWORD]).all(|u| open(u).is_ok()));
    let known = repository.keys().unwrap();
    let mut kinds: Vec<_> = known.iter().map(|key| key.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["key-file", "password", "password", "recovery-key"]);
    let shown = known.iter().find(|key| key.slot == slots[0]).unwrap();
    assert_eq!(shown.label.as_deref(), Some("  of the[31m office"));
    assert!(shown.created.is_some() && known.iter().filter(|key| key.opened).count() == 1);
    repository.remove_key(&slots[1]).unwrap();
    assert_eq!(kind(open(&unlocks[1])), RepositoryErrorKind::WrongKey);
    assert!(open(&unlocks[2]).is_ok());
    let error = repository.remove_key(&slots[1]).unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::NoSuchKey);
}

#[test]
fn one_key_that_is_known_to_open_always_stays() {
    let (store, repository) = made();
    let opened_with = repository.keys().unwrap().remove(0).slot;
    let error = repository.remove_key(&opened_with).unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Refused);
    let second = repository
        .add_key(&Unlock::Password("second"), None, cost())
        .unwrap();
    // Two people, each with a password, each remove the other's.
    let other = Arc::new(store.another_host());
    let other = Repository::open(other, &Unlock::Password("second")).unwrap();
    other.remove_key(&opened_with).unwrap();
    let error = repository.remove_key(&second).unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Refused);
    assert_eq!(store.names("keys/").len(), 1);
}

#[test]
fn a_change_of_password_writes_one_slot_and_encrypts_nothing_anew() {
    let (store, repository) = made();
    let bytes = disk_bytes(1, 100 * CHUNK);
    let point = back_up(&repository, "vm", &bytes);
    let others = |store: &MemoryStore| {
        let names = store.names("").into_iter();
        let names = names.filter(|name| !name.starts_with("keys/"));
        names
            .map(|name| (store.bytes_of(&name), name))
            .collect::<Vec<_>>()
    };
    let before = others(&store);
    repository.change_password("new", None, cost()).unwrap();
    assert!(others(&store) == before);
    assert_eq!(store.names("keys/").len(), 1);
    let open =
        |password| Repository::open(Arc::new(store.another_host()), &Unlock::Password(password));
    assert_eq!(kind(open("correct horse")), RepositoryErrorKind::WrongKey);
    assert_eq!(read_back(&open("new").unwrap(), &point).unwrap(), bytes);
    // By somebody who has forgotten it and has the recovery key; with two, which one must be said.
    let recovery = RecoveryKey::generate().unwrap();
    let unlock = Unlock::RecoveryKey(&recovery);
    open("new").unwrap().add_key(&unlock, None, cost()).unwrap();
    let by_paper = || Repository::open(Arc::new(store.another_host()), &unlock).unwrap();
    by_paper().change_password("third", None, cost()).unwrap();
    assert_eq!(kind(open("new")), RepositoryErrorKind::WrongKey);
    let third = open("third").unwrap();
    let fourth = third
        .add_key(&Unlock::Password("fourth"), None, cost())
        .unwrap();
    let error = by_paper()
        .change_password("fifth", None, cost())
        .unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Refused);
    by_paper()
        .change_password("fifth", Some(&fourth), cost())
        .unwrap();
    assert!(open("fifth").is_ok() && open("third").is_ok() && open("fourth").is_err());
    let error = third.change_password("", None, cost()).unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::WrongKey);
}

#[test]
fn a_change_of_password_that_fails_at_any_request_leaves_a_key_that_opens() {
    for step in 0..12 {
        for fault in [Fault::FailOnce(step), Fault::DieAt(step)] {
            let (store, repository) = made();
            drop(repository);
            let host = store.another_host();
            let repository = Repository::open(Arc::new(host.clone()), &PASSWORD).unwrap();
            host.set_fault(fault, true);
            let changed = repository.change_password("new", None, cost()).is_ok();
            let open = |password| {
                let host = Arc::new(store.another_host());
                Repository::open(host, &Unlock::Password(password)).is_ok()
            };
            assert!(
                open("new") || (!changed && open("correct horse")),
                "{fault:?}"
            );
        }
    }
}

#[test]
fn a_key_file_is_long_enough_and_no_longer_than_it_may() {
    for wrong in [
        vec![],
        vec![1; 31],
        vec![7; 4096],
        vec![0; KeyFile::BYTES_MAX + 1],
    ] {
        let error = KeyFile::new(&wrong).unwrap_err();
        assert_eq!(error.kind(), RepositoryErrorKind::WrongKey);
    }
    let bytes = &disk_bytes(1, 4 * CHUNK)[3 * CHUNK..];
    assert_eq!(format!("{:?}", KeyFile::new(bytes).unwrap()), "KeyFile");
}

#[test]
fn a_password_costs_64_mib_and_three_passes_unless_told_otherwise() {
    let store = MemoryStore::new();
    let shared = Arc::new(store.another_host());
    Repository::init(shared, &[PASSWORD], repository::InitOptions::default()).unwrap();
    let slot = store.bytes_of(&store.names("keys/")[0]).unwrap();
    let slot: serde_json::Value = serde_json::from_slice(&slot).unwrap();
    assert_eq!(
        (&slot["kdf"]["memory_kib"], &slot["kdf"]["passes"]),
        (&65536.into(), &3.into())
    );
}

/// Whoever reads the bucket and knows a file cannot tell whether it is there.
#[test]
fn what_is_stored_shows_neither_content_nor_names_nor_whether_a_known_file_is_there() {
    let (store, repository) = made();
    let bytes = b"a line of a known file, again and again\n".repeat(2000);
    back_up(&repository, "accounting server", &bytes);
    let (other, repository) = made();
    back_up(&repository, "accounting server", &bytes);
    let parts = |store: &MemoryStore, names: &[String]| {
        let objects = names.iter().map(|name| store.bytes_of(name).unwrap());
        objects.collect::<Vec<_>>()
    };
    let names = |store: &MemoryStore| store.names("");
    for (name, object) in names(&store).iter().zip(parts(&store, &names(&store))) {
        let holds = |text: &[u8]| object.windows(text.len()).any(|part| part == text);
        assert!(!holds(b"known file") && !holds(b"accounting"), "{name}");
        assert!(
            !holds(&blake3::hash(&bytes[..CHUNK]).as_bytes()[..16]),
            "{name}"
        );
    }
    // Equal content in two repositories: no name and no 16 bytes of a pack are the same.
    let both = [&store, &other].map(|store| names(store).into_iter().collect::<HashSet<_>>());
    let common: Vec<_> = both[0].intersection(&both[1]).collect();
    assert_eq!(common, ["lifeboat-repository"]);
    let packs = [&store, &other].map(|store| parts(store, &store.names("packs/")).concat());
    let windows: HashSet<&[u8]> = packs[0].windows(16).collect();
    let zero = [0; 16];
    let same = packs[1]
        .windows(16)
        .find(|part| *part != zero && windows.contains(part));
    // The beginning and the end of a pack are the same in all: their magics and lengths.
    if let Some(same) = same {
        let text = String::from_utf8_lossy(same).into_owned();
        assert!(
            text.contains("LBP") || text.contains("PACK01") || text.contains("PKEND1"),
            "{same:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever lies under `keys/`: no panic, no endless work, and the good slot opens still.
    #[test]
    fn garbage_slots_never_panic_and_never_hide_a_good_one(
        garbage in prop::collection::vec(slot_text(), 1..6),
    ) {
        let (store, repository) = made();
        let good = repository.keys().unwrap().remove(0).slot;
        let good = store.bytes_of(&format!("keys/{good}")).unwrap();
        let good: serde_json::Value = serde_json::from_slice(&good).unwrap();
        for (number, text) in garbage.iter().enumerate() {
            let text = text.replace("ID", good["repository"].as_str().unwrap());
            store.put_new(&format!("keys/{number:016x}"), text.as_bytes()).unwrap();
        }
        let file = KeyFile::new(&disk_bytes(1, 4 * CHUNK)[3 * CHUNK..]).unwrap();
        for unlock in [Unlock::Password("x"), Unlock::KeyFile(&file)] {
            prop_assert!(Repository::open(Arc::new(store.another_host()), &unlock).is_err());
        }
        let opened = Repository::open(Arc::new(store.another_host()), &PASSWORD);
        prop_assert!(opened.is_ok());
        prop_assert!(opened.unwrap().keys().is_ok());
    }
}

/// Slots that are almost right, and texts that are nothing.
fn slot_text() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec![
        "password",
        "recovery-key",
        "key-file",
        "",
        "\u{1b}[2J",
    ]);
    let kdf = prop_oneof![
        (0u32..70, 0u32..4, 0u32..20, "[0-9a-f]{0,70}").prop_map(|(memory, passes, lanes, salt)| {
            format!(
                r#"{{"name":"argon2id","memory_kib":{memory},"passes":{passes},"lanes":{lanes},"salt":"{salt}"}}"#
            )
        }),
        Just(r#"{"name":"argon2id","memory_kib":4294967295,"passes":1,"lanes":1,"salt":""}"#.to_owned()),
        "[0-9a-f]{64}".prop_map(|salt| format!(r#"{{"name":"blake3","salt":"{salt}"}}"#)),
        Just("null".to_owned()),
    ];
    let almost = (kind, kdf, "[A-Za-z0-9+/=]{0,90}").prop_map(|(kind, kdf, sealed)| {
        let kind = serde_json::to_string(kind).unwrap();
        format!(
            r#"{{"version":1,"repository":"ID","kind":{kind},"kdf":{kdf},"sealed":"{sealed}"}}"#
        )
    });
    prop_oneof![4 => almost, 1 => any::<String>()]
}

#[test]
fn of_two_who_remove_each_others_key_at_the_same_time_one_stays() {
    for step in 0..12 {
        let (store, repository) = made();
        let first = repository.keys().unwrap().remove(0).slot;
        let second = repository
            .add_key(&Unlock::Password("second"), None, cost())
            .unwrap();
        for key in repository.keys().unwrap() {
            if key.slot != first && key.slot != second && !key.opened {
                repository.remove_key(&key.slot).unwrap();
            }
        }
        let host = store.another_host();
        let one = Repository::open(Arc::new(host.clone()), &Unlock::Password("second")).unwrap();
        host.set_fault(Fault::None, false);
        let other = repository;
        let slot = second.clone();
        host.before_step(step, move || {
            let _ = other.remove_key(&slot);
        });
        let _ = one.remove_key(&first);
        assert!(
            !store.names("keys/").is_empty(),
            "nobody can open it: step {step}"
        );
    }
}
