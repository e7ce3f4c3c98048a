//! What every store must do, and what a folder that is served looks like.

use std::fs;
use std::process::Command;

use ftp_store::FtpStore;
use object_store::{FolderStore, ObjectStore, StoreErrorKind};
use store_conformance::{SuiteOptions, run_suite};

use crate::server::{Server, password};

#[test]
fn the_store_passes_the_conformance_suite() {
    let Some(server) = Server::start() else {
        return;
    };
    let options = SuiteOptions {
        large_object_bytes: 20 << 20,
        ..SuiteOptions::default()
    };
    let report = run_suite(&server.store(), &server.store(), options, &mut |case| {
        eprintln!("{}: {:?}", case.name, case.outcome);
    })
    .unwrap();
    assert_eq!(report.failures(), 0);
    assert_eq!(report.left_objects, 0, "{:?}", report.left_why);
}

#[test]
fn a_folder_that_is_served_opens_as_a_folder_and_the_other_way_round() {
    let Some(server) = Server::start() else {
        return;
    };
    let (served, folder) = (server.store(), FolderStore::open(&server.data()).unwrap());
    served
        .put_new("packs/ab/one", b"over the wire\r\n\0")
        .unwrap();
    folder.put_new("packs/ab/two", b"on the disk").unwrap();
    assert_eq!(
        folder.get("packs/ab/one", 100).unwrap(),
        b"over the wire\r\n\0"
    );
    assert_eq!(served.get("packs/ab/two", 100).unwrap(), b"on the disk");
    for store in [&served as &dyn ObjectStore, &folder] {
        let mut names = Vec::new();
        store
            .list("", &mut |object| names.push(object.name))
            .unwrap();
        names.sort();
        assert_eq!(names, ["packs/ab/one", "packs/ab/two"]);
        let error = store.put_new("packs/ab/one", b"else").unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Exists);
    }
    assert_eq!(fs::read_dir(server.data().join("tmp")).unwrap().count(), 0);
}

#[test]
fn the_store_makes_its_folder_and_sweeps_what_died_runs_left() {
    let Some(server) = Server::start() else {
        return;
    };
    let root = server.data().join("a/b");
    assert_eq!(
        server.open(&root).unwrap_err().kind(),
        StoreErrorKind::MediumAbsent
    );
    let store = FtpStore::create(server.address_of(&root), password(), server.options()).unwrap();
    store.put_new("a", b"").unwrap();
    for (name, age) in [("old", "2 days ago"), ("new", "now")] {
        let path = root.join("tmp").join(name);
        fs::write(&path, b"").unwrap();
        let aged = Command::new("touch").args(["-d", age]).arg(path).status();
        assert!(aged.unwrap().success());
    }
    store.sweep_temporary();
    assert!(!root.join("tmp/old").exists());
    assert!(root.join("tmp/new").exists());
    // What the store lies on is unmounted at the server.
    fs::rename(&root, server.data().join("gone")).unwrap();
    let errors = [
        store.get("a", 10).unwrap_err(),
        store.put_new("b", b"").unwrap_err(),
        store.list("", &mut |_| {}).unwrap_err(),
        store.remove("a").unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), StoreErrorKind::MediumAbsent, "{error}");
    }
}
