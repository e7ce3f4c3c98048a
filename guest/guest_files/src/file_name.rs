//! Names of files.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a file in its folder: bytes without a slash or a NUL, never empty, `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct FileName(Box<[u8]>);

impl FileName {
    /// Takes a name as it is stored; `None` for what no folder may hold, which is how a hostile
    /// volume would lead out of a folder that files are written into.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let forbidden = matches!(bytes, b"" | b"." | b"..")
            || bytes.iter().any(|byte| matches!(byte, b'/' | 0));
        (!forbidden).then(|| Self(bytes.into()))
    }

    /// Takes a name in UTF-16; a lone surrogate is kept as its three bytes.
    pub fn from_utf16(units: impl IntoIterator<Item = u16>) -> Option<Self> {
        Self::new(&wtf8(units))
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<FileName> for Vec<u8> {
    fn from(name: FileName) -> Self {
        name.0.into_vec()
    }
}

impl TryFrom<Vec<u8>> for FileName {
    type Error = &'static str;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Self::Error> {
        Self::new(&bytes).ok_or("a name that no folder may hold")
    }
}

impl fmt::Display for FileName {
    /// Writes the name for people: what is no text as `\x` and two digits, control characters too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0.utf8_chunks() {
            for letter in part.valid().chars() {
                if letter.is_control() {
                    write!(f, "{}", letter.escape_default())?;
                } else {
                    write!(f, "{letter}")?;
                }
            }
            for byte in part.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Turns UTF-16 into UTF-8; a lone surrogate is kept as its three bytes.
pub(crate) fn wtf8(units: impl IntoIterator<Item = u16>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for unit in char::decode_utf16(units) {
        match unit {
            Ok(letter) => bytes.extend(letter.encode_utf8(&mut [0; 4]).bytes()),
            Err(lone) => {
                let unit = lone.unpaired_surrogate();
                let [high, low] = unit.to_be_bytes();
                // 1110xxxx 10xxxxxx 10xxxxxx of the 16 bits.
                bytes.push(0xE0 | (high >> 4));
                bytes.push(0x80 | ((high & 0x0F) << 2) | (low >> 6));
                bytes.push(0x80 | (low & 0x3F));
            }
        }
    }
    bytes
}

/// Returns the units of UTF-16 in little-endian bytes.
pub(crate) fn utf16_units(bytes: &[u8]) -> impl Iterator<Item = u16> {
    let units = bytes.as_chunks::<2>().0.iter();
    units.map(|unit| u16::from_le_bytes(*unit))
}

/// Turns a name back into the little-endian bytes of its UTF-16; `None` where it never was UTF-16.
pub(crate) fn from_wtf8(name: &FileName) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some(part) = rest.utf8_chunks().next() {
        for unit in part.valid().encode_utf16() {
            bytes.extend(unit.to_le_bytes());
        }
        rest = match rest.get(part.valid().len()..) {
            // A lone surrogate.
            Some([0xED, high @ 0xA0..=0xBF, low @ 0x80..=0xBF, behind @ ..]) => {
                let unit = 0xD000 | u16::from(high & 0x3F) << 6 | u16::from(low & 0x3F);
                bytes.extend(unit.to_le_bytes());
                behind
            }
            Some([]) | None => break,
            Some(_) => return None,
        };
    }
    Some(bytes)
}

/// Says whether two names differ at most in large and small letters, by Unicode's simple rules.
pub(crate) fn is_same_letters(one: &[u8], other: &[u8]) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    match (str::from_utf8(one), str::from_utf8(other)) {
        (Ok(one), Ok(other)) => {
            let large = |text: &str| -> Vec<char> { text.chars().map(large).collect() };
            large(one) == large(other)
        }
        _ => one == other,
    }
}

/// Returns the large letter, where it is one alone.
fn large(letter: char) -> char {
    let mut large = letter.to_uppercase();
    match (large.next(), large.next()) {
        (Some(one), None) => one,
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_none() {
        for bad in ["", ".", "..", "a/b", "/", "a\0"] {
            assert_eq!(FileName::new(bad.as_bytes()), None, "{bad:?}");
        }
        assert!(FileName::new(b"...").is_some());
    }

    #[test]
    fn utf16_becomes_utf8_and_a_lone_surrogate_three_bytes() {
        let name = FileName::from_utf16("ä日🙂".encode_utf16()).unwrap();
        assert_eq!(name.as_bytes(), "ä日🙂".as_bytes());
        let lone = FileName::from_utf16([0xD83D, 0x61]).unwrap();
        assert_eq!(lone.as_bytes(), b"\xED\xA0\xBDa");
        for name in [name, lone] {
            let back = from_wtf8(&name).unwrap();
            assert_eq!(FileName::from_utf16(utf16_units(&back)), Some(name));
        }
        assert_eq!(from_wtf8(&FileName::new(b"a\xFF").unwrap()), None);
    }

    #[test]
    fn what_is_no_text_is_shown_in_digits() {
        let name = FileName::new(b"a\xFF\x1Bb").unwrap();
        assert_eq!(name.to_string(), "a\\xff\\u{1b}b");
    }
}
