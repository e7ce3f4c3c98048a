//! The master key, wrapped for one password or key.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::format::{Aead, random_bytes};
use crate::hex;
use crate::keys::{RecoveryKey, Secret};
use crate::{RepositoryError, RepositoryErrorKind};

const CONTEXT: &str = "lifeboat v1 key slot";
/// A slot lies in the open: what it asks for is bounded before it is done.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 64;
const LANES_MAX: u32 = 16;

/// What a person opens a repository with.
pub enum Unlock<'a> {
    /// A password, in UTF-8.
    Password(&'a str),
    /// A recovery key.
    RecoveryKey(&'a RecoveryKey),
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
    kind: String,
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

impl Kdf {
    fn wrapping_key(&self, unlock: &Unlock<'_>) -> Result<Secret, RepositoryError> {
        let refuse = |what: &str| RepositoryError::new(RepositoryErrorKind::Unsupported, what);
        match (self, unlock) {
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
                let salt: [u8; 32] =
                    hex::decode_array(salt).ok_or_else(|| refuse("the salt is not 32 bytes"))?;
                let params = Params::new(*memory_kib, *passes, *lanes, Some(32))
                    .map_err(|_| refuse("the key slot's parameters make no sense"))?;
                let mut key = Zeroizing::new([0u8; 32]);
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(password.as_bytes(), &salt, key.as_mut())
                    .map_err(|_| refuse("the key slot's parameters make no sense"))?;
                Ok(Secret::new(*key))
            }
            (Self::Blake3 { salt }, Unlock::RecoveryKey(key)) => {
                let salt: [u8; 32] =
                    hex::decode_array(salt).ok_or_else(|| refuse("the salt is not 32 bytes"))?;
                Ok(key.secret().derive(CONTEXT, &[&salt]))
            }
            _ => Err(RepositoryError::new(
                RepositoryErrorKind::WrongKey,
                "another kind of key",
            )),
        }
    }
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
        let (kind, kdf) = match unlock {
            Unlock::Password(_) => {
                let PasswordCost { memory_kib, passes } = cost;
                (
                    "password",
                    Kdf::Argon2id {
                        memory_kib,
                        passes,
                        lanes: 1,
                        salt,
                    },
                )
            }
            Unlock::RecoveryKey(_) => ("recovery-key", Kdf::Blake3 { salt }),
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
            kind: kind.to_owned(),
            kdf,
            sealed: STANDARD.encode(sealed),
        })
    }

    /// Reads a slot; `None` for one that is not a slot of this repository.
    pub(crate) fn parse(bytes: &[u8], repository: &str) -> Option<Self> {
        let slot: Self = serde_json::from_slice(bytes).ok()?;
        (slot.version == 1 && slot.repository == repository).then_some(slot)
    }

    /// Unwraps the master key, or fails with `WrongKey`.
    pub(crate) fn open(&self, unlock: &Unlock<'_>, slot: &str) -> Result<Secret, RepositoryError> {
        let wrong = || RepositoryError::new(RepositoryErrorKind::WrongKey, "wrong password or key");
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
