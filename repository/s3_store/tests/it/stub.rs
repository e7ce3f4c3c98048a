//! A server that says what a test wants.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use s3_store::S3Options;

use crate::bucket::options;

/// What the server does with a request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// A status, headers (each with its line's end) and a body.
    Answer(u16, String, Vec<u8>),
    /// An answer whose body ends before its `Content-Length`.
    Cut(u16, Vec<u8>),
    /// An answer whose body never ends.
    Endless,
    /// Nothing, until the client goes.
    Silence,
    /// The connection closes.
    Close,
}

impl Reply {
    pub(crate) fn error(status: u16, code: &str) -> Self {
        let body =
            format!("<Error><Code>{code}</Code><Message>as the test wants</Message></Error>");
        Self::Answer(status, String::new(), body.into_bytes())
    }

    pub(crate) fn ok(body: &str) -> Self {
        Self::Answer(200, String::new(), body.as_bytes().to_vec())
    }
}

/// A request: method, path with query, headers as `name: value` with the name in lower case.
pub(crate) type Seen = (String, String, Vec<String>);

/// A server with a rule.
pub(crate) struct Stub {
    port: u16,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
}

impl Stub {
    /// Starts a server that answers each request by a rule, given the request and its number.
    pub(crate) fn start(rule: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (rule, all) = (Arc::new(rule), Arc::clone(&seen));
        // The thread ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (rule, all) = (Arc::clone(&rule), Arc::clone(&all));
                thread::spawn(move || {
                    // A client that goes away is what some tests are about.
                    drop(serve(stream, &*rule, &all));
                });
            }
        });
        Self { port, seen }
    }

    pub(crate) fn options(&self) -> S3Options {
        let mut options = options(&format!("http://127.0.0.1:{}", self.port), "bucket");
        options.limits.idle = Duration::from_millis(300);
        options.limits.part_wait = Duration::ZERO;
        options
    }

    pub(crate) fn requests(&self, text: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|(method, path, _)| format!("{method} {path}").contains(text))
            .count()
    }
}

fn serve(
    stream: TcpStream,
    rule: &dyn Fn(&Seen, usize) -> Reply,
    all: &Mutex<Vec<Seen>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = stream;
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else {
                break;
            };
            headers.push(format!("{}: {}", name.to_ascii_lowercase(), value.trim()));
        }
        let length = headers
            .iter()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        std::io::copy(
            &mut reader.by_ref().take(length.unwrap_or(0)),
            &mut std::io::sink(),
        )?;
        let mut words = first.split(' ').map(str::to_owned);
        let request = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
            headers,
        );
        let number = {
            let mut all = all.lock().unwrap();
            all.push(request.clone());
            all.len() - 1
        };
        let head = |status: u16, length: usize, headers: &str| {
            format!(
                "HTTP/1.1 {status} Because\r\nDate: Sun, 06 Nov 2044 08:49:37 GMT\r\n\
                 Content-Length: {length}\r\n{headers}\r\n"
            )
        };
        match rule(&request, number) {
            Reply::Answer(status, headers, body) => {
                out.write_all(head(status, body.len(), &headers).as_bytes())?;
                if request.0 != "HEAD" {
                    out.write_all(&body)?;
                }
            }
            Reply::Cut(status, body) => {
                out.write_all(head(status, body.len() + 10, "").as_bytes())?;
                out.write_all(&body)?;
                return Ok(());
            }
            Reply::Endless => {
                out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                let block = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
                loop {
                    out.write_all(&block)?;
                }
            }
            Reply::Silence => {
                let mut rest = Vec::new();
                reader.read_to_end(&mut rest)?;
                return Ok(());
            }
            Reply::Close => return Ok(()),
        }
    }
}
