//! What reading and writing share: the store, the keys, and the one domain that is looked at.

mod pack_keys;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use object_store::ObjectStore;

use crate::cache::Cache;
use crate::format::{Aead, Naming, PackId, PackKind, RepositoryFile};
use crate::keys::{Domain, DomainId, HostKey, KeyRing, Secret};
use crate::read::{Forwards, NodeWindows};
use crate::unlock::{open_host, open_ring};
use crate::{RepositoryError, RepositoryErrorKind};

pub(crate) use pack_keys::NewPack;

/// Pack keys that are kept ready; each takes about a kilobyte.
const PACK_KEYS_KEPT: usize = 4096;
/// Ids of domains that nobody knows are remembered up to this many, so that each costs one look
/// at the key ring.
const UNKNOWN_KEPT: usize = 4096;

/// What reading and writing share, as one domain sees it.
///
/// All views of an open repository have the same keys and caches; a view names, reads and writes
/// what belongs to its domain and nothing else. [`Shared::of_domain`] turns one into another.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) file: Arc<RepositoryFile>,
    keys: Arc<OpenKeys>,
    domain: Domain,
    /// Gives names in the view's domain.
    pub(crate) naming: Naming,
    /// By domain too: a map of one domain that points into a pack of another must not leave a
    /// key here that the other would trip over.
    pack_keys: Arc<Mutex<PackKeys>>,
    pub(crate) node_windows: Arc<NodeWindows>,
    pub(crate) forwards: Arc<Forwards>,
}

/// Keys of packs that were opened, and what they hold.
type PackKeys = Cache<(DomainId, PackId), (PackKind, Arc<Aead>)>;

/// The keys of an open repository, which other hosts may change meanwhile.
pub(crate) struct OpenKeys {
    opener: Opener,
    ring: RwLock<Arc<KeyRing>>,
    /// Domains of which the ring was read again and did not tell.
    unknown: Mutex<HashSet<DomainId>>,
}

/// What the repository was opened with.
pub(crate) enum Opener {
    /// A password, key file or recovery key.
    Master {
        master: Secret,
        /// The slot that opened.
        slot: String,
    },
    /// The key of a host that adds restore points and reads no data.
    Host(HostKey),
}

impl OpenKeys {
    pub(crate) fn new(opener: Opener, ring: KeyRing) -> Self {
        Self {
            opener,
            ring: RwLock::new(Arc::new(ring)),
            unknown: Mutex::default(),
        }
    }

    fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shared {
    /// Makes the view of the ring's first domain, which every repository is made with.
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        file: RepositoryFile,
        keys: OpenKeys,
    ) -> Result<Self, RepositoryError> {
        let domain = keys.ring().domains.first().cloned().ok_or_else(|| {
            let what = "the key ring has no domain";
            RepositoryError::new(RepositoryErrorKind::Unsupported, what)
        })?;
        Ok(Self {
            store,
            file: Arc::new(file),
            keys: Arc::new(keys),
            naming: Naming::of(&domain),
            domain,
            pack_keys: Arc::new(Mutex::new(Cache::new(PACK_KEYS_KEPT))),
            node_windows: Arc::new(NodeWindows::new()),
            forwards: Arc::new(Forwards::new()),
        })
    }

    /// Returns the domain of this view: the one that new data belongs to.
    pub(crate) fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Returns the key ring as it was last read.
    pub(crate) fn ring(&self) -> Arc<KeyRing> {
        self.keys.ring()
    }

    /// Says whether the repository was opened with the key of a host that reads no data.
    pub(crate) fn is_write_only(&self) -> bool {
        matches!(self.keys.opener, Opener::Host(_))
    }

    /// Returns the master key and the slot that gave it; fails for a write-only host, which is
    /// not to do `what`.
    pub(crate) fn master(&self, what: &str) -> Result<(&Secret, &str), RepositoryError> {
        match &self.keys.opener {
            Opener::Master { master, slot } => Ok((master, slot)),
            Opener::Host(_) => {
                let what =
                    format!("a host's key adds restore points and nothing else: it cannot {what}");
                Err(RepositoryError::new(RepositoryErrorKind::WriteOnly, what)
                    .hint("open the repository with a password, a key file or the recovery key"))
            }
        }
    }

    /// Reads the key ring again, where there is a newer one.
    pub(crate) fn reload_keys(&self) -> Result<(), RepositoryError> {
        let known = self.ring().sequence;
        let newer = match &self.keys.opener {
            Opener::Master { master, .. } => open_ring(&*self.store, &self.file, master, known)?,
            Opener::Host(key) => open_host(&*self.store, key, known)?,
        };
        if let Some(ring) = newer {
            self.replace_ring(ring);
        }
        Ok(())
    }

    /// Takes a ring that is newer than the one that is held.
    pub(crate) fn replace_ring(&self, ring: KeyRing) {
        let mut current = self
            .keys
            .ring
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if ring.sequence > current.sequence {
            *current = Arc::new(ring);
            let mut unknown = self
                .keys
                .unknown
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            unknown.clear();
        }
    }

    /// Returns a domain's keys.
    ///
    /// Another host may have made the domain since the key ring was read: it is read again before
    /// this fails with `OtherDomain`.
    pub(crate) fn domain_of(&self, id: DomainId) -> Result<Domain, RepositoryError> {
        if id == self.domain.id {
            return Ok(self.domain.clone());
        }
        if let Some(domain) = self.ring().domain(id) {
            return Ok(domain.clone());
        }
        let first_time = {
            let mut unknown = self
                .keys
                .unknown
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            unknown.len() < UNKNOWN_KEPT && unknown.insert(id)
        };
        // A host is given one domain, and never another.
        if first_time && !self.is_write_only() {
            self.reload_keys()?;
        }
        self.ring().domain(id).cloned().ok_or_else(|| {
            let what = "this belongs to a domain whose keys this key does not open";
            RepositoryError::new(RepositoryErrorKind::OtherDomain, what)
        })
    }

    /// Returns the view of a domain.
    pub(crate) fn of_domain(self: &Arc<Self>, id: DomainId) -> Result<Arc<Self>, RepositoryError> {
        if id == self.domain.id {
            return Ok(Arc::clone(self));
        }
        let domain = self.domain_of(id)?;
        Ok(Arc::new(Self {
            naming: Naming::of(&domain),
            domain,
            ..Self::clone(self)
        }))
    }

    /// Returns the views of all domains that this key opens, this view's first.
    pub(crate) fn all_domains(self: &Arc<Self>) -> Result<Vec<Arc<Self>>, RepositoryError> {
        let others = self.ring();
        let others = others.domains.iter().map(|domain| domain.id);
        let ids = std::iter::once(self.domain.id).chain(others.filter(|id| *id != self.domain.id));
        ids.map(|id| self.of_domain(id)).collect()
    }
}
