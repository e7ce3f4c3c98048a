//! How answers come in: bounded in length and in time, and with the server's date.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use http::{Request, Response, StatusCode, header};
use object_store::{StoreError, StoreErrorKind};
use opendal::raw::{Operation, Timestamp};
use opendal::{Buffer, Error, ErrorKind, HttpBody, HttpTransport, Result};
use opendal_http_transport_reqwest::ReqwestTransport;

/// What an answer may have that is not an object's bytes: a page of a listing has 5,000 names.
const ANSWER_BYTES: usize = 64 << 20;

/// How long is waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For an answer to begin, the request's body included, and then for each part of it.
    pub idle: Duration,
}

impl Default for Patience {
    /// Half a minute for a connection; five minutes in which 32 MiB go out at 1 Mbit/s.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            idle: Duration::from_secs(300),
        }
    }
}

/// The date of the newest answer.
pub(crate) type LastDate = Arc<Mutex<Option<SystemTime>>>;

/// reqwest, with bounds.
pub(crate) struct BoundedTransport {
    inner: ReqwestTransport,
    date: LastDate,
}

impl BoundedTransport {
    pub(crate) fn new(location: &str, patience: Patience) -> Result<(Self, LastDate), StoreError> {
        let client = reqwest::Client::builder()
            .connect_timeout(patience.connect)
            .read_timeout(patience.idle)
            // Neither cloud redirects, and no other server is to see what is signed.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| {
                let text = format!("cannot set up TLS: {error}");
                StoreError::new(StoreErrorKind::Io, location, text)
            })?;
        let date = LastDate::default();
        let transport = Self {
            inner: ReqwestTransport::new(client),
            date: Arc::clone(&date),
        };
        Ok((transport, date))
    }

    /// Keeps the date of a storage server's answer; the server that makes tokens is another.
    fn keep_date(&self, response: &Response<HttpBody>) {
        let date = response.headers().get(header::DATE);
        let date = date.and_then(|date| Timestamp::parse_rfc2822(date.to_str().ok()?).ok());
        if let Some(date) = date {
            let mut last = self.date.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some(date.into());
        }
    }
}

impl fmt::Debug for BoundedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundedTransport")
    }
}

impl HttpTransport for BoundedTransport {
    async fn fetch(&self, request: Request<Buffer>) -> Result<Response<HttpBody>> {
        let operation = request.extensions().get::<Operation>().copied();
        let in_part = request.headers().contains_key(header::RANGE);
        let response = self.inner.fetch(request).await?;
        if operation.is_some() {
            self.keep_date(&response);
        }
        let is_read = operation == Some(Operation::Read) && response.status().is_success();
        if !is_read {
            return Ok(response.map(|body| bounded(body, ANSWER_BYTES)));
        }
        if in_part && response.status() != StatusCode::PARTIAL_CONTENT {
            let text = "the server gives no part of an object";
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        // Whoever reads an object counts what comes.
        Ok(response)
    }
}

/// Ends a body with an error where it is longer than `left` bytes.
fn bounded(body: HttpBody, mut left: usize) -> HttpBody {
    body.map_inner(|parts| {
        Box::new(parts.map(move |part| {
            let part = part?;
            left = left.checked_sub(part.len()).ok_or_else(|| {
                Error::new(ErrorKind::Unexpected, "the server's answer does not end")
            })?;
            Ok(part)
        }))
    })
}
