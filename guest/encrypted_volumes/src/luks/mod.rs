//! LUKS1 and LUKS2.

mod anti_forensic;
mod fields;
mod header;
mod header_v1;
mod header_v2;
mod key_derivation;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use block_io::BlockDevice;
use zeroize::Zeroizing;

use crate::clear_volume::ClearVolume;
use crate::xts::XtsKey;
use crate::{UnlockError, UnlockErrorKind};
use header::{Header, Keyslot};
pub use key_derivation::{ITERATIONS_MAX, MEMORY_MAX_KIB};

/// Sectors that key slots are encrypted in.
const KEYSLOT_SECTOR_BYTES: usize = 512;

/// Opens a LUKS volume with a password or the bytes of a key file.
///
/// This takes as long as the volume's maker wanted it to: some seconds for each slot.
///
/// # Errors
///
/// `WrongKey` where no slot opens; `Unsupported` for what is made in another way, also where a slot of
/// that sort is the only one that the secret might open; `Corrupt`; `Disk`.
pub fn open_luks(
    volume: Arc<dyn BlockDevice>,
    secret: &[u8],
) -> Result<Arc<dyn BlockDevice>, UnlockError> {
    let header = Header::read(&volume)?;
    let mut not_tried = header
        .not_known
        .as_ref()
        .map(|what| UnlockError::unsupported(what.clone()));
    for slot in &header.keyslots {
        match volume_key(&volume, slot, secret) {
            Ok(key) if header.is_right(slot, &key)? => return clear(volume, &header, &key),
            Ok(_) => {}
            Err(error) if error.kind() == UnlockErrorKind::Unsupported => {
                not_tried = not_tried.or(Some(error));
            }
            Err(error) => return Err(error),
        }
    }
    Err(not_tried.unwrap_or_else(|| {
        let what = "no key slot of the volume opens with this password or key file";
        UnlockError::new(UnlockErrorKind::WrongKey, what)
    }))
}

/// Says about how many seconds of a processor [`open_luks`] takes with a secret that opens no slot. The
/// volume's own header asks for them, and a forged one for many.
///
/// # Errors
///
/// `Unsupported`, `Corrupt` and `Disk`, as [`open_luks`].
pub fn luks_work(volume: &Arc<dyn BlockDevice>) -> Result<u64, UnlockError> {
    let header = Header::read(volume)?;
    let slots = header.keyslots.iter();
    let work = slots.map(|slot| slot.kdf.work().saturating_add(slot.digest.kdf.work()));
    Ok(work.fold(0, u64::saturating_add))
}

/// Takes what a slot hides, if the secret is the slot's; other bytes otherwise.
fn volume_key(
    volume: &Arc<dyn BlockDevice>,
    slot: &Keyslot,
    secret: &[u8],
) -> Result<Zeroizing<Vec<u8>>, UnlockError> {
    let slot_key = slot.kdf.derive(secret, slot.area_key_bytes)?;
    let cipher = XtsKey::new(&slot_key, KEYSLOT_SECTOR_BYTES);
    let cipher =
        cipher.ok_or_else(|| UnlockError::corrupt("a key slot has a key of odd length"))?;
    let hidden_bytes = slot.hidden_bytes();
    let whole = hidden_bytes.next_multiple_of(KEYSLOT_SECTOR_BYTES);
    let mut hidden = Zeroizing::new(vec![0; whole]);
    volume.read_at(slot.area_offset, &mut hidden)?;
    let wrong = || UnlockError::corrupt("a key slot cannot be decrypted");
    cipher.decrypt(0, &mut hidden).ok_or_else(wrong)?;
    let hidden = hidden.get(..hidden_bytes).ok_or_else(wrong)?;
    anti_forensic::merge(hidden, slot.key_bytes, slot.split_hash).ok_or_else(wrong)
}

impl Header {
    /// Says whether a key is the volume's: a digest of it is in the header.
    fn is_right(&self, slot: &Keyslot, key: &[u8]) -> Result<bool, UnlockError> {
        let digest = &slot.digest;
        let made = digest.kdf.derive(key, digest.value.len())?;
        Ok(verify_slices_are_equal(&made, &digest.value).is_ok())
    }
}

fn clear(
    volume: Arc<dyn BlockDevice>,
    header: &Header,
    key: &[u8],
) -> Result<Arc<dyn BlockDevice>, UnlockError> {
    let payload = &header.payload;
    let sector_bytes = usize::try_from(payload.sector_bytes).unwrap_or(0);
    let cipher = XtsKey::new(key, sector_bytes).ok_or_else(|| {
        UnlockError::unsupported(format!("the volume's key has {} bytes", key.len()))
    })?;
    let rest = volume.size_bytes().checked_sub(payload.offset);
    let rest = rest.filter(|rest| payload.size_bytes.is_none_or(|size| size <= *rest));
    let size_bytes = rest.map(|rest| payload.size_bytes.unwrap_or(rest));
    let size_bytes = size_bytes.ok_or_else(|| {
        UnlockError::corrupt("the encrypted part reaches beyond the end of the volume")
    })?;
    let sector = u64::from(payload.sector_bytes);
    Ok(Arc::new(ClearVolume {
        key: cipher,
        offset: payload.offset,
        size_bytes: size_bytes / sector * sector,
        sector_bytes: payload.sector_bytes,
        first_unit: payload.first_unit,
        volume,
    }))
}
