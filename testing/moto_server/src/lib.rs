//! An S3 server on loopback for tests.
//!
//! It is moto's (`pip install 'moto[server]'`), which enforces `If-None-Match`, keeps versions and
//! refuses to delete what object lock keeps. What it does not do: check signatures, refuse to make
//! a lock shorter, answer `GetObjectRetention` (it fails with 500 as soon as a lock was set by a
//! header).
//!
//! It is looked for in `LIFEBOAT_MOTO_PYTHON` (a Python that has it) or `python3`. Where it is
//! missing a test is skipped visibly, and fails with `LIFEBOAT_REQUIRE_TOOLS=1`.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a part of tests, which fail by panicking and say when they are skipped"
)]

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

/// Serves on a free port and says which; ends when its input does, so never outlives the test.
const SCRIPT: &str = r#"
import sys, os, logging
logging.basicConfig(level=logging.INFO)
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("port", server.get_host_and_port()[1], flush=True)
sys.stdin.read()
os._exit(0)
"#;

/// The server that all tests of a process share: each makes buckets of its own.
pub struct Moto {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    /// Closed with the process, which ends the server.
    _input: Mutex<(Child, ChildStdin)>,
}

/// Returns a Python that has moto, and with it botocore; nothing where there is none.
pub fn python() -> Option<OsString> {
    let python = std::env::var_os("LIFEBOAT_MOTO_PYTHON").unwrap_or_else(|| "python3".into());
    let has_moto = Command::new(&python)
        .args(["-c", "import moto.moto_server.threaded_moto_server"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let required = std::env::var_os("LIFEBOAT_REQUIRE_TOOLS").is_some();
    assert!(
        has_moto || !required,
        "moto is not installed (pip install 'moto[server]')"
    );
    has_moto.then_some(python)
}

static SERVER: OnceLock<Option<Moto>> = OnceLock::new();

impl Moto {
    /// Returns the server; says so and returns nothing where there is none.
    pub fn shared() -> Option<&'static Self> {
        let server = SERVER.get_or_init(Self::start).as_ref();
        if server.is_none() {
            eprintln!("skipped: moto is not installed (pip install 'moto[server]')");
        }
        server
    }

    fn start() -> Option<Self> {
        let python = python()?;
        let mut server = Command::new(&python)
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        let port = first.trim().strip_prefix("port ").unwrap().parse().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = BufReader::new(server.stderr.take().unwrap());
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                seen.lock().unwrap().push(line);
            }
        });
        let input = server.stdin.take().unwrap();
        Some(Self {
            port,
            requests,
            _input: Mutex::new((server, input)),
        })
    }

    /// Returns the server's URL.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket; one with object lock has versions too.
    pub fn make_bucket(&self, name: &str, object_lock: bool) {
        let headers: &[_] = match object_lock {
            true => &[("x-amz-bucket-object-lock-enabled", "true")],
            false => &[],
        };
        let (status, _) = self.ask("PUT", &format!("/{name}"), headers, b"");
        assert_eq!(status, 200);
    }

    /// Turns versions on.
    pub fn keep_versions(&self, bucket: &str) {
        let body = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                    <Status>Enabled</Status></VersioningConfiguration>";
        let path = format!("/{bucket}?versioning");
        assert_eq!(self.ask("PUT", &path, &[], body.as_bytes()).0, 200);
    }

    /// Asks the server as somebody else would, without this store.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut request = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=other/20260101/us-east-1/s3/aws4_request\r\n",
            self.port,
            body.len()
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }

    /// Returns how many requests were logged so far that contain all of these texts.
    pub fn count(&self, texts: &[&str]) -> usize {
        let requests = self.requests.lock().unwrap();
        let fits = |line: &&String| texts.iter().all(|text| line.contains(text));
        requests.iter().filter(fits).count()
    }
}
