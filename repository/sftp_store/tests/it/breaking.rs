//! Lines that are cut and volumes that are full.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use object_store::{ObjectStore as _, RetryPolicy, RetryingStore, StoreErrorKind};
use sftp_store::SftpStore;

use crate::server::Server;

/// Passes bytes on to the server; of the first `cuts` connections only so many upwards.
struct Cutter {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Cutter {
    fn start(server_port: u16, cuts: usize, after_bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let number = counted.fetch_add(1, Ordering::SeqCst);
                let limit = if number < cuts {
                    after_bytes
                } else {
                    usize::MAX
                };
                let client = client.unwrap();
                let server = TcpStream::connect(("127.0.0.1", server_port)).unwrap();
                let pair = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                std::thread::spawn(move || pass(client, server, limit));
                let [client, server] = pair;
                std::thread::spawn(move || pass(server, client, usize::MAX));
            }
        });
        Self { port, connections }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut limit: usize) {
    let mut buf = [0; 16 << 10];
    while limit > 0 {
        let most = buf.len().min(limit);
        match from.read(&mut buf[..most]) {
            Ok(read) if read > 0 && to.write_all(&buf[..read]).is_ok() => limit -= read,
            _ => break,
        }
    }
    for side in [from, to] {
        let _ = side.shutdown(Shutdown::Both);
    }
}

#[test]
fn an_upload_that_is_cut_off_leaves_no_object_and_is_made_good() {
    let Some(server) = Server::start() else {
        return;
    };
    let cutter = Cutter::start(server.port, 2, 1 << 20);
    let mut address = server.address_of(&server.data());
    address.port = cutter.port;
    let mut options = server.options_on(cutter.port);
    options.connections = 1;
    let store = SftpStore::open(address, server.credentials(), options).unwrap();
    let bytes: Vec<u8> = (0..8 << 20).map(|i: u32| i.to_le_bytes()[1]).collect();
    let error = store.put_new("packs/ab/one", &bytes).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(!server.data().join("packs").exists());
    // The second line is cut as well, the third is not.
    let policy = RetryPolicy {
        first_wait: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    let store = RetryingStore::new(store, policy);
    store.put_new("packs/ab/one", &bytes).unwrap();
    assert_eq!(store.get("packs/ab/one", 1 << 30).unwrap(), bytes);
    assert_eq!(cutter.connections.load(Ordering::SeqCst), 3);
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut address = server.address_of(&server.data());
    address.port = crate::server::free_port();
    let options = server.options_on(address.port);
    let error = SftpStore::open(address, server.credentials(), options).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
}

/// A small volume in memory, which root alone may mount.
struct SmallVolume(std::path::PathBuf);

impl SmallVolume {
    fn mount(folder: std::path::PathBuf) -> Option<Self> {
        fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(&folder)
            .output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: only root can mount a volume that is soon full");
            return None;
        }
        Some(Self(folder))
    }
}

impl Drop for SmallVolume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_volume_is_told_as_such_and_nothing_is_left_on_it() {
    let Some(server) = Server::start() else {
        return;
    };
    let Some(volume) = SmallVolume::mount(server.data().join("small")) else {
        return;
    };
    let address = server.address_of(&volume.0);
    let store = SftpStore::open(address, server.credentials(), server.options()).unwrap();
    let error = store.put_new("packs/ab/one", &[7; 8 << 20]).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NoSpace, "{error}");
    assert_eq!(fs::read_dir(volume.0.join("tmp")).unwrap().count(), 0);
    store.put_new("packs/ab/two", &[7; 1 << 20]).unwrap();
    let free = store.free_bytes().unwrap().unwrap();
    assert!((1 << 20..4 << 20).contains(&free), "{free}");
}
