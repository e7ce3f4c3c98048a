//! What a host has that may add restore points and read none.

use std::fmt;

use crate::RepositoryError;
use crate::hex;
use crate::keys::Secret;
use crate::keys::key_text::TextKind;

const TEXT: TextKind = TextKind {
    prefix: "LBH1-",
    name: "host key",
};

/// The key of a write-only host: it opens the keys of one domain, without those of its data.
///
/// Written for people as `LBH1-` and 13 groups of 4 characters.
#[derive(Clone)]
pub struct HostKey(Secret);

impl HostKey {
    /// Makes a new one.
    pub(crate) fn generate() -> Result<Self, RepositoryError> {
        Ok(Self(Secret::random()?))
    }

    pub(crate) fn from_secret(secret: Secret) -> Self {
        Self(secret)
    }

    /// Reads what [`HostKey::to_text`] wrote, upper or lower case.
    pub fn parse(text: &str) -> Result<Self, RepositoryError> {
        TEXT.parse(text).map(Self)
    }

    /// Returns the key as it stands in the host's key file.
    pub fn to_text(&self) -> String {
        TEXT.write(&self.0)
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0
    }

    /// Returns the id of the key, which stands in the open.
    pub(crate) fn id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        let derived = self.0.derive("lifeboat v1 host slot", &[]);
        id.copy_from_slice(&derived.bytes()[..16]);
        id
    }

    /// Returns the slot: the beginning of the names of the host's objects.
    pub(crate) fn slot(&self) -> String {
        hex::encode(&self.id()[..8])
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostKey")
    }
}
