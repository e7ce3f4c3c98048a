//! Hosts that misbehave before anybody is logged in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use wmi::WmiErrorKind;
use wmi::wsman::{WsmanAuthentication, WsmanSession};

use super::scripted_host::{Answer, Gate, Host, PASSWORD, http};

fn challenge(token: &[u8]) -> Vec<u8> {
    let header = format!("WWW-Authenticate: Negotiate {}\r\n", STANDARD.encode(token));
    http("401 Unauthorized", &header, b"")
}

#[test]
fn a_wrong_password_is_told_with_what_may_help() {
    let host = Host::start(|_| Answer::Silence);
    let mut options = host.options("winrm");
    options.password = "battery staple".to_owned().into();
    let error = WsmanSession::connect(options).unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::Authentication);
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("\"bob\"") && text.contains("LocalAccountTokenFilterPolicy"),
        "{text}"
    );
    assert!(
        !text.contains("battery") && !text.contains(PASSWORD),
        "{text}"
    );
}

#[test]
fn a_host_that_always_refuses_is_left_after_two_tokens() {
    let host = Host::raw(|_| http("401 Unauthorized", "WWW-Authenticate: Negotiate\r\n", b""));
    assert_eq!(
        host.connect().unwrap_err().kind(),
        WmiErrorKind::Authentication
    );
    assert_eq!(host.heard().len(), 1);
    // Challenges without end.
    let host = Host::raw(|_| challenge(&real_challenge()));
    assert_eq!(
        host.connect().unwrap_err().kind(),
        WmiErrorKind::Authentication
    );
    assert_eq!(host.heard().len(), 2);
}

#[test]
fn a_host_without_negotiate_is_told_how_to_get_it() {
    let host = Host::raw(|_| {
        http(
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=x\r\n",
            b"",
        )
    });
    let error = host.connect().unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::Authentication);
    assert!(error.to_string().contains("winrm set"), "{error}");
    let heard = host.heard().concat();
    assert!(!heard.contains("Basic"), "{heard}");
}

#[test]
fn what_is_no_such_service_is_told() {
    for (status, kind) in [
        ("302 Found", WmiErrorKind::Protocol),
        ("404 Not Found", WmiErrorKind::Protocol),
        ("200 OK", WmiErrorKind::Protocol),
        ("503 Service Unavailable", WmiErrorKind::Unreachable),
        ("403 Forbidden", WmiErrorKind::Denied),
    ] {
        let host = Host::raw(move |_| http(status, "Location: http://127.0.0.1:1/\r\n", b"<html>"));
        let error = host.connect().unwrap_err();
        assert_eq!(error.kind(), kind, "{status}: {error}");
        assert_eq!(host.heard().len(), 1);
    }
}

/// The first token of a client, and what a host answers to it.
fn real_challenge() -> Vec<u8> {
    // Section 2.2.1.1 of [MS-NLMP]: a signature, the type, flags, two empty names, a version.
    let mut negotiate = b"NTLMSSP\0\x01\0\0\0".to_vec();
    negotiate.extend_from_slice(&0xE208_82B7_u32.to_le_bytes());
    negotiate.extend_from_slice(&[0, 0, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0]);
    negotiate.extend_from_slice(&[10, 0, 0x63, 0x45, 0, 0, 0, 15]);
    let (challenge, complete) = Gate::new().step(&negotiate).unwrap();
    assert!(!complete);
    challenge
}

#[test]
fn a_host_that_agrees_to_no_strong_key_is_refused() {
    // Sealing, signing, extended session security, 128 bits, a key of its own.
    for flag in [0x20_u32, 0x10, 0x0008_0000, 0x2000_0000, 0x4000_0000] {
        let mut token = real_challenge();
        let flags = u32::from_le_bytes(token[20..24].try_into().unwrap());
        assert_eq!(flags & flag, flag);
        token[20..24].copy_from_slice(&(flags & !flag).to_le_bytes());
        let host = Host::raw(move |_| challenge(&token));
        let error = host.connect().unwrap_err();
        assert_eq!(error.kind(), WmiErrorKind::Protocol, "{flag:x}: {error}");
        assert_eq!(host.heard().len(), 1);
    }
}

#[test]
fn basic_over_plain_http_is_refused_before_anything_is_sent() {
    let host = Host::raw(|_| http("200 OK", "", b""));
    let mut options = host.options("winrm");
    options.authentication = WsmanAuthentication::Basic;
    let error = WsmanSession::connect(options).unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::Unavailable);
    assert!(host.heard().is_empty());
}

#[test]
fn a_port_where_nobody_listens_is_named() {
    let host = Host::raw(|_| Vec::new());
    let options = host.options("winrm");
    drop(host);
    let error = WsmanSession::connect(options).unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::Unreachable);
    assert!(error.to_string().contains("127.0.0.1:"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn no_challenge_panics(at in 0_usize..200, byte in any::<u8>(), length in 0_usize..300) {
        let mut token = real_challenge();
        let at = at % token.len();
        token[at] = byte;
        token.truncate(length);
        let host = Host::raw(move |_| challenge(&token));
        prop_assert!(host.connect().is_err());
    }
}
