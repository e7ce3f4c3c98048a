//! The envelope of small objects (section 5).

use crate::format::{Aead, Codec, TAG_BYTES, decode_frame, random_bytes};
use zeroize::Zeroizing;

use crate::keys::Secret;
use crate::{RepositoryError, RepositoryErrorKind};

const MAGIC: &[u8; 8] = b"LBSEAL01";
const HEADER_BYTES: usize = 64;
const HASH_BYTES: usize = 32;
/// The most that a sealed object may hold, stored or plain, in bytes.
pub(crate) const SEALED_BYTES_MAX: usize = 64 << 20;

/// What is in a sealed object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SealedKind {
    KeyRing = 1,
    RestorePoint = 2,
    Note = 3,
    RollUp = 4,
    Condemned = 5,
    Forward = 6,
    Settings = 7,
    Locks = 8,
    Host = 9,
    Run = 10,
    Lost = 11,
}

fn key(key: &Secret, header: &[u8], object: &str) -> Aead {
    Aead::new(&key.derive("lifeboat v1 sealed object", &[header, object.as_bytes()]))
}

/// Seals `body` under the name that it will have.
pub(crate) fn seal(
    kind: SealedKind,
    key_id: [u8; 16],
    secret: &Secret,
    object: &str,
    body: &[u8],
) -> Result<Vec<u8>, RepositoryError> {
    if body.len() > SEALED_BYTES_MAX {
        let what = "a sealed object grew too large to be read again";
        return Err(RepositoryError::new(RepositoryErrorKind::Unsupported, what).in_object(object));
    }
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len() + TAG_BYTES + HASH_BYTES + 1);
    bytes.extend(MAGIC);
    bytes.extend((kind as u16).to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(key_id);
    bytes.extend(random_bytes::<32>()?);
    Codec::new()?.encode(body, &mut bytes);
    let (header, plain) = bytes.split_at_mut(HEADER_BYTES);
    let tag = key(secret, header, object).seal([0; 12], &[], plain)?;
    bytes.extend(tag);
    let hash = blake3::hash(&bytes);
    bytes.extend(hash.as_bytes());
    Ok(bytes)
}

/// Splits a sealed object whose checksum holds into its header and what is sealed.
fn open_envelope<'a>(
    object: &str,
    bytes: &'a [u8],
) -> Result<(&'a [u8], &'a [u8]), RepositoryError> {
    let damaged = |what: &str| RepositoryError::damaged(object, what);
    let content = bytes
        .len()
        .checked_sub(HASH_BYTES)
        .filter(|content| *content > HEADER_BYTES + TAG_BYTES)
        .ok_or_else(|| damaged("this object is too short for a sealed one"))?;
    let (content, hash) = bytes.split_at(content);
    if &content[..8] != MAGIC {
        return Err(damaged("this is not a sealed object (it should begin with LBSEAL01)").at(0));
    }
    if blake3::hash(content).as_bytes() != hash {
        return Err(damaged(
            "the bytes are not as they were written: their checksum is wrong",
        ));
    }
    Ok(content.split_at(HEADER_BYTES))
}

/// Returns the id of the key that a sealed object is sealed under.
///
/// Its checksum holds, so an id that nobody knows is no flipped bit.
pub(crate) fn sealed_key_id(object: &str, bytes: &[u8]) -> Result<[u8; 16], RepositoryError> {
    let (header, _) = open_envelope(object, bytes)?;
    let mut id = [0; 16];
    id.copy_from_slice(&header[16..32]);
    Ok(id)
}

/// Sees that a sealed object is of a kind, given as its number, and authenticates.
pub(crate) fn authenticate_sealed(
    kind: u8,
    secret: &Secret,
    object: &str,
    bytes: &[u8],
) -> Result<(), RepositoryError> {
    let (header, sealed) = open_envelope(object, bytes)?;
    if header[8..10] != [kind, 0] {
        let what = "this is a sealed object of another kind";
        return Err(RepositoryError::damaged(object, what).at(8));
    }
    let mut sealed = Zeroizing::new(sealed.to_vec());
    key(secret, header, object)
        .open([0; 12], &[], &mut sealed)
        .map(drop)
        .map_err(|error| error.in_object(object).at(HEADER_BYTES as u64))
}

/// Opens a sealed object that was read under the name `object`.
pub(crate) fn open_sealed(
    kind: SealedKind,
    key_id: [u8; 16],
    secret: &Secret,
    object: &str,
    bytes: &[u8],
) -> Result<Zeroizing<Vec<u8>>, RepositoryError> {
    let damaged = |what: &str| RepositoryError::damaged(object, what);
    let (header, sealed) = open_envelope(object, bytes)?;
    if header[8..10] != (kind as u16).to_le_bytes() || header[16..32] != key_id {
        return Err(damaged("this is a sealed object of another kind or key").at(8));
    }
    // A key ring may be inside: what was decrypted is wiped.
    let mut sealed = Zeroizing::new(sealed.to_vec());
    let plain = key(secret, header, object)
        .open([0; 12], &[], &mut sealed)
        .map_err(|error| error.in_object(object).at(HEADER_BYTES as u64))?;
    // zstd frames declare their content size; a raw body is as long as the frame.
    let body = plain.get(1..).unwrap_or_default();
    let declared = match plain.first() {
        Some(1) => zstd::zstd_safe::get_frame_content_size(body).ok().flatten(),
        _ => Some(body.len() as u64),
    };
    let size = declared
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| *size <= SEALED_BYTES_MAX)
        .ok_or_else(|| damaged("the sealed body declares an impossible size"))?;
    let mut body = Zeroizing::new(vec![0; size]);
    let len = decode_frame(plain, &mut body).map_err(|error| error.in_object(object))?;
    if len != size {
        return Err(RepositoryError::new(
            RepositoryErrorKind::Damaged,
            format!("the sealed body has {len} bytes, {size} were declared"),
        )
        .in_object(object));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_object_opens_under_its_own_name_alone_and_unchanged() {
        let secret = Secret::random().unwrap();
        let open = |object: &str, bytes: &[u8]| {
            open_sealed(SealedKind::RestorePoint, [7; 16], &secret, object, bytes)
        };
        let body = b"a restore point a restore point a restore point".repeat(9);
        let bytes = seal(
            SealedKind::RestorePoint,
            [7; 16],
            &secret,
            "points/a/b",
            &body,
        )
        .unwrap();
        assert_eq!(*open("points/a/b", &bytes).unwrap(), body);
        assert!(open("points/a/c", &bytes).is_err());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            let error = open("points/a/b", &changed).unwrap_err();
            assert_eq!(error.kind(), RepositoryErrorKind::Damaged, "byte {at}");
            assert!(open("points/a/b", &bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_forged_checksum_does_not_help() {
        let secret = Secret::random().unwrap();
        let mut bytes = seal(SealedKind::RestorePoint, [7; 16], &secret, "p", b"body").unwrap();
        let content = bytes.len() - HASH_BYTES;
        bytes[HEADER_BYTES] ^= 1;
        let hash = *blake3::hash(&bytes[..content]).as_bytes();
        bytes[content..].copy_from_slice(&hash);
        let error = open_sealed(SealedKind::RestorePoint, [7; 16], &secret, "p", &bytes);
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("do not authenticate")
        );
    }
}
