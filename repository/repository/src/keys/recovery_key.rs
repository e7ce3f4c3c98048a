//! The key on paper.

use std::fmt;

use crate::format::random_bytes;
use crate::keys::Secret;
use crate::{RepositoryError, RepositoryErrorKind};

const PREFIX: &str = "LB1-";
/// Crockford's Base32: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SYMBOLS: usize = 52;

/// A recovery key: opens the repository without its password. It never lies in the repository.
///
/// Written for people as `LB1-` and 13 groups of 4 characters; the last 4 bits are a check.
#[derive(Clone)]
pub struct RecoveryKey(Secret);

impl RecoveryKey {
    /// Makes a new one.
    pub fn generate() -> Result<Self, RepositoryError> {
        Ok(Self(Secret::new(random_bytes()?)))
    }

    /// Reads what a person typed: upper or lower case, with or without dashes and spaces.
    pub fn parse(text: &str) -> Result<Self, RepositoryError> {
        let wrong = |what: &str| {
            RepositoryError::new(RepositoryErrorKind::WrongKey, what)
                .hint("a recovery key is LB1- and 13 groups of 4 letters and digits")
        };
        let text = text.trim().to_ascii_uppercase();
        let symbols = text
            .strip_prefix(PREFIX)
            .ok_or_else(|| wrong("not a recovery key"))?;
        let mut bits = Vec::with_capacity(SYMBOLS * 5);
        for symbol in symbols.bytes().filter(|byte| !matches!(byte, b'-' | b' ')) {
            // What people misread, read as Crockford's alphabet means it.
            let symbol = match symbol {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            let value = ALPHABET
                .iter()
                .position(|letter| *letter == symbol)
                .ok_or_else(|| wrong("the recovery key has a character that none has"))?;
            bits.extend((0..5).rev().map(|bit| value >> bit & 1 == 1));
        }
        if bits.len() != SYMBOLS * 5 {
            return Err(wrong("the recovery key is too short or too long"));
        }
        let mut bytes = [0u8; 32];
        for (index, bit) in bits.iter().take(256).enumerate() {
            bytes[index / 8] |= u8::from(*bit) << (7 - index % 8);
        }
        let key = Self(Secret::new(bytes));
        let check = bits[256..]
            .iter()
            .fold(0, |value, bit| value << 1 | u8::from(*bit));
        if check != key.check() {
            return Err(wrong("the recovery key has a typing error"));
        }
        Ok(key)
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0
    }

    fn check(&self) -> u8 {
        blake3::hash(self.0.bytes()).as_bytes()[0] >> 4
    }

    /// Returns the key as people write it down.
    pub fn to_text(&self) -> String {
        let mut bits: Vec<bool> = self
            .0
            .bytes()
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1))
            .collect();
        bits.extend((0..4).rev().map(|bit| self.check() >> bit & 1 == 1));
        let symbols: Vec<char> = bits
            .chunks(5)
            .map(|five| {
                five.iter()
                    .fold(0, |value, bit| value << 1 | usize::from(*bit))
            })
            .map(|value| char::from(ALPHABET[value]))
            .collect();
        let groups: Vec<String> = symbols
            .chunks(4)
            .map(|group| group.iter().collect())
            .collect();
        format!("{PREFIX}{}", groups.join("-"))
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey")
    }
}

#[cfg(test)]
mod tests {
    use super::RecoveryKey;

    #[test]
    fn a_recovery_key_survives_being_typed() {
        let key = RecoveryKey::generate().unwrap();
        let text = key.to_text();
        assert_eq!(text.len(), 4 + 52 + 12);
        let typed = text.to_lowercase().replace('0', "o").replace('1', "l");
        let typed = format!("LB1{}", typed.strip_prefix("lbl").unwrap());
        assert_eq!(RecoveryKey::parse(&typed).unwrap().0.bytes(), key.0.bytes());
        assert!(RecoveryKey::parse(&text[..text.len() - 1]).is_err());
        assert!(RecoveryKey::parse("LB1-").is_err());
    }
}
