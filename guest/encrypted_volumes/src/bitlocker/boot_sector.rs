//! The first sector, which says where the metadata are (BDE format, "Volume header").

use std::sync::Arc;

use block_io::BlockDevice;
use uuid::{Uuid, uuid};

use super::fields::{bytes_at, u16_at, u64_at, uuid_at};
use crate::UnlockError;

pub(super) const SIGNATURE: &[u8; 8] = b"-FVE-FS-";
/// Of BitLocker To Go: a boot sector of FAT, so that other systems show a volume with a program on it.
const SIGNATURE_TO_GO: &[u8; 8] = b"MSWIN4.1";
const IDENTIFIER: Uuid = uuid!("4967d63b-2e29-4ad8-8399-f6a339e3d001");
/// The identifier while what is in use is encrypted as it is written ("encrypt on write").
const IDENTIFIER_ON_WRITE: Uuid = uuid!("92a84d3b-dd80-4d0e-9e4e-b1e3284eaed8");
const BYTES: usize = 512;

/// What the first sector says. Nothing in it is authenticated; the metadata say the same.
#[derive(Debug)]
pub(super) struct BootSector {
    pub(super) sector_bytes: u32,
    /// Where the three copies of the metadata are.
    pub(super) metadata_offsets: [u64; 3],
}

impl BootSector {
    /// # Errors
    ///
    /// `Corrupt` where there is no BitLocker volume; `Unsupported` for Windows Vista's, and for those
    /// that are being encrypted as they are written; `Disk`.
    pub(super) fn read(volume: &Arc<dyn BlockDevice>) -> Result<Self, UnlockError> {
        if volume.size_bytes() < BYTES as u64 {
            return Err(UnlockError::corrupt("the volume has no whole sector"));
        }
        let mut bytes = [0; BYTES];
        volume.read_at(0, &mut bytes)?;
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8; BYTES]) -> Result<Self, UnlockError> {
        let identifier_at = match &bytes_at::<8>(bytes, 3) {
            // Vista's boot sector is NTFS' own, with another jump.
            SIGNATURE if bytes.starts_with(b"\xEB\x52\x90") => {
                return Err(UnlockError::unsupported(
                    "the volume was encrypted by Windows Vista, whose BitLocker is not read",
                ));
            }
            SIGNATURE => 160,
            SIGNATURE_TO_GO => 424,
            _ => return Err(UnlockError::corrupt("this is no BitLocker volume")),
        };
        match uuid_at(bytes, identifier_at) {
            IDENTIFIER => {}
            IDENTIFIER_ON_WRITE => {
                return Err(UnlockError::unsupported(
                    "BitLocker had not finished encrypting the volume (\"encrypt on write\"), and which \
                     parts are encrypted is not known here; take a restore point from before or after",
                ));
            }
            other => {
                return Err(UnlockError::unsupported(format!(
                    "the volume says that it is encrypted in a way {other}, which is not known"
                )));
            }
        }
        let sector_bytes = match u16_at(bytes, 11) {
            0 | 512 => 512,
            4096 => 4096,
            other => {
                let what = format!("the volume says that its sectors have {other} bytes");
                return Err(UnlockError::corrupt(what));
            }
        };
        let offset = |number: usize| u64_at(bytes, identifier_at + 16 + 8 * number);
        Ok(Self {
            sector_bytes,
            metadata_offsets: [offset(0), offset(1), offset(2)],
        })
    }
}
