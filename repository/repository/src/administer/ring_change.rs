//! Replacing the key ring.

use object_store::StoreErrorKind;

use crate::domain_view::Shared;
use crate::format::{SealedKind, seal};
use crate::keys::KeyRing;
use crate::unlock::{MASTER_KEY_ID, host_object, ring_object};
use crate::{RepositoryError, RepositoryErrorKind};

/// Tries, each of which another host may win.
const TRIES: usize = 16;

impl Shared {
    /// Changes the key ring: reads the newest, changes it, and writes it under the next sequence.
    ///
    /// A ring is written once. Where another host wrote that sequence first, its change is read
    /// and this one made again on top of it, so `change` may be called several times.
    pub(crate) fn change_ring<T>(
        &self,
        what: &str,
        change: impl Fn(&mut KeyRing) -> Result<T, RepositoryError>,
    ) -> Result<T, RepositoryError> {
        let (master, _) = self.master(what)?;
        for _ in 0..TRIES {
            self.reload_keys()?;
            let mut ring = KeyRing::clone(&self.ring());
            let before = ring.sequence;
            let result = change(&mut ring)?;
            ring.sequence = before.checked_add(1).ok_or_else(in_the_way)?;
            let object = ring_object(&self.file, ring.sequence);
            let body = ring.to_json();
            let sealed = seal(SealedKind::KeyRing, MASTER_KEY_ID, master, &object, &body)?;
            match self.store.put_new(&object, &sealed) {
                Ok(()) => {
                    self.replace_ring(ring);
                    return Ok(result);
                }
                Err(error) if error.kind() == StoreErrorKind::Exists => {
                    self.reload_keys()?;
                    if self.ring().sequence == before {
                        return Err(in_the_way().in_object(&object).caused_by(error));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        let what = "other hosts change the keys all the time";
        Err(RepositoryError::new(RepositoryErrorKind::Store, what).hint("try again later"))
    }

    /// Writes what each host is given of the current ring, where that is news to it.
    ///
    /// After the ring: what a host seals to a key can be opened from the moment it knows the key.
    pub(crate) fn publish_host_keys(&self) -> Result<(), RepositoryError> {
        let ring = self.ring();
        for host in &ring.hosts {
            let given = ring.for_host(host.domain)?;
            let object = host_object(&host.key, given.sequence);
            let (id, secret) = (host.key.id(), host.key.secret());
            let sealed = seal(SealedKind::Host, id, secret, &object, &given.to_json())?;
            match self.store.put_new(&object, &sealed) {
                Err(error) if error.kind() != StoreErrorKind::Exists => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

fn in_the_way() -> RepositoryError {
    let what = "an object that is no key ring of this repository is in the way of the next one";
    RepositoryError::new(RepositoryErrorKind::Damaged, what)
        .hint("somebody may have put it there: look at it, and remove it")
}
