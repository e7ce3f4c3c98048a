//! BitLocker, as Windows 7 to 11 write it.

mod boot_sector;
mod ccm;
mod clear_volume;
mod diffuser;
mod entry;
mod fields;
mod key;
mod key_file;
mod layout;
mod metadata_block;
mod protector;
mod secret;
mod sector_cipher;
mod stretch;
#[cfg(test)]
mod test_bytes;

use std::sync::Arc;

use block_io::BlockDevice;

use crate::UnlockError;
use boot_sector::BootSector;
use clear_volume::BitLockerVolume;
use layout::Layout;
use metadata_block::MetadataBlock;
use protector::Protector;
pub use protector::{BitLockerProtector, BitLockerProtectorKind, PROTECTORS_MAX};
pub use secret::BitLockerSecret;

/// Opens a BitLocker volume with something that a person has.
///
/// A recovery password or password takes about a second of work for each protector of its kind; the
/// others take none.
///
/// # Errors
///
/// `WrongKey` where the secret is not the volume's, or the metadata that it opens are damaged (both look
/// alike); the message names the protectors that there are. `Unsupported` for what is made in another way,
/// and for a volume that was being encrypted or decrypted; `Corrupt`; `Disk`.
pub fn open_bitlocker(
    volume: Arc<dyn BlockDevice>,
    secret: &BitLockerSecret<'_>,
) -> Result<Arc<dyn BlockDevice>, UnlockError> {
    let boot = BootSector::read(&volume)?;
    let metadata = MetadataBlock::read(&volume, &boot)?;
    let method = metadata.method()?;
    let layout = Layout::of(&metadata, &boot, volume.size_bytes())?;
    let (hidden, number) = metadata.volume_key()?;
    let master = protector::open(&Protector::all(&metadata)?, secret)?;
    metadata.authenticate(&master)?;
    let key = hidden
        .open_key(&master)
        .filter(|key| key.method == number)
        .ok_or_else(|| UnlockError::corrupt("the volume's key is damaged"))?;
    let sector_bytes = usize::try_from(boot.sector_bytes).unwrap_or(0);
    let cipher = method.cipher(&key.bytes, sector_bytes).ok_or_else(|| {
        let what = "the volume's key is of another length than its encryption method's";
        UnlockError::corrupt(what)
    })?;
    Ok(Arc::new(BitLockerVolume {
        volume,
        cipher,
        layout,
    }))
}

/// Says what a BitLocker volume opens with, and under which identifiers its recovery passwords are kept.
///
/// # Errors
///
/// `Unsupported`, `Corrupt` and `Disk`, as [`open_bitlocker`].
pub fn bitlocker_protectors(
    volume: &Arc<dyn BlockDevice>,
) -> Result<Vec<BitLockerProtector>, UnlockError> {
    let boot = BootSector::read(volume)?;
    let metadata = MetadataBlock::read(volume, &boot)?;
    let all = Protector::all(&metadata)?;
    Ok(all.into_iter().map(|protector| protector.public).collect())
}
