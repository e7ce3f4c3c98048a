//! As much of Google Cloud Storage's JSON API as the store uses, on loopback.
//!
//! The emulator from the Python package index replaces objects whatever `ifGenerationMatch` says,
//! so it could not show that the store does not. This one keeps to Google's documentation of
//! `objects.insert` (resumable), `get`, `list` and `delete`, and refuses whatever else it is asked.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;
use url::Url;

/// A day far from today: times must be the server's.
pub(crate) const DATE: &str = "Sun, 06 Nov 2044 08:49:37 GMT";
const UPDATED: &str = "2044-11-06T08:49:37.000Z";
/// Short pages end in the middle of everything.
const PAGE_NAMES: usize = 7;

/// What the server keeps, and what it was asked.
#[derive(Default)]
pub(crate) struct Bucket {
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
    sessions: Vec<Session>,
    /// First lines of requests.
    pub(crate) seen: Vec<String>,
    /// Answers with this instead of looking, where it is set.
    pub(crate) refusal: Option<(u16, String)>,
}

/// An upload that has begun.
struct Session {
    name: String,
    must_be_new: bool,
    /// What came so far.
    bytes: Vec<u8>,
}

struct Asked {
    method: String,
    url: Url,
    range: Option<(usize, usize)>,
    content_range: String,
    body: Vec<u8>,
}

impl Asked {
    fn option(&self, name: &str) -> Option<String> {
        let mut options = self.url.query_pairs();
        options.find_map(|(own, value)| (own == name).then(|| value.into_owned()))
    }
}

struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(body: &serde_json::Value) -> Self {
        Self {
            status: 200,
            headers: "Content-Type: application/json\r\n".to_owned(),
            body: body.to_string().into_bytes(),
        }
    }

    fn refusal(status: u16, reason: &str) -> Self {
        let errors = json!([{ "domain": "global", "reason": reason, "message": "as documented" }]);
        let body = json!({ "error": { "code": status, "message": reason, "errors": errors } });
        Self {
            status,
            ..Self::json(&body)
        }
    }
}

/// A server with one bucket, `bucket`.
pub(crate) struct GoogleServer {
    pub(crate) endpoint: String,
    pub(crate) bucket: Arc<Mutex<Bucket>>,
}

impl GoogleServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let bucket = Arc::<Mutex<Bucket>>::default();
        let (own, at) = (Arc::clone(&bucket), endpoint.clone());
        // The thread ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (bucket, at) = (Arc::clone(&own), at.clone());
                // A client that goes away ends its thread.
                thread::spawn(move || drop(serve(stream, &at, &bucket)));
            }
        });
        Self { endpoint, bucket }
    }

    pub(crate) fn count(&self, text: &str) -> usize {
        let bucket = self.bucket.lock().unwrap();
        bucket
            .seen
            .iter()
            .filter(|line| line.contains(text))
            .count()
    }
}

fn serve(mut out: TcpStream, endpoint: &str, bucket: &Mutex<Bucket>) -> std::io::Result<()> {
    let mut reader = BufReader::new(out.try_clone()?);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
        let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut body)?;
        let mut words = first.split(' ');
        let asked = Asked {
            method: words.next().unwrap().to_owned(),
            url: Url::parse(&format!("{endpoint}{}", words.next().unwrap())).unwrap(),
            range: range_of(&header("range")),
            content_range: header("content-range"),
            body,
        };
        let answer = {
            let mut bucket = bucket.lock().unwrap();
            bucket.seen.push(first.trim().to_owned());
            match &bucket.refusal {
                Some((status, reason)) => Answer::refusal(*status, reason),
                None => bucket.answer(&asked),
            }
        };
        let head = format!(
            "HTTP/1.1 {} Because\r\nDate: {DATE}\r\nContent-Length: {}\r\n{}\r\n",
            answer.status,
            answer.body.len(),
            answer.headers
        );
        out.write_all(head.as_bytes())?;
        out.write_all(&answer.body)?;
    }
}

/// `bytes=FIRST-LAST`, as the first byte and the one after the last.
fn range_of(text: &str) -> Option<(usize, usize)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse::<usize>().ok()? + 1))
}

impl Bucket {
    fn answer(&mut self, asked: &Asked) -> Answer {
        let path = asked.url.path().to_owned();
        if let Some(rest) = path.strip_prefix("/upload/storage/v1/b/") {
            return match (rest, asked.method.as_str()) {
                ("bucket/o", "POST") => self.open_session(asked),
                ("bucket/o", "PUT") => self.upload(asked),
                _ => Answer::refusal(404, "notFound"),
            };
        }
        let Some(rest) = path.strip_prefix("/storage/v1/b/bucket/o") else {
            return Answer::refusal(404, "notFound");
        };
        let name = rest.trim_start_matches('/').replace("%2F", "/");
        match (name.as_str(), asked.method.as_str()) {
            ("", "GET") => self.list(asked),
            (name, "GET") => self.get(name, asked),
            (name, "DELETE") => match self.objects.remove(name) {
                Some(_) => Answer {
                    status: 204,
                    headers: String::new(),
                    body: Vec::new(),
                },
                None => Answer::refusal(404, "notFound"),
            },
            _ => Answer::refusal(400, "invalid"),
        }
    }

    fn open_session(&mut self, asked: &Asked) -> Answer {
        let is_resumable = asked.option("uploadType").as_deref() == Some("resumable");
        let (true, Some(name)) = (is_resumable, asked.option("name")) else {
            return Answer::refusal(400, "invalid");
        };
        let must_be_new = asked.option("ifGenerationMatch").as_deref() == Some("0");
        if must_be_new && self.objects.contains_key(&name) {
            return Answer::refusal(412, "conditionNotMet");
        }
        self.sessions.push(Session {
            name,
            must_be_new,
            bytes: Vec::new(),
        });
        let mut session = asked.url.clone();
        session.set_query(Some(&format!("upload_id={}", self.sessions.len() - 1)));
        Answer {
            status: 200,
            headers: format!("Location: {session}\r\n"),
            body: Vec::new(),
        }
    }

    /// Takes a part of an upload; the last one tells the whole length.
    fn upload(&mut self, asked: &Asked) -> Answer {
        let session = asked.option("upload_id").and_then(|id| id.parse().ok());
        let Some(session) = session.and_then(|id: usize| self.sessions.get_mut(id)) else {
            return Answer::refusal(404, "notFound");
        };
        let start = session.bytes.len();
        session.bytes.extend_from_slice(&asked.body);
        let end = session.bytes.len();
        let part = match asked.body.is_empty() {
            true => "bytes *".to_owned(),
            false => format!("bytes {start}-{}", end - 1),
        };
        if asked.content_range == format!("{part}/*") && end % (256 << 10) == 0 {
            return Answer {
                status: 308,
                headers: format!("Range: bytes=0-{}\r\n", end - 1),
                body: Vec::new(),
            };
        }
        if asked.content_range != format!("{part}/{end}") {
            return Answer::refusal(400, "invalid");
        }
        // The condition holds when the object comes to be, not when its session was opened.
        if session.must_be_new && self.objects.contains_key(&session.name) {
            return Answer::refusal(412, "conditionNotMet");
        }
        let bytes = std::mem::take(&mut session.bytes);
        self.objects.insert(session.name.clone(), bytes);
        Answer::json(&resource(&session.name, end))
    }

    fn get(&self, name: &str, asked: &Asked) -> Answer {
        let Some(bytes) = self.objects.get(name) else {
            return Answer::refusal(404, "notFound");
        };
        if asked.option("alt").as_deref() != Some("media") {
            return Answer::json(&resource(name, bytes.len()));
        }
        let (status, part) = match asked.range {
            None => (200, &bytes[..]),
            Some((first, _)) if first >= bytes.len() => {
                return Answer::refusal(416, "requestedRangeNotSatisfiable");
            }
            Some((first, end)) => (206, &bytes[first..end.min(bytes.len())]),
        };
        Answer {
            status,
            headers: "ETag: \"one\"\r\n".to_owned(),
            body: part.to_vec(),
        }
    }

    fn list(&self, asked: &Asked) -> Answer {
        let prefix = asked.option("prefix").unwrap_or_default();
        let after = asked.option("pageToken").unwrap_or_default();
        let names = self.objects.iter();
        let mut page: Vec<_> = names
            .filter(|(name, _)| name.starts_with(&prefix) && **name > after)
            .take(PAGE_NAMES + 1)
            .map(|(name, bytes)| (name.clone(), resource(name, bytes.len())))
            .collect();
        let more = page.len() > PAGE_NAMES;
        page.truncate(PAGE_NAMES);
        let last = page.last().map(|(name, _)| name.clone());
        let items: Vec<_> = page.into_iter().map(|(_, resource)| resource).collect();
        let mut answer = json!({ "kind": "storage#objects", "items": items });
        if more {
            answer["nextPageToken"] = json!(last);
        }
        Answer::json(&answer)
    }
}

fn resource(name: &str, len: usize) -> serde_json::Value {
    json!({
        "kind": "storage#object",
        "name": name,
        "bucket": "bucket",
        "generation": "1",
        "contentType": "application/octet-stream",
        "updated": UPDATED,
        "size": len.to_string(),
        "md5Hash": "",
        "etag": "one",
    })
}
