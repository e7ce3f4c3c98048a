//! HTTPS: whose certificate is trusted, and what goes over it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use wmi::wsman::codec::instance_element;
use wmi::wsman::sealed::PLAIN_CONTENT_TYPE;
use wmi::wsman::{WsmanAuthentication, WsmanSession};
use wmi::{Instance, ObjectPath, VIRTUALIZATION, WmiErrorKind, WmiSession};

use super::scripted_host::{Gate, Host, PASSWORD, USER, hear, http, message, read_request};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/wsman/self_signed")
        .join(name)
}

/// A host with a certificate that nobody vouches for and that bears another name.
fn start(login: bool) -> Host {
    let certificate = CertificateDer::from_pem_file(file("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    Host::serve(heard, move |stream, connection| {
        let server = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(server, stream);
        let (mut buffer, mut gate, mut inside) = (Vec::new(), Gate::new(), !login);
        while let Ok(request) = read_request(&mut stream, &mut buffer) {
            log.lock().unwrap().push(request.head.clone());
            let answer = if inside {
                let instance = Instance::new("Msvm_X").with("InstanceID", "1");
                let body = instance_element(VIRTUALIZATION, &instance);
                let text = message(&hear(&request.body, connection), body);
                let header = format!("Content-Type: {PLAIN_CONTENT_TYPE}\r\n");
                http("200 OK", &header, text.as_bytes())
            } else {
                let (answer, complete) = gate.answer(&request);
                inside = complete;
                answer
            };
            if stream.write_all(&answer).is_err() {
                break;
            }
        }
    })
}

fn get(session: &WsmanSession) -> Instance {
    let path = ObjectPath::new(VIRTUALIZATION, "Msvm_X").with_key("InstanceID", "1");
    session.get(&path).unwrap()
}

#[test]
fn an_unknown_certificate_is_named_with_what_to_do() {
    let host = start(true);
    let error = WsmanSession::connect(host.options("winrms")).unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::Unreachable);
    let text = error.to_string();
    assert!(text.contains("SHA-256 fingerprint "), "{text}");
    assert!(text.contains("LIFEBOAT_HOST_CERTIFICATE_FILE"), "{text}");
    assert!(host.heard().is_empty());
}

#[test]
fn a_certificate_that_was_given_is_trusted_whatever_its_name() {
    let host = start(true);
    let mut options = host.options("winrms");
    options.certificate_file = Some(file("certificate.pem"));
    let session = WsmanSession::connect(options).unwrap();
    assert_eq!(get(&session).text("InstanceID").as_deref(), Some("1"));
    // Two tokens, then a plain request: TLS protects it.
    let heard = host.heard();
    assert_eq!(heard.len(), 3);
    assert!(
        heard[2].to_lowercase().contains("application/soap+xml"),
        "{}",
        heard[2]
    );
}

#[test]
fn basic_sends_name_and_password_with_each_request() {
    let host = start(false);
    let mut options = host.options("winrms");
    options.certificate_file = Some(file("certificate.pem"));
    options.authentication = WsmanAuthentication::Basic;
    let session = WsmanSession::connect(options).unwrap();
    get(&session);
    let expected = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let heard = host.heard();
    assert_eq!(heard.len(), 1);
    assert!(heard[0].contains(&expected), "{}", heard[0]);
}

#[test]
fn a_host_that_speaks_no_tls_is_told() {
    let host = Host::serve(Arc::default(), |mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let mut options = host.options("winrms");
    options.certificate_file = Some(file("certificate.pem"));
    let error = WsmanSession::connect(options).unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::Unreachable, "{error}");
    assert!(error.to_string().contains("no TLS connection"), "{error}");
}
