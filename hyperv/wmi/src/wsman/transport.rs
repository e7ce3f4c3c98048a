//! Messages to a host and back: the connection, its login, its seal, and when to connect anew.

use std::time::Instant;

use hyper::StatusCode;
use hyper::header::HeaderValue;
use tokio::runtime::{Builder, Runtime};

use super::connection::{Broken, Connection, HttpAnswer};
use super::ntlm::NtlmClient;
use super::sealed::{CONTENT_TYPE, PLAIN_CONTENT_TYPE, seal_body, unseal_body};
use super::tls::TlsTrust;
use super::{WsmanAuthentication, WsmanOptions, login};
use crate::limits::RESPONSE_BYTES_MAX;
use crate::{WmiError, WmiErrorKind};

/// Bytes of the frame around a sealed body.
const FRAME_BYTES: usize = 4096;

/// May a request be sent again, when it is not known whether the host carried it out?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Asking twice is as asking once.
    Once,
    /// The host would do it twice, or skip what it had already sent.
    Never,
}

/// What carries messages to one host. One is under way at a time.
pub(super) struct Transport {
    options: WsmanOptions,
    trust: Option<TlsTrust>,
    /// Drives the connection while a message is under way.
    runtime: Runtime,
    connection: Option<Authenticated>,
}

/// A connection on which the host knows who asks.
struct Authenticated {
    connection: Connection,
    protection: Protection,
    used_last: Instant,
}

/// What protects the messages of a connection.
enum Protection {
    /// Each is sealed with the key of the login, and each answer must be.
    Seal(Box<NtlmClient>),
    /// TLS protects them; the login was that of the connection.
    Tls,
    /// TLS protects them and the password that goes with each.
    TlsBasic(HeaderValue),
}

impl Transport {
    /// Makes a transport; connects with the first message.
    ///
    /// Errors: `Unavailable`.
    pub(super) fn new(options: WsmanOptions) -> Result<Self, WmiError> {
        options.check()?;
        let trust = match options.address.tls {
            true => Some(TlsTrust::new(&options)?),
            false => None,
        };
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| {
                WmiError::new(WmiErrorKind::Unavailable, "no network on this system")
                    .caused_by(error)
            })?;
        Ok(Self {
            options,
            trust,
            runtime,
            connection: None,
        })
    }

    /// Connects and logs in, unless that is done.
    pub(super) fn connect(&mut self) -> Result<(), WmiError> {
        let fresh = |own: &Authenticated| own.is_fresh(&self.options);
        if self.connection.as_ref().is_some_and(fresh) {
            return Ok(());
        }
        let (options, trust) = (&self.options, self.trust.as_ref());
        let limit = options.connect_timeout;
        self.connection = None;
        let connection = self.runtime.block_on(async {
            let opened = tokio::time::timeout(limit, Authenticated::open(options, trust)).await;
            opened.unwrap_or_else(|_| {
                let what = format!("no connection to {} within {limit:?}", options.address);
                Err(WmiError::new(WmiErrorKind::Timeout, what))
            })
        })?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Sends a message and returns the answer, a fault too. A connection that broke is made anew
    /// once, unless the host may have carried out what must not be repeated.
    pub(super) fn exchange(&mut self, message: &str, repeat: Repeat) -> Result<Vec<u8>, WmiError> {
        self.connect()?;
        match self.exchange_once(message) {
            Err(broken) if broken.may_repeat(repeat) => {
                self.connect()?;
                self.exchange_once(message).map_err(|broken| broken.error)
            }
            other => other.map_err(|broken| broken.error),
        }
    }

    fn exchange_once(&mut self, message: &str) -> Result<Vec<u8>, Broken> {
        // It comes back only when all went well: after anything else the host and we may be at
        // different places in the sequence of sealed messages.
        let mut authenticated = self.connection.take().ok_or_else(|| {
            Broken::before(WmiError::new(WmiErrorKind::Unreachable, "no connection"))
        })?;
        let (options, limit) = (
            &self.options,
            self.options
                .operation_timeout
                .saturating_add(self.options.grace),
        );
        let answer = self.runtime.block_on(async {
            let answer = authenticated.exchange(message, options);
            tokio::time::timeout(limit, answer)
                .await
                .unwrap_or_else(|_| {
                    let what = format!("{} did not answer within {limit:?}", options.address);
                    Err(Broken::after(WmiError::new(WmiErrorKind::Timeout, what)))
                })
        })?;
        self.connection = Some(authenticated);
        Ok(answer)
    }
}

impl Broken {
    fn may_repeat(&self, repeat: Repeat) -> bool {
        self.error.kind() == WmiErrorKind::Unreachable && (!self.sent || repeat == Repeat::Once)
    }
}

impl Authenticated {
    async fn open(options: &WsmanOptions, trust: Option<&TlsTrust>) -> Result<Self, WmiError> {
        let mut connection = Connection::open(&options.address, trust).await?;
        let protection = match (options.authentication, trust) {
            (WsmanAuthentication::Negotiate, None) => {
                let client = login::negotiate(&mut connection, options, None).await?;
                Protection::Seal(Box::new(client))
            }
            (WsmanAuthentication::Negotiate, Some(trust)) => {
                let binding = trust.channel_binding();
                login::negotiate(&mut connection, options, binding.as_deref()).await?;
                Protection::Tls
            }
            (WsmanAuthentication::Basic, Some(_)) => Protection::TlsBasic(login::basic(options)?),
            (WsmanAuthentication::Basic, None) => {
                let what = "Basic needs TLS";
                return Err(WmiError::new(WmiErrorKind::Unavailable, what));
            }
        };
        Ok(Self {
            connection,
            protection,
            used_last: Instant::now(),
        })
    }

    fn is_fresh(&self, options: &WsmanOptions) -> bool {
        self.connection.is_open() && self.used_last.elapsed() < options.idle_max
    }

    async fn exchange(&mut self, message: &str, options: &WsmanOptions) -> Result<Vec<u8>, Broken> {
        let plain = message.as_bytes();
        let (content_type, authorization, body) = match &mut self.protection {
            Protection::Seal(client) => {
                let body = seal_body(plain, client.as_mut()).map_err(Broken::before)?;
                (CONTENT_TYPE, None, body)
            }
            Protection::Tls => (PLAIN_CONTENT_TYPE, None, plain.to_vec()),
            Protection::TlsBasic(header) => {
                (PLAIN_CONTENT_TYPE, Some(header.clone()), plain.to_vec())
            }
        };
        let bytes_max = RESPONSE_BYTES_MAX.saturating_add(FRAME_BYTES);
        let answer = self
            .connection
            .post(content_type, authorization, body, bytes_max)
            .await?;
        self.used_last = Instant::now();
        self.open_answer(answer, options).map_err(Broken::after)
    }

    /// Returns the message of an answer: SOAP comes with 200, faults with 400 or 500.
    fn open_answer(
        &mut self,
        answer: HttpAnswer,
        options: &WsmanOptions,
    ) -> Result<Vec<u8>, WmiError> {
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(login::refused(options));
        }
        login::refuse_other_services(&answer, options)?;
        let HttpAnswer {
            content_type, body, ..
        } = answer;
        if let Protection::Seal(client) = &mut self.protection {
            return unseal_body(&content_type, &body, client.as_mut());
        }
        let media = content_type.split(';').next().unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case("application/soap+xml") {
            let status = answer.status.as_u16();
            let what = format!("{} answered no SOAP (HTTP {status})", options.address);
            return Err(WmiError::new(WmiErrorKind::Protocol, what));
        }
        Ok(body)
    }
}
