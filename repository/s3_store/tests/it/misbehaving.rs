//! Whatever a server does, the store ends with the right kind of error, soon, and within bounds.

use std::time::{Duration, SystemTime};

use object_store::{ObjectStore, StoreErrorKind};
use s3_store::S3Store;

use crate::stub::{Reply, Seen, Stub};

const LISTING: &str = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
const NO_VERSIONS: &str = "<VersioningConfiguration/>";

/// Starts a server that says what a rule says to all but the opening request.
fn stub(rule: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> (Stub, S3Store) {
    let stub = Stub::start(move |request, number| {
        if request.1.contains("versioning=") {
            return Reply::ok(NO_VERSIONS);
        }
        rule(request, number)
    });
    let store = S3Store::open(&stub.options()).unwrap();
    (stub, store)
}

fn always(reply: Reply) -> (Stub, S3Store) {
    stub(move |_, _| reply.clone())
}

#[test]
fn each_way_of_failing_is_told_apart() {
    let long = Reply::Answer(200, String::new(), vec![b'x'; 1000]);
    for (reply, kind) in [
        (Reply::error(503, "SlowDown"), StoreErrorKind::Unavailable),
        (
            Reply::error(429, "TooManyRequests"),
            StoreErrorKind::Unavailable,
        ),
        (
            Reply::error(500, "InternalError"),
            StoreErrorKind::Unavailable,
        ),
        (Reply::error(403, "AccessDenied"), StoreErrorKind::Denied),
        (Reply::error(404, "NoSuchKey"), StoreErrorKind::NotFound),
        (
            Reply::error(507, "XMinioStorageFull"),
            StoreErrorKind::NoSpace,
        ),
        (
            Reply::Answer(
                301,
                "Location: http://127.0.0.1:9/\r\n".to_owned(),
                Vec::new(),
            ),
            StoreErrorKind::Io,
        ),
        (
            Reply::Cut(200, b"half".to_vec()),
            StoreErrorKind::Unavailable,
        ),
        (Reply::Endless, StoreErrorKind::WrongSize),
        (Reply::Silence, StoreErrorKind::Unavailable),
        (Reply::Close, StoreErrorKind::Unavailable),
        (long, StoreErrorKind::WrongSize),
    ] {
        let (_stub, store) = always(reply);
        let error = store.get("points/a", 100).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!error.to_string().contains("X-Amz-Signature"), "{error}");
        assert_eq!(error.object(), "points/a");
    }
}

#[test]
fn writes_fail_with_the_right_kind_too() {
    for (reply, kind) in [
        (Reply::error(503, "SlowDown"), StoreErrorKind::Unavailable),
        (
            Reply::error(412, "PreconditionFailed"),
            StoreErrorKind::Exists,
        ),
        (
            Reply::error(409, "ConditionalRequestConflict"),
            StoreErrorKind::Unavailable,
        ),
        (Reply::error(403, "QuotaExceeded"), StoreErrorKind::NoSpace),
        (Reply::Silence, StoreErrorKind::Unavailable),
        (Reply::Close, StoreErrorKind::Unavailable),
    ] {
        let (_stub, store) = always(reply);
        let error = store.put_new("points/a", b"bytes").unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[test]
fn a_broken_or_endless_listing_is_an_error() {
    let entry = |key: &str| {
        format!(
            "<Contents><Key>{key}</Key><Size>1</Size>\
             <LastModified>2026-11-21T11:24:09Z</LastModified></Contents>"
        )
    };
    let page = |inner: &str| Reply::ok(&format!("<ListBucketResult>{inner}</ListBucketResult>"));
    let endless = "<IsTruncated>true</IsTruncated>\
                   <NextContinuationToken>again</NextContinuationToken>";
    for reply in [
        Reply::ok("<ListBucketResult>"),
        Reply::ok("nonsense"),
        Reply::ok(&"<a>".repeat(10_000)),
        page("<IsTruncated>true</IsTruncated>"),
        page(endless),
        page(&entry("elsewhere/a")),
        Reply::Endless,
    ] {
        let (_stub, store) = always(reply);
        let mut seen = 0;
        let error = store.list("points/", &mut |_| seen += 1).unwrap_err();
        assert!(
            matches!(error.kind(), StoreErrorKind::Io | StoreErrorKind::WrongSize),
            "{error}"
        );
        assert_eq!(seen, 0);
    }
    // What another program keeps there is left alone.
    let (_stub, store) = always(page(&(entry("points/GOOD") + &entry("points/good"))));
    let mut names = Vec::new();
    store
        .list("points/", &mut |object| names.push(object.name))
        .unwrap();
    assert_eq!(names, ["points/good"]);
}

#[test]
fn ranges_that_are_not_what_was_asked_for_are_refused() {
    let part = |range: &str, body: &[u8]| {
        Reply::Answer(206, format!("Content-Range: {range}\r\n"), body.to_vec())
    };
    for (reply, kind) in [
        (part("bytes 10-13/100", b"good"), None),
        (part("bytes 0-3/100", b"else"), Some(StoreErrorKind::Io)),
        (
            part("bytes 10-11/12", b"go"),
            Some(StoreErrorKind::WrongSize),
        ),
        (
            part("bytes 10-99/100", &[1; 90]),
            Some(StoreErrorKind::WrongSize),
        ),
        (Reply::ok("good"), Some(StoreErrorKind::Unsupported)),
        (
            Reply::ok("all of it, which is longer"),
            Some(StoreErrorKind::Unsupported),
        ),
        (
            Reply::error(416, "InvalidRange"),
            Some(StoreErrorKind::WrongSize),
        ),
    ] {
        let (_stub, store) = always(reply);
        let result = store.get_range("packs/a", 10, &mut [0; 4]);
        assert_eq!(result.err().map(|error| error.kind()), kind);
    }
}

#[test]
fn a_server_that_does_not_know_the_condition_is_looked_at_first() {
    let (stub, store) = stub(|(method, path, headers), _| {
        let condition = headers.iter().any(|line| line.starts_with("if-none-match"));
        match method.as_str() {
            "PUT" if condition => Reply::error(501, "NotImplemented"),
            "HEAD" if path.contains("/there") => Reply::ok("4 by"),
            "HEAD" => Reply::Answer(404, String::new(), Vec::new()),
            _ => Reply::ok(""),
        }
    });
    store.put_new("new", b"1").unwrap();
    store.put_new("newer", b"1").unwrap();
    assert_eq!(stub.requests("PUT /bucket/newer"), 1);
    let error = store.put_new("there", b"1").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Exists);
    assert_eq!(stub.requests("PUT /bucket/there"), 0);
}

#[test]
fn a_part_that_fails_is_sent_again_alone() {
    let begun =
        "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    let rule = move |(method, path, headers): &Seen, number: usize| match method.as_str() {
        "POST" if path.contains("uploads=") => Reply::ok(begun),
        "PUT" if path.contains("partNumber=2") && number < 5 => Reply::error(503, "SlowDown"),
        "PUT" => Reply::Answer(200, "ETag: \"x&y\"\r\n".to_owned(), Vec::new()),
        "POST" => {
            assert!(headers.iter().any(|line| line == "if-none-match: *"));
            Reply::ok("<CompleteMultipartUploadResult/>")
        }
        _ => Reply::ok(""),
    };
    let stub = Stub::start(move |request, number| {
        if request.1.contains("versioning=") {
            return Reply::ok(NO_VERSIONS);
        }
        rule(request, number)
    });
    let mut options = stub.options();
    options.limits.part_bytes = 5 << 20;
    let store = S3Store::open(&options).unwrap();
    store.put_new("packs/large", &vec![1; 15 << 20]).unwrap();
    assert_eq!(stub.requests("partNumber=1"), 1);
    assert_eq!(stub.requests("partNumber=2"), 3);
    assert_eq!(stub.requests("partNumber=3"), 1);
    assert_eq!(stub.requests("DELETE"), 0);
}

#[test]
fn an_upload_that_fails_is_given_up() {
    let begun =
        "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    for fail_late in [false, true] {
        let stub = Stub::start(move |(method, path, _), _| match method.as_str() {
            _ if path.contains("versioning=") => Reply::ok(NO_VERSIONS),
            "POST" if path.contains("uploads=") => Reply::ok(begun),
            "PUT" if !fail_late => Reply::error(403, "AccessDenied"),
            "PUT" => Reply::Answer(200, "ETag: \"x\"\r\n".to_owned(), Vec::new()),
            // Success, and then not.
            "POST" => Reply::ok("<Error><Code>InternalError</Code></Error>"),
            _ => Reply::Answer(204, String::new(), Vec::new()),
        });
        let mut options = stub.options();
        options.limits.part_bytes = 5 << 20;
        let store = S3Store::open(&options).unwrap();
        let error = store.put_new("packs/large", &vec![1; 6 << 20]).unwrap_err();
        let kind = match fail_late {
            false => StoreErrorKind::Denied,
            true => StoreErrorKind::Unavailable,
        };
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(stub.requests("DELETE /bucket/packs/large"), 1);
    }
}

#[test]
fn a_wrong_clock_is_forgiven_once() {
    let stub = Stub::start(|(_, path, _), _| {
        // The server lives in 2044, and signatures must too.
        match path.contains("X-Amz-Date=2044") {
            true => Reply::ok(match path.contains("versioning=") {
                true => NO_VERSIONS,
                false => LISTING,
            }),
            false => Reply::error(403, "RequestTimeTooSkewed"),
        }
    });
    let store = S3Store::open(&stub.options()).unwrap();
    store.list("", &mut |_| ()).unwrap();
    assert_eq!(stub.requests(""), 3);
    let now = store.now().unwrap();
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert!(since > Duration::from_secs(2_350_000_000), "{since:?}");
}

#[test]
fn requests_are_signed_with_all_that_matters() {
    let (stub, store) = always(Reply::ok(""));
    store.put_new("points/a", b"bytes").unwrap();
    let seen = stub.seen.lock().unwrap();
    let (_, path, headers) = seen.last().unwrap();
    assert!(
        path.contains("X-Amz-SignedHeaders=content-md5%3Bhost%3Bif-none-match"),
        "{path}"
    );
    assert!(path.contains("X-Amz-Credential=AKIDEXAMPLE%2F") && !path.contains("SeCrEt"));
    assert!(
        headers.iter().any(|line| line.starts_with("content-md5")),
        "{headers:?}"
    );
}
