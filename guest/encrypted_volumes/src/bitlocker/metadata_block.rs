//! One of the three copies of the metadata (BDE format, "FVE metadata block"), and which one is used.
//!
//! ```text
//!   0 header (64): signature, size/16, version, states, encrypted size, places of all copies
//!  64 metadata header (48): size, version, volume's identifier, next nonce, encryption method
//! 112 entries …
//! size/16 · 16: size and version of what follows, CRC-32 of all before, a key's entry that hides
//!               (under the volume master key) the SHA-256 of all before
//! ```

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use block_io::{BlockDevice, DiskError};

use super::boot_sector::{BootSector, SIGNATURE};
use super::entry::{Entry, entries, role, value};
use super::fields::{u16_at, u32_at, u64_at};
use super::key::{KEY_BYTES, WrappedKey};
use super::sector_cipher::Method;
use crate::UnlockError;

/// What each copy takes on the volume.
pub(super) const AREA_BYTES: usize = 64 << 10;
const ENTRIES_AT: usize = 112;
const METADATA_AT: usize = 64;
/// Size, version and CRC-32, behind the copy.
const VALIDATION_HEADER_BYTES: usize = 8;
/// Before the hash: its entry's header, and how it was made.
const HASH_AT: usize = 12;

/// A copy whose checksum is right.
pub(super) struct MetadataBlock {
    /// What the checksums are over.
    bytes: Vec<u8>,
    /// What follows the CRC-32.
    seal: Vec<u8>,
}

impl MetadataBlock {
    /// Reads all copies, and takes of those that are whole the newest one.
    ///
    /// # Errors
    ///
    /// `Unsupported` where whole copies contradict each other in how much is encrypted, and of other
    /// versions; `Corrupt` where none is whole; `Disk` where none is and some could not be read.
    pub(super) fn read(
        volume: &Arc<dyn BlockDevice>,
        boot: &BootSector,
    ) -> Result<Self, UnlockError> {
        let mut whole: Vec<Self> = Vec::new();
        let mut unread: Option<DiskError> = None;
        for number in 0..boot.metadata_offsets.len() {
            match Self::read_one(volume, boot, number) {
                Ok(block) => whole.extend(block),
                Err(error) => unread = unread.or(Some(error)),
            }
        }
        if whole.windows(2).any(|pair| !same_state(pair)) {
            return Err(UnlockError::unsupported(
                "the copies of BitLocker's metadata contradict each other in how much of the volume is \
                 encrypted; take another restore point",
            ));
        }
        // Each key that is wrapped takes a number: who has given out more of them is the newer one.
        let newest = whole.into_iter().reduce(|best, other| {
            if other.next_nonce() > best.next_nonce() {
                other
            } else {
                best
            }
        });
        newest.ok_or_else(|| {
            unread.map_or_else(
                || {
                    UnlockError::corrupt(
                        "none of the three copies of BitLocker's metadata is whole",
                    )
                },
                UnlockError::from,
            )
        })
    }

    /// `None` where it is not whole.
    fn read_one(
        volume: &Arc<dyn BlockDevice>,
        boot: &BootSector,
        number: usize,
    ) -> Result<Option<Self>, DiskError> {
        let offset = boot.metadata_offsets.get(number).copied().unwrap_or(0);
        let sector = u64::from(boot.sector_bytes);
        let end = offset.checked_add(AREA_BYTES as u64);
        if offset < sector
            || !offset.is_multiple_of(sector)
            || end.is_none_or(|end| end > volume.size_bytes())
        {
            return Ok(None);
        }
        let mut area = vec![0; AREA_BYTES];
        volume.read_at(offset, &mut area)?;
        let block = Self::parse(&area);
        Ok(block.filter(|block| block.offsets().get(number) == Some(&offset)))
    }

    fn parse(area: &[u8]) -> Option<Self> {
        if !area.starts_with(SIGNATURE) || u16_at(area, 10) != 2 {
            return None;
        }
        let size = usize::from(u16_at(area, 8)) * 16;
        let (bytes, behind) = area.split_at_checked(size)?;
        let validation_size = usize::from(u16_at(behind, 0));
        let validation = behind.get(..validation_size)?;
        let is_whole = size >= ENTRIES_AT
            && matches!(u16_at(validation, 2), 1 | 2)
            && validation_size >= VALIDATION_HEADER_BYTES
            && u32_at(validation, 4) == crc32fast::hash(bytes)
            && u32_at(bytes, METADATA_AT + 4) == 1
            && u32_at(bytes, METADATA_AT + 8) == 48;
        is_whole.then(|| Self {
            bytes: bytes.to_vec(),
            seal: validation
                .get(VALIDATION_HEADER_BYTES..)
                .unwrap_or(&[])
                .to_vec(),
        })
    }

    pub(super) fn current_state(&self) -> u16 {
        u16_at(&self.bytes, 12)
    }

    pub(super) fn next_state(&self) -> u16 {
        u16_at(&self.bytes, 14)
    }

    /// Up to where the volume is encrypted.
    pub(super) fn encrypted_bytes(&self) -> u64 {
        u64_at(&self.bytes, 16)
    }

    /// How much behind that is being converted.
    pub(super) fn converting_bytes(&self) -> u32 {
        u32_at(&self.bytes, 24)
    }

    /// How many sectors of the volume's beginning lie elsewhere.
    pub(super) fn header_sectors(&self) -> u32 {
        u32_at(&self.bytes, 28)
    }

    /// Where the three copies are.
    pub(super) fn offsets(&self) -> [u64; 3] {
        [32, 40, 48].map(|at| u64_at(&self.bytes, at))
    }

    /// Where the volume's beginning lies.
    pub(super) fn header_offset(&self) -> u64 {
        u64_at(&self.bytes, 56)
    }

    fn next_nonce(&self) -> u32 {
        u32_at(&self.bytes, METADATA_AT + 32)
    }

    /// The upper half of this number says how an earlier method was, or the same.
    fn method_number(&self) -> u16 {
        u16_at(&self.bytes, METADATA_AT + 36)
    }

    pub(super) fn method(&self) -> Result<Method, UnlockError> {
        let number = self.method_number();
        Method::of(number).ok_or_else(|| {
            UnlockError::unsupported(format!(
                "the volume is encrypted with BitLocker's method {number:#06x}, which is not known here"
            ))
        })
    }

    pub(super) fn entries(&self) -> Result<Vec<Entry<'_>>, UnlockError> {
        let size = usize::try_from(u32_at(&self.bytes, METADATA_AT)).unwrap_or(usize::MAX);
        let end = METADATA_AT.saturating_add(size);
        let list = self.bytes.get(ENTRIES_AT..end);
        list.and_then(entries)
            .ok_or_else(|| UnlockError::corrupt("BitLocker's metadata reach beyond their own end"))
    }

    /// Says whether the metadata are as whoever had the volume master key wrote them: the SHA-256 of
    /// them lies beside them, hidden under that key.
    ///
    /// # Errors
    ///
    /// `Corrupt` where they are not.
    pub(super) fn authenticate(&self, master: &[u8; KEY_BYTES]) -> Result<(), UnlockError> {
        let sealed = entries(&self.seal).and_then(|found| {
            let hidden = found
                .first()
                .filter(|entry| entry.sort == value::ENCRYPTED_KEY)?;
            let entry = WrappedKey::parse(hidden.value)?.open(master)?;
            Some(entry.get(HASH_AT..)?.to_vec())
        });
        let is_same = sealed.is_some_and(|hash| hash == digest(&SHA256, &self.bytes).as_ref());
        if is_same {
            return Ok(());
        }
        Err(UnlockError::corrupt(
            "BitLocker's metadata are not as they were written: their seal does not fit",
        ))
    }

    /// Returns the volume's key, still wrapped, and the number of the method that it must be for.
    pub(super) fn volume_key(&self) -> Result<(WrappedKey, u16), UnlockError> {
        let found = self.entries()?;
        let entry = found
            .iter()
            .find(|entry| entry.is(role::VOLUME_KEY, value::ENCRYPTED_KEY));
        let key = entry.and_then(|entry| WrappedKey::parse(entry.value));
        let key = key.ok_or_else(|| {
            UnlockError::corrupt("BitLocker's metadata hold no key of the volume")
        })?;
        Ok((key, self.method_number()))
    }
}

/// Compares states, sizes and places: everything that says which bytes are encrypted.
fn same_state(pair: &[MetadataBlock]) -> bool {
    let [one, other] = pair else { return true };
    let state = |block: &MetadataBlock| {
        let from = (block.current_state(), block.next_state());
        let header = (block.header_offset(), block.header_sectors());
        let size = (block.encrypted_bytes(), block.converting_bytes());
        (from, size, header, block.offsets(), block.method_number())
    };
    state(one) == state(other)
}
