//! What a folder store promises.

use super::*;

/// Does nothing but remember what was flushed.
#[derive(Default)]
struct Flushes(Mutex<Vec<PathBuf>>);

impl FolderSystem for &Flushes {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        OsFolderSystem.create_folder(path)
    }
    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        OsFolderSystem.write_new(path, bytes)
    }
    fn flush_file(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn publish(&self, temporary: &Path, target: &Path) -> io::Result<()> {
        OsFolderSystem.publish(temporary, target)
    }
    fn flush_folder(&self, path: &Path) -> io::Result<()> {
        self.0.lock().unwrap().push(path.to_owned());
        Ok(())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        OsFolderSystem.remove(path)
    }
}

#[test]
fn folders_that_others_made_are_flushed_once_and_so_is_what_holds_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("above/root");
    let flushes = Flushes::default();
    let store = FolderStore::create_with_system(&root, &flushes).unwrap();
    let take = || std::mem::take(&mut *flushes.0.lock().unwrap());
    assert_eq!(take(), [folder.path(), &folder.path().join("above")]);
    // Another host has made the folders and may not have flushed them.
    let packs = root.join("packs");
    fs::create_dir_all(packs.join("ab")).unwrap();
    store.put_new("packs/ab/one", b"").unwrap();
    assert_eq!(take(), [packs.clone(), root, packs.join("ab")]);
    store.put_new("packs/ab/two", b"").unwrap();
    assert_eq!(take(), [packs.join("ab")]);
    store.put_new("packs/cd/one", b"").unwrap();
    assert_eq!(take(), [packs.clone(), packs.join("cd")]);
}

fn names(store: &dyn ObjectStore, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    store
        .list(prefix, &mut |object| names.push(object.name))
        .unwrap();
    names.sort();
    names
}

#[test]
fn an_object_is_written_once_and_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::create(folder.path()).unwrap();
    store.put_new("packs/ab/one", b"first").unwrap();
    let error = store.put_new("packs/ab/one", b"second").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Exists);
    assert_eq!(store.get("packs/ab/one", 100).unwrap(), b"first");
    assert_eq!(names(&store, ""), ["packs/ab/one"]);
    assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
}

#[test]
fn reads_know_their_limits() {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::create(folder.path()).unwrap();
    store.put_new("a", b"0123456789").unwrap();
    let mut buf = [0; 4];
    store.get_range("a", 6, &mut buf).unwrap();
    assert_eq!(&buf, b"6789");
    let kind = |result: Result<(), StoreError>| result.unwrap_err().kind();
    assert_eq!(
        kind(store.get_range("a", 7, &mut buf)),
        StoreErrorKind::WrongSize
    );
    assert_eq!(kind(store.get("a", 9).map(drop)), StoreErrorKind::WrongSize);
    assert_eq!(kind(store.get("b", 9).map(drop)), StoreErrorKind::NotFound);
    assert_eq!(
        kind(store.get("../a", 9).map(drop)),
        StoreErrorKind::BadName
    );
    store.remove("a").unwrap();
    store.remove("a").unwrap();
    assert_eq!(names(&store, ""), Vec::<String>::new());
}

#[test]
fn listings_take_a_prefix_and_leave_foreign_files_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::create(folder.path()).unwrap();
    for name in [
        "packs/00/a",
        "packs/01/b",
        "points/x/y",
        "lifeboat-repository",
    ] {
        store.put_new(name, b"").unwrap();
    }
    fs::write(folder.path().join("Thumbs.db"), b"").unwrap();
    assert_eq!(names(&store, "packs/"), ["packs/00/a", "packs/01/b"]);
    assert_eq!(names(&store, "none/"), Vec::<String>::new());
    assert_eq!(names(&store, "").len(), 4);
}

#[test]
fn a_store_whose_root_is_gone_says_so_whatever_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("mounted");
    let store = FolderStore::create(&root).unwrap();
    store.put_new("packs/ab/one", b"first").unwrap();
    fs::rename(&root, folder.path().join("taken out")).unwrap();
    let errors = [
        store.put_new("packs/ab/two", b"").unwrap_err(),
        store.get("packs/ab/one", 10).unwrap_err(),
        store.get_range("packs/ab/one", 0, &mut [0]).unwrap_err(),
        store.list("", &mut |_| {}).unwrap_err(),
        store.list("points/", &mut |_| {}).unwrap_err(),
        store.remove("packs/ab/one").unwrap_err(),
        store.now().unwrap_err(),
        store.free_bytes().unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), StoreErrorKind::MediumAbsent, "{error}");
        assert!(error.to_string().contains("taken out"), "{error}");
    }
    // Nothing was made where the medium used to be, and it may come back.
    assert!(!root.exists());
    fs::rename(folder.path().join("taken out"), &root).unwrap();
    assert_eq!(store.get("packs/ab/one", 10).unwrap(), b"first");
}

#[test]
#[cfg(unix)]
fn the_empty_folder_below_a_mount_is_not_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = FolderStore::open(folder.path()).unwrap();
    // As if what is mounted here now were another volume.
    store.volume = store.volume.map(|volume| volume + 1);
    let error = store.put_new("packs/ab/one", b"").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::MediumAbsent);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let error = store.list("points/", &mut |_| {}).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::MediumAbsent);
}

#[test]
fn a_file_system_that_turned_read_only_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::open(folder.path()).unwrap();
    let error = store.failed(
        "a",
        "cannot write",
        io::ErrorKind::ReadOnlyFilesystem.into(),
    );
    assert_eq!(error.kind(), StoreErrorKind::Denied);
    assert!(error.to_string().contains("read-only"), "{error}");
}

#[test]
fn the_free_space_is_the_volumes() {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::open(folder.path()).unwrap();
    let space = folder_space(folder.path()).unwrap();
    assert!(space.free_bytes <= space.total_bytes && space.total_bytes > 0);
    assert!(
        store
            .free_bytes()
            .unwrap()
            .is_some_and(|free| free <= space.total_bytes)
    );
}

/// A disk of which a test says how much room is left; what is removed makes room.
struct SmallDisk(Mutex<usize>);

impl FolderSystem for &SmallDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        OsFolderSystem.create_folder(path)
    }
    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut free = self.0.lock().unwrap();
        if *free < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        *free -= bytes.len();
        OsFolderSystem.write_new(path, bytes)
    }
    fn flush_file(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn publish(&self, temporary: &Path, target: &Path) -> io::Result<()> {
        fs::rename(temporary, target)
    }
    fn flush_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let len = path.metadata().map_or(0, |metadata| metadata.len());
        *self.0.lock().unwrap() += usize::try_from(len).unwrap();
        OsFolderSystem.remove(path)
    }
}

#[test]
fn the_reserve_makes_room_for_small_objects_alone_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk(Mutex::new(1 << 20));
    let store = FolderStore::create_with_system(folder.path(), &disk).unwrap();
    let reserve = folder.path().join(reserve::RESERVE);
    store.put_new("a", &[1; 100]).unwrap();
    let reserve_len = || reserve.metadata().map(|metadata| metadata.len()).ok();
    assert_eq!(reserve_len(), Some(reserve::RESERVE_BYTES as u64));
    assert_eq!(names(&store, ""), ["a"], "it is no object");
    let set_free = |bytes| *disk.0.lock().unwrap() = bytes;
    set_free(10);
    let error = store.put_new("large", &[1; 64 << 10]).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NoSpace);
    assert!(
        reserve_len().is_some(),
        "it was given up for a large object"
    );
    store.put_new("small", &[1; (64 << 10) - 1]).unwrap();
    assert_eq!(reserve_len(), None);
    // What is left of it serves others; then nothing does.
    for name in ["b", "c", "d"] {
        store.put_new(name, &[1; (64 << 10) - 1]).unwrap();
    }
    let error = store.put_new("e", &[1; (64 << 10) - 1]).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NoSpace);
    set_free(1 << 20);
    store.put_new("e", &[1; 100]).unwrap();
    assert_eq!(reserve_len(), Some(reserve::RESERVE_BYTES as u64));
    // Another process finds it there, and gives it up as well.
    let store = FolderStore::with_system(folder.path(), &disk).unwrap();
    set_free(0);
    store.put_new("f", &[1; 100]).unwrap();
    assert_eq!(reserve_len(), None);
}

#[test]
fn a_reserve_that_a_crash_cut_short_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let reserve = folder.path().join(reserve::RESERVE);
    fs::write(&reserve, b"half").unwrap();
    let store = FolderStore::open(folder.path()).unwrap();
    store.put_new("a", b"").unwrap();
    let len = reserve.metadata().unwrap().len();
    assert_eq!(len, reserve::RESERVE_BYTES as u64);
}
