//! What a repository is opened with: the first of these that the environment names.
//!
//! | Variable | Opens |
//! |---|---|
//! | `LIFEBOAT_HOST_KEY_FILE` | to add restore points, and nothing else |
//! | `LIFEBOAT_RECOVERY_KEY_FILE` | everything |
//! | `LIFEBOAT_KEY_FILE` | everything |
//! | `LIFEBOAT_PASSWORD_FILE`, `…_FD`, `…_COMMAND`, `LIFEBOAT_PASSWORD`, or a prompt | everything |
//!
//! A second repository, which points are copied to, is opened with the first of
//! `LIFEBOAT_TO_RECOVERY_KEY_FILE`, `LIFEBOAT_TO_KEY_FILE`, `LIFEBOAT_TO_PASSWORD_FILE` and
//! `LIFEBOAT_TO_PASSWORD_COMMAND`; without any, with what opens the first one.

use std::path::Path;

use repository::{HostKey, KeyFile, RecoveryKey, Unlock};
use zeroize::Zeroizing;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::password::{Asked, Password, named_file, password, target_password};
use crate::recovery_key_file;
use crate::secret_file;
use crate::ui::Ui;

/// What a repository is opened with.
pub(crate) enum OpenedBy {
    Password(Password),
    RecoveryKey(RecoveryKey),
    KeyFile(KeyFile),
    HostKey(HostKey),
}

/// Whether a command does nothing but add restore points, or look at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It needs what only a password, key file or recovery key opens.
    Everything,
    /// A write-only host does it as well.
    AddPoints,
}

impl OpenedBy {
    /// Finds what opens the repository. With the key of a write-only host, a command that is for
    /// something else is refused here, before anything is done.
    pub(crate) fn find(ui: &Ui, no_input: bool, purpose: Purpose) -> Result<Self, CliError> {
        if let Some(file) = named_file("LIFEBOAT_HOST_KEY_FILE") {
            if purpose == Purpose::Everything {
                let message = "LIFEBOAT_HOST_KEY_FILE is the key of a host that adds restore points \
                               and does nothing else: this command needs more";
                return Err(CliError::new(ExitCode::MissingRights, "write-only", message).hint(
                    "unset LIFEBOAT_HOST_KEY_FILE, and open the repository with a password, a key \
                     file or the recovery key, not at that host",
                ));
            }
            return read_host_key(&file).map(Self::HostKey);
        }
        if let Some(file) = named_file("LIFEBOAT_RECOVERY_KEY_FILE") {
            return recovery_key_file::read(&file).map(Self::RecoveryKey);
        }
        if let Some(file) = named_file("LIFEBOAT_KEY_FILE") {
            return read_key_file(&file).map(Self::KeyFile);
        }
        password(ui, no_input, Asked::Once).map(Self::Password)
    }

    /// Finds what opens the repository that points are copied to, where it has secrets of its own.
    pub(crate) fn find_for_target() -> Result<Option<Self>, CliError> {
        if let Some(file) = named_file("LIFEBOAT_TO_RECOVERY_KEY_FILE") {
            return recovery_key_file::read(&file).map(|key| Some(Self::RecoveryKey(key)));
        }
        if let Some(file) = named_file("LIFEBOAT_TO_KEY_FILE") {
            return read_key_file(&file).map(|key| Some(Self::KeyFile(key)));
        }
        Ok(target_password()?.map(Self::Password))
    }

    pub(crate) fn unlock(&self) -> Unlock<'_> {
        match self {
            Self::Password(password) => Unlock::Password(password),
            Self::RecoveryKey(key) => Unlock::RecoveryKey(key),
            Self::KeyFile(file) => Unlock::KeyFile(file),
            Self::HostKey(key) => Unlock::HostKey(key),
        }
    }
}

/// Reads a key file: all of its bytes count.
pub(crate) fn read_key_file(path: &Path) -> Result<KeyFile, CliError> {
    // One more than it may have: a longer file is refused, not cut.
    let bytes = secret_file::read(path, KeyFile::BYTES_MAX as u64 + 1)?;
    Ok(KeyFile::new(&bytes)?)
}

/// Reads the key of a write-only host: the line that begins as one does.
fn read_host_key(path: &Path) -> Result<HostKey, CliError> {
    let bytes = secret_file::read(path, 64 << 10)?;
    let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
    let begins = |line: &&str| {
        line.get(..5)
            .is_some_and(|start| start.eq_ignore_ascii_case("LBH1-"))
    };
    let key = text.lines().map(str::trim).find(begins).unwrap_or(&text);
    Ok(HostKey::parse(key)?)
}
