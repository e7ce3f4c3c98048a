//! A file that opens a repository.

use std::fmt;

use crate::keys::Secret;
use crate::{RepositoryError, RepositoryErrorKind};

/// The least that a key file holds, in bytes.
const BYTES_MIN: usize = 32;

/// A file of random bytes that opens a repository. All of its bytes count.
#[derive(Clone)]
pub struct KeyFile(Secret);

impl KeyFile {
    /// The most that a key file may hold, in bytes: whoever reads one stops there.
    pub const BYTES_MAX: usize = 1 << 20;

    /// Takes the bytes of a key file: 32 at least, [`KeyFile::BYTES_MAX`] at most. Such a key is
    /// not slowed down as a password is, so they must be random, not words.
    pub fn new(bytes: &[u8]) -> Result<Self, RepositoryError> {
        let wrong = |what: &str| {
            RepositoryError::new(RepositoryErrorKind::WrongKey, what)
                .hint("a key file holds 32 random bytes or more")
        };
        if bytes.len() < BYTES_MIN {
            return Err(wrong("the key file holds less than 32 bytes"));
        }
        if bytes.len() > Self::BYTES_MAX {
            return Err(wrong("the key file holds more than 1 MiB"));
        }
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(wrong("the key file holds one byte again and again"));
        }
        let key = blake3::derive_key("lifeboat v1 key file", bytes);
        Ok(Self(Secret::new(key)))
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFile")
    }
}
