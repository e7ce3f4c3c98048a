//! AES-CCM (NIST SP 800-38C, RFC 3610), opening alone: nonces of 12 bytes, tags of 16, nothing but the
//! message authenticated. Out of AES on single blocks, as XTS is here.

use aws_lc_rs::cipher::{AES_256, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use zeroize::Zeroizing;

const BLOCK_BYTES: usize = 16;
pub(super) const TAG_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
/// The message's length is counted in what the nonce leaves of a block beside the flags.
const LENGTH_BYTES: u8 = 3;

/// Decrypts a message. `None` where the tag is not the message's.
pub(super) fn open(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    tag: &[u8; TAG_BYTES],
    hidden: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let key = EncryptingKey::ecb(UnboundCipherKey::new(&AES_256, key).ok()?).ok()?;
    let len = u32::try_from(hidden.len()).ok()?;
    let mut blocks = Zeroizing::new(Vec::new());
    for count in 0..=len.div_ceil(16) {
        blocks.extend(block(LENGTH_BYTES - 1, nonce, count)?);
    }
    key.encrypt(&mut blocks).ok()?;
    let (tag_mask, stream) = blocks.split_at_checked(BLOCK_BYTES)?;
    let clear: Zeroizing<Vec<u8>> =
        Zeroizing::new(hidden.iter().zip(stream).map(|(a, b)| a ^ b).collect());
    let mut made = authenticate(&key, nonce, len, &clear)?;
    for (byte, mask) in made.iter_mut().zip(tag_mask) {
        *byte ^= mask;
    }
    verify_slices_are_equal(&*made, tag).ok()?;
    Some(clear)
}

/// Chains the message's blocks, the last one filled up with zeros, behind one that gives its length.
fn authenticate(
    key: &EncryptingKey,
    nonce: &[u8; NONCE_BYTES],
    len: u32,
    clear: &[u8],
) -> Option<Zeroizing<[u8; BLOCK_BYTES]>> {
    let tag_flags = u8::try_from((TAG_BYTES - 2) / 2).ok()? << 3;
    let mut chain = Zeroizing::new(block(tag_flags | (LENGTH_BYTES - 1), nonce, len)?);
    key.encrypt(&mut *chain).ok()?;
    for part in clear.chunks(BLOCK_BYTES) {
        for (byte, clear) in chain.iter_mut().zip(part) {
            *byte ^= clear;
        }
        key.encrypt(&mut *chain).ok()?;
    }
    Some(chain)
}

/// Flags, nonce and a number of three bytes, the largest first.
fn block(flags: u8, nonce: &[u8; NONCE_BYTES], number: u32) -> Option<[u8; BLOCK_BYTES]> {
    let [0, high, middle, low] = number.to_be_bytes() else {
        return None;
    };
    let mut block = [0; BLOCK_BYTES];
    let (first, rest) = block.split_first_mut()?;
    *first = flags;
    let (place, count) = rest.split_at_mut_checked(NONCE_BYTES)?;
    place.copy_from_slice(nonce);
    count.copy_from_slice(&[high, middle, low]);
    Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitlocker::test_bytes::of_hex;

    /// By the cryptography package of Python (OpenSSL).
    #[test]
    fn what_openssl_seals_opens_and_nothing_else_does() {
        let key = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let nonce = std::array::from_fn(|at| u8::try_from(100 + at).unwrap());
        for (len, hidden, tag) in [
            (1, "30", "69f495a0d434efda359cd7347cdd727f"),
            (
                44,
                "30e8a76d6b89f3c12bf1d97ec43dee4fd28aba3e167234bbbf347dea04289c538c56c73c7593004fe8f3ee64",
                "d7511c6ba06ad85e515662b558d71a52",
            ),
            (
                64,
                "30e8a76d6b89f3c12bf1d97ec43dee4fd28aba3e167234bbbf347dea04289c538c56c73c7593004fe8f3ee64d45ab2f78912f94e388b59c280b80e4752258fc9",
                "ee925b50f50171ba4a884f511f0f3b90",
            ),
        ] {
            let (hidden, tag) = (of_hex(hidden), of_hex(tag).try_into().unwrap());
            let clear: Vec<u8> = (0..len).map(|at: u8| at.wrapping_mul(7) + 1).collect();
            assert_eq!(*open(&key, &nonce, &tag, &hidden).unwrap(), clear);
            // Any bit of it changed.
            for bit in 0..hidden.len() * 8 {
                let mut other = hidden.clone();
                other[bit / 8] ^= 1 << (bit % 8);
                assert!(open(&key, &nonce, &tag, &other).is_none());
            }
            for bit in 0..128 {
                let mut other = tag;
                other[bit / 8] ^= 1 << (bit % 8);
                assert!(open(&key, &nonce, &other, &hidden).is_none());
            }
            assert!(open(&key, &nonce, &tag, &hidden[..hidden.len() - 1]).is_none());
            let mut other = nonce;
            other[0] ^= 1;
            assert!(open(&key, &other, &tag, &hidden).is_none());
        }
    }
}
