//! Whom the store trusts, and who is let in.

use ftp_store::{Encryption, FtpOptions, FtpStore};
use object_store::{ObjectStore as _, Secret, StoreError, StoreErrorKind};

use crate::server::{PASSWORD, Server, make_certificate, password};

fn open(server: &Server, encryption: Encryption) -> Result<FtpStore, StoreError> {
    let options = FtpOptions {
        encryption,
        connections: 1,
    };
    FtpStore::open(server.address_of(&server.data()), password(), options)
}

#[test]
fn a_server_is_trusted_by_its_certificate_or_without_tls_by_name_alone() {
    let Some(server) = Server::start() else {
        return;
    };
    make_certificate(server.folder.path(), "other");
    let file = |name: &str| Encryption::Tls {
        ca_file: Some(server.folder.path().join(name)),
    };
    open(&server, file("server.pem")).unwrap();
    for encryption in [
        file("other.pem"),
        Encryption::Tls { ca_file: None },
        file("none.pem"),
    ] {
        let error = open(&server, encryption.clone()).unwrap_err();
        assert_eq!(
            error.kind(),
            StoreErrorKind::Denied,
            "{encryption:?}: {error}"
        );
    }
    // Right certificate, wrong name.
    let mut address = server.address_of(&server.data());
    address.host = "127.0.0.1".to_owned();
    let error = FtpStore::open(address, password(), server.options()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Denied, "{error}");
    let plain = open(&server, Encryption::None).unwrap();
    plain.put_new("a", b"plain").unwrap();
    assert_eq!(server.store().get("a", 10).unwrap(), b"plain");
}

#[test]
fn a_wrong_password_is_refused_and_not_shown() {
    let Some(server) = Server::start() else {
        return;
    };
    let address = server.address_of(&server.data());
    let wrong = Secret::new("hunter2".to_owned());
    let error = FtpStore::open(address, wrong, server.options()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Denied, "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert!(!format!("{:?}", server.store()).contains(PASSWORD));
}
