//! Clients that mean no good: each is refused, and the next honest one is answered as ever.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use hyperv_sim::wsman::{Server, ServerOptions};
use wmi::wsman::codec::{EnumerationMode, EnumerationPage, names};
use wmi::{ObjectPath, VIRTUALIZATION};

use super::plain_client::{HttpAnswer, PlainClient, read_answer};
use super::tiny_host::{options, start, start_basic};

/// Sends bytes; returns the answer, if there was one before the connection ended.
fn send(address: SocketAddr, bytes: &[u8]) -> Option<HttpAnswer> {
    let mut stream = TcpStream::connect(address).unwrap();
    // The service need not read to the end of what it refuses.
    let _ = stream.write_all(bytes);
    read_answer(&mut stream)
}

fn is_alive(server: &Server) {
    let mut client = PlainClient::connect(server.local_addr());
    let (instances, _) = client.all("Msvm_ComputerSystem", EnumerationMode::Object);
    assert_eq!(instances.len(), 3);
}

#[test]
fn what_is_not_http_is_refused() {
    let server = start_basic();
    let address = server.local_addr();
    let long = format!(
        "POST /wsman HTTP/1.1\r\nA: {}\r\n\r\n",
        "x".repeat(1_000_000)
    );
    let many = format!("POST /wsman HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(2000));
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..],
        b"\0\0\0\0\r\n\r\n",
        b"POST\r\n\r\n",
        b"POST /wsman HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /wsman HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: x\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let status = read_answer(&mut stream).map_or(0, |answer| answer.status);
        let shown = String::from_utf8_lossy(bytes.get(..60.min(bytes.len())).unwrap());
        assert!([0, 400, 431].contains(&status), "{status} {shown:?}");
    }
    let other = send(
        address,
        b"POST /other HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(other.unwrap().status, 404);
    let get = send(address, b"GET /wsman HTTP/1.1\r\n\r\n");
    assert_eq!(get.unwrap().status, 405);
    is_alive(&server);
}

#[test]
fn large_bodies_are_refused_without_being_kept() {
    let server = start_basic();
    let address = server.local_addr();
    let announced = "POST /wsman HTTP/1.1\r\nContent-Length: 10000000000\r\n\r\n";
    let answer = send(address, &[announced.as_bytes(), &[b'x'; 600_000]].concat());
    assert!(answer.is_none_or(|answer| answer.status == 413));

    let mut stream = TcpStream::connect(address).unwrap();
    let head = b"POST /wsman HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head).unwrap();
    let chunk = [&b"8000\r\n"[..], &[b'x'; 0x8000], b"\r\n"].concat();
    // It would go on for ever: the service ends it.
    while stream.write_all(&chunk).is_ok() {}
    is_alive(&server);
}

#[test]
fn hostile_documents_are_faults() {
    let server = start_basic();
    let mut client = PlainClient::connect(server.local_addr());
    let envelope = client
        .header(
            names::ACTION_GET,
            ObjectPath::new(VIRTUALIZATION, "Msvm_Many"),
        )
        .envelope(None)
        .to_xml();
    let bomb = "<!DOCTYPE l [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;\">]>";
    let file = "<!DOCTYPE l [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>";
    let entity = envelope.replace("uuid:1", "&a;");
    let wide: String = (0..40_000).map(|n| format!("<a{n}/>")).collect();
    let cut = envelope.get(..envelope.len() / 2).unwrap();
    for document in [
        String::new(),
        "\u{0}".to_owned(),
        "{}".to_owned(),
        "<a>".repeat(100_000),
        format!("{bomb}{envelope}"),
        format!("{bomb}{entity}"),
        format!("{file}{entity}"),
        entity,
        cut.to_owned(),
        envelope.replace("<s:Body/>", ""),
        envelope.replace("<s:Body/>", "<s:Body/><s:Body/>"),
        envelope.replace("512000", "99999999999999999999"),
        envelope.replace("512000", "-1"),
        envelope.replace("Msvm_Many", &"x".repeat(400_000)),
        envelope.replace("uuid:1", &"x".repeat(400_000)),
        envelope.replace("<s:Body/>", &format!("<s:Body>{wide}</s:Body>")),
    ] {
        let answer = client.post(document.as_bytes());
        assert_eq!(answer.status, 500, "{}", answer.text());
        assert!(answer.text().contains("s:Fault"), "{}", answer.text());
        // What is refused is not sent back at length.
        assert!(answer.body.len() < 8192, "{}", answer.body.len());
    }
    let answer = client.post(&[0xff; 1000]);
    assert_eq!(answer.fault().1, 0x8033_8041);
    is_alive(&server);
}

#[test]
fn contexts_are_neither_guessed_nor_piled_up() {
    let server = start_basic();
    let mut client = PlainClient::connect(server.local_addr());
    let long = "x".repeat(100_000);
    for context in [
        "",
        "uuid:00000000-0000-0000-0000-000000000000",
        "../..",
        &long,
    ] {
        let (_, code) = client.pull(context, Some(10)).fault();
        assert!([0x8033_801B, 0x8033_8041].contains(&code), "{code:x}");
    }
    let mut begun = Vec::new();
    let mut refused = 0;
    for _ in 0..10_000 {
        let answer = client.enumerate("Msvm_ComputerSystem", EnumerationMode::Object, None);
        if answer.status == 200 {
            let page = EnumerationPage::read(&answer.envelope(), "").unwrap();
            begun.push(page.context.unwrap());
        } else {
            assert_eq!(answer.fault().1, 0x8033_81A6);
            refused += 1;
        }
    }
    assert_eq!((begun.len(), refused), (1500, 8500));
    let distinct: std::collections::HashSet<&String> = begun.iter().collect();
    assert_eq!(distinct.len(), begun.len());
    // What needs no context is still answered, and an enumeration that ends makes room.
    let answer = client.enumerate("Msvm_ComputerSystem", EnumerationMode::Object, Some(9));
    assert_eq!(answer.status, 200);
    assert_eq!(client.pull(&begun[0], Some(9)).status, 200);
    is_alive(&server);
}

#[test]
fn silent_clients_are_let_go() {
    let server = start(ServerOptions {
        allow_basic: true,
        connections_max: 2,
        silence_max: Duration::from_millis(200),
        ..options()
    });
    let address = server.local_addr();
    let half_head = b"POST /wsman HTTP/1.1\r\nHost:";
    let half_body = b"POST /wsman HTTP/1.1\r\nContent-Length: 100\r\n\r\n<s:Env";
    let mut silent: Vec<TcpStream> = Vec::new();
    for bytes in [&half_head[..], half_body, half_head, half_body, b""] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(bytes).unwrap();
        silent.push(stream);
    }
    // All places are taken, and more wait: the honest client comes after them.
    is_alive(&server);
    for mut stream in silent {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        let rest = String::from_utf8_lossy(&rest);
        assert!(rest.is_empty() || rest.contains(" 408 "), "{rest}");
    }
}

#[test]
fn tokens_that_are_none_and_sealed_bodies_of_strangers_are_refused() {
    let server = start(options());
    let mut client = PlainClient::connect(server.local_addr()).anonymous();
    let challenge =
        "Authorization: Negotiate TlRMTVNTUAABAAAAt4II4gAAAAAAAAAAAAAAAAAAAAAKAGNFAAAADw==\r\n";
    let mut has_challenged = false;
    for header in [
        "Authorization: Negotiate\r\n",
        "Authorization: Negotiate !!!!\r\n",
        "Authorization: Negotiate TlRMTVNTUAAB\r\n",
        "Authorization: Negotiate TlRMTVNTUAADAAAAAAAAAAAA\r\n",
        "Authorization: Negotiate YIIBAAYGKwYBBQUC\r\n",
        challenge,
        "Authorization: Negotiate TlRMTVNTUAADAAAA/////////////////////////////////////w==\r\n",
        "Authorization: Kerberos AAAA\r\n",
        "Authorization: Bearer x\r\n",
    ] {
        let answer = client.post_with(header, b"<x/>");
        assert_eq!(answer.status, 401, "{header}");
        let told = answer.header("www-authenticate");
        assert!(told[0].starts_with("Negotiate"), "{told:?}");
        has_challenged |= told[0].starts_with("Negotiate TlRMTVNTUAACAAAA");
    }
    assert!(has_challenged);
    let sealed = format!("Content-Type: {}\r\n", wmi::wsman::sealed::CONTENT_TYPE);
    assert_eq!(client.post_with(&sealed, &[7; 500]).status, 401);
}

#[test]
fn a_service_ends_with_its_connections() {
    let server = start_basic();
    let mut client = PlainClient::connect(server.local_addr());
    assert_eq!(
        client
            .enumerate("Msvm_None", EnumerationMode::Object, Some(1))
            .status,
        200
    );
    let address = server.local_addr();
    drop(server);
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest);
    assert!(rest.is_empty());
    assert!(TcpStream::connect(address).is_err());
}
