//! What opens a repository and what does not.

use std::fs;
use std::sync::Arc;

use object_store::FolderStore;
use repository::{RecoveryKey, Repository, RepositoryErrorKind, Unlock};

use crate::support::{PASSWORD, init, open, options};

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
