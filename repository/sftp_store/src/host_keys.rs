//! Whether a server is who it should be.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use russh::client::Handler;
use russh::keys::known_hosts::{
    check_known_hosts_path, known_host_keys_path, learn_known_hosts_path,
};
use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyBase64 as _, PublicKeyOrCertificate};

/// What is done about a server's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostKeyPolicy {
    /// It has to be in `known_hosts`.
    #[default]
    Strict,
    /// The key of a server of which nothing is known is written to `known_hosts`.
    AcceptNew,
}

/// Judges the key of one server.
#[derive(Debug, Clone)]
pub(crate) struct HostKeys {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) known_hosts: PathBuf,
    pub(crate) policy: HostKeyPolicy,
    /// Why the key was refused; the library's own error does not say.
    pub(crate) refused: Arc<Mutex<Option<String>>>,
}

impl HostKeys {
    /// Returns the library's order of algorithms, with those that are on record first: a server
    /// shows one key only, and it should be one that we can judge.
    pub(crate) fn preferred(&self, order: &[Algorithm]) -> Vec<Algorithm> {
        let known = known_host_keys_path(&self.host, self.port, &self.known_hosts);
        let known: Vec<Algorithm> = known
            .unwrap_or_default()
            .iter()
            .map(|(_, key)| key.algorithm())
            .collect();
        let is_known = |algorithm: &&Algorithm| known.iter().any(|own| same_sort(own, algorithm));
        let first = order.iter().filter(is_known);
        first
            .chain(order.iter().filter(|algorithm| !is_known(algorithm)))
            .cloned()
            .collect()
    }

    /// Returns why a key is not taken, where it is not.
    fn judge(&self, key: &PublicKey) -> Result<(), String> {
        let file = self.known_hosts.display();
        let print = key.fingerprint(HashAlg::Sha256);
        let cannot = |error| format!("cannot read {file}: {error}");
        if is_revoked(&self.known_hosts, &key.public_key_base64()) {
            return Err(format!("its key {print} is marked as revoked in {file}"));
        }
        match check_known_hosts_path(&self.host, self.port, key, &self.known_hosts) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(russh::keys::Error::KeyChanged { line }) => {
                return Err(format!(
                    "its key {print} is another one than line {line} of {file} says: somebody may \
                     be between you and the server; if the server was set up anew, remove that line"
                ));
            }
            Err(error) => return Err(cannot(error)),
        }
        // A key of another sort than those on record is not new: a stranger would show one too.
        let known = known_host_keys_path(&self.host, self.port, &self.known_hosts);
        if !known.map_err(cannot)?.is_empty() {
            return Err(format!(
                "its key {print} is of a sort of which {file} has none for this server, while it \
                 has others"
            ));
        }
        match self.policy {
            HostKeyPolicy::Strict => Err(format!(
                "its key {print} is not in {file}: compare it with what the server's keeper says, \
                 then add it (ssh-keyscan -p {} {}), or use ?host-key=accept-new once",
                self.port, self.host
            )),
            HostKeyPolicy::AcceptNew => {
                learn_known_hosts_path(&self.host, self.port, key, &self.known_hosts)
                    .map_err(|error| format!("cannot add its key to {file}: {error}"))
            }
        }
    }
}

/// Of RSA keys, an algorithm also says by which hash they sign.
fn same_sort(one: &Algorithm, other: &Algorithm) -> bool {
    let is_rsa = |algorithm| matches!(algorithm, &Algorithm::Rsa { .. });
    one == other || (is_rsa(one) && is_rsa(other))
}

/// Returns whether `known_hosts` has the key in a `@revoked` line, of whichever host: such a key
/// is not to be trusted anywhere.
fn is_revoked(known_hosts: &Path, key_base64: &str) -> bool {
    let Ok(text) = fs::read(known_hosts) else {
        return false;
    };
    String::from_utf8_lossy(&text).lines().any(|line| {
        let mut fields = line.split_ascii_whitespace();
        fields.next() == Some("@revoked") && fields.nth(2) == Some(key_base64)
    })
}

impl Handler for HostKeys {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        server_public_key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        let judgement = match server_public_key {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.judge(key),
            PublicKeyOrCertificate::Certificate(_) => Err("it shows a certificate".to_owned()),
        };
        let taken = judgement.is_ok();
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = judgement.err();
        Ok(taken)
    }
}
