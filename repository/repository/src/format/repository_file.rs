//! `lifeboat-repository`: identity and parameters (section 3).

use serde::{Deserialize, Serialize};

use crate::{RepositoryError, RepositoryErrorKind};

/// The file's content.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RepositoryFile {
    pub(crate) format: String,
    pub(crate) version: u32,
    pub(crate) id: String,
    pub(crate) chunk_bytes: u32,
    pub(crate) pack_bytes: u32,
    pub(crate) created: jiff::Timestamp,
}

impl RepositoryFile {
    pub(crate) const OBJECT: &'static str = "lifeboat-repository";
    pub(crate) const FORMAT: &'static str = "lifeboat-repository";

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // A plain struct of strings and numbers always serialises.
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads the file; refuses what the format does not allow.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, RepositoryError> {
        let refuse = |kind, what: &str| RepositoryError::new(kind, what).in_object(Self::OBJECT);
        let damaged = |what| refuse(RepositoryErrorKind::Damaged, what);
        let file: Self = serde_json::from_slice(bytes)
            .map_err(|error| damaged("this file cannot be read").caused_by(error))?;
        if file.format != Self::FORMAT {
            return Err(damaged("this is not a Lifeboat repository"));
        }
        if file.version != 1 {
            let what = format!("version {} is newer than this program", file.version);
            return Err(refuse(RepositoryErrorKind::Unsupported, &what)
                .hint("use a newer version of lifeboat"));
        }
        let chunk_is_good =
            file.chunk_bytes.is_power_of_two() && (4 << 10..=4 << 20).contains(&file.chunk_bytes);
        let pack_is_good = (1 << 20..=1 << 30).contains(&file.pack_bytes);
        let id_is_good = file.id.len() == 32 && file.id.bytes().all(|b| b.is_ascii_hexdigit());
        if !(chunk_is_good && pack_is_good && id_is_good) {
            return Err(damaged("the parameters are outside what the format allows"));
        }
        Ok(file)
    }
}
