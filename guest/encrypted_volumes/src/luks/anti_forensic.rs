//! The anti-forensic splitter (LUKS On-Disk Format 1.2.3 §2.4): a key blown up so far that overwriting
//! any part of it destroys it.

use aws_lc_rs::digest;
use zeroize::Zeroizing;

use super::key_derivation::Hash;

/// Merges what was split; `None` where that is no whole number of keys.
pub(super) fn merge(split: &[u8], key_bytes: usize, hash: Hash) -> Option<Zeroizing<Vec<u8>>> {
    if key_bytes == 0 || !split.len().is_multiple_of(key_bytes) {
        return None;
    }
    let mut parts = split.chunks_exact(key_bytes);
    let last = parts.next_back()?;
    let mut key = Zeroizing::new(vec![0; key_bytes]);
    for part in parts {
        add(&mut key, part);
        diffuse(&mut key, hash);
    }
    add(&mut key, last);
    Some(key)
}

fn add(key: &mut [u8], part: &[u8]) {
    for (byte, other) in key.iter_mut().zip(part) {
        *byte ^= other;
    }
}

/// Replaces each piece as long as a digest by the digest of its number and itself.
fn diffuse(key: &mut [u8], hash: Hash) {
    let algorithm = hash.digest();
    for (number, piece) in (0_u32..).zip(key.chunks_mut(algorithm.output_len())) {
        let mut context = digest::Context::new(algorithm);
        context.update(&number.to_be_bytes());
        context.update(piece);
        let digest = context.finish();
        for (byte, new) in piece.iter_mut().zip(digest.as_ref()) {
            *byte = *new;
        }
    }
}
