//! A roll-up as it is stored: many summaries and notes in one object.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain_view::Shared;
use crate::format::{SealedKind, random_bytes};
use crate::hex;
use crate::keys::DomainId;
use crate::points::note::StoredNote;
use crate::points::point_notes::HeardNote;
use crate::points::{PointSummary, SealedBy};
use crate::{RepositoryError, RepositoryErrorKind};

const VERSION: u32 = 1;
/// The most that a roll-up may hold, as JSON.
pub(crate) const ROLL_UP_BYTES_MAX: usize = 32 << 20;

/// A roll-up as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RollUp {
    version: u32,
    /// Roll-ups that this one takes the place of.
    #[serde(default)]
    pub(crate) replaces: Vec<String>,
    pub(crate) points: Vec<PointSummary>,
    pub(crate) notes: Vec<RolledNote>,
}

/// A note in a roll-up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RolledNote {
    pub(crate) object: String,
    /// Whether it was sealed under the master key.
    pub(crate) master: bool,
    #[serde(flatten)]
    note: StoredNote,
}

impl RolledNote {
    pub(crate) fn of(heard: &HeardNote) -> Self {
        Self {
            object: heard.object.clone(),
            master: heard.by == SealedBy::Master,
            note: heard.note.clone(),
        }
    }

    /// Returns the note as the roll-up of `domain` tells it.
    pub(crate) fn heard(self, domain: DomainId) -> HeardNote {
        let by = if self.master {
            SealedBy::Master
        } else {
            SealedBy::Domain(domain)
        };
        HeardNote {
            object: self.object,
            by,
            note: self.note,
        }
    }
}

impl RollUp {
    pub(crate) fn new(
        replaces: Vec<String>,
        points: Vec<PointSummary>,
        notes: Vec<RolledNote>,
    ) -> Self {
        Self {
            version: VERSION,
            replaces,
            points,
            notes,
        }
    }

    /// Opens the bytes of a roll-up, and says which domain it is of.
    pub(crate) fn open(
        shared: &Arc<Shared>,
        object: &str,
        bytes: &[u8],
    ) -> Result<(DomainId, Self), RepositoryError> {
        let (by, body) = shared.open_small(SealedKind::RollUp, object, bytes)?;
        let SealedBy::Domain(domain) = by else {
            let what = "a roll-up under the master key";
            return Err(RepositoryError::damaged(object, what));
        };
        let newer = |what: String| {
            RepositoryError::new(RepositoryErrorKind::Unsupported, what).in_object(object)
        };
        let roll_up: Self = serde_json::from_slice(&body).map_err(|error| {
            newer("the roll-up is not one that this version reads".to_owned()).caused_by(error)
        })?;
        if roll_up.version != VERSION {
            return Err(newer(format!("a roll-up of version {}", roll_up.version)));
        }
        Ok((domain, roll_up))
    }

    /// Writes the roll-up under a new name, and returns that.
    pub(crate) fn put(
        &self,
        shared: &Arc<Shared>,
        domain: DomainId,
    ) -> Result<String, RepositoryError> {
        let object = format!("rollups/{}", hex::encode(&random_bytes::<16>()?));
        // Strings, numbers and JSON values always serialise.
        let body = serde_json::to_vec(self).unwrap_or_default();
        let by = SealedBy::Domain(domain);
        let sealed = shared.seal_small(SealedKind::RollUp, by, &object, &body)?;
        shared.store.put_new(&object, &sealed)?;
        Ok(object)
    }
}
