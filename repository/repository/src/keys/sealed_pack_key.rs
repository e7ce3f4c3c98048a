//! Pack keys that are sealed to a public key (scheme 2 of section 6).

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use zeroize::Zeroizing;

use crate::format::{Aead, TAG_BYTES};
use crate::keys::Secret;
use crate::{RepositoryError, RepositoryErrorKind};

/// Length of a sealed pack key in bytes: the ephemeral public key, the key, the tag.
pub(crate) const SEALED_PACK_KEY_BYTES: usize = 32 + 32 + TAG_BYTES;

/// A public key that pack keys are sealed to.
pub(crate) type PublicKey = [u8; 32];

fn no_key() -> RepositoryError {
    let what = "an X25519 key cannot be made or used";
    RepositoryError::new(RepositoryErrorKind::Unsupported, what)
}

/// Makes a private key.
pub(crate) fn generate_private_key() -> Result<Secret, RepositoryError> {
    // Any 32 bytes are a private key of X25519.
    Secret::random()
}

fn private_key(secret: &Secret) -> Result<PrivateKey, RepositoryError> {
    PrivateKey::from_private_key(&X25519, secret.bytes()).map_err(|_| no_key())
}

/// Returns the public key of a private one.
pub(crate) fn public_key(private: &Secret) -> Result<PublicKey, RepositoryError> {
    let public = private_key(private)?
        .compute_public_key()
        .map_err(|_| no_key())?;
    PublicKey::try_from(public.as_ref()).map_err(|_| no_key())
}

/// Returns the key that a pack key is wrapped with. The domain's map key is in it, so that only
/// members of the domain can make a pack that opens.
fn wrapping_key(
    private: &PrivateKey,
    other: &PublicKey,
    ephemeral: &PublicKey,
    recipient: &PublicKey,
    map_key: &Secret,
) -> Result<Aead, RepositoryError> {
    let other = UnparsedPublicKey::new(&X25519, other);
    agree(private, other, no_key(), |shared| {
        let shared = Zeroizing::new(<[u8; 32]>::try_from(shared).map_err(|_| no_key())?);
        let parts: [&[u8]; 3] = [ephemeral, recipient, map_key.bytes()];
        let key = Secret::new(*shared).derive("lifeboat v1 sealed pack key", &parts);
        Ok(Aead::new(&key))
    })
}

/// Seals a pack's key; `header` are the first 96 bytes of the pack.
pub(crate) fn seal_pack_key(
    pack_key: &Secret,
    recipient: &PublicKey,
    map_key: &Secret,
    header: &[u8],
) -> Result<Vec<u8>, RepositoryError> {
    let ephemeral = generate_private_key()?;
    let public = public_key(&ephemeral)?;
    let private = private_key(&ephemeral)?;
    let wrapping = wrapping_key(&private, recipient, &public, recipient, map_key)?;
    let mut sealed = Vec::with_capacity(SEALED_PACK_KEY_BYTES);
    sealed.extend(public);
    sealed.extend(pack_key.bytes());
    let tag = wrapping.seal([0; 12], header, &mut sealed[32..])?;
    sealed.extend(tag);
    Ok(sealed)
}

/// Opens a sealed pack key.
pub(crate) fn open_pack_key(
    sealed: &[u8; SEALED_PACK_KEY_BYTES],
    private: &Secret,
    map_key: &Secret,
    header: &[u8],
) -> Result<Secret, RepositoryError> {
    let (ephemeral, wrapped) = sealed.split_at(32);
    let ephemeral = PublicKey::try_from(ephemeral).map_err(|_| no_key())?;
    let recipient = public_key(private)?;
    let damaged = |_| {
        let what = "the pack's key does not authenticate: its header was changed";
        RepositoryError::new(RepositoryErrorKind::Damaged, what).at(96)
    };
    let private = private_key(private)?;
    let wrapping =
        wrapping_key(&private, &ephemeral, &ephemeral, &recipient, map_key).map_err(damaged)?;
    let mut wrapped = Zeroizing::new(wrapped.to_vec());
    let plain = wrapping
        .open([0; 12], header, &mut wrapped)
        .map_err(damaged)?;
    let key = Zeroizing::new(<[u8; 32]>::try_from(&*plain).map_err(|_| no_key())?);
    Ok(Secret::new(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_pack_key_opens_with_the_private_key_its_own_header_and_the_map_key_alone() {
        let [private, other, map_key, pack_key] = [(); 4].map(|()| Secret::random().unwrap());
        let recipient = public_key(&private).unwrap();
        let sealed = seal_pack_key(&pack_key, &recipient, &map_key, b"header").unwrap();
        let sealed: [u8; SEALED_PACK_KEY_BYTES] = sealed.try_into().unwrap();
        let open = |private, map_key, header: &[u8]| {
            open_pack_key(&sealed, private, map_key, header).map(|key| *key.bytes())
        };
        assert_eq!(
            open(&private, &map_key, b"header").unwrap(),
            *pack_key.bytes()
        );
        assert!(open(&other, &map_key, b"header").is_err());
        assert!(open(&private, &other, b"header").is_err());
        assert!(open(&private, &map_key, b"Header").is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed;
            changed[at] ^= 1;
            let opened = open_pack_key(&changed, &private, &map_key, b"header");
            // The highest bit of a public key is not part of it, but it is in the derivation.
            assert!(opened.is_err(), "byte {at}");
        }
        let zero = [0; SEALED_PACK_KEY_BYTES];
        assert!(open_pack_key(&zero, &private, &map_key, b"header").is_err());
    }
}
