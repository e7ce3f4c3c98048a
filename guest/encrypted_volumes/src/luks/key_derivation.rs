//! From a password to a key, with as much work as the volume's maker wanted.

use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::{digest, pbkdf2};
use zeroize::Zeroizing;

use crate::UnlockError;

/// Most memory that Argon2 may ask for, in KiB: what cryptsetup's own limit is.
pub const MEMORY_MAX_KIB: u32 = 4 << 20;
/// Most iterations of PBKDF2: some minutes.
pub const ITERATIONS_MAX: u32 = 100_000_000;
/// Most passes of Argon2 over its memory.
const PASSES_MAX: u32 = 128;
/// Most lanes of Argon2 that cryptsetup makes.
const LANES_MAX: u32 = 4;

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl Hash {
    pub(super) fn named(name: &str) -> Result<Self, UnlockError> {
        match name {
            "sha1" => Ok(Self::Sha1),
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            other => Err(UnlockError::unsupported(format!(
                "the volume uses the hash function {other:?}, which is not known here"
            ))),
        }
    }

    pub(super) fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argon2Kind {
    Argon2i,
    Argon2id,
}

/// How a key is made.
#[derive(Debug, Clone)]
pub(super) enum Kdf {
    Pbkdf2 {
        hash: Hash,
        iterations: u32,
        salt: Vec<u8>,
    },
    Argon2 {
        kind: Argon2Kind,
        time: u32,
        memory_kib: u32,
        lanes: u32,
        salt: Vec<u8>,
    },
}

impl Kdf {
    /// Returns about how many seconds of a processor it takes to make a key, rounded up.
    pub(super) fn work(&self) -> u64 {
        let seconds = match self {
            Self::Pbkdf2 { iterations, .. } => u64::from(*iterations) / 2_000_000,
            // Of passes over a GiB it does two or so.
            Self::Argon2 {
                time, memory_kib, ..
            } => u64::from(*time).saturating_mul(u64::from(*memory_kib)) >> 21,
        };
        seconds.saturating_add(1)
    }

    /// Makes a key of `len` bytes, which the caller has bounded.
    pub(super) fn derive(
        &self,
        secret: &[u8],
        len: usize,
    ) -> Result<Zeroizing<Vec<u8>>, UnlockError> {
        let mut key = Zeroizing::new(vec![0; len]);
        match self {
            Self::Pbkdf2 {
                hash,
                iterations,
                salt,
            } => {
                let iterations = NonZeroU32::new(*iterations)
                    .ok_or_else(|| UnlockError::corrupt("a key is derived by no iteration"))?;
                if iterations.get() > ITERATIONS_MAX {
                    return Err(too_much(&format!("{iterations} iterations of PBKDF2")));
                }
                pbkdf2::derive(hash.pbkdf2(), iterations, salt, secret, &mut key);
            }
            Self::Argon2 {
                kind,
                time,
                memory_kib,
                lanes,
                salt,
            } => {
                if *memory_kib > MEMORY_MAX_KIB || *time > PASSES_MAX || *lanes > LANES_MAX {
                    return Err(too_much(&format!(
                        "{time} passes over {memory_kib} KiB in {lanes} lanes of Argon2"
                    )));
                }
                let algorithm = match kind {
                    Argon2Kind::Argon2i => Algorithm::Argon2i,
                    Argon2Kind::Argon2id => Algorithm::Argon2id,
                };
                let wrong = |_| UnlockError::corrupt("a key slot's Argon2 has impossible numbers");
                let params = Params::new(*memory_kib, *time, *lanes, Some(len)).map_err(wrong)?;
                let mut memory = blocks(params.block_count())?;
                Argon2::new(algorithm, Version::V0x13, params)
                    .hash_password_into_with_memory(secret, salt, &mut key, &mut memory)
                    .map_err(wrong)?;
            }
        }
        Ok(key)
    }
}

/// Returns memory for Argon2. A process that may not have as much says so, and does not end.
fn blocks(count: usize) -> Result<Vec<Block>, UnlockError> {
    let mut blocks = Vec::new();
    blocks.try_reserve_exact(count).map_err(|_| {
        UnlockError::unsupported(format!(
            "a key slot asks for {} MiB of memory, which cannot be had here",
            count >> 10
        ))
    })?;
    blocks.resize(count, Block::default());
    Ok(blocks)
}

fn too_much(what: &str) -> UnlockError {
    UnlockError::unsupported(format!(
        "a key slot asks for {what}, which is more than is given"
    ))
}
