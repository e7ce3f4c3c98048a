//! The Elephant diffuser of Windows 7 (Ferguson, "AES-CBC + Elephant diffuser", 2006), undone.
//!
//! Both halves walk over a sector's words of 32 bits, which are a ring. Encrypting runs A, then B, each
//! backwards and with subtractions; undoing them runs B, then A, forwards.

const A_ROTATIONS: [u32; 4] = [9, 0, 13, 0];
const A_CYCLES: usize = 5;
const B_ROTATIONS: [u32; 4] = [0, 10, 0, 25];
const B_CYCLES: usize = 3;

/// Undoes both halves on one sector, whose words are a multiple of four.
pub(super) fn undo(words: &mut [u32]) {
    let len = words.len();
    if len == 0 {
        return;
    }
    let word = |words: &[u32], at: usize| words.get(at % len).copied().unwrap_or(0);
    for _ in 0..B_CYCLES {
        for at in 0..len {
            let turn = B_ROTATIONS.get(at % 4).copied().unwrap_or(0);
            let mixed = word(words, at + 2) ^ word(words, at + 5).rotate_left(turn);
            if let Some(word) = words.get_mut(at) {
                *word = word.wrapping_add(mixed);
            }
        }
    }
    for _ in 0..A_CYCLES {
        for at in 0..len {
            let turn = A_ROTATIONS.get(at % 4).copied().unwrap_or(0);
            // Behind by two and five, around the ring.
            let back = |by: usize| at + len - by % len;
            let mixed = word(words, back(2)) ^ word(words, back(5)).rotate_left(turn);
            if let Some(word) = words.get_mut(at) {
                *word = word.wrapping_add(mixed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitlocker::test_bytes::of_hex;

    /// By a program in Python that runs the paper's encryption, over a sector of eight words.
    #[test]
    fn what_was_diffused_is_there_again() {
        let diffused = of_hex("a832c630045192e8d593a95ef0af4f6d2ac7b983486879b1d1c288f76dcf1d6b");
        let mut words: Vec<u32> = diffused
            .as_chunks::<4>()
            .0
            .iter()
            .map(|word| u32::from_le_bytes(*word))
            .collect();
        undo(&mut words);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(bytes, (0..32).collect::<Vec<u8>>());
        undo(&mut []);
    }
}
