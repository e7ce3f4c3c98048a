//! From a request's bytes to an answer's.

use std::sync::{Arc, Mutex};

use hyper::StatusCode;
use wmi::WmiSession;
use wmi::wsman::codec::{Element, Envelope, ResponseHeader, names};
use wmi::wsman::sealed::{CONTENT_TYPE, PLAIN_CONTENT_TYPE, is_sealed, seal_body, unseal_body};

use super::access::{Access, Answer, Entry, Question, enter, with_session};
use super::enumerations::Enumerations;
use super::failure::Failure;
use super::ntlm::Account;
use super::request::Request;
use super::{ServerOptions, identification, new_name};

/// A service: what answers the requests of all connections.
pub(super) struct Service {
    pub(super) session: Arc<dyn WmiSession>,
    pub(super) enumerations: Enumerations,
    options: ServerOptions,
    account: Account,
}

/// An answer before it is sealed.
struct Reply {
    status: StatusCode,
    xml: String,
}

/// What an operation answers with.
pub(super) struct Outcome {
    pub(super) action: String,
    pub(super) body: Element,
}

impl Service {
    pub(super) fn new(session: Arc<dyn WmiSession>, options: ServerOptions) -> Self {
        Self {
            session,
            enumerations: Enumerations::new(),
            account: Account::new(&options.user, &options.password),
            options,
        }
    }

    pub(super) fn options(&self) -> &ServerOptions {
        &self.options
    }

    /// Answers a request of HTTP.
    pub(super) fn answer(&self, question: &Question, access: &Mutex<Access>) -> Answer {
        if question.is_identification && question.authorization.is_empty() {
            let envelope = Envelope::parse(&question.body).ok();
            if envelope.is_some_and(|envelope| identification::is_asked(&envelope)) {
                return clear(Reply {
                    status: StatusCode::OK,
                    xml: identification::reply(None),
                });
            }
        }
        let entry = enter(
            access,
            &question.authorization,
            &self.account,
            self.session.host(),
            self.options.allow_basic,
        );
        match entry {
            Entry::Refused(answer) => answer,
            Entry::Clear => clear(self.reply(&question.body)),
            Entry::Sealed(greeting) => {
                let mut answer = self.answer_sealed(question, access);
                answer.challenges.extend(greeting);
                answer
            }
        }
    }

    fn answer_sealed(&self, question: &Question, access: &Mutex<Access>) -> Answer {
        if question.body.is_empty() {
            return Answer::empty(StatusCode::OK);
        }
        if !is_sealed(&question.content_type) {
            return refusal_of_clear_text();
        }
        let opened = with_session(access, |session| {
            unseal_body(&question.content_type, &question.body, session)
        });
        let Some(plain) = opened else {
            return Answer::last(StatusCode::BAD_REQUEST);
        };
        let reply = self.reply(&plain);
        let sealed = with_session(access, |session| seal_body(reply.xml.as_bytes(), session));
        let Some(body) = sealed else {
            return Answer::last(StatusCode::BAD_REQUEST);
        };
        Answer {
            content_type: Some(CONTENT_TYPE),
            body,
            ..Answer::empty(reply.status)
        }
    }

    /// Answers a message.
    fn reply(&self, bytes: &[u8]) -> Reply {
        let envelope = match Envelope::parse(bytes) {
            Ok(envelope) => envelope,
            Err(error) => return self.tell(&Failure::Malformed(error), None),
        };
        if identification::is_asked(&envelope) {
            return Reply {
                status: StatusCode::OK,
                xml: identification::reply(Some(&self.options.product_version)),
            };
        }
        let id = envelope.header_text(names::ADDRESSING, "MessageID");
        let id = id.filter(|id| id.len() <= 256).map(str::to_owned);
        let reply = Request::of(envelope, self.options.envelope_bytes_max).and_then(|request| {
            let outcome = self.operate(&request)?;
            let xml = message(outcome.action, outcome.body, id.clone());
            match xml.len() <= request.answer_bytes_max {
                true => Ok(xml),
                false => Err(Failure::EnvelopeTooLarge),
            }
        });
        match reply {
            Ok(xml) => Reply {
                status: StatusCode::OK,
                xml,
            },
            Err(failure) => self.tell(&failure, id),
        }
    }

    fn tell(&self, failure: &Failure, relates_to: Option<String>) -> Reply {
        let body = failure.element(self.session.host());
        Reply {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            xml: message(failure.action().to_owned(), body, relates_to),
        }
    }
}

/// Writes a message, which names the one that it answers if that has a name.
fn message(action: String, body: Element, relates_to: Option<String>) -> String {
    let header = ResponseHeader {
        action,
        message_id: new_name(),
        relates_to: relates_to.clone().unwrap_or_default(),
    };
    let mut envelope = header.envelope(Some(body));
    if relates_to.is_none() {
        let is_relation = |header: &Element| header.is(names::ADDRESSING, "RelatesTo");
        envelope.headers.retain(|header| !is_relation(header));
    }
    envelope.to_xml()
}

fn clear(reply: Reply) -> Answer {
    Answer {
        content_type: Some(PLAIN_CONTENT_TYPE),
        body: reply.xml.into_bytes(),
        ..Answer::empty(reply.status)
    }
}

/// Refuses a message that is not sealed, as a host does whose `AllowUnencrypted` is false: clients
/// report status 500 without more.
///
/// Contract: 0.5 [M]
fn refusal_of_clear_text() -> Answer {
    Answer::empty(StatusCode::INTERNAL_SERVER_ERROR)
}
