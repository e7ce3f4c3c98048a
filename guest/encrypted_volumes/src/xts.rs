//! AES-XTS (IEEE 1619) with sectors' numbers as tweaks, out of AES on single blocks.

use aws_lc_rs::cipher::{
    AES_128, AES_256, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey,
};

const BLOCK_BYTES: usize = 16;
/// The unit that LUKS' tweaks count in, however long sectors are.
const TWEAK_UNIT_BYTES: u64 = 512;

/// A key, and how long the sectors are that it is for.
pub(crate) struct XtsKey {
    data: DecryptingKey,
    tweak: EncryptingKey,
    sector_bytes: usize,
    /// By how much the tweak's number grows from sector to sector.
    step: u64,
}

impl XtsKey {
    /// Takes both halves of a key: 32 or 64 bytes, for sectors that are counted in units of 512 bytes
    /// (`plain64`). `None` for other lengths.
    pub(crate) fn new(key: &[u8], sector_bytes: usize) -> Option<Self> {
        Self::counting(key, sector_bytes, sector_bytes as u64 / TWEAK_UNIT_BYTES)
    }

    /// Takes the same for sectors that are counted one by one, however long they are: BitLocker's way.
    pub(crate) fn counting_sectors(key: &[u8], sector_bytes: usize) -> Option<Self> {
        Self::counting(key, sector_bytes, 1)
    }

    fn counting(key: &[u8], sector_bytes: usize, step: u64) -> Option<Self> {
        let algorithm = match key.len() {
            32 => &AES_128,
            64 => &AES_256,
            _ => return None,
        };
        let (data, tweak) = key.split_at(key.len() / 2);
        let half = |key| UnboundCipherKey::new(algorithm, key).ok();
        Some(Self {
            data: DecryptingKey::ecb(half(data)?).ok()?,
            tweak: EncryptingKey::ecb(half(tweak)?).ok()?,
            sector_bytes,
            step,
        })
    }

    pub(crate) fn sector_bytes(&self) -> usize {
        self.sector_bytes
    }

    /// Decrypts whole sectors in place, the first of which has the given number. `None` where that is no
    /// whole number of sectors.
    pub(crate) fn decrypt(&self, first: u64, bytes: &mut [u8]) -> Option<()> {
        if !bytes.len().is_multiple_of(self.sector_bytes) {
            return None;
        }
        if bytes.is_empty() {
            return Some(());
        }
        let sectors = bytes.len() / self.sector_bytes;
        let mut tweaks = Vec::with_capacity(sectors * BLOCK_BYTES);
        for sector in 0..sectors as u64 {
            let unit = first.wrapping_add(sector.wrapping_mul(self.step));
            tweaks.extend(u128::from(unit).to_le_bytes());
        }
        self.tweak.encrypt(&mut tweaks).ok()?;
        self.whiten(&tweaks, bytes);
        self.data.decrypt(bytes, DecryptionContext::None).ok()?;
        self.whiten(&tweaks, bytes);
        Some(())
    }

    /// Adds to each block its sector's tweak, which is doubled from block to block.
    fn whiten(&self, tweaks: &[u8], bytes: &mut [u8]) {
        let tweaks = tweaks.as_chunks::<BLOCK_BYTES>().0;
        for (sector, tweak) in bytes.chunks_mut(self.sector_bytes).zip(tweaks) {
            let mut tweak = u128::from_le_bytes(*tweak);
            for block in sector.as_chunks_mut::<BLOCK_BYTES>().0 {
                *block = (u128::from_le_bytes(*block) ^ tweak).to_le_bytes();
                let carry = tweak >> 127;
                tweak = (tweak << 1) ^ (carry * 0x87);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_s_vectors_decrypt() {
        // IEEE 1619-2007, vectors 1 and 2, each padded by repeating what cannot be checked: the first 32
        // bytes of a sector depend on nothing behind them.
        let rows = [
            (
                [0_u8; 32],
                0_u64,
                [0_u8; 32],
                "917cf69ebd68b2ec9b9fe9a3eadda692cd43d2f59598ed858c02c2652fbf922e",
            ),
            (
                {
                    let mut key = [0x11; 32];
                    key[16..].fill(0x22);
                    key
                },
                0x33_3333_3333,
                [0x44; 32],
                "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0",
            ),
        ];
        for (key, unit, clear, cipher) in rows {
            let mut bytes = [0; 512];
            for (at, byte) in bytes.iter_mut().take(32).enumerate() {
                *byte = u8::from_str_radix(&cipher[2 * at..2 * at + 2], 16).unwrap();
            }
            XtsKey::new(&key, 512)
                .unwrap()
                .decrypt(unit, &mut bytes)
                .unwrap();
            assert_eq!(bytes[..32], clear);
        }
    }

    #[test]
    fn parts_of_sectors_and_odd_keys_are_refused() {
        let key = XtsKey::new(&[7; 64], 4096).unwrap();
        assert!(key.decrypt(0, &mut [0; 512]).is_none());
        assert!(XtsKey::new(&[7; 48], 512).is_none());
    }
}
