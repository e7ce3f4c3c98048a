//! Signatures, computed again by Amazon's own client.

use std::io::Write as _;
use std::process::{Command, Stdio};

use object_store::ObjectStore;
use s3_store::{LockMode, LockPeriod, S3Store};

use crate::stub::{Reply, Stub};

/// Reads requests (method, path, headers; one a line, with tabs) and says of each whether botocore
/// signs it in the same way.
const SCRIPT: &str = r#"
import sys
from urllib.parse import urlsplit, parse_qsl, quote
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
for line in sys.stdin:
    method, path, *headers = line.rstrip("\n").split("\t")
    headers = dict(header.split(": ", 1) for header in headers)
    parts = urlsplit("http://" + headers["host"] + path)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    own = {name: value for name, value in query.items() if not name.startswith("X-Amz-")}
    url = "http://" + headers["host"] + parts.path
    if own:
        url += "?" + "&".join(quote(n, safe="-._~") + "=" + quote(v, safe="-._~") for n, v in own.items())
    signed = query["X-Amz-SignedHeaders"].split(";")
    # Whatever says how the server is to behave is signed.
    loose = [n for n in headers if (n.startswith("x-amz") or n in ("content-md5", "if-none-match", "range")) and n not in signed]
    request = AWSRequest(method, url, headers={name: headers[name] for name in signed})
    request.context["timestamp"] = query["X-Amz-Date"]
    auth = S3SigV4QueryAuth(Credentials("AKIDEXAMPLE", "SeCrEt"), "s3", "us-east-1", int(query["X-Amz-Expires"]))
    auth._modify_request_before_signing(request)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    print(auth.signature(text, request) == query["X-Amz-Signature"] and not loose)
"#;

#[test]
fn amazons_own_client_computes_the_same_signatures() {
    let Some(python) = moto_server::python() else {
        eprintln!("skipped: botocore is not installed (pip install 'moto[server]')");
        return;
    };
    let stub = Stub::start(|(_, path, _), _| {
        Reply::ok(match path {
            path if path.contains("object-lock=") => {
                "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
                 </ObjectLockConfiguration>"
            }
            path if path.contains("versions=") => {
                "<ListVersionsResult><Version><Key>some/where/points/a</Key>\
                 <VersionId>v+/=1</VersionId><Size>4</Size>\
                 <LastModified>2026-11-21T11:24:09Z</LastModified></Version></ListVersionsResult>"
            }
            path if path.contains("uploads=") => "<Result><UploadId>a/b+c=</UploadId></Result>",
            _ => "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        })
    });
    let mut options = stub.options();
    options.prefix = "some/where/".to_owned();
    options.limits.part_bytes = 5 << 20;
    options.limits.part_attempts = 1;
    options.lock = Some(LockPeriod {
        mode: LockMode::Governance,
        days: 1,
        epoch_days: 1,
    });
    let store = S3Store::open(&options).unwrap();
    store.put_new("points/a", b"bytes").unwrap();
    // The parts have no names, which is an error; the requests are made all the same.
    drop(store.put_new("points/large", &vec![0; 6 << 20]));
    drop(store.get("points/a", 1000));
    drop(store.get_range("points/a", 1, &mut [0; 2]));
    drop(store.list("points/", &mut |_| ()));
    drop(store.now());
    drop(store.remove("points/a"));
    let retention = store.retention().unwrap();
    let until = retention.new_objects_until().unwrap();
    drop(retention.extend("points/a", until));

    let seen = stub.seen.lock().unwrap();
    let lines: String = seen
        .iter()
        .map(|(method, path, headers)| format!("{method}\t{path}\t{}\n", headers.join("\t")))
        .collect();
    let mut checker = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = checker.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    drop(input);
    let output = checker.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), seen.len(), "{said}");
    for (verdict, request) in said.lines().zip(seen.iter()) {
        assert_eq!(verdict, "True", "{request:?}");
    }
    assert!(seen.len() >= 14, "{seen:?}");
}
