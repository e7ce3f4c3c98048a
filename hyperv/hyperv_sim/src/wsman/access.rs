//! Who is on a connection, and the messages that pass it sealed or in the clear.

use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use wmi::WmiError;

use super::negotiation::{Negotiation, Step};
use super::ntlm::{Account, Session};

/// What a connection has proven so far.
#[derive(Default)]
pub(super) struct Access {
    negotiation: Negotiation,
    session: Option<Box<Session>>,
}

#[cfg(test)]
impl Access {
    /// Makes the state of a connection whose client is in.
    pub(super) fn of(session: Session) -> Self {
        Self {
            session: Some(Box::new(session)),
            ..Self::default()
        }
    }
}

/// A request, as far as HTTP knows it.
pub(super) struct Question {
    /// `Authorization`; empty where there is none.
    pub(super) authorization: String,
    /// `Content-Type`.
    pub(super) content_type: String,
    /// Whether it asks what the service is, without saying who asks.
    pub(super) is_identification: bool,
    pub(super) body: Vec<u8>,
}

/// An answer, as far as HTTP knows it.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: Option<&'static str>,
    /// `WWW-Authenticate`.
    pub(super) challenges: Vec<String>,
    pub(super) body: Vec<u8>,
    /// The connection ends with this answer.
    pub(super) is_last: bool,
}

impl Answer {
    /// Makes an answer without a body.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            content_type: None,
            challenges: Vec::new(),
            body: Vec::new(),
            is_last: false,
        }
    }

    /// Makes an answer without a body, after which the connection ends.
    pub(super) fn last(status: StatusCode) -> Self {
        Self {
            is_last: true,
            ..Self::empty(status)
        }
    }
}

/// How a request may be answered.
pub(super) enum Entry {
    /// In the clear: the password came with it.
    Clear,
    /// Sealed. What the client is told of its negotiation, if it ended with this request.
    Sealed(Option<String>),
    /// Not at all.
    Refused(Answer),
}

/// Finds out who asks.
pub(super) fn enter(
    access: &Mutex<Access>,
    authorization: &str,
    account: &Account,
    host: &str,
    allow_basic: bool,
) -> Entry {
    let refused = |challenge: String| {
        let mut answer = Answer::empty(StatusCode::UNAUTHORIZED);
        answer.challenges.push(challenge);
        if allow_basic {
            answer.challenges.push("Basic realm=\"WSMAN\"".to_owned());
        }
        Entry::Refused(answer)
    };
    let (scheme, credentials) = authorization.split_once(' ').unwrap_or_default();
    let credentials = STANDARD.decode(credentials.trim()).unwrap_or_default();
    if scheme.eq_ignore_ascii_case("Basic") && allow_basic {
        return match is_basic(&credentials, account) {
            true => Entry::Clear,
            false => refused("Negotiate".to_owned()),
        };
    }
    let mut access = access.lock().unwrap_or_else(PoisonError::into_inner);
    if !scheme.eq_ignore_ascii_case("Negotiate") {
        return match access.session {
            Some(_) => Entry::Sealed(None),
            None => refused("Negotiate".to_owned()),
        };
    }
    access.session = None;
    let header = |token: &[u8]| format!("Negotiate {}", STANDARD.encode(token));
    match access.negotiation.step(&credentials, account, host) {
        Step::Continue(token) => refused(header(&token)),
        Step::Refused => refused("Negotiate".to_owned()),
        Step::Done(session, token) => {
            access.session = Some(session);
            Entry::Sealed((!token.is_empty()).then(|| header(&token)))
        }
    }
}

fn is_basic(credentials: &[u8], account: &Account) -> bool {
    let text = std::str::from_utf8(credentials).unwrap_or_default();
    let (user, password) = text.split_once(':').unwrap_or_default();
    let has_password = account.has_password(password);
    has_password && account.is_named(user)
}

/// Does something with the session of a connection. One that failed to open a message is lost.
pub(super) fn with_session<T>(
    access: &Mutex<Access>,
    work: impl FnOnce(&mut Session) -> Result<T, WmiError>,
) -> Option<T> {
    let mut access = access.lock().unwrap_or_else(PoisonError::into_inner);
    let done = work(access.session.as_mut()?).ok();
    if done.is_none() {
        access.session = None;
    }
    done
}
