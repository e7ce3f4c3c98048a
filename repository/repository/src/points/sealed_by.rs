//! Who sealed a small object: the administrator's master key, or somebody of a domain.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::RepositoryError;
use crate::domain_view::Shared;
use crate::format::{SealedKind, open_sealed, seal, sealed_key_id};
use crate::keys::DomainId;

const MASTER_KEY_ID: [u8; 16] = [0; 16];

/// Whose key an object is sealed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SealedBy {
    /// The master key's.
    Master,
    /// That of a domain's map key.
    Domain(DomainId),
}

impl Shared {
    /// Opens a small object of any domain, or of the master key, and says whose it is.
    /// `OtherDomain` or `WriteOnly` where we lack the key.
    pub(crate) fn open_small(
        self: &Arc<Self>,
        kind: SealedKind,
        object: &str,
        bytes: &[u8],
    ) -> Result<(SealedBy, Zeroizing<Vec<u8>>), RepositoryError> {
        let key_id = sealed_key_id(object, bytes)?;
        if key_id == MASTER_KEY_ID {
            let (master, _) = self
                .master("read what an administrator said")
                .map_err(|error| error.in_object(object))?;
            let body = open_sealed(kind, key_id, master, object, bytes)?;
            return Ok((SealedBy::Master, body));
        }
        let domain = self
            .domain_of(key_id)
            .map_err(|error| error.in_object(object))?;
        let body = open_sealed(kind, key_id, &domain.map_key, object, bytes)?;
        Ok((SealedBy::Domain(key_id), body))
    }

    /// Seals a small object.
    pub(crate) fn seal_small(
        self: &Arc<Self>,
        kind: SealedKind,
        by: SealedBy,
        object: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, RepositoryError> {
        match by {
            SealedBy::Master => {
                let (master, _) = self.master("speak for an administrator")?;
                seal(kind, MASTER_KEY_ID, master, object, body)
            }
            SealedBy::Domain(id) => {
                let domain = self.domain_of(id)?;
                seal(kind, id, &domain.map_key, object, body)
            }
        }
    }
}
