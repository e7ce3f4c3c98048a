//! The volume behind BitLocker.

use std::sync::Arc;

use block_io::{BlockDevice, DiskError, DiskErrorKind, Extent, ExtentKind, check_range};

use super::layout::{Layout, Source};
use super::sector_cipher::SectorCipher;
use crate::whole_sectors;

/// An open volume.
pub(super) struct BitLockerVolume {
    pub(super) volume: Arc<dyn BlockDevice>,
    pub(super) cipher: SectorCipher,
    pub(super) layout: Layout,
}

impl BitLockerVolume {
    /// Reads whole sectors that are encrypted.
    fn read_sectors(&self, at: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        self.volume.read_at(at, buf)?;
        let failed = || DiskError::new(DiskErrorKind::Corrupt, "decrypting failed").at(at);
        self.cipher.decrypt(at, buf).ok_or_else(failed)
    }
}

impl BlockDevice for BitLockerVolume {
    fn size_bytes(&self) -> u64 {
        self.layout.size_bytes
    }

    fn sector_bytes(&self) -> u32 {
        self.layout.sector_bytes.max(self.volume.sector_bytes())
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.volume.physical_sector_bytes()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes(), offset, buf.len() as u64)?;
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let (source, len) = self.layout.source(at);
            let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
            if len == 0 {
                // The layout has no empty parts; without one this would not end.
                let what = "the volume's parts leave a gap";
                return Err(DiskError::new(DiskErrorKind::Corrupt, what).at(at));
            }
            let (part, tail) = rest.split_at_mut(len);
            match source {
                Source::Zeros => part.fill(0),
                Source::Clear(from) => self.volume.read_at(from, part)?,
                Source::Encrypted(from) => {
                    let sector = self.layout.sector_bytes;
                    whole_sectors::read(sector, from, part, |at, part| {
                        self.read_sectors(at, part)
                    })?;
                }
            }
            at += len as u64;
            rest = tail;
        }
        Ok(())
    }

    /// All of it is data, but for BitLocker's own parts: zeros of the disk are not zeros of what is
    /// encrypted on it.
    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.size_bytes(), offset, max_bytes.max(1))?;
        let (source, len) = self.layout.source(offset);
        let kind = match source {
            Source::Zeros => ExtentKind::Zero,
            Source::Encrypted(_) | Source::Clear(_) => ExtentKind::Data,
        };
        Ok(Extent {
            kind,
            len_bytes: len.min(max_bytes),
        })
    }
}
