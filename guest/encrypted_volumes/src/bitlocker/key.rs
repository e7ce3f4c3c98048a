//! Keys, and keys in other keys (BDE format, "FVE AES-CCM encrypted key").

use zeroize::Zeroizing;

use super::ccm;
use super::entry::{ENTRY_HEADER_BYTES, value};
use super::fields::{bytes_at, u16_at};

/// Of every key that wraps another one.
pub(super) const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
/// Wrapped keys have less than 100 bytes.
const WRAPPED_MAX_BYTES: usize = 512;
/// Before a key: its entry's header, and for which method it is.
const KEY_AT: usize = ENTRY_HEADER_BYTES + 4;

/// A key that another key hides.
#[derive(Clone)]
pub(super) struct WrappedKey {
    nonce: [u8; NONCE_BYTES],
    tag: [u8; ccm::TAG_BYTES],
    hidden: Vec<u8>,
}

/// What was hidden.
pub(super) struct Key {
    /// The number of the encryption method that it is for.
    pub(super) method: u16,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

impl WrappedKey {
    /// Takes an entry's value. `None` where it is too short, or longer than any.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let hidden = bytes.get(NONCE_BYTES + ccm::TAG_BYTES..)?;
        (1..=WRAPPED_MAX_BYTES)
            .contains(&hidden.len())
            .then(|| Self {
                nonce: bytes_at(bytes, 0),
                tag: bytes_at(bytes, NONCE_BYTES),
                hidden: hidden.to_vec(),
            })
    }

    /// Returns the whole entry that is hidden. `None`: the key is not the one, or a bit has changed.
    pub(super) fn open(&self, key: &[u8; KEY_BYTES]) -> Option<Zeroizing<Vec<u8>>> {
        ccm::open(key, &self.nonce, &self.tag, &self.hidden)
    }

    /// Returns the key that is hidden. `None` as with [`Self::open`], or where it is no key.
    pub(super) fn open_key(&self, key: &[u8; KEY_BYTES]) -> Option<Key> {
        let entry = self.open(key)?;
        let is_key = usize::from(u16_at(&entry, 0)) == entry.len()
            && u16_at(&entry, 4) == value::KEY
            && entry.len() > KEY_AT;
        is_key.then(|| Key {
            method: u16_at(&entry, ENTRY_HEADER_BYTES),
            bytes: Zeroizing::new(entry.get(KEY_AT..).unwrap_or(&[]).to_vec()),
        })
    }

    /// Returns a key of 256 bits.
    pub(super) fn open_wrapping_key(
        &self,
        key: &[u8; KEY_BYTES],
    ) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
        let found = self.open_key(key)?;
        Some(Zeroizing::new(found.bytes.as_slice().try_into().ok()?))
    }
}
