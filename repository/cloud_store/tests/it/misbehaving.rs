//! Servers that refuse, lie, fall silent and do not end.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use cloud_store::CloudStore;
use object_store::{ObjectStore as _, StoreErrorKind};

use crate::google_server::{DATE, GoogleServer};
use crate::on_google::options;

#[test]
fn refusals_say_what_can_be_done() {
    let server = GoogleServer::start();
    let store = CloudStore::open_google(&options(&server, "bucket")).unwrap();
    for (status, reason, kind) in [
        (401, "authError", StoreErrorKind::Denied),
        (403, "forbidden", StoreErrorKind::Denied),
        (403, "retentionPolicyNotMet", StoreErrorKind::Locked),
        (404, "notFound", StoreErrorKind::NotFound),
        (408, "uploadBrokenConnection", StoreErrorKind::Unavailable),
        (412, "conditionNotMet", StoreErrorKind::Io),
        (
            416,
            "requestedRangeNotSatisfiable",
            StoreErrorKind::WrongSize,
        ),
        (429, "rateLimitExceeded", StoreErrorKind::Unavailable),
        (500, "backendError", StoreErrorKind::Unavailable),
        (503, "backendError", StoreErrorKind::Unavailable),
        (507, "full", StoreErrorKind::NoSpace),
    ] {
        server.bucket.lock().unwrap().refusal = Some((status, reason.to_owned()));
        let error = store.get("packs/one", 10).unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {reason}: {error}");
        let text = error.to_string();
        assert!(
            text.contains(&status.to_string()) && text.contains(reason),
            "{text}"
        );
        assert!(!text.contains("http://") && !text.contains('\n'), "{text}");
    }
    // What keeps an object is not mistaken for one that is not there.
    server.bucket.lock().unwrap().refusal = Some((403, "retentionPolicyNotMet".to_owned()));
    let error = store.remove("packs/one").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Locked, "{error}");
    server.bucket.lock().unwrap().refusal = Some((412, "conditionNotMet".to_owned()));
    let error = store.put_new("packs/one", b"one").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Exists, "{error}");
}

/// Opens a store on a server that lists nothing, and to reads answers what is given, for ever
/// where `endless`.
fn reads_get(answer: &'static [u8], endless: bool) -> CloudStore {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = options(&GoogleServer::start(), "bucket");
    options.endpoint = Some(format!("http://{}", listener.local_addr().unwrap()));
    options.patience.idle = Duration::from_millis(300);
    // The thread ends with the test's process.
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut request = [0; 4096];
                let len = stream.read(&mut request).unwrap_or(0);
                if String::from_utf8_lossy(&request[..len]).contains("alt=media") {
                    let mut more = stream.write_all(answer).is_ok();
                    while endless && more {
                        more = stream.write_all(&[b'x'; 1 << 16]).is_ok();
                    }
                    if answer.is_empty() {
                        drop(stream.read_to_end(&mut Vec::new()));
                    }
                    return;
                }
                let head = format!(
                    "HTTP/1.1 200 OK\r\nDate: {DATE}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
                );
                drop(stream.write_all(head.as_bytes()));
            });
        }
    });
    CloudStore::open_google(&options).unwrap()
}

#[test]
fn an_object_that_does_not_end_is_given_up() {
    let store = reads_get(
        b"HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 1000000000000\r\n\r\n",
        true,
    );
    let error = store.get("packs/one", 100_000).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::WrongSize, "{error}");
    let store = reads_get(
        b"HTTP/1.1 206 Part\r\nETag: \"a\"\r\nContent-Range: bytes 5-14/1000\r\n\
          Content-Length: 1000000000000\r\n\r\n",
        true,
    );
    let error = store.get_range("packs/one", 5, &mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Io, "{error}");
}

#[test]
fn a_server_that_gives_no_ranges_is_refused() {
    let answer = b"HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 10\r\n\r\n0123456789";
    let error = reads_get(answer, false)
        .get_range("packs/one", 5, &mut [0; 10])
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error}");
}

#[test]
fn silence_and_answers_that_break_off_may_pass() {
    let cut: &[u8] = b"HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 20\r\n\r\n0123456789";
    for answer in [b"".as_slice(), cut] {
        let error = reads_get(answer, false).get("packs/one", 100).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    }
    let mut nobody = options(&GoogleServer::start(), "bucket");
    nobody.endpoint = Some("http://127.0.0.1:1".to_owned());
    let error = CloudStore::open_google(&nobody).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
}
