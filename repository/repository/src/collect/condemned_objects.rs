//! The condemned objects of a store.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use object_store::{ObjectInfo, StoreErrorKind};

use crate::domain_view::Shared;
use crate::format::{
    Condemned, PackId, SEALED_BYTES_MAX, SealedKind, open_sealed, seal, sealed_key_id,
};
use crate::hex;
use crate::keys::DomainId;
use crate::{RepositoryError, RepositoryErrorKind};

/// A condemned object of a domain that we hold.
#[derive(Debug, Clone)]
pub(crate) struct CondemnedObject {
    pub(crate) object: String,
    pub(crate) domain: DomainId,
    /// When it was written, by the store's clock.
    pub(crate) written: SystemTime,
    pub(crate) content: Condemned,
}

impl Shared {
    /// Reads the condemned objects of all domains that we hold, but those in `known`; returns
    /// also how many say nothing of whose they are: anybody with the store can write such.
    pub(crate) fn condemned_objects(
        self: &Arc<Self>,
        known: &HashSet<String>,
    ) -> Result<(Vec<CondemnedObject>, u64), RepositoryError> {
        let mut objects = Vec::new();
        self.store.list("condemned/", &mut |object| {
            if !known.contains(&object.name) {
                objects.push(object);
            }
        })?;
        objects.sort_unstable();
        let (mut found, mut nobodys) = (Vec::new(), 0);
        for object in &objects {
            found.extend(self.read_condemned(object, &mut nobodys)?);
        }
        Ok((found, nobodys))
    }

    /// `None` where it is nobody's that we know, or was removed since it was listed.
    fn read_condemned(
        self: &Arc<Self>,
        info: &ObjectInfo,
        nobodys: &mut u64,
    ) -> Result<Option<CondemnedObject>, RepositoryError> {
        let object = &info.name;
        let bytes = match self.store.get(object, SEALED_BYTES_MAX as u64) {
            Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(None),
            // Longer than any object of ours.
            Err(_) if info.size_bytes > SEALED_BYTES_MAX as u64 => {
                *nobodys += 1;
                return Ok(None);
            }
            bytes => bytes?,
        };
        let Ok(key_id) = sealed_key_id(object, &bytes) else {
            *nobodys += 1;
            return Ok(None);
        };
        let shared = match self.of_domain(key_id) {
            Err(error) if error.kind() == RepositoryErrorKind::OtherDomain => {
                *nobodys += 1;
                return Ok(None);
            }
            shared => shared.map_err(|error| error.in_object(object))?,
        };
        let domain = shared.domain();
        let kind = SealedKind::Condemned;
        let body = open_sealed(kind, domain.id, &domain.map_key, object, &bytes)?;
        Ok(Some(CondemnedObject {
            object: object.clone(),
            domain: domain.id,
            written: info.modified,
            content: Condemned::from_json(&body).map_err(|error| error.in_object(object))?,
        }))
    }

    /// Writes a condemned object of this domain and returns its name.
    pub(crate) fn put_condemned(&self, content: &Condemned) -> Result<String, RepositoryError> {
        let object = format!("condemned/{}", hex::encode(&PackId::random()?.0));
        let domain = self.domain();
        let kind = SealedKind::Condemned;
        let body = content.to_json();
        let sealed = seal(kind, domain.id, &domain.map_key, &object, &body)?;
        self.store.put_new(&object, &sealed)?;
        Ok(object)
    }
}

/// Returns a time of the store as the format writes it.
pub(crate) fn timestamp(time: SystemTime) -> Result<Timestamp, RepositoryError> {
    Timestamp::try_from(time).map_err(|error| {
        let what = "the store's clock tells an impossible time";
        RepositoryError::new(RepositoryErrorKind::Store, what).caused_by(error)
    })
}
