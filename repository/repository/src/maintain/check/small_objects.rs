//! Checking sealed objects other than points, with the keys.

use object_store::{ObjectInfo, StoreErrorKind};

use crate::format::{SEALED_BYTES_MAX, authenticate_sealed, sealed_key_id};
use crate::maintain::VerifyObserver;
use crate::maintain::check::damage::is_damage;
use crate::maintain::check::in_parallel::in_parallel;
use crate::maintain::check::keyless::sealed_kind;
use crate::maintain::check::pack_survey::cancelled;
use crate::maintain::check::report::Findings;
use crate::{Repository, RepositoryError};

/// Folders of sealed objects that a check opens.
const FOLDERS: [&str; 8] = [
    "rings/",
    "notes/",
    "rollups/",
    "settings/",
    "condemned/",
    "forward/",
    "locks/",
    "lost/",
];

impl Repository {
    /// Opens every sealed object but the points; what is wrong goes to `findings`.
    pub(crate) fn check_small_objects(
        &self,
        findings: &Findings,
        observer: &dyn VerifyObserver,
    ) -> Result<(), RepositoryError> {
        let mut objects = Vec::new();
        for folder in FOLDERS {
            let list = &mut |object| objects.push(object);
            self.shared.store.list(folder, list)?;
        }
        in_parallel(&objects, || {
            |object: &ObjectInfo| {
                if observer.cancelled() {
                    return Err(cancelled());
                }
                match self.check_sealed(&object.name) {
                    Err(error) if is_damage(&error) => findings.add(&error.in_object(&object.name)),
                    Err(error) => findings.add(&error),
                    Ok(()) => Ok(()),
                }
            }
        })
    }

    fn check_sealed(&self, object: &str) -> Result<(), RepositoryError> {
        let Some(kind) = sealed_kind(object) else {
            return Ok(());
        };
        let bytes = match self.shared.store.get(object, SEALED_BYTES_MAX as u64) {
            // It was removed since it was listed.
            Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(()),
            result => result?,
        };
        let id = sealed_key_id(object, &bytes)?;
        if id == [0; 16] {
            let (master, _) = self.shared.master("check the repository")?;
            return authenticate_sealed(kind, master, object, &bytes);
        }
        let domain = self.shared.domain_of(id)?;
        authenticate_sealed(kind, &domain.map_key, object, &bytes)
    }
}
