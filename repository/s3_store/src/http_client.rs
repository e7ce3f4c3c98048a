//! Requests over HTTP, one after another on connections that stay open.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use object_store::{StoreError, StoreErrorKind};
use rusty_s3::Method;
use ureq::Agent;
use ureq::http::Request;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::answer::Answer;
use crate::clock::ServerClock;
use crate::failure::{ServerError, unanswered};
use crate::request::{MESSAGE_BYTES_MAX, S3Request, Signer};
use crate::{S3Limits, S3Options};

/// The slowest that a body may move, in bytes a second, before it counts as stuck.
const SLOWEST: u64 = 16 << 10;
/// Connections that are kept for the next request.
const KEPT_CONNECTIONS: usize = 16;

/// Signs and sends requests.
pub(crate) struct HttpClient {
    agent: Agent,
    signer: Signer,
    clock: ServerClock,
    limits: S3Limits,
}

impl HttpClient {
    pub(crate) fn new(options: &S3Options) -> Result<Self, StoreError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let idle = Some(options.limits.idle);
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("lifeboat/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections(KEPT_CONNECTIONS)
            .max_idle_connections_per_host(KEPT_CONNECTIONS)
            .timeout_resolve(idle)
            .timeout_connect(idle)
            .timeout_recv_response(idle)
            .timeout_per_read(idle)
            .timeout_per_write(idle);
        if options.endpoint.scheme() == "https" {
            let tls = TlsConfig::builder()
                .unversioned_rustls_crypto_provider(provider)
                .root_certs(trusted(options)?)
                .build();
            config = config.tls_config(tls);
        }
        Ok(Self {
            agent: config.build().new_agent(),
            signer: Signer::new(options)?,
            clock: ServerClock::default(),
            limits: options.limits,
        })
    }

    /// Returns the server's clock, as its answers told it so far.
    pub(crate) fn clock(&self) -> &ServerClock {
        &self.clock
    }

    /// Returns how requests wait and cut.
    pub(crate) fn limits(&self) -> &S3Limits {
        &self.limits
    }

    /// Sends a request and returns the answer, whatever its status. `what` says what was tried,
    /// for an error.
    pub(crate) fn send(
        &self,
        object: &str,
        what: &str,
        request: &S3Request<'_>,
    ) -> Result<Answer, StoreError> {
        let answer = self.send_once(object, what, request)?;
        let learned = answer
            .header("date")
            .is_some_and(|date| self.clock.learn(date));
        if learned && answer.status == 403 && is_about_time(&answer) {
            return self.send_once(object, what, request);
        }
        Ok(answer)
    }

    fn send_once(
        &self,
        object: &str,
        what: &str,
        request: &S3Request<'_>,
    ) -> Result<Answer, StoreError> {
        let url = self.signer.sign(request, self.clock.now());
        let mut builder = Request::builder()
            .method(word(request.method))
            .uri(url.as_str());
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let failed = |error: &ureq::Error| unanswered(object, what, error);
        let send_time = self.patience(u64::try_from(request.body.len()).unwrap_or(u64::MAX));
        let read_time = self.patience(request.limit_bytes);
        let has_body = matches!(request.method, Method::Put | Method::Post);
        let response = if has_body {
            let request = builder.body(request.body).map_err(|_| no_request(object))?;
            let request = self.agent.configure_request(request);
            let request = request
                .timeout_send_body(Some(send_time))
                .timeout_recv_body(Some(read_time))
                .build();
            self.agent.run(request)
        } else {
            let request = builder.body(()).map_err(|_| no_request(object))?;
            let request = self.agent.configure_request(request);
            self.agent
                .run(request.timeout_recv_body(Some(read_time)).build())
        };
        let response = response.map_err(|error| failed(&error))?;
        let (parts, body) = response.into_parts();
        let mut answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: Vec::new(),
        };
        let no_part = answer.status == 200 && request.headers.iter().any(|one| one.0 == "range");
        if request.method == Method::Head || no_part {
            // A server that sends the whole object in place of a part is not listened to.
            return Ok(answer);
        }
        let limit_bytes = match answer.is_success() {
            true => request.limit_bytes,
            false => MESSAGE_BYTES_MAX,
        };
        answer.body = read_body(object, what, body, limit_bytes)?;
        Ok(answer)
    }

    /// Returns how long a body of some bytes may take.
    fn patience(&self, bytes: u64) -> Duration {
        self.limits
            .idle
            .saturating_add(Duration::from_secs(bytes / SLOWEST))
    }
}

/// Reads a body to its end, or to one byte past what is allowed.
fn read_body(
    object: &str,
    what: &str,
    body: ureq::Body,
    limit_bytes: u64,
) -> Result<Vec<u8>, StoreError> {
    let told = body.content_length();
    if let Some(told) = told.filter(|told| *told > limit_bytes) {
        let message = format!("{what}: {told} bytes come, at most {limit_bytes} were expected");
        return Err(StoreError::new(StoreErrorKind::WrongSize, object, message));
    }
    let mut bytes = Vec::new();
    if let Some(told) = told.and_then(|told| usize::try_from(told).ok()) {
        // No more than is allowed, which the caller has room for.
        bytes.reserve_exact(told);
    }
    let mut reader = body.into_reader().take(limit_bytes.saturating_add(1));
    if let Err(error) = reader.read_to_end(&mut bytes) {
        return Err(unanswered(object, what, &ureq::Error::from(error)));
    }
    let len_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if len_bytes > limit_bytes {
        let message = format!("{what}: more than {limit_bytes} bytes come");
        return Err(StoreError::new(StoreErrorKind::WrongSize, object, message));
    }
    if told.is_some_and(|told| told != len_bytes) {
        let message = format!("{what}: the answer was cut off");
        return Err(StoreError::new(
            StoreErrorKind::Unavailable,
            object,
            message,
        ));
    }
    Ok(bytes)
}

/// A name or header that HTTP does not take: the store's own names never are.
fn no_request(object: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::BadName,
        object,
        "this makes no HTTP request",
    )
}

fn word(method: Method) -> &'static str {
    match method {
        Method::Head => "HEAD",
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
    }
}

/// Tells whether a request was refused for the time in its signature.
fn is_about_time(answer: &Answer) -> bool {
    let code = ServerError::read(&answer.body).code;
    // HEAD has no body to say so.
    code.is_empty() || matches!(code.as_str(), "RequestTimeTooSkewed" | "AccessDenied")
}

/// Returns the certificates of this system, and those of the file.
fn trusted(options: &S3Options) -> Result<RootCerts, StoreError> {
    let mut trusted: Vec<Certificate<'static>> = rustls_native_certs::load_native_certs()
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate.as_ref()).to_owned())
        .collect();
    if let Some(file) = &options.ca_file {
        let name = file.display().to_string();
        let pem = std::fs::read(file)
            .map_err(|error| StoreError::io(&name, "cannot read these certificates", error))?;
        let before = trusted.len();
        trusted.extend(parse_pem(&pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        }));
        if trusted.len() == before {
            let message = "there is no PEM certificate in this file";
            return Err(StoreError::new(StoreErrorKind::NotFound, &name, message));
        }
    }
    if trusted.is_empty() {
        return Err(StoreError::new(
            StoreErrorKind::NotFound,
            options.endpoint.as_str(),
            "this system has no certificates to trust: name some with ca-file=FILE",
        ));
    }
    Ok(RootCerts::new_with_certs(&trusted))
}
