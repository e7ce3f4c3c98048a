//! The conformance suite over Google's protocol.

use std::time::{Duration, SystemTime};

use cloud_store::{CloudStore, GoogleCredentials, GoogleOptions, Patience};
use object_store::{ObjectStore as _, StoreErrorKind};
use store_conformance::{SuiteOptions, run_suite};

use crate::google_server::GoogleServer;

pub(crate) fn options(server: &GoogleServer, bucket: &str) -> GoogleOptions {
    GoogleOptions {
        bucket: bucket.to_owned(),
        prefix: String::new(),
        endpoint: Some(server.endpoint.clone()),
        credentials: GoogleCredentials::None,
        patience: Patience::default(),
    }
}

#[test]
fn a_bucket_passes() {
    let server = GoogleServer::start();
    let mut options = options(&server, "bucket");
    options.prefix = "some/where/".to_owned();
    let open = || CloudStore::open_google(&options).unwrap();
    let suite = SuiteOptions {
        listed_objects: 60,
        large_object_bytes: 12 << 20,
        listing_lag_max: Duration::from_secs(5),
    };
    let report = run_suite(&open(), &open(), suite, &mut |_| ()).unwrap();
    let failed: Vec<_> = report
        .cases
        .iter()
        .filter(|case| case.outcome.is_failure())
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!((report.left_objects, report.left_why), (0, None));
    assert!(server.bucket.lock().unwrap().objects.is_empty());
}

#[test]
fn every_write_is_on_condition_that_there_is_no_such_object() {
    let server = GoogleServer::start();
    let store = CloudStore::open_google(&options(&server, "bucket")).unwrap();
    for number in 0..3 {
        store.put_new(&format!("packs/{number}"), b"new").unwrap();
    }
    let error = store.put_new("packs/1", b"another").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Exists, "{error}");
    assert_eq!(server.count("POST "), 4);
    assert_eq!(server.count("ifGenerationMatch=0"), 4);
    assert_eq!(store.get("packs/1", 3).unwrap(), b"new");
}

#[test]
fn the_time_is_the_servers_and_telling_it_writes_nothing() {
    let server = GoogleServer::start();
    let store = CloudStore::open_google(&options(&server, "bucket")).unwrap();
    let now = store.now().unwrap();
    let years = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        / 31_557_600;
    assert_eq!(1970 + years, 2044);
    assert_eq!(server.count("POST ") + server.count("PUT "), 0);
}

#[test]
fn what_another_program_put_there_is_not_listed() {
    let server = GoogleServer::start();
    let store = CloudStore::open_google(&options(&server, "bucket")).unwrap();
    {
        let mut bucket = server.bucket.lock().unwrap();
        for name in ["Their File", "packs/", "packs/UPPER", "packs/../x"] {
            bucket.objects.insert(name.to_owned(), vec![1]);
        }
    }
    store.put_new("packs/ours", b"ours").unwrap();
    let mut names = Vec::new();
    store
        .list("", &mut |object| names.push(object.name))
        .unwrap();
    assert_eq!(names, ["packs/ours"]);
}

#[test]
fn a_bucket_that_is_not_there_and_a_key_file_that_is_none_are_refused() {
    let server = GoogleServer::start();
    let error = CloudStore::open_google(&options(&server, "nothing")).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotFound, "{error}");
    let mut options = options(&server, "bucket");
    options.credentials = GoogleCredentials::KeyFile("no/such/key.json".into());
    let error = CloudStore::open_google(&options).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Denied, "{error}");
    assert_eq!(server.count("/b/bucket"), 0, "asked without being let in");
}
