//! AES-256-GCM, as the format uses it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::keys::Secret;
use crate::{RepositoryError, RepositoryErrorKind};

/// Length of an authentication tag in bytes.
pub(crate) const TAG_BYTES: usize = 16;

/// A key that is ready for use. The caller sees to it that no nonce is used twice.
pub(crate) struct Aead(LessSafeKey);

impl Aead {
    pub(crate) fn new(key: &Secret) -> Self {
        // The key has the length that the algorithm takes, which is all that can be wrong.
        #[expect(
            clippy::expect_used,
            reason = "a Secret has the 32 bytes that AES-256 takes"
        )]
        let key = UnboundKey::new(&AES_256_GCM, key.bytes()).expect("AES-256 takes 32 bytes");
        Self(LessSafeKey::new(key))
    }

    /// Encrypts in place and returns the tag.
    pub(crate) fn seal(
        &self,
        nonce: [u8; 12],
        additional_data: &[u8],
        bytes: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], RepositoryError> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(additional_data), bytes)
            .map_err(|_| RepositoryError::new(RepositoryErrorKind::Store, "encryption failed"))?;
        let mut bytes = [0; TAG_BYTES];
        bytes.copy_from_slice(tag.as_ref());
        Ok(bytes)
    }

    /// Decrypts ciphertext ‖ tag in place and returns the plaintext.
    pub(crate) fn open<'a>(
        &self,
        nonce: [u8; 12],
        additional_data: &[u8],
        bytes: &'a mut [u8],
    ) -> Result<&'a mut [u8], RepositoryError> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0
            .open_in_place(nonce, Aad::from(additional_data), bytes)
            .map_err(|_| {
                RepositoryError::new(
                    RepositoryErrorKind::Damaged,
                    "these bytes do not authenticate: they were changed, or belong elsewhere",
                )
            })
    }
}

/// Returns the nonce of a place: its number, and four zero bytes.
pub(crate) fn place_nonce(place: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&place.to_le_bytes());
    nonce
}

/// Returns bytes from the system's random source.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], RepositoryError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        RepositoryError::new(
            RepositoryErrorKind::Store,
            "the system gives no random bytes",
        )
        .caused_by(std::io::Error::other(error))
    })?;
    Ok(bytes)
}
