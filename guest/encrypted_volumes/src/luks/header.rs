//! What both versions' headers say.

use std::sync::Arc;

use block_io::BlockDevice;

use super::key_derivation::{Hash, Kdf};
use super::{fields, header_v1, header_v2};
use crate::UnlockError;

pub(super) const MAGIC: &[u8; 6] = b"LUKS\xba\xbe";
/// The one cipher.
const CIPHER: &str = "aes-xts-plain64";
/// Longest key of a slot or volume.
const KEY_MAX_BYTES: usize = 64;
/// Most stripes that a key is split into; cryptsetup makes 4000.
const STRIPES_MAX: usize = 8000;

/// A header.
pub(super) struct Header {
    pub(super) keyslots: Vec<Keyslot>,
    pub(super) payload: Payload,
    /// Why some slots are not among those.
    pub(super) not_known: Option<String>,
}

/// A slot that a secret may open.
pub(super) struct Keyslot {
    pub(super) kdf: Kdf,
    /// How long the key is that the slot's area is encrypted with.
    pub(super) area_key_bytes: usize,
    /// Where the area is, in bytes.
    pub(super) area_offset: u64,
    /// How long the volume's key is.
    pub(super) key_bytes: usize,
    /// Into how many parts it is split.
    pub(super) stripes: usize,
    pub(super) split_hash: Hash,
    pub(super) digest: Digest,
}

/// What a key is known by.
#[derive(Clone)]
pub(super) struct Digest {
    pub(super) kdf: Kdf,
    pub(super) value: Vec<u8>,
}

/// Where the encrypted data are.
pub(super) struct Payload {
    pub(super) offset: u64,
    /// `None`: to the volume's end.
    pub(super) size_bytes: Option<u64>,
    pub(super) sector_bytes: u32,
    pub(super) first_unit: u64,
}

impl Header {
    pub(super) fn read(volume: &Arc<dyn BlockDevice>) -> Result<Self, UnlockError> {
        let first = fields::read(volume, 0, 4096)?;
        let is_luks = first.starts_with(MAGIC);
        match u16::from_be_bytes(fields::bytes_at(&first, 6)) {
            1 if is_luks => header_v1::parse(&first),
            // The second header stands in for the first one.
            _ => header_v2::read(volume),
        }
    }
}

impl Keyslot {
    pub(super) fn hidden_bytes(&self) -> usize {
        // Both are bounded by `check`.
        self.key_bytes.saturating_mul(self.stripes)
    }

    /// Refuses what no maker makes.
    pub(super) fn check(self) -> Result<Self, UnlockError> {
        let keys = 1..=KEY_MAX_BYTES;
        let is_good = keys.contains(&self.key_bytes)
            && keys.contains(&self.area_key_bytes)
            && (1..=STRIPES_MAX).contains(&self.stripes)
            && (8..=64).contains(&self.digest.value.len());
        is_good
            .then_some(self)
            .ok_or_else(|| UnlockError::corrupt("a key slot describes keys that nobody makes"))
    }
}

/// Refuses ciphers other than the one that is known.
pub(super) fn known_cipher(name: &str) -> Result<(), UnlockError> {
    if name == CIPHER {
        return Ok(());
    }
    let what = format!("the volume is encrypted with {name:?}; only {CIPHER} is known here");
    Err(UnlockError::unsupported(what))
}
