//! Hosts that are logged in to, and then misbehave.

use std::time::Duration;

use wmi::wsman::codec::{Element, EnumerationMode, EnumerationPage, instance_element, names};
use wmi::wsman::{WsmanSession, sealed};
use wmi::{Instance, ObjectPath, VIRTUALIZATION, WmiError, WmiErrorKind, WmiSession, limits};

use super::scripted_host::{Answer, Heard, Host, http, message};

fn path() -> ObjectPath {
    ObjectPath::new(VIRTUALIZATION, "Msvm_X").with_key("InstanceID", "1")
}

fn instance() -> Element {
    instance_element(
        VIRTUALIZATION,
        &Instance::new("Msvm_X").with("InstanceID", "1"),
    )
}

/// Gets an object from a host that answers so.
fn got(script: impl FnMut(&Heard) -> Answer + Send + 'static) -> WmiError {
    let host = Host::start(script);
    let session = host.connect().unwrap();
    session.get(&path()).unwrap_err()
}

/// Queries a host that answers so, and returns how many requests that took.
fn queried(script: impl FnMut(&Heard) -> Answer + Send + 'static) -> (WmiError, Vec<String>) {
    let host = Host::start(script);
    let session: WsmanSession = host.connect().unwrap();
    let error = session
        .query_all(VIRTUALIZATION, "SELECT * FROM Msvm_X")
        .unwrap_err();
    (error, host.heard())
}

#[test]
fn answers_to_something_else_are_refused() {
    let action = got(|heard| {
        let text = message(heard, instance()).replace("GetResponse", "PutResponse");
        Answer::Message(text)
    });
    assert!(action.to_string().contains("action"), "{action}");
    let other = got(|heard| {
        let id = &heard.header.message_id;
        Answer::Message(message(heard, instance()).replace(id, "uuid:0"))
    });
    assert!(other.to_string().contains("another request"), "{other}");
    let none = got(|heard| {
        let envelope = wmi::wsman::codec::Envelope {
            headers: Vec::new(),
            body: Some(instance().with_text(&heard.header.message_id)),
        };
        Answer::Message(envelope.to_xml())
    });
    for error in [action, other, none] {
        assert_eq!(error.kind(), WmiErrorKind::Protocol);
    }
}

#[test]
fn xml_that_is_made_to_hurt_is_refused() {
    let bomb = "<!DOCTYPE l [<!ENTITY a \"lol\">]>";
    let texts = [
        String::new(),
        "garbage".to_owned(),
        "<a/>".to_owned(),
        "<a>".repeat(50_000),
        format!(
            "{bomb}<s:Envelope xmlns:s=\"{}\"><s:Body>&a;</s:Body></s:Envelope>",
            names::SOAP
        ),
        "\u{0}\u{1}".to_owned(),
    ];
    for text in texts {
        let start: String = text.chars().take(30).collect();
        let error = got(move |_| Answer::Message(text.clone()));
        assert_eq!(error.kind(), WmiErrorKind::Protocol, "{start}: {error}");
    }
}

#[test]
fn answers_that_are_not_sealed_rightly_are_refused() {
    let bends: [fn(Vec<u8>) -> Vec<u8>; 5] = [
        |mut body| {
            // One sealed byte.
            let at = body.len() - 40;
            body[at] ^= 1;
            body
        },
        |body| {
            // The length of the signature.
            let from = [0x10, 0, 0, 0];
            let at = body.windows(4).position(|four| four == from).unwrap();
            [&body[..at], &[0x0F, 0, 0, 0], &body[at + 4..]].concat()
        },
        |body| body[..body.len() / 2].to_vec(),
        |_| Vec::new(),
        |body| {
            String::from_utf8_lossy(&body)
                .replace("Length=", "Length=1")
                .into_bytes()
        },
    ];
    for bend in bends {
        let error = got(move |_| Answer::Bent(instance(), bend));
        assert_eq!(error.kind(), WmiErrorKind::Protocol, "{error}");
    }
}

#[test]
fn a_plain_answer_after_sealed_requests_is_refused() {
    let error = got(|heard| {
        let content_type = format!("Content-Type: {}\r\n", sealed::PLAIN_CONTENT_TYPE);
        Answer::Raw(http(
            "200 OK",
            &content_type,
            message(heard, instance()).as_bytes(),
        ))
    });
    assert_eq!(error.kind(), WmiErrorKind::Protocol);
    assert!(error.to_string().contains("sealed"), "{error}");
}

#[test]
fn what_is_sent_to_be_followed_is_not_followed() {
    let error = got(|_| {
        let header = "Location: http://127.0.0.1:1/wsman\r\n";
        Answer::Raw(http("302 Found", header, b""))
    });
    assert_eq!(error.kind(), WmiErrorKind::Protocol);
    assert!(error.to_string().contains("302"), "{error}");
}

#[test]
fn large_and_endless_bodies_are_cut_off() {
    let announced = got(|_| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            u64::MAX / 2
        );
        Answer::Raw(head.into_bytes())
    });
    assert_eq!(announced.kind(), WmiErrorKind::TooLarge);
    let endless = got(|_| Answer::Endless);
    assert_eq!(endless.kind(), WmiErrorKind::TooLarge, "{endless}");
    assert!(
        endless
            .to_string()
            .contains(&limits::RESPONSE_BYTES_MAX.to_string()[..2])
    );
}

#[test]
fn broken_http_is_an_error() {
    let answers: [&[u8]; 6] = [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
    ];
    for answer in answers {
        let error = got(move |_| Answer::Raw(answer.to_vec()));
        let known = [WmiErrorKind::Protocol, WmiErrorKind::Unreachable];
        assert!(known.contains(&error.kind()), "{error}");
    }
    let headers: String = (0..1000)
        .map(|n| format!("X-{n}: {}\r\n", "y".repeat(99)))
        .collect();
    let error = got(move |_| Answer::Raw(http("200 OK", &headers, b"")));
    assert_eq!(error.kind(), WmiErrorKind::Protocol, "{error}");
}

#[test]
fn a_host_that_says_nothing_is_left_after_the_timeout() {
    let host = Host::start(|_| Answer::Silence);
    let mut options = host.options("winrm");
    options.operation_timeout = Duration::ZERO;
    options.grace = Duration::from_millis(20);
    let session = WsmanSession::connect(options).unwrap();
    assert_eq!(
        session.get(&path()).unwrap_err().kind(),
        WmiErrorKind::Timeout
    );
}

fn page(heard: &Heard, context: String, instances: usize) -> Answer {
    let page = EnumerationPage {
        context: Some(context),
        instances: vec![Instance::new("Msvm_X"); instances],
        end: false,
    };
    let mode = EnumerationMode::Object;
    Answer::Body(match heard.header.action.as_str() {
        names::ACTION_ENUMERATE => page.enumerate_response(VIRTUALIZATION, mode),
        _ => page.pull_response(VIRTUALIZATION, mode),
    })
}

#[test]
fn an_enumeration_that_gets_nowhere_is_given_up_and_released() {
    let (error, heard) = queried(|heard| page(heard, "uuid:1".to_owned(), 0));
    assert_eq!(error.kind(), WmiErrorKind::Protocol);
    assert_eq!(
        heard.last().map(String::as_str),
        Some(names::ACTION_RELEASE)
    );
    assert!(heard.len() < 30, "{}", heard.len());
}

#[test]
fn an_enumeration_in_circles_is_given_up() {
    let mut turn = 0;
    let (error, heard) = queried(move |heard| {
        turn += 1;
        page(heard, format!("uuid:{}", turn % 3), 1)
    });
    assert_eq!(error.kind(), WmiErrorKind::Protocol);
    assert!(error.to_string().contains("came back"), "{error}");
    assert_eq!(heard.len(), 5);
}

#[test]
fn a_page_that_is_none_is_refused() {
    let (error, _) = queried(|_| Answer::Body(instance()));
    assert_eq!(error.kind(), WmiErrorKind::Protocol, "{error}");
}
