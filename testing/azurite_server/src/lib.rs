//! An Azure Blob server on loopback for tests.
//!
//! It is Microsoft's Azurite (`npm install azurite`), which checks signatures, enforces
//! `If-None-Match`, and lists in pages.
//!
//! `LIFEBOAT_AZURITE` names its main script, `node_modules/azurite/dist/src/blob/main.js`. Where it
//! is not set, or there is no Node.js, a test is skipped visibly, and fails with
//! `LIFEBOAT_REQUIRE_TOOLS=1`.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a part of tests, which fail by panicking and say when they are skipped"
)]

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

/// The server with its operator: does what lines of its input say, as somebody with the account's
/// key would, and answers with a line each. Ends when the input does, so never outlives the test.
const SCRIPT: &str = include_str!("operator.js");

/// The account that every Azurite has.
pub const ACCOUNT: &str = "devstoreaccount1";

/// Its key, which Microsoft's documentation of Azurite gives to everybody.
pub const ACCOUNT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// The server that all tests of a process share: each makes containers of its own.
pub struct Azurite {
    endpoint: String,
    operator: Mutex<Operator>,
}

struct Operator {
    _server: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

static SERVER: OnceLock<Option<Azurite>> = OnceLock::new();

impl Azurite {
    /// Returns the server; says so and returns nothing where there is none.
    pub fn shared() -> Option<&'static Self> {
        let server = SERVER.get_or_init(Self::start).as_ref();
        if server.is_none() {
            let required = std::env::var_os("LIFEBOAT_REQUIRE_TOOLS").is_some();
            let why = "Azurite is not installed (npm install azurite; LIFEBOAT_AZURITE)";
            assert!(!required, "{why}");
            eprintln!("skipped: {why}");
        }
        server
    }

    fn start() -> Option<Self> {
        let script: OsString = std::env::var_os("LIFEBOAT_AZURITE")?;
        let mut server = Command::new("node")
            .args(["-e", SCRIPT])
            .arg(script)
            .arg(ACCOUNT_KEY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let input = server.stdin.take().unwrap();
        let mut output = BufReader::new(server.stdout.take().unwrap()).lines();
        let listens = output
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("listens on ")?.1.to_owned()));
        Some(Self {
            endpoint: format!("{}/{ACCOUNT}", listens?),
            operator: Mutex::new(Operator {
                _server: server,
                input,
                output,
            }),
        })
    }

    /// Returns the server's URL, with the account in it.
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Makes a container.
    pub fn make_container(&self, name: &str) {
        assert_eq!(self.ask(&format!("container {name}")), "201");
    }

    /// Returns a shared access signature of the account: letters of `rights` as in its `sp`.
    pub fn signature(&self, rights: &str) -> String {
        self.ask(&format!("signature {rights}"))
    }

    fn ask(&self, request: &str) -> String {
        let mut operator = self.operator.lock().unwrap();
        let request = format!("{request} {}\n", self.endpoint);
        operator.input.write_all(request.as_bytes()).unwrap();
        // Between the answers stands what the server logs.
        let mut lines = operator.output.by_ref().map_while(Result::ok);
        lines
            .find_map(|line| Some(line.strip_prefix("answer ")?.to_owned()))
            .unwrap()
    }
}
