//! Whom the store trusts.

use std::fs;

use object_store::{StoreError, StoreErrorKind};
use sftp_store::{HostKeyPolicy, SftpOptions, SftpStore};

use crate::server::{Server, make_key};

fn open(server: &Server, policy: HostKeyPolicy, known: &str) -> Result<SftpStore, StoreError> {
    let known_hosts = server.folder.path().join("judged");
    fs::write(&known_hosts, known).unwrap();
    let options = SftpOptions {
        host_keys: policy,
        known_hosts: Some(known_hosts),
        connections: 1,
    };
    SftpStore::open(
        server.address_of(&server.data()),
        server.credentials(),
        options,
    )
}

fn refused(result: Result<SftpStore, StoreError>, why: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Denied, "{error}");
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn a_server_is_trusted_by_its_recorded_key_alone() {
    let Some(server) = Server::start() else {
        return;
    };
    let place = format!("[127.0.0.1]:{}", server.port);
    let public = |name: &str| {
        let key = fs::read_to_string(server.folder.path().join(format!("{name}.pub"))).unwrap();
        key.trim().to_owned()
    };
    for (name, sort) in [("other", "ed25519"), ("rsa", "rsa")] {
        make_key(&server.folder.path().join(name), sort, "");
    }
    let line = |name: &str| format!("{place} {}\n", public(name));
    for policy in [HostKeyPolicy::Strict, HostKeyPolicy::AcceptNew] {
        open(&server, policy, &line("host_key")).unwrap();
        refused(
            open(&server, policy, &line("other")),
            "another one than line 1",
        );
        // A server whose RSA key is known does not become trusted by showing another sort.
        refused(open(&server, policy, &line("rsa")), "of a sort");
        let revoked = format!("@revoked * {}\n{}", public("host_key"), line("host_key"));
        refused(open(&server, policy, &revoked), "revoked");
    }
    refused(open(&server, HostKeyPolicy::Strict, ""), "is not in");
    // Another port is another server.
    let other_port = line("host_key").replace(&server.port.to_string(), "1");
    refused(
        open(&server, HostKeyPolicy::Strict, &other_port),
        "is not in",
    );
}

#[test]
fn a_new_key_is_accepted_once_and_kept() {
    let Some(server) = Server::start() else {
        return;
    };
    open(&server, HostKeyPolicy::AcceptNew, "").unwrap();
    let learned = fs::read_to_string(server.folder.path().join("judged")).unwrap();
    open(&server, HostKeyPolicy::Strict, &learned).unwrap();
}
