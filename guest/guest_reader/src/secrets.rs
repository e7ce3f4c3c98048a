//! What opens a guest's encrypted volumes.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::frame::BYTES_MAX;

/// What sort of secret it is; that decides on which volumes it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretKind {
    /// What somebody types, without the line's end: LUKS, BitLocker.
    Password,
    /// All bytes of a file: LUKS, BitLocker's startup key (`.BEK`).
    KeyFile,
    /// What was printed when the volume was encrypted: BitLocker's 48 digits; for LUKS, which knows
    /// no such thing, a password like any other (systemd makes some).
    RecoveryKey,
}

/// Secrets, in the order in which they are tried. They are overwritten when they are let go, and
/// nothing shows them.
#[derive(Default)]
pub struct Secrets {
    all: Vec<(SecretKind, Zeroizing<Vec<u8>>)>,
}

/// More secrets than go to a reading process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretsTooLong;

/// A secret as it is announced: its bytes stand behind the message.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct SecretFacts {
    kind: SecretKind,
    len_bytes: u32,
}

impl Secrets {
    /// Most bytes of all secrets together.
    pub const MAX_BYTES: usize = BYTES_MAX;

    /// Adds one.
    ///
    /// # Errors
    ///
    /// Where all together would be longer than [`Self::MAX_BYTES`].
    pub fn add(
        &mut self,
        kind: SecretKind,
        secret: Zeroizing<Vec<u8>>,
    ) -> Result<(), SecretsTooLong> {
        if secret.len() > Self::MAX_BYTES - self.len_bytes() {
            return Err(SecretsTooLong);
        }
        self.all.push((kind, secret));
        Ok(())
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SecretKind, &[u8])> {
        self.all
            .iter()
            .map(|(kind, bytes)| (*kind, bytes.as_slice()))
    }

    fn len_bytes(&self) -> usize {
        self.all.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// Takes them apart for the pipe: what they are, and their bytes one behind the other.
    pub(crate) fn to_frame(&self) -> (Vec<SecretFacts>, Zeroizing<Vec<u8>>) {
        let facts = self.iter().map(|(kind, bytes)| SecretFacts {
            kind,
            // All together are at most `MAX_BYTES`.
            len_bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        });
        // As long as it becomes: what grows leaves copies behind.
        let mut all = Zeroizing::new(Vec::with_capacity(self.len_bytes()));
        for (_, bytes) in self.iter() {
            all.extend_from_slice(bytes);
        }
        (facts.collect(), all)
    }

    /// Puts them together as they came; what is missing at the end is none.
    pub(crate) fn of_frame(facts: &[SecretFacts], bytes: &[u8]) -> Self {
        let mut secrets = Self::default();
        let mut rest = bytes;
        for fact in facts {
            let len = usize::try_from(fact.len_bytes).unwrap_or(usize::MAX);
            let Some((secret, behind)) = rest.split_at_checked(len) else {
                break;
            };
            secrets
                .all
                .push((fact.kind, Zeroizing::new(secret.to_vec())));
            rest = behind;
        }
        secrets
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.all.len())
    }
}

impl fmt::Display for SecretsTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let max = Secrets::MAX_BYTES;
        write!(f, "all secrets together have more than {max} bytes")
    }
}

impl std::error::Error for SecretsTooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_arrive_as_they_were_and_show_nothing() {
        let mut secrets = Secrets::default();
        for (kind, secret) in [
            (SecretKind::Password, &b"correct horse"[..]),
            (SecretKind::KeyFile, &[]),
            (SecretKind::RecoveryKey, b"111111-222222"),
        ] {
            let secret = Zeroizing::new(secret.to_vec());
            secrets.add(kind, secret).unwrap();
        }
        let (facts, bytes) = secrets.to_frame();
        let arrived = Secrets::of_frame(&facts, &bytes);
        assert!(secrets.iter().eq(arrived.iter()));
        assert_eq!(format!("{secrets:?}"), "Secrets(3)");
        let cut = Secrets::of_frame(&facts, bytes.get(..20).unwrap());
        assert_eq!(cut.len(), 2);
    }

    #[test]
    fn more_than_fits_into_a_frame_is_refused() {
        let mut secrets = Secrets::default();
        let most = Zeroizing::new(vec![1; Secrets::MAX_BYTES]);
        secrets.add(SecretKind::KeyFile, most).unwrap();
        let more = secrets.add(SecretKind::Password, Zeroizing::new(vec![1]));
        assert_eq!(more, Err(SecretsTooLong));
    }
}
