//! One HTTP connection: a request, its whole answer, within bounds.

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{
    AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
    WWW_AUTHENTICATE,
};
use hyper::rt::{Read, Write};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::WsmanAddress;
use super::tls::TlsTrust;
use crate::{WmiError, WmiErrorKind};

/// Headers of one answer, and the bytes that they may take.
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 64 << 10;

/// An open connection. Whoever holds it is the only one who asks.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
}

/// What a host answered.
pub(super) struct HttpAnswer {
    pub(super) status: StatusCode,
    pub(super) content_type: String,
    /// The schemes of `WWW-Authenticate` with what follows them.
    pub(super) challenges: Vec<String>,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer, and whether the host may have read the request.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) error: WmiError,
    pub(super) sent: bool,
}

impl Broken {
    pub(super) fn before(error: WmiError) -> Self {
        Self { error, sent: false }
    }

    pub(super) fn after(error: WmiError) -> Self {
        Self { error, sent: true }
    }
}

impl Connection {
    /// Connects to a host, over TLS where `trust` is given.
    pub(super) async fn open(
        address: &WsmanAddress,
        trust: Option<&TlsTrust>,
    ) -> Result<Self, WmiError> {
        let place = (address.host.as_str(), address.port);
        let stream = TcpStream::connect(place)
            .await
            .map_err(|error| unreachable(&address.authority(), &error).caused_by(error))?;
        // Requests are single segments; waiting for more would only cost time.
        let _ = stream.set_nodelay(true);
        let Some(trust) = trust else {
            return Self::over(TokioIo::new(stream), address).await;
        };
        let name = ServerName::try_from(address.host.clone())
            .map_err(|error| unreachable(&address.authority(), &error))?;
        let connector = TlsConnector::from(trust.config.clone());
        let stream = connector
            .connect(name, stream)
            .await
            .map_err(|error| trust.refused(&address.authority(), &error))?;
        Self::over(TokioIo::new(stream), address).await
    }

    async fn over<I>(io: I, address: &WsmanAddress) -> Result<Self, WmiError>
    where
        I: Read + Write + Unpin + Send + 'static,
    {
        let mut builder = Builder::new();
        builder
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEADER_BYTES_MAX);
        let (sender, connection) = builder
            .handshake(io)
            .await
            .map_err(|error| unreachable(&address.authority(), &error))?;
        // How it ends is told to whoever waits for an answer.
        tokio::spawn(async move { drop(connection.await) });
        let host = HeaderValue::from_str(&address.authority())
            .map_err(|error| unreachable(&address.authority(), &error))?;
        Ok(Self { sender, host })
    }

    /// Returns whether the host has not closed it yet, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends a request and reads the answer, its body up to `bytes_max`.
    pub(super) async fn post(
        &mut self,
        content_type: &'static str,
        authorization: Option<HeaderValue>,
        body: Vec<u8>,
        bytes_max: usize,
    ) -> Result<HttpAnswer, Broken> {
        let mut request = Request::post("/wsman")
            .header(HOST, self.host.clone())
            .header(USER_AGENT, "lifeboat")
            .header(CONTENT_TYPE, content_type)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Broken::before(broke(&error)))?;
        if let Some(mut authorization) = authorization {
            authorization.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, authorization);
        }
        let ready = self.sender.ready().await;
        ready.map_err(|error| Broken::before(broke(&error)))?;
        let answer = self.sender.try_send_request(request).await;
        let answer = answer.map_err(|mut failure| Broken {
            sent: failure.take_message().is_none(),
            error: broke(failure.error()),
        })?;
        read(answer, bytes_max).await.map_err(Broken::after)
    }
}

async fn read(answer: Response<Incoming>, bytes_max: usize) -> Result<HttpAnswer, WmiError> {
    let (head, mut incoming) = answer.into_parts();
    let too_large = |bytes: u64| {
        let what = format!("the host's answer has {bytes} bytes or more; {bytes_max} are allowed");
        WmiError::new(WmiErrorKind::TooLarge, what)
    };
    let announced = incoming.size_hint().lower();
    if usize::try_from(announced).is_ok_and(|bytes| bytes > bytes_max) {
        return Err(too_large(announced));
    }
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| broke(&error))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if body.len().saturating_add(data.len()) > bytes_max {
            return Err(too_large(body.len() as u64));
        }
        body.extend_from_slice(data);
    }
    Ok(HttpAnswer {
        status: head.status,
        content_type: texts(&head.headers, CONTENT_TYPE)
            .into_iter()
            .next()
            .unwrap_or_default(),
        challenges: texts(&head.headers, WWW_AUTHENTICATE),
        body,
    })
}

fn texts(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| Some(value.to_str().ok()?.to_owned()))
        .collect()
}

fn unreachable(place: &str, why: &dyn std::fmt::Display) -> WmiError {
    let what = format!("{place} cannot be reached: {why}");
    WmiError::new(WmiErrorKind::Unreachable, what)
}

/// What is not HTTP is a breach of the protocol; all else is a connection that broke.
fn broke(error: &(dyn std::error::Error + 'static)) -> WmiError {
    let of_protocol = error
        .downcast_ref::<hyper::Error>()
        .is_some_and(|error| error.is_parse() || error.is_user());
    let kind = match of_protocol {
        true => WmiErrorKind::Protocol,
        false => WmiErrorKind::Unreachable,
    };
    let mut what = format!("the connection failed: {error}");
    if let Some(cause) = error.source() {
        what.push_str(&format!(": {cause}"));
    }
    WmiError::new(kind, what)
}
