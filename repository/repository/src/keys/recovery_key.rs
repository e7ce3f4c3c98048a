//! The key on paper.

use std::fmt;

use crate::RepositoryError;
use crate::keys::Secret;
use crate::keys::key_text::TextKind;

const TEXT: TextKind = TextKind {
    prefix: "LB1-",
    name: "recovery key",
};

/// A recovery key: opens the repository without its password. It never lies in the repository.
///
/// Written for people as `LB1-` and 13 groups of 4 characters; the last 4 bits are a check.
#[derive(Clone)]
pub struct RecoveryKey(Secret);

impl RecoveryKey {
    /// Makes a new one.
    pub fn generate() -> Result<Self, RepositoryError> {
        Ok(Self(Secret::random()?))
    }

    /// Reads what a person typed: upper or lower case, with or without dashes and spaces.
    pub fn parse(text: &str) -> Result<Self, RepositoryError> {
        TEXT.parse(text).map(Self)
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0
    }

    /// Returns the key as people write it down.
    pub fn to_text(&self) -> String {
        TEXT.write(&self.0)
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
