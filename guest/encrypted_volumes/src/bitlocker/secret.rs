//! What a person has that opens a volume.

use std::fmt;

use zeroize::Zeroizing;

use super::key_file::KeyFile;
use crate::{UnlockError, UnlockErrorKind};

const GROUPS: usize = 8;
const GROUP_DIGITS: usize = 6;
/// Each group of a recovery password is a number of 16 bits times this: typing errors show.
const GROUP_FACTOR: u32 = 11;
/// Longest text that is looked at as a password: Windows takes 256 characters.
const PASSWORD_MAX_BYTES: usize = 4096;

/// What opens a BitLocker volume.
#[derive(Clone, Copy)]
pub enum BitLockerSecret<'a> {
    /// The recovery password, which BitLocker prints as "recovery key": 48 digits in eight groups, with
    /// dashes or spaces between them or nothing.
    RecoveryPassword(&'a str),
    /// The password that a person chose.
    Password(&'a str),
    /// All bytes of a start-up key's file (`.BEK`).
    StartupKey(&'a [u8]),
    /// Nothing: protection is suspended, and the key lies open on the volume.
    ClearKey,
}

impl<'a> BitLockerSecret<'a> {
    /// Says what some bytes are, as they were typed or read from a file: a start-up key, a recovery
    /// password, or else a password, without one line's end. `None` where they are none of these: no
    /// text, or nothing.
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        if KeyFile::is_one(bytes) {
            return Some(Self::StartupKey(bytes));
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return None;
        }
        Some(if looks_like_recovery_password(text) {
            Self::RecoveryPassword(text)
        } else {
            Self::Password(text)
        })
    }

    /// Returns what it is called in messages.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::RecoveryPassword(_) => "recovery password",
            Self::Password(_) => "password",
            Self::StartupKey(_) => "start-up key",
            Self::ClearKey => "clear key",
        }
    }
}

/// Names the sort of secret alone.
impl fmt::Debug for BitLockerSecret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BitLockerSecret({})", self.name())
    }
}

fn digits(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars()
        .filter(|letter| !matches!(letter, '-' | ' ' | '\t'))
}

/// 48 digits, with dashes or spaces: that much is no password that somebody chose.
fn looks_like_recovery_password(text: &str) -> bool {
    digits(text).count() == GROUPS * GROUP_DIGITS && digits(text).all(|c| c.is_ascii_digit())
}

/// Takes the 128 bits out of a recovery password's digits.
///
/// # Errors
///
/// `WrongKey`, which says which group has a typing error.
pub(super) fn recovery_key(text: &str) -> Result<Zeroizing<[u8; 16]>, UnlockError> {
    let wrong = |what: String| UnlockError::new(UnlockErrorKind::WrongKey, what);
    if !looks_like_recovery_password(text.trim()) {
        let found = digits(text.trim()).count();
        return Err(wrong(format!(
            "a recovery password has 48 digits in groups of six; this one has {found} characters, or \
             some that are no digits"
        )));
    }
    let mut key = Zeroizing::new([0; 16]);
    let mut digits = digits(text.trim()).filter_map(|letter| letter.to_digit(10));
    for (number, part) in key.as_chunks_mut::<2>().0.iter_mut().enumerate() {
        // Six digits: below a million.
        let group = (&mut digits).take(GROUP_DIGITS);
        let value = group.fold(0, |value, digit| value * 10 + digit);
        let bits = u16::try_from(value / GROUP_FACTOR).ok();
        let bits = bits.filter(|_| value % GROUP_FACTOR == 0);
        let bits = bits.ok_or_else(|| {
            wrong(format!(
                "group {} of the recovery password has a typing error: it is no multiple of {GROUP_FACTOR}, \
                 or too large",
                number + 1
            ))
        })?;
        *part = bits.to_le_bytes();
    }
    Ok(key)
}

/// Returns a password as BitLocker hashes it: UTF-16, without an end.
///
/// # Errors
///
/// `WrongKey` where it is longer than any.
pub(super) fn password_bytes(text: &str) -> Result<Zeroizing<Vec<u8>>, UnlockError> {
    if text.len() > PASSWORD_MAX_BYTES {
        return Err(UnlockError::new(
            UnlockErrorKind::WrongKey,
            "the password is longer than any that BitLocker takes",
        ));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() * 2));
    for unit in text.encode_utf16() {
        bytes.extend(unit.to_le_bytes());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "471207-278498-422125-177177-561902-537405-468006-693451";

    #[test]
    fn a_recovery_password_is_eight_numbers_times_eleven() {
        let key = recovery_key(PRINTED).unwrap();
        let numbers: Vec<u32> = key
            .as_chunks::<2>()
            .0
            .iter()
            .map(|part| u32::from(u16::from_le_bytes(*part)) * 11)
            .collect();
        let printed: Vec<u32> = PRINTED
            .split('-')
            .map(|group| group.parse().unwrap())
            .collect();
        assert_eq!(numbers, printed);
        for other in [PRINTED.replace('-', " "), PRINTED.replace('-', "")] {
            assert_eq!(recovery_key(&other).unwrap(), key);
        }
    }

    #[test]
    fn a_typing_error_is_found_and_its_group_named() {
        let error = recovery_key(&PRINTED.replace("422125", "422126")).unwrap_err();
        assert_eq!(error.kind(), UnlockErrorKind::WrongKey);
        assert!(error.to_string().contains("group 3"), "{error}");
        // 65536 times 11: a bit too many.
        let error = recovery_key(&PRINTED.replace("693451", "720896")).unwrap_err();
        assert!(error.to_string().contains("group 8"), "{error}");
        for other in [
            "",
            "471207",
            "x71207-278498-422125-177177-561902-537405-468006-693451",
        ] {
            let error = recovery_key(other).unwrap_err();
            assert_eq!(error.kind(), UnlockErrorKind::WrongKey);
        }
    }

    #[test]
    fn what_was_typed_is_told_apart_and_never_shown() {
        let of = |bytes| BitLockerSecret::from_bytes(bytes).map(|secret| format!("{secret:?}"));
        let printed = format!("{PRINTED}\r\n");
        let recovery = Some("BitLockerSecret(recovery password)".to_owned());
        assert_eq!(of(printed.as_bytes()), recovery);
        // With a typing error it is one all the same.
        let mistyped = PRINTED.replace('7', "8");
        assert_eq!(of(mistyped.as_bytes()), recovery);
        let password = Some("BitLockerSecret(password)".to_owned());
        assert_eq!(of("pässword".as_bytes()), password);
        assert_eq!(of(b"4712"), password);
        assert_eq!(of(b""), None);
        assert_eq!(of(&[0xFF; 156]), None);
    }
}
