//! WMI of another machine.

use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Builder;

use super::WsmanOptions;
use super::codec::{
    EnumerateRequest, EnumerationMode, EnumerationPage, Envelope, MethodCall, PullRequest,
    ReleaseRequest, RequestHeader, ResourceUri, ResponseHeader, names, read_instance, read_output,
    shortened,
};
use super::enumeration_walk::EnumerationWalk;
use super::query_form::QueryForm;
use super::transport::{Repeat, Transport};
use crate::{Instance, MethodOutput, ObjectPath, Value, WmiError, WmiErrorKind, WmiSession};

/// Items of one answer. Windows sends fewer where they do not fit into the envelope.
const ELEMENTS_MAX: u32 = 100;
/// Bytes of one answer: what Windows allows unless it was changed (\[MS-WSMV\] section 2.2.4.10).
const ENVELOPE_BYTES_MAX: u32 = 512_000;
/// The fault of a host that cannot send objects with references (wsmerror.h).
const MODE_UNSUPPORTED: u32 = 0x8033_8086;

/// WMI of another machine, over WS-Man. See [`crate::wsman`].
///
/// Several threads may use it; their messages take turns on its one connection. Not from inside
/// an async runtime: it has one of its own.
pub struct WsmanSession {
    host: String,
    service: String,
    timeout: std::time::Duration,
    transport: Mutex<Transport>,
}

impl std::fmt::Debug for WsmanSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WsmanSession")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// A request but for its name and what is the same in all of them.
struct Ask<'a> {
    action: &'a str,
    answer: &'a str,
    target: &'a ObjectPath,
    body: Option<super::codec::Element>,
    repeat: Repeat,
    /// What is asked, as errors say it.
    asked: &'a str,
}

impl WsmanSession {
    /// Connects and logs in.
    ///
    /// Errors: `Unavailable` for options that cannot be used; `Unreachable`, `Timeout`,
    /// `Authentication`, `Protocol`.
    pub fn connect(options: WsmanOptions) -> Result<Self, WmiError> {
        let session = Self {
            host: options.address.host.clone(),
            service: options.address.service(),
            timeout: options.operation_timeout,
            transport: Mutex::new(Transport::new(options)?),
        };
        session.transport().connect()?;
        Ok(session)
    }

    fn transport(&self) -> MutexGuard<'_, Transport> {
        // After a panic the connection is gone and is made anew.
        self.transport
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request; returns the answer, which is that to this request, and its bytes.
    fn ask(&self, ask: Ask<'_>) -> Result<(Envelope, usize), WmiError> {
        let message_id = message_id()?;
        let header = RequestHeader {
            to: self.service.clone(),
            action: ask.action.to_owned(),
            message_id: message_id.clone(),
            target: ask.target.clone(),
            envelope_bytes_max: Some(ENVELOPE_BYTES_MAX),
            timeout: Some(self.timeout),
        };
        let message = header.envelope(ask.body).to_xml();
        let bytes = self.transport().exchange(&message, ask.repeat)?;
        let answer = Envelope::parse(&bytes)?;
        ResponseHeader::check(&answer, ask.answer, &message_id, ask.asked)?;
        Ok((answer, bytes.len()))
    }

    fn enumerate(
        &self,
        target: &ObjectPath,
        wql: &str,
        mode: EnumerationMode,
        asked: &str,
    ) -> Result<(Envelope, usize), WmiError> {
        let request = EnumerateRequest {
            wql: Some(wql.to_owned()),
            mode,
            elements_max: Some(ELEMENTS_MAX),
        };
        let answer = self.ask(Ask {
            action: names::ACTION_ENUMERATE,
            answer: names::ACTION_ENUMERATE_RESPONSE,
            target,
            body: Some(request.element()),
            // An enumeration that is begun twice is forgotten once by the host's own clock.
            repeat: Repeat::Once,
            asked,
        });
        match answer {
            Err(error)
                if error.code() == Some(MODE_UNSUPPORTED) && mode != EnumerationMode::Object =>
            {
                self.enumerate(target, wql, EnumerationMode::Object, asked)
            }
            other => other,
        }
    }

    fn pull(
        &self,
        target: &ObjectPath,
        context: &str,
        asked: &str,
    ) -> Result<(Envelope, usize), WmiError> {
        let request = PullRequest {
            context: context.to_owned(),
            elements_max: Some(ELEMENTS_MAX),
        };
        self.ask(Ask {
            action: names::ACTION_PULL,
            answer: names::ACTION_PULL_RESPONSE,
            target,
            body: Some(request.element()),
            repeat: Repeat::Never,
            asked,
        })
    }

    /// Tells the host that no more is wanted. Whatever comes of it, there is nothing to do.
    fn release(&self, target: &ObjectPath, context: &str) {
        let request = ReleaseRequest {
            context: context.to_owned(),
        };
        let _ = self.ask(Ask {
            action: names::ACTION_RELEASE,
            answer: names::ACTION_RELEASE_RESPONSE,
            target,
            body: Some(request.element()),
            repeat: Repeat::Never,
            asked: "releasing an enumeration",
        });
    }
}

impl WmiSession for WsmanSession {
    fn host(&self) -> &str {
        &self.host
    }

    fn query(
        &self,
        namespace: &str,
        wql: &str,
        each: &mut dyn FnMut(Instance) -> Result<(), WmiError>,
    ) -> Result<(), WmiError> {
        let asked = format!("asking {} {:?}", self.host, shortened(wql));
        let form = QueryForm::of(wql);
        let ResourceUri { namespace, class } = ResourceUri::all_classes(namespace);
        let target = ObjectPath::new(namespace, class);
        let mut walk = EnumerationWalk::default();
        let mut answer = self.enumerate(&target, wql, form.mode, &asked)?;
        loop {
            let (envelope, bytes) = answer;
            let page = EnumerationPage::read(&envelope, &form.class)?;
            drop(envelope);
            let taken = walk
                .advance(&page, bytes)
                .and_then(|()| page.instances.into_iter().try_for_each(&mut *each));
            if let Err(error) = taken {
                if let Some(context) = walk.context() {
                    self.release(&target, context);
                }
                return Err(error);
            }
            let Some(context) = walk.context() else {
                return Ok(());
            };
            answer = self.pull(&target, context, &asked)?;
        }
    }

    fn get(&self, path: &ObjectPath) -> Result<Instance, WmiError> {
        require_namespace(path)?;
        let asked = format!("getting {} of {}", path.relative(), self.host);
        let (answer, _) = self.ask(Ask {
            action: names::ACTION_GET,
            answer: names::ACTION_GET_RESPONSE,
            target: path,
            body: None,
            repeat: Repeat::Once,
            asked: &asked,
        })?;
        let element = answer.body.as_ref().ok_or_else(|| {
            WmiError::new(
                WmiErrorKind::Protocol,
                format!("{asked}: the answer is empty"),
            )
        })?;
        let mut instance = read_instance(element, path.class())?;
        instance.path = Some(path.clone());
        Ok(instance)
    }

    fn invoke(
        &self,
        object: &ObjectPath,
        method: &str,
        parameters: &[(&str, Value)],
    ) -> Result<MethodOutput, WmiError> {
        require_namespace(object)?;
        let asked = format!("calling {}.{method} on {}", object.class(), self.host);
        let action = MethodCall::action(object, method);
        let (answer, _) = self.ask(Ask {
            action: &action,
            answer: &format!("{action}Response"),
            target: object,
            body: Some(MethodCall::element(object, method, parameters)),
            repeat: Repeat::Never,
            asked: &asked,
        })?;
        let body = answer.body.as_ref().ok_or_else(|| {
            WmiError::new(
                WmiErrorKind::Protocol,
                format!("{asked}: the answer is empty"),
            )
        })?;
        read_output(body, method)
    }
}

/// WS-Man has no namespace of its own to fall back on.
fn require_namespace(path: &ObjectPath) -> Result<(), WmiError> {
    if path.namespace().is_empty() {
        let what = format!("the path {path} names no namespace");
        return Err(WmiError::new(WmiErrorKind::BadQuery, what));
    }
    Ok(())
}

fn message_id() -> Result<String, WmiError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| {
        WmiError::new(
            WmiErrorKind::Unavailable,
            "no random numbers on this system",
        )
        .caused_by(error)
    })?;
    let id = Builder::from_random_bytes(random).into_uuid();
    Ok(format!(
        "uuid:{}",
        id.hyphenated().to_string().to_uppercase()
    ))
}
