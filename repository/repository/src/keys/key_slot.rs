//! The master key, wrapped for one password or key.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::format::{Aead, random_bytes};
use crate::hex;
use crate::keys::{HostKey, KeyFile, RecoveryKey, Secret};
use crate::{RepositoryError, RepositoryErrorKind};

const CONTEXT: &str = "lifeboat v1 key slot";
/// A slot lies in the open: what it asks for is bounded before it is done.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 64;
const LANES_MAX: u32 = 16;

/// What a repository is opened with.
pub enum Unlock<'a> {
    /// A password, in UTF-8.
    Password(&'a str),
    /// A recovery key.
    RecoveryKey(&'a RecoveryKey),
    /// A key file.
    KeyFile(&'a KeyFile),
    /// The key of a host that adds restore points and reads none. It has no slot.
    HostKey(&'a HostKey),
}

impl Unlock<'_> {
    /// Returns the kind of slot that it opens, as slots say it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Password(_) => "password",
            Self::RecoveryKey(_) => "recovery-key",
            Self::KeyFile(_) => "key-file",
            Self::HostKey(_) => "host",
        }
    }
}

/// The price of one try at a password.
#[derive(Debug, Clone, Copy)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for PasswordCost {
    /// 64 MiB, three passes: about a third of a second.
    fn default() -> Self {
        Self {
            memory_kib: 64 * 1024,
            passes: 3,
        }
    }
}

/// A key slot, as it lies in the store.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeySlot {
    version: u32,
    repository: String,
    pub(crate) kind: String,
    /// What people call it. Not authenticated: for showing alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<String>,
    /// When it was made. Not authenticated either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<Timestamp>,
    kdf: Kdf,
    sealed: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
enum Kdf {
    Argon2id {
        memory_kib: u32,
        passes: u32,
        lanes: u32,
        salt: String,
    },
    Blake3 {
        salt: String,
    },
}

fn refuse(what: &str) -> RepositoryError {
    RepositoryError::new(RepositoryErrorKind::Unsupported, what)
}

impl Kdf {
    fn wrapping_key(&self, unlock: &Unlock<'_>) -> Result<Secret, RepositoryError> {
        let other_kind =
            || RepositoryError::new(RepositoryErrorKind::WrongKey, "another kind of key");
        let (secret, salt) = match (self, unlock) {
            (
                Self::Argon2id {
                    memory_kib,
                    passes,
                    lanes,
                    salt,
                },
                Unlock::Password(password),
            ) => {
                if *memory_kib > MEMORY_KIB_MAX || *passes > PASSES_MAX || *lanes > LANES_MAX {
                    return Err(refuse("the key slot asks for more work than a slot may"));
                }
                let params = Params::new(*memory_kib, *passes, *lanes, Some(32))
                    .map_err(|_| refuse("the key slot's parameters make no sense"))?;
                return argon2id(params, password, &read_salt(salt)?);
            }
            (Self::Blake3 { salt }, Unlock::RecoveryKey(key)) => (key.secret(), salt),
            (Self::Blake3 { salt }, Unlock::KeyFile(file)) => (file.secret(), salt),
            _ => return Err(other_kind()),
        };
        Ok(secret.derive(CONTEXT, &[&read_salt(salt)?]))
    }
}

fn read_salt(salt: &str) -> Result<[u8; 32], RepositoryError> {
    hex::decode_array(salt).ok_or_else(|| refuse("the salt is not 32 bytes"))
}

fn argon2id(params: Params, password: &str, salt: &[u8; 32]) -> Result<Secret, RepositoryError> {
    let mut key = Zeroizing::new([0u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, key.as_mut())
        .map_err(|_| refuse("the key slot's parameters make no sense"))?;
    Ok(Secret::new(*key))
}

fn additional_data(repository: &str, slot: &str) -> Vec<u8> {
    [CONTEXT.as_bytes(), repository.as_bytes(), slot.as_bytes()].concat()
}

impl KeySlot {
    /// Wraps the master key.
    pub(crate) fn wrap(
        master: &Secret,
        unlock: &Unlock<'_>,
        cost: PasswordCost,
        repository: &str,
        slot: &str,
    ) -> Result<Self, RepositoryError> {
        let salt = hex::encode(&random_bytes::<32>()?);
        let kdf = match unlock {
            Unlock::Password("") => {
                let what = "the password is empty";
                return Err(RepositoryError::new(RepositoryErrorKind::WrongKey, what));
            }
            Unlock::Password(_) => {
                let PasswordCost { memory_kib, passes } = cost;
                Kdf::Argon2id {
                    memory_kib,
                    passes,
                    lanes: 1,
                    salt,
                }
            }
            Unlock::RecoveryKey(_) | Unlock::KeyFile(_) => Kdf::Blake3 { salt },
            Unlock::HostKey(_) => return Err(refuse("a host's key opens no slot")),
        };
        let nonce = random_bytes::<12>()?;
        let mut sealed = nonce.to_vec();
        sealed.extend(master.bytes());
        let tag = Aead::new(&kdf.wrapping_key(unlock)?).seal(
            nonce,
            &additional_data(repository, slot),
            &mut sealed[12..],
        )?;
        sealed.extend(tag);
        Ok(Self {
            version: 1,
            repository: repository.to_owned(),
            kind: unlock.kind().to_owned(),
            label: None,
            created: Some(Timestamp::now()),
            kdf,
            sealed: STANDARD.encode(sealed),
        })
    }

    /// Reads a slot; `None` for one that is not a slot of this repository.
    pub(crate) fn parse(bytes: &[u8], repository: &str) -> Option<Self> {
        let slot: Self = serde_json::from_slice(bytes).ok()?;
        (slot.version == 1 && slot.repository == repository).then_some(slot)
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        // A plain struct of strings and numbers always serialises.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Unwraps the master key, or fails with `WrongKey`.
    pub(crate) fn open(&self, unlock: &Unlock<'_>, slot: &str) -> Result<Secret, RepositoryError> {
        let wrong = || RepositoryError::new(RepositoryErrorKind::WrongKey, "wrong password or key");
        if self.kind != unlock.kind() {
            return Err(wrong());
        }
        let key = self.kdf.wrapping_key(unlock)?;
        let mut sealed = Zeroizing::new(STANDARD.decode(&self.sealed).map_err(|_| wrong())?);
        let (nonce, body) = sealed.split_first_chunk_mut::<12>().ok_or_else(wrong)?;
        let plain = Aead::new(&key)
            .open(*nonce, &additional_data(&self.repository, slot), body)
            .map_err(|_| wrong())?;
        let master = Zeroizing::new(<[u8; 32]>::try_from(&*plain).map_err(|_| wrong())?);
        Ok(Secret::new(*master))
    }
}
