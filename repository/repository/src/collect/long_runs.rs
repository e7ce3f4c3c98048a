//! Runs that last for days say that they are still under way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use object_store::StoreErrorKind;
use serde::{Deserialize, Serialize};

use crate::collect::condemned_objects::timestamp;
use crate::collect::inventory::is_older;
use crate::domain_view::Shared;
use crate::format::{PackId, SEALED_BYTES_MAX, SealedKind, open_sealed, seal, sealed_key_id};
use crate::hex;
use crate::keys::DomainId;
use crate::{RepositoryError, RepositoryErrorKind};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// After this a run that has not said anything is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// The most that a run can keep from being garbage.
const KEPT_MAX: Duration = Duration::from_secs(60 * 24 * 60 * 60);
/// How often a run says so.
pub(crate) const SAY_EVERY: Duration = DAY;

#[derive(Serialize, Deserialize)]
struct StoredRun {
    version: u32,
    began: Timestamp,
}

/// Since when what was written counts as young, by domain, and what is to be forgotten.
#[derive(Default)]
pub(crate) struct LongRuns {
    since: HashMap<DomainId, SystemTime>,
    pub(crate) forgotten: Vec<String>,
}

impl LongRuns {
    pub(crate) fn load(shared: &Arc<Shared>, now: SystemTime) -> Result<Self, RepositoryError> {
        let mut objects = Vec::new();
        shared
            .store
            .list("runs/", &mut |object| objects.push(object))?;
        let mut runs = Self::default();
        for object in objects {
            let found = match shared.read_run(&object.name) {
                // Anybody can leave junk here; it keeps nothing.
                Err(error) if error.kind() == RepositoryErrorKind::Damaged => None,
                found => found?,
            };
            let Some((domain, began)) = found else {
                continue;
            };
            if is_older(object.modified, FORGOTTEN_AFTER, now) {
                runs.forgotten.push(object.name);
                continue;
            }
            let began = began.max(now.checked_sub(KEPT_MAX).unwrap_or(now));
            let since = runs.since.entry(domain).or_insert(began);
            *since = began.min(*since);
        }
        Ok(runs)
    }

    /// Returns since when what was written counts as young in a domain, where `young` is the age
    /// up to which it does anyhow.
    pub(crate) fn young_since(
        &self,
        domain: DomainId,
        young: Duration,
        now: SystemTime,
    ) -> SystemTime {
        let since = now.checked_sub(young).unwrap_or(now);
        self.since.get(&domain).map_or(since, |run| since.min(*run))
    }
}

impl Shared {
    /// Writes that a run is under way that began at `began`, and returns the object's name.
    pub(crate) fn put_run(&self, began: SystemTime) -> Result<String, RepositoryError> {
        let object = format!("runs/{}", hex::encode(&PackId::random()?.0));
        let run = StoredRun {
            version: 1,
            began: timestamp(began)?,
        };
        // A plain struct of numbers always serialises.
        let body = serde_json::to_vec(&run).unwrap_or_default();
        let domain = self.domain();
        let sealed = seal(SealedKind::Run, domain.id, &domain.map_key, &object, &body)?;
        self.store.put_new(&object, &sealed)?;
        Ok(object)
    }

    /// Returns whose run it is, and when it began; `None` for one of another domain or that is gone.
    fn read_run(
        self: &Arc<Self>,
        object: &str,
    ) -> Result<Option<(DomainId, SystemTime)>, RepositoryError> {
        let bytes = match self.store.get(object, SEALED_BYTES_MAX as u64) {
            Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let shared = match self.of_domain(sealed_key_id(object, &bytes)?) {
            Err(error) if error.kind() == RepositoryErrorKind::OtherDomain => return Ok(None),
            shared => shared?,
        };
        let domain = shared.domain();
        let body = open_sealed(SealedKind::Run, domain.id, &domain.map_key, object, &bytes)?;
        let run: StoredRun = serde_json::from_slice(&body).map_err(|error| {
            RepositoryError::damaged(object, "this run cannot be read").caused_by(error)
        })?;
        Ok(Some((domain.id, run.began.into())))
    }
}
