//! Who is let in.

use std::fs;
use std::io::Write as _;

use object_store::{Secret, StoreError, StoreErrorKind};
use sftp_store::{SftpCredentials, SftpStore};

use crate::server::{Server, make_key};

fn open(server: &Server, credentials: SftpCredentials) -> Result<SftpStore, StoreError> {
    SftpStore::open(
        server.address_of(&server.data()),
        credentials,
        server.options(),
    )
}

fn denied(result: Result<SftpStore, StoreError>, why: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Denied, "{error}");
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn keys_of_each_sort_open_also_where_they_are_encrypted() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut authorized = fs::OpenOptions::new()
        .append(true)
        .open(server.folder.path().join("authorized_keys"))
        .unwrap();
    for (sort, passphrase) in [("ecdsa", ""), ("rsa", ""), ("ed25519", "open sesame")] {
        let path = server.folder.path().join(format!("{sort}_key"));
        make_key(&path, sort, passphrase);
        let public = fs::read(path.with_extension("pub")).unwrap();
        authorized.write_all(&public).unwrap();
        let mut credentials = SftpCredentials::key_file(path);
        if !passphrase.is_empty() {
            denied(
                open(&server, credentials.clone()),
                "LIFEBOAT_SFTP_PASSPHRASE",
            );
            credentials.passphrase = Some(Secret::new("wrong".to_owned()));
            denied(
                open(&server, credentials.clone()),
                "cannot open the key file",
            );
            credentials.passphrase = Some(Secret::new(passphrase.to_owned()));
        }
        open(&server, credentials).unwrap();
    }
}

#[test]
fn a_stranger_is_told_what_was_tried_and_no_secret() {
    let Some(server) = Server::start_with("PasswordAuthentication yes") else {
        return;
    };
    let stranger = server.folder.path().join("stranger");
    make_key(&stranger, "ed25519", "");
    let mut credentials = SftpCredentials::key_file(stranger.clone());
    credentials.password = Some(Secret::new("hunter2".to_owned()));
    let error = open(&server, credentials.clone()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Denied);
    let text = format!("{error} {error:?} {credentials:?}");
    assert!(
        text.contains("the password") && text.contains("stranger"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
    credentials.key_files.clear();
    credentials.password = None;
    denied(open(&server, credentials), "nothing to log in with");
    let absent = SftpCredentials::key_file("/no/such/key".into());
    denied(open(&server, absent), "cannot open the key file");
}
