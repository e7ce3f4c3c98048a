//! How sectors are encrypted (BDE format, "Encryption methods").

use aws_lc_rs::cipher::{
    AES_128, AES_256, Algorithm, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;

use super::diffuser;
use crate::xts::XtsKey;

/// The diffuser's key lies behind the other one, at this place however long that one is.
const DIFFUSER_KEY_AT: usize = 32;

/// An encryption method, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Cbc {
        key_bytes: usize,
        has_diffuser: bool,
    },
    Xts {
        key_bytes: usize,
    },
}

impl Method {
    /// `None` for numbers that are not known.
    pub(super) fn of(number: u16) -> Option<Self> {
        let cbc = |key_bytes, has_diffuser| Self::Cbc {
            key_bytes,
            has_diffuser,
        };
        Some(match number {
            0x8000 => cbc(16, true),
            0x8001 => cbc(32, true),
            0x8002 => cbc(16, false),
            0x8003 => cbc(32, false),
            0x8004 => Self::Xts { key_bytes: 32 },
            0x8005 => Self::Xts { key_bytes: 64 },
            _ => return None,
        })
    }

    /// Takes the volume's key. `None` where it has another length.
    pub(super) fn cipher(self, key: &[u8], sector_bytes: usize) -> Option<SectorCipher> {
        match self {
            Self::Xts { key_bytes } if key.len() == key_bytes => Some(SectorCipher::Xts(Box::new(
                XtsKey::counting_sectors(key, sector_bytes)?,
            ))),
            Self::Cbc {
                key_bytes,
                has_diffuser,
            } => {
                let whole = if has_diffuser {
                    2 * DIFFUSER_KEY_AT
                } else {
                    key_bytes
                };
                let diffuser = has_diffuser
                    .then(|| key.get(DIFFUSER_KEY_AT..)?.get(..key_bytes))
                    .flatten();
                (key.len() == whole)
                    .then(|| CbcKey::new(key.get(..key_bytes)?, diffuser, sector_bytes))?
                    .map(|key| SectorCipher::Cbc(Box::new(key)))
            }
            Self::Xts { .. } => None,
        }
    }
}

/// A cipher with its key.
pub(super) enum SectorCipher {
    Cbc(Box<CbcKey>),
    Xts(Box<XtsKey>),
}

impl SectorCipher {
    /// Decrypts whole sectors in place, the first of which is at the given offset of the volume, a
    /// multiple of the sectors' length. `None` where that is no whole number of sectors.
    pub(super) fn decrypt(&self, offset: u64, bytes: &mut [u8]) -> Option<()> {
        match self {
            Self::Cbc(key) => key.decrypt(offset, bytes),
            Self::Xts(key) => {
                let sector = u64::try_from(key.sector_bytes()).ok()?;
                key.decrypt(offset.checked_div(sector)?, bytes)
            }
        }
    }
}

/// AES-CBC, whose first value of each sector is its encrypted offset; with the diffuser or without.
pub(super) struct CbcKey {
    data: DecryptingKey,
    offsets: EncryptingKey,
    diffuser: Option<EncryptingKey>,
    sector_bytes: usize,
}

impl CbcKey {
    fn new(key: &[u8], diffuser: Option<&[u8]>, sector_bytes: usize) -> Option<Self> {
        let ecb = |key| EncryptingKey::ecb(unbound(key)?).ok();
        let diffuser = match diffuser {
            Some(key) => Some(ecb(key)?),
            None => None,
        };
        (sector_bytes > 0).then_some(())?;
        Some(Self {
            data: DecryptingKey::cbc(unbound(key)?).ok()?,
            offsets: ecb(key)?,
            diffuser,
            sector_bytes,
        })
    }

    fn decrypt(&self, offset: u64, bytes: &mut [u8]) -> Option<()> {
        if !bytes.len().is_multiple_of(self.sector_bytes) {
            return None;
        }
        let mut at = offset;
        for sector in bytes.chunks_exact_mut(self.sector_bytes) {
            let mut first = u128::from(at).to_le_bytes();
            self.offsets.encrypt(&mut first).ok()?;
            let context = DecryptionContext::Iv128(FixedLength::from(first));
            self.data.decrypt(sector, context).ok()?;
            if let Some(key) = &self.diffuser {
                undo_diffuser(key, at, sector)?;
            }
            at = at.checked_add(self.sector_bytes as u64)?;
        }
        Some(())
    }
}

/// Undoes the diffuser, then takes away the sector's own key.
fn undo_diffuser(key: &EncryptingKey, offset: u64, sector: &mut [u8]) -> Option<()> {
    let (lower, upper) = (u128::from(offset), u128::from(offset) | (0x80 << 120));
    let mut mask = [lower.to_le_bytes(), upper.to_le_bytes()].concat();
    key.encrypt(&mut mask).ok()?;
    let words = sector.as_chunks::<4>().0.iter();
    let mut words: Vec<u32> = words.map(|word| u32::from_le_bytes(*word)).collect();
    diffuser::undo(&mut words);
    for (place, word) in sector.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
    for (byte, mask) in sector.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Some(())
}

fn unbound(key: &[u8]) -> Option<UnboundCipherKey> {
    let algorithm: &'static Algorithm = match key.len() {
        16 => &AES_128,
        32 => &AES_256,
        _ => return None,
    };
    UnboundCipherKey::new(algorithm, key).ok()
}
