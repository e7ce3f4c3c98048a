//! Connections that break, and what is sent again.

use wmi::wsman::WsmanSession;
use wmi::wsman::codec::{
    EnumerationMode, EnumerationPage, instance_element, names, output_element,
};
use wmi::{Instance, MethodOutput, ObjectPath, VIRTUALIZATION, WmiErrorKind, WmiSession};

use super::scripted_host::{Answer, Heard, Host};

fn path() -> ObjectPath {
    ObjectPath::new(VIRTUALIZATION, "Msvm_X").with_key("InstanceID", "1")
}

fn answer(heard: &Heard) -> Answer {
    let instance = Instance::new("Msvm_X").with("InstanceID", "1");
    Answer::Body(match heard.header.action.as_str() {
        names::ACTION_GET => instance_element(VIRTUALIZATION, &instance),
        names::ACTION_ENUMERATE | names::ACTION_PULL => {
            let page = EnumerationPage {
                context: Some("uuid:1".to_owned()),
                instances: vec![instance],
                end: false,
            };
            page.enumerate_response(VIRTUALIZATION, EnumerationMode::Object)
        }
        _ => output_element(&path(), "Do", &MethodOutput::default()),
    })
}

/// A host that drops the first connection at the first request of that name.
fn drops_first(action: &'static str) -> (Host, WsmanSession) {
    let host = Host::start(move |heard| {
        if heard.connection == 0 && heard.header.action.ends_with(action) {
            return Answer::Raw(Vec::new());
        }
        answer(heard)
    });
    let session = host.connect().unwrap();
    (host, session)
}

#[test]
fn a_get_is_asked_again_once() {
    let (host, session) = drops_first("/Get");
    assert!(session.get(&path()).is_ok());
    assert_eq!(host.heard().len(), 2);

    let host = Host::start(|_| Answer::Raw(Vec::new()));
    let session = host.connect().unwrap();
    assert_eq!(
        session.get(&path()).unwrap_err().kind(),
        WmiErrorKind::Unreachable
    );
    assert_eq!(host.heard().len(), 2);
}

#[test]
fn a_method_is_never_called_again() {
    let (host, session) = drops_first("/Do");
    let error = session.invoke(&path(), "Do", &[]).unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::Unreachable);
    assert_eq!(host.heard().len(), 1);
    // The next call finds its way over a new connection.
    assert!(session.invoke(&path(), "Do", &[]).is_ok());
    assert_eq!(host.heard().len(), 2);
}

#[test]
fn a_connection_that_rested_is_made_anew_before_a_method_finds_it_closed() {
    let host = Host::start(|heard| match heard.connection {
        0 => Answer::Raw(Vec::new()),
        _ => answer(heard),
    });
    let mut options = host.options("winrm");
    options.idle_max = std::time::Duration::ZERO;
    let session = WsmanSession::connect(options).unwrap();
    assert!(session.invoke(&path(), "Do", &[]).is_ok());
    assert_eq!(host.heard().len(), 1);
}

#[test]
fn a_pull_is_never_asked_again_since_it_would_skip() {
    let (host, session) = drops_first("/Pull");
    let error = session
        .query_all(VIRTUALIZATION, "SELECT * FROM Msvm_X")
        .unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::Unreachable);
    assert_eq!(host.heard(), [names::ACTION_ENUMERATE, names::ACTION_PULL]);
}

#[test]
fn a_refusal_in_the_middle_is_not_answered_with_the_request_again() {
    let host = Host::start(|_| {
        let header = "WWW-Authenticate: Negotiate\r\n";
        Answer::Raw(super::scripted_host::http("401 Unauthorized", header, b""))
    });
    let session = host.connect().unwrap();
    let error = session.invoke(&path(), "Do", &[]).unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::Authentication);
    assert_eq!(host.heard().len(), 1);
}
