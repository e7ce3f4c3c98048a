//! Condemned objects: what a collector means to delete (section 11).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::format::PackId;
use crate::hex;
use crate::{RepositoryError, RepositoryErrorKind};

/// What a condemned object says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Condemned {
    /// The store's time before the points were listed that decided it.
    pub(crate) marked: Timestamp,
    pub(crate) packs: Vec<PackId>,
    /// Names of forwarding objects.
    pub(crate) forwards: Vec<String>,
    /// Names of condemned objects of which nothing is left.
    pub(crate) done: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    marked: Timestamp,
    #[serde(default)]
    packs: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    forwards: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    done: Vec<String>,
}

impl Condemned {
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let stored = Stored {
            version: 1,
            marked: self.marked,
            packs: self.packs.iter().map(|pack| hex::encode(&pack.0)).collect(),
            forwards: self.forwards.clone(),
            done: self.done.clone(),
        };
        // A plain struct of strings and numbers always serialises.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    pub(crate) fn from_json(bytes: &[u8]) -> Result<Self, RepositoryError> {
        let stored: Stored = serde_json::from_slice(bytes).map_err(|error| {
            let what = "what is condemned here cannot be read";
            RepositoryError::new(RepositoryErrorKind::Damaged, what).caused_by(error)
        })?;
        if stored.version != 1 {
            let what = format!(
                "a condemned object of version {}, newer than this program",
                stored.version
            );
            return Err(RepositoryError::new(RepositoryErrorKind::Unsupported, what)
                .hint("use a newer version of lifeboat"));
        }
        let packs = stored.packs.iter().map(|name| {
            hex::decode_array(name).map(PackId).ok_or_else(|| {
                let what = "a condemned object names something that is no pack";
                RepositoryError::new(RepositoryErrorKind::Damaged, what)
            })
        });
        Ok(Self {
            marked: stored.marked,
            packs: packs.collect::<Result<_, _>>()?,
            forwards: stored.forwards,
            done: stored.done,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_condemned_comes_back_and_what_is_newer_is_refused() {
        let condemned = Condemned {
            marked: "2026-01-01T00:00:00Z".parse().unwrap(),
            packs: vec![PackId([1; 16]), PackId([2; 16])],
            forwards: vec!["forward/a/b".to_owned()],
            done: vec!["condemned/c".to_owned()],
        };
        let bytes = condemned.to_json();
        assert_eq!(Condemned::from_json(&bytes).unwrap(), condemned);
        let newer = String::from_utf8(bytes)
            .unwrap()
            .replace("\"version\":1", "\"version\":2");
        let error = Condemned::from_json(newer.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), RepositoryErrorKind::Unsupported);
        assert!(Condemned::from_json(b"{}").is_err());
    }
}
