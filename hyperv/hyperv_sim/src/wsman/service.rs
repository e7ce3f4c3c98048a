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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wmi::wsman::codec::{EnumerateRequest, RequestHeader};
    use wmi::wsman::sealed::Seal;
    use wmi::{Instance, MethodOutput, ObjectPath, VIRTUALIZATION, Value, WmiError};

    use super::super::ntlm::Session;
    use super::*;

    /// A host with nothing on it.
    struct Nothing;

    impl WmiSession for Nothing {
        fn host(&self) -> &str {
            "HV1"
        }
        fn query(
            &self,
            _: &str,
            _: &str,
            _: &mut dyn FnMut(Instance) -> Result<(), WmiError>,
        ) -> Result<(), WmiError> {
            Ok(())
        }
        fn get(&self, path: &ObjectPath) -> Result<Instance, WmiError> {
            Ok(Instance::new(path.class()))
        }
        fn invoke(
            &self,
            _: &ObjectPath,
            _: &str,
            _: &[(&str, Value)],
        ) -> Result<MethodOutput, WmiError> {
            Ok(MethodOutput::default())
        }
    }

    fn service() -> Service {
        Service::new(Arc::new(Nothing), ServerOptions::new("user", "password"))
    }

    fn request() -> Vec<u8> {
        let header = RequestHeader {
            to: "http://h/wsman".to_owned(),
            action: names::ACTION_ENUMERATE.to_owned(),
            message_id: "uuid:1".to_owned(),
            target: ObjectPath::new(VIRTUALIZATION, "X"),
            envelope_bytes_max: Some(100_000),
            timeout: None,
        };
        let body = EnumerateRequest {
            elements_max: Some(5),
            ..EnumerateRequest::default()
        };
        header.envelope(Some(body.element())).to_xml().into_bytes()
    }

    fn sealed(body: Vec<u8>) -> Question {
        Question {
            authorization: String::new(),
            content_type: CONTENT_TYPE.to_owned(),
            is_identification: false,
            body,
        }
    }

    #[test]
    fn a_sealed_body_that_cannot_be_opened_ends_connection_and_session() {
        let service = service();
        let honest = |client: &mut dyn Seal| seal_body(&request(), client).unwrap();
        let mut changed = honest(&mut Session::pair().1);
        let last = changed.len() - 30;
        changed[last] ^= 1;
        let garbage = [&b"--Encrypted Boundary\r\n"[..], &[7; 500]].concat();
        let clear = request();
        let mut later = Session::pair().1;
        honest(&mut later);
        for body in [changed, garbage, clear, honest(&mut later)] {
            let (session, mut client) = Session::pair();
            let access = Mutex::new(Access::of(session));
            let refused = service.answer(&sealed(body), &access);
            assert!(refused.is_last && refused.body.is_empty());
            assert_eq!(refused.status, StatusCode::BAD_REQUEST);
            let next = service.answer(&sealed(honest(&mut client)), &access);
            assert_eq!(next.status, StatusCode::UNAUTHORIZED);
        }
        let (session, mut client) = Session::pair();
        let access = Mutex::new(Access::of(session));
        for _ in 0..3 {
            let answer = service.answer(&sealed(honest(&mut client)), &access);
            assert_eq!(answer.status, StatusCode::OK);
            let plain = unseal_body(CONTENT_TYPE, &answer.body, &mut client).unwrap();
            assert!(String::from_utf8(plain).unwrap().contains("EndOfSequence"));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_message_is_answered(
            at in any::<prop::sample::Index>(),
            length in 0_usize..40,
            put in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut bytes = request();
            let start = at.index(bytes.len());
            let end = bytes.len().min(start + length);
            bytes.splice(start..end, put);
            let reply = service().reply(&bytes);
            prop_assert!(Envelope::parse(reply.xml.as_bytes()).is_ok(), "{}", reply.xml);
        }
    }
}
