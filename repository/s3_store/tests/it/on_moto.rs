//! The conformance suite and a repository, on a real server.

use std::sync::Arc;
use std::time::Duration;

use moto_server::Moto;
use object_store::{ObjectStore, StoreErrorKind};
use s3_store::{LockMode, LockPeriod, S3Options, S3Store};
use store_conformance::{SuiteOptions, SuiteReport, run_suite};

use crate::bucket;

fn suite(options: &S3Options, listed_objects: usize) -> SuiteReport {
    let mut options = options.clone();
    // Pages end in the middle of everything.
    options.limits.page_names = 7;
    let open = || S3Store::open(&options).unwrap();
    let options = SuiteOptions {
        listed_objects,
        large_object_bytes: 12 << 20,
        listing_lag_max: Duration::from_secs(5),
    };
    run_suite(&open(), &open(), options, &mut |_| ()).unwrap()
}

fn must_pass(report: &SuiteReport) {
    let failed: Vec<_> = report
        .cases
        .iter()
        .filter(|case| case.outcome.is_failure())
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

fn period() -> LockPeriod {
    LockPeriod {
        mode: LockMode::Compliance,
        days: 30,
        epoch_days: LockPeriod::EPOCH_DAYS,
    }
}

#[test]
fn a_bucket_passes_plain_versioned_and_locked() {
    let Some(moto) = Moto::shared() else { return };
    moto.make_bucket("all-plain", false);
    let mut options = bucket::options(&moto.endpoint(), "all-plain");
    options.prefix = "some/where/".to_owned();
    // The large object goes in parts.
    options.limits.part_bytes = 5 << 20;
    let report = suite(&options, 60);
    must_pass(&report);
    assert_eq!((report.left_objects, report.left_why), (0, None));

    moto.make_bucket("all-versioned", false);
    moto.keep_versions("all-versioned");
    let options = bucket::options(&moto.endpoint(), "all-versioned");
    assert!(S3Store::open(&options).unwrap().is_versioned());
    let report = suite(&options, 60);
    must_pass(&report);
    assert_eq!(report.left_objects, 0);
    let (_, left) = moto.ask("GET", "/all-versioned?versions", &[], b"");
    assert!(
        !left.contains("<Version>") && !left.contains("<DeleteMarker>"),
        "a removal leaves something: {left}"
    );

    moto.make_bucket("all-locked", true);
    let mut options = bucket::options(&moto.endpoint(), "all-locked");
    options.lock = Some(period());
    options.limits.part_bytes = 5 << 20;
    let report = suite(&options, 60);
    must_pass(&report);
    assert!(report.left_objects > 10, "{report:?}");
    let days = report
        .left_until
        .unwrap()
        .duration_since(std::time::SystemTime::now())
        .unwrap()
        .as_secs()
        / 86_400;
    assert!((29..=37).contains(&days), "{days}");
}

#[test]
fn locks_are_refused_where_the_bucket_has_none() {
    let Some(moto) = Moto::shared() else { return };
    moto.make_bucket("nolock-plain", false);
    let mut options = bucket::options(&moto.endpoint(), "nolock-plain");
    options.lock = Some(period());
    let error = S3Store::open(&options).err().unwrap();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error}");
    let error = S3Store::open(&bucket::options(&moto.endpoint(), "nothing"))
        .err()
        .unwrap();
    assert_eq!(error.kind(), StoreErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("NoSuchBucket"), "{error}");
}

#[test]
fn what_is_put_over_an_object_later_is_not_seen() {
    let Some(moto) = Moto::shared() else { return };
    moto.make_bucket("over-versioned", false);
    moto.keep_versions("over-versioned");
    let options = bucket::options(&moto.endpoint(), "over-versioned");
    let open = || S3Store::open(&options).unwrap();
    let store = open();
    store.put_new("packs/aa/one", b"as it was").unwrap();
    store.put_new("packs/aa/one-and-more", b"another").unwrap();
    store.put_new("packs/bb/two", b"two").unwrap();
    for round in 0..3 {
        moto.ask(
            "PUT",
            "/over-versioned/packs/aa/one",
            &[],
            b"garbage, and longer",
        );
        moto.ask("DELETE", "/over-versioned/packs/aa/one", &[], b"");
        moto.ask("DELETE", "/over-versioned/packs/bb/two", &[], b"");
        // Whoever had the store open, whoever listed before, and whoever comes now.
        for store in [&store, &open()] {
            assert_eq!(
                store.get("packs/aa/one", 100).unwrap(),
                b"as it was",
                "{round}"
            );
            assert_eq!(store.size_bytes("packs/aa/one").unwrap(), 9);
            let mut names = Vec::new();
            store
                .list("packs/", &mut |object| {
                    names.push((object.name, object.size_bytes));
                })
                .unwrap();
            names.sort();
            let expected = [
                ("packs/aa/one", 9),
                ("packs/aa/one-and-more", 7),
                ("packs/bb/two", 3),
            ];
            assert_eq!(names, expected.map(|(name, size)| (name.to_owned(), size)));
            let mut part = [0; 3];
            store.get_range("packs/bb/two", 0, &mut part).unwrap();
            assert_eq!(&part, b"two");
        }
    }
    store.remove("packs/aa/one").unwrap();
    assert_eq!(
        open().get("packs/aa/one", 100).unwrap_err().kind(),
        StoreErrorKind::NotFound
    );
    assert_eq!(
        open().get("packs/aa/one-and-more", 100).unwrap(),
        b"another"
    );
}

#[test]
fn a_garbage_version_that_is_locked_keeps_the_object_from_being_removed() {
    let Some(moto) = Moto::shared() else { return };
    moto.make_bucket("garbage-locked", true);
    // Our own objects are not locked, the attacker's are.
    let store = S3Store::open(&bucket::options(&moto.endpoint(), "garbage-locked")).unwrap();
    store.put_new("packs/aa/one", b"as it was").unwrap();
    let lock = [
        ("content-md5", "yOjfiVwsrhZrrQJ/3xUzWw=="),
        ("x-amz-object-lock-mode", "COMPLIANCE"),
        (
            "x-amz-object-lock-retain-until-date",
            "2099-01-01T00:00:00Z",
        ),
    ];
    assert_eq!(
        moto.ask("PUT", "/garbage-locked/packs/aa/one", &lock, b"garbage")
            .0,
        200
    );
    let error = store.remove("packs/aa/one").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Locked, "{error}");
    assert_eq!(store.get("packs/aa/one", 100).unwrap(), b"as it was");
}

#[test]
fn an_upload_in_parts_replaces_nothing_and_leaves_nothing() {
    let Some(moto) = Moto::shared() else { return };
    moto.make_bucket("parts-plain", false);
    let mut options = bucket::options(&moto.endpoint(), "parts-plain");
    options.limits.part_bytes = 5 << 20;
    let store = S3Store::open(&options).unwrap();
    let bytes = vec![7; (11 << 20) + 1];
    store.put_new("packs/aa/one", &bytes).unwrap();
    assert_eq!(moto.count(&["/parts-plain/packs/aa/one", "partNumber="]), 3);
    let error = store
        .put_new("packs/aa/one", &vec![8; 6 << 20])
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Exists, "{error}");
    assert!(store.get("packs/aa/one", 1 << 30).unwrap() == bytes);
    let (_, open) = moto.ask("GET", "/parts-plain?uploads", &[], b"");
    // Moto forgets an upload that was given up; one that it completed it may still show.
    assert!(open.matches("<Upload>").count() <= 1, "{open}");
}

#[test]
fn a_store_is_shared_between_threads() {
    let Some(moto) = Moto::shared() else { return };
    moto.make_bucket("threads-plain", false);
    let store =
        Arc::new(S3Store::open(&bucket::options(&moto.endpoint(), "threads-plain")).unwrap());
    std::thread::scope(|scope| {
        for number in 0..8 {
            let store = Arc::clone(&store);
            scope.spawn(move || {
                let name = format!("points/{number}");
                store.put_new(&name, name.as_bytes()).unwrap();
                assert_eq!(store.get(&name, 100).unwrap(), name.as_bytes());
            });
        }
    });
}
