//! What a user logs in with.

use std::path::PathBuf;

use object_store::Secret;

/// Keys that OpenSSH tries, in the order it does.
const DEFAULT_KEYS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// What a user logs in with, tried in the order of the fields.
#[derive(Debug, Clone)]
pub struct SftpCredentials {
    /// Whether keys of an SSH agent are tried (`SSH_AUTH_SOCK`; on Windows OpenSSH's own).
    pub agent: bool,
    /// Files with private keys.
    pub key_files: Vec<PathBuf>,
    /// Whether a key file that is not there is passed over.
    pub key_files_are_guessed: bool,
    /// Opens key files that are encrypted.
    pub passphrase: Option<Secret>,
    /// The user's password.
    pub password: Option<Secret>,
}

impl SftpCredentials {
    /// Takes them from what `setting` has under a name: an environment, or a file of settings.
    ///
    /// `LIFEBOAT_SFTP_KEY` names a key file: then it alone is tried, no agent. Otherwise the agent
    /// and the key files that OpenSSH has by default are. `LIFEBOAT_SFTP_PASSPHRASE` opens an
    /// encrypted key file, `LIFEBOAT_SFTP_PASSWORD` is the user's password.
    pub fn from_settings(setting: &dyn Fn(&str) -> Option<Secret>) -> Self {
        let named = setting("LIFEBOAT_SFTP_KEY");
        let folder = std::env::home_dir().map(|home| home.join(".ssh"));
        let key_files = match (&named, folder) {
            (Some(path), _) => vec![PathBuf::from(path.reveal())],
            (None, Some(folder)) => DEFAULT_KEYS.map(|name| folder.join(name)).to_vec(),
            (None, None) => Vec::new(),
        };
        Self {
            agent: named.is_none(),
            key_files,
            key_files_are_guessed: named.is_none(),
            passphrase: setting("LIFEBOAT_SFTP_PASSPHRASE"),
            password: setting("LIFEBOAT_SFTP_PASSWORD"),
        }
    }

    /// Returns credentials of one key file alone.
    pub fn key_file(path: PathBuf) -> Self {
        Self {
            agent: false,
            key_files: vec![path],
            key_files_are_guessed: false,
            passphrase: None,
            password: None,
        }
    }
}
