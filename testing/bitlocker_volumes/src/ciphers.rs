//! The encrypting side of everything that the product decrypts.

use aws_lc_rs::cipher::{
    AES_128, AES_256, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};

fn unbound(key: &[u8]) -> UnboundCipherKey {
    let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    UnboundCipherKey::new(algorithm, key).unwrap()
}

fn ecb(key: &[u8], mut block: [u8; 16]) -> [u8; 16] {
    let _: DecryptionContext = EncryptingKey::ecb(unbound(key))
        .unwrap()
        .encrypt(&mut block)
        .unwrap();
    block
}

/// Hides a message with AES-CCM: tag and hidden bytes.
pub(crate) fn seal(key: &[u8; 32], nonce: &[u8; 12], clear: &[u8]) -> ([u8; 16], Vec<u8>) {
    let block = |flags: u8, number: usize| {
        let mut block = [0; 16];
        block[0] = flags;
        block[1..13].copy_from_slice(nonce);
        block[13..].copy_from_slice(&u32::try_from(number).unwrap().to_be_bytes()[1..]);
        block
    };
    let mut chain = ecb(key, block(0x3A, clear.len()));
    for part in clear.chunks(16) {
        for (byte, clear) in chain.iter_mut().zip(part) {
            *byte ^= clear;
        }
        chain = ecb(key, chain);
    }
    let stream = |number: usize| ecb(key, block(2, number));
    let mask = stream(0);
    let tag = std::array::from_fn(|at| chain[at] ^ mask[at]);
    let streams = (1..).flat_map(stream);
    let hidden = clear.iter().zip(streams).map(|(a, b)| a ^ b).collect();
    (tag, hidden)
}

/// Encrypts one sector with a method, given by its number.
pub(crate) fn encrypt(method: u16, key: &[u8], offset: u64, sector: &mut [u8]) {
    match method {
        0x8000 | 0x8001 => {
            let len = if method == 0x8000 { 16 } else { 32 };
            let lower = u128::from(offset);
            let tweak = &key[32..32 + len];
            let mask = [lower, lower | (0x80 << 120)].map(|value| ecb(tweak, value.to_le_bytes()));
            for (byte, mask) in sector.iter_mut().zip(mask.concat().iter().cycle()) {
                *byte ^= mask;
            }
            diffuse(sector);
            cbc(&key[..len], offset, sector);
        }
        0x8002 | 0x8003 => cbc(key, offset, sector),
        _ => xts(key, offset / sector.len() as u64, sector),
    }
}

fn cbc(key: &[u8], offset: u64, sector: &mut [u8]) {
    let first = ecb(key, u128::from(offset).to_le_bytes());
    let context = EncryptionContext::Iv128(first.into());
    let key = EncryptingKey::cbc(unbound(key)).unwrap();
    key.less_safe_encrypt(sector, context).unwrap();
}

fn xts(key: &[u8], number: u64, sector: &mut [u8]) {
    let (data, tweak) = key.split_at(key.len() / 2);
    let mut tweak = u128::from_le_bytes(ecb(tweak, u128::from(number).to_le_bytes()));
    for block in sector.as_chunks_mut::<16>().0 {
        let masked = u128::from_le_bytes(*block) ^ tweak;
        *block = (u128::from_le_bytes(ecb(data, masked.to_le_bytes())) ^ tweak).to_le_bytes();
        tweak = (tweak << 1) ^ ((tweak >> 127) * 0x87);
    }
}

/// Ferguson's diffuser: A, then B, each backwards.
fn diffuse(sector: &mut [u8]) {
    let mut words: Vec<u32> = sector
        .as_chunks::<4>()
        .0
        .iter()
        .map(|word| u32::from_le_bytes(*word))
        .collect();
    let len = words.len();
    for _ in 0..5 {
        for at in (0..len).rev() {
            let turned = words[(at + len - 5) % len].rotate_left([9, 0, 13, 0][at % 4]);
            words[at] = words[at].wrapping_sub(words[(at + len - 2) % len] ^ turned);
        }
    }
    for _ in 0..3 {
        for at in (0..len).rev() {
            let turned = words[(at + 5) % len].rotate_left([0, 10, 0, 25][at % 4]);
            words[at] = words[at].wrapping_sub(words[(at + 2) % len] ^ turned);
        }
    }
    for (place, word) in sector.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
}
