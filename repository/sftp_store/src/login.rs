//! From nothing to a connection on which a user is logged in.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use object_store::{Secret, ServerFolder, StoreError, StoreErrorKind};
use russh::client::{AuthResult, Config, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::{AgentClient, AgentStream};
use russh::keys::{PrivateKeyWithHashAlg, load_secret_key};
use russh::{Preferred, client};

use crate::SftpCredentials;
use crate::failure::printable;
use crate::host_keys::HostKeys;

/// For how long a server may stay silent before it is asked whether it is there, three times.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Bytes that a server may send before we took those before it.
const WINDOW_BYTES: u32 = 8 << 20;
/// Keys of an agent that are tried: servers hang up after a few.
const MOST_AGENT_KEYS: usize = 5;
/// Questions that a server may ask before it lets a user in.
const MOST_ROUNDS: usize = 5;

/// Connects, judges the server's key and logs the user in.
pub(crate) async fn log_in(
    address: &ServerFolder,
    host_keys: &HostKeys,
    credentials: &SftpCredentials,
) -> Result<Handle<HostKeys>, StoreError> {
    let place = address.to_string();
    let order = Preferred::default().key;
    let config = Config {
        window_size: WINDOW_BYTES,
        keepalive_interval: Some(KEEP_ALIVE),
        nodelay: true,
        preferred: Preferred {
            key: host_keys.preferred(&order).into(),
            ..Preferred::default()
        },
        ..Config::default()
    };
    let target = (address.host.as_str(), address.port);
    let connected = client::connect(Arc::new(config), target, host_keys.clone()).await;
    let mut handle = connected.map_err(|error| {
        let mut refused = host_keys
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match refused.take() {
            Some(why) => StoreError::new(
                StoreErrorKind::Denied,
                &place,
                format!("the server is not trusted: {why}"),
            ),
            None => not_connected(&place, error),
        }
    })?;
    Login {
        handle: &mut handle,
        user: &address.user,
        place: &place,
        tried: Vec::new(),
    }
    .with_any(credentials)
    .await?;
    Ok(handle)
}

/// Makes an error of a connection that was not made.
fn not_connected(place: &str, error: russh::Error) -> StoreError {
    let (kind, text) = match error {
        russh::Error::NoCommonAlgo { .. } => (
            StoreErrorKind::Unsupported,
            "the server and this program have no algorithm in common: the server is too old",
        ),
        russh::Error::IO(error) => {
            let text = format!("cannot connect: {error}");
            return StoreError::new(StoreErrorKind::Unavailable, place, text);
        }
        _ => (
            StoreErrorKind::Unavailable,
            "the server does not answer as an SSH server does",
        ),
    };
    StoreError::new(
        kind,
        place,
        format!("{text} ({})", printable(&error.to_string())),
    )
}

struct Login<'a> {
    handle: &'a mut Handle<HostKeys>,
    user: &'a str,
    place: &'a str,
    /// What was tried, for people.
    tried: Vec<String>,
}

impl Login<'_> {
    async fn with_any(mut self, credentials: &SftpCredentials) -> Result<(), StoreError> {
        if credentials.agent && self.with_agent().await? {
            return Ok(());
        }
        for path in &credentials.key_files {
            if credentials.key_files_are_guessed && !path.exists() {
                continue;
            }
            if self.with_key(path, credentials).await? {
                return Ok(());
            }
        }
        if let Some(password) = &credentials.password
            && (self.with_password(password).await? || self.with_answers(password).await?)
        {
            return Ok(());
        }
        let tried = match self.tried.as_slice() {
            [] => "there was nothing to log in with: set LIFEBOAT_SFTP_KEY or \
                   LIFEBOAT_SFTP_PASSWORD"
                .to_owned(),
            tried => format!("tried {}", tried.join(", ")),
        };
        Err(self.refused(&format!("the server did not let {} in: {tried}", self.user)))
    }

    fn refused(&self, text: &str) -> StoreError {
        StoreError::new(StoreErrorKind::Denied, self.place, text)
    }

    fn broken(&self, error: &impl ToString) -> StoreError {
        let text = format!(
            "the connection broke while logging in: {}",
            printable(&error.to_string())
        );
        StoreError::new(StoreErrorKind::Unavailable, self.place, text)
    }

    async fn with_key(
        &mut self,
        path: &Path,
        credentials: &SftpCredentials,
    ) -> Result<bool, StoreError> {
        let passphrase = credentials.passphrase.as_ref().map(Secret::reveal);
        let shown = path.display();
        let key = match load_secret_key(path, passphrase) {
            Ok(key) => key,
            // A guessed key may be meant for other servers; one that was named is not.
            Err(_) if credentials.key_files_are_guessed => {
                self.tried.push(format!("{shown} (cannot be opened)"));
                return Ok(false);
            }
            Err(russh::keys::Error::KeyIsEncrypted) => {
                let text =
                    format!("the key file {shown} is encrypted: set LIFEBOAT_SFTP_PASSPHRASE");
                return Err(self.refused(&text));
            }
            Err(error) => {
                let text = format!("cannot open the key file {shown}: {error}");
                return Err(self.refused(&text));
            }
        };
        self.tried.push(format!("the key in {shown}"));
        let hash = self
            .handle
            .best_supported_rsa_hash()
            .await
            .map_err(|error| self.broken(&error))?;
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash.flatten());
        let result = self.handle.authenticate_publickey(self.user, key).await;
        self.judge(result)
    }

    async fn with_password(&mut self, password: &Secret) -> Result<bool, StoreError> {
        self.tried.push("the password".to_owned());
        let result = self
            .handle
            .authenticate_password(self.user, password.reveal())
            .await;
        self.judge(result)
    }

    fn judge(&self, result: Result<AuthResult, russh::Error>) -> Result<bool, StoreError> {
        match result {
            Ok(result) => Ok(result.success()),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// Answers with the password what a server asks in secret: some take no password otherwise.
    async fn with_answers(&mut self, password: &Secret) -> Result<bool, StoreError> {
        let mut reply = self
            .handle
            .authenticate_keyboard_interactive_start(self.user, None)
            .await
            .map_err(|error| self.broken(&error))?;
        for _ in 0..MOST_ROUNDS {
            let prompts = match reply {
                KeyboardInteractiveAuthResponse::Success => return Ok(true),
                KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(false),
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => prompts,
            };
            if prompts.iter().any(|prompt| prompt.echo) {
                // Not a question for a password.
                return Ok(false);
            }
            let answers = prompts.iter().map(|_| password.reveal().to_owned());
            reply = self
                .handle
                .authenticate_keyboard_interactive_respond(answers.collect())
                .await
                .map_err(|error| self.broken(&error))?;
        }
        Ok(false)
    }

    /// An agent that is not there, or does not answer, is no failure.
    async fn with_agent(&mut self) -> Result<bool, StoreError> {
        #[cfg(unix)]
        let agent = AgentClient::connect_env().await;
        #[cfg(windows)]
        let agent = AgentClient::connect_named_pipe(r"\\.\pipe\openssh-ssh-agent").await;
        match agent {
            Ok(agent) => self.with_keys_of(agent).await,
            Err(_) => Ok(false),
        }
    }

    async fn with_keys_of<S: AgentStream + Send + Unpin>(
        &mut self,
        mut agent: AgentClient<S>,
    ) -> Result<bool, StoreError> {
        let Ok(identities) = agent.request_identities().await else {
            return Ok(false);
        };
        for identity in identities.into_iter().take(MOST_AGENT_KEYS) {
            let AgentIdentity::PublicKey { key, .. } = identity else {
                continue;
            };
            let hash = match key.algorithm().is_rsa() {
                true => self
                    .handle
                    .best_supported_rsa_hash()
                    .await
                    .ok()
                    .flatten()
                    .flatten(),
                false => None,
            };
            self.tried.push("a key of the agent".to_owned());
            let result = self
                .handle
                .authenticate_publickey_with(self.user, key, hash, &mut agent)
                .await;
            match result {
                Ok(result) if result.success() => return Ok(true),
                Ok(_) => {}
                Err(error) => return Err(self.broken(&error)),
            }
        }
        Ok(false)
    }
}
