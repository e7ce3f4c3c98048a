//! 32 secret bytes as people write them down.

use zeroize::Zeroizing;

use crate::keys::Secret;
use crate::{RepositoryError, RepositoryErrorKind};

/// Crockford's Base32: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SYMBOLS: usize = 52;

/// What sort of key a text is: what it begins with, and what people call it.
#[derive(Clone, Copy)]
pub(crate) struct TextKind {
    pub(crate) prefix: &'static str,
    pub(crate) name: &'static str,
}

impl TextKind {
    /// Reads what a person typed: upper or lower case, with or without dashes and spaces.
    pub(crate) fn parse(self, text: &str) -> Result<Secret, RepositoryError> {
        let Self { prefix, name } = self;
        let wrong = |what: String| {
            RepositoryError::new(RepositoryErrorKind::WrongKey, what).hint(format!(
                "a {name} is {prefix} and 13 groups of 4 letters and digits"
            ))
        };
        let text = Zeroizing::new(text.trim().to_ascii_uppercase());
        let symbols = text
            .strip_prefix(prefix)
            .ok_or_else(|| wrong(format!("not a {name}")))?;
        let mut bits = Zeroizing::new(Vec::with_capacity(SYMBOLS * 5));
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
                .ok_or_else(|| wrong(format!("the {name} has a character that none has")))?;
            bits.extend((0..5).rev().map(|bit| value >> bit & 1 == 1));
        }
        if bits.len() != SYMBOLS * 5 {
            return Err(wrong(format!("the {name} is too short or too long")));
        }
        let mut bytes = Zeroizing::new([0u8; 32]);
        for (index, bit) in bits.iter().take(256).enumerate() {
            bytes[index / 8] |= u8::from(*bit) << (7 - index % 8);
        }
        let secret = Secret::new(*bytes);
        let check_read = bits[256..]
            .iter()
            .fold(0, |value, bit| value << 1 | u8::from(*bit));
        if check_read != check(&secret) {
            return Err(wrong(format!("the {name} has a typing error")));
        }
        Ok(secret)
    }

    /// Writes a key as people write it down.
    pub(crate) fn write(self, secret: &Secret) -> String {
        let mut bits: Zeroizing<Vec<bool>> = Zeroizing::new(Vec::with_capacity(SYMBOLS * 5));
        let bytes = secret.bytes().iter();
        bits.extend(bytes.flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)));
        bits.extend((0..4).rev().map(|bit| check(secret) >> bit & 1 == 1));
        let mut text = String::with_capacity(self.prefix.len() + SYMBOLS + SYMBOLS / 4);
        text.push_str(self.prefix);
        for (number, five) in bits.chunks(5).enumerate() {
            if number > 0 && number % 4 == 0 {
                text.push('-');
            }
            let value = five
                .iter()
                .fold(0, |value, bit| value << 1 | usize::from(*bit));
            text.push(char::from(ALPHABET[value]));
        }
        text
    }
}

/// Four bits that show most typing errors.
fn check(secret: &Secret) -> u8 {
    blake3::hash(secret.bytes()).as_bytes()[0] >> 4
}
