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

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};

    use super::*;
    use crate::bitlocker::test_bytes::of_hex;

    /// By OpenSSL through Python, the diffuser by a program there: two sectors at 0x12345000, decrypted,
    /// and the SHA-256 of that.
    #[test]
    fn every_method_decrypts_as_others_do() {
        let key: Vec<u8> = (0..64).collect();
        for (number, sector_bytes, expected) in [
            (
                0x8000,
                512,
                "83134932a9db5143fd4919f2fb211a188c9ace28034428bbde4c12c4268c5281",
            ),
            (
                0x8000,
                4096,
                "c3e79eb0e0608a6ad0ee4d0641c13f15ae2f49b0f90a3a6d285154245ef57f4c",
            ),
            (
                0x8001,
                512,
                "f8446e26980231b4083754626fc2058cc5c41b168826e3eb776e09a300a59f81",
            ),
            (
                0x8001,
                4096,
                "c4dd17b740c07009c0b767bfd8e2601e4aa24b52bc98a7ebde34484a982eb913",
            ),
            (
                0x8002,
                512,
                "541b4d449423463a1695477849706904752a3f1466adfbbc3a5bdff9f984d599",
            ),
            (
                0x8002,
                4096,
                "011d8a66bc41eeb9104501531ab44b9ee1cc1284b83b30989a37c6c5cd0d534c",
            ),
            (
                0x8003,
                512,
                "9bd34b8b2ba600c9ae1be68f39d82d0e63ed87af69d9a63fc4066c13241e2d1e",
            ),
            (
                0x8003,
                4096,
                "f68bf6661e72094022734745ad53e2054011328794ac784d86543bcd68a47a15",
            ),
            (
                0x8004,
                512,
                "95aab56edd9cf94b27e5889406525432c259ce083c8afa63302406f53c66055a",
            ),
            (
                0x8004,
                4096,
                "e83b0efbe28f238faf5625de6dbe9fa5f3b5dbde7aa9dbf65b5debdb305e5cf5",
            ),
            (
                0x8005,
                512,
                "ff1845a6908a9ca4002047952dcc605af55b954c1083b5f8993d71abb03e049d",
            ),
            (
                0x8005,
                4096,
                "134e1b58e13c3c9cdbfe8e336b36591966f55df586d757928d9caf119b7962b9",
            ),
        ] {
            let method = Method::of(number).unwrap();
            let len = match method {
                Method::Xts { key_bytes } => key_bytes,
                Method::Cbc {
                    has_diffuser: true, ..
                } => 64,
                Method::Cbc { key_bytes, .. } => key_bytes,
            };
            let cipher = method.cipher(&key[..len], sector_bytes).unwrap();
            let pattern = (0..2 * sector_bytes).map(|at| (at * at + at / 256).to_le_bytes()[0]);
            let mut bytes: Vec<u8> = pattern.collect();
            cipher.decrypt(0x1234_5000, &mut bytes).unwrap();
            let hash = digest(&SHA256, &bytes);
            assert_eq!(
                hash.as_ref(),
                of_hex(expected),
                "{number:#x} {sector_bytes}"
            );
            // Each sector for itself.
            let mut second = (sector_bytes..2 * sector_bytes)
                .map(|at| (at * at + at / 256).to_le_bytes()[0])
                .collect::<Vec<u8>>();
            let offset = 0x1234_5000 + sector_bytes as u64;
            cipher.decrypt(offset, &mut second).unwrap();
            assert_eq!(second, bytes[sector_bytes..]);
            // No part of one, and no key of another length.
            assert!(cipher.decrypt(0, &mut bytes[1..]).is_none());
            for other in [0, len - 1, len / 2] {
                assert!(method.cipher(&key[..other], sector_bytes).is_none());
            }
        }
        assert_eq!(Method::of(0x8006), None);
        assert_eq!(Method::of(0), None);
    }
}
