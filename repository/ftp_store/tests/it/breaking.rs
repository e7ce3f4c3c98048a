//! Lines that are cut, servers that lack what they need, and volumes that are full.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Command;

use ftp_store::{Encryption, FtpOptions, FtpStore};
use object_store::{ObjectStore as _, ServerFolder, ServerScheme, StoreErrorKind};

use crate::server::{Server, free_port, password};

/// A server that answers each command with what `answer` says, and hangs up where it says nothing.
fn stub(answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> FtpStore {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            stream.write_all(b"220 stub\r\n").unwrap();
            for line in lines.map_while(Result::ok) {
                let verb = line.split(' ').next().unwrap_or("").to_owned();
                let reply = match verb.as_str() {
                    "USER" => Some("331 password?".to_owned()),
                    "PASS" | "CWD" => Some("230 welcome".to_owned()),
                    "TYPE" => Some("200 binary".to_owned()),
                    _ => answer(&line),
                };
                let reply = reply.map(|reply| match verb.as_str() {
                    "CWD" => "250 there".to_owned(),
                    _ => reply,
                });
                let Some(reply) = reply else { break };
                if stream.write_all(format!("{reply}\r\n").as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    let address = ServerFolder {
        scheme: ServerScheme::Ftp,
        user: "ann".to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        path: "/store".to_owned(),
    };
    let options = FtpOptions {
        encryption: Encryption::None,
        connections: 1,
    };
    FtpStore::open(address, password(), options).unwrap()
}

/// A port for data that takes connections and says nothing on them.
fn passive() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let taken: Vec<_> = listener.incoming().take(4).collect();
        drop(taken);
    });
    format!("227 passive (127,0,0,1,{},{})", port >> 8, port & 255)
}

#[test]
fn a_server_without_machine_readable_listings_is_refused_by_name() {
    let store = stub(|line| {
        Some(match line.split(' ').next() {
            Some("PASV") => passive(),
            _ => "500 unknown command".to_owned(),
        })
    });
    let error = store.list("", &mut |_| {}).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("MLSD"), "{error}");
}

#[test]
fn a_server_that_hangs_up_or_talks_nonsense_is_an_error_and_no_more() {
    let hangs_up = stub(|_| None);
    let error = hangs_up.size_bytes("a").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    for nonsense in [
        "213 99999999999999999999999999",
        "213 -1",
        "213 ",
        "550 \u{1b}[2J",
    ] {
        let store = stub(move |_| Some(nonsense.to_owned()));
        let error = store.get("a", 1 << 20).unwrap_err();
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
        assert!(store.now().is_err());
    }
    // A length beyond what was allowed is never made room for.
    let store = stub(|_| Some("213 9000000000000000000".to_owned()));
    let error = store.get("a", 1 << 20).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::WrongSize, "{error}");
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut address = server.address_of(&server.data());
    address.port = free_port();
    let error = FtpStore::open(address, password(), server.options()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
}

#[test]
fn a_full_volume_keeps_no_half_object() {
    let Some(server) = Server::start() else {
        return;
    };
    let small = server.data().join("small");
    fs::create_dir(&small).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
        .arg(&small)
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: only root can mount a volume that is soon full");
        return;
    }
    let store = server.open(&small).unwrap();
    let error = store.put_new("packs/ab/one", &[7; 8 << 20]).unwrap_err();
    let there = store.size_bytes("packs/ab/one").unwrap_err();
    drop(store);
    let _ = Command::new("umount").arg("-l").arg(&small).status();
    assert_eq!(error.kind(), StoreErrorKind::NoSpace, "{error}");
    assert_eq!(there.kind(), StoreErrorKind::NotFound);
}
