//! What reading and writing share: the store, the keys, and the one domain that is looked at.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use object_store::ObjectStore;

use crate::cache::Cache;
use crate::format::{Aead, HEADER_BYTES, Header, Naming, PackId, PackKind, RepositoryFile};
use crate::keys::{Domain, DomainId, KeyRing, Secret};
use crate::read::{Forwards, NodeWindows};
use crate::repository::open_ring;
use crate::{RepositoryError, RepositoryErrorKind};

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
    pack_keys: Arc<Mutex<Cache<(DomainId, PackId), (PackKind, Arc<Aead>)>>>,
    pub(crate) node_windows: Arc<NodeWindows>,
    pub(crate) forwards: Arc<Forwards>,
}

/// The keys of an open repository, which other hosts may change meanwhile.
pub(crate) struct OpenKeys {
    master: Secret,
    ring: RwLock<Arc<KeyRing>>,
    /// Domains of which the ring was read again and did not tell.
    unknown: Mutex<HashSet<DomainId>>,
}

impl OpenKeys {
    pub(crate) fn new(master: Secret, ring: KeyRing) -> Self {
        Self {
            master,
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

    /// Reads the key ring again, where there is a newer one.
    pub(crate) fn reload_keys(&self) -> Result<(), RepositoryError> {
        let known = self.ring().sequence;
        let newer = open_ring(&*self.store, &self.file, &self.keys.master, known)?;
        if let Some(ring) = newer {
            let mut current = self
                .keys
                .ring
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if ring.sequence > current.sequence {
                *current = Arc::new(ring);
            }
        }
        Ok(())
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
        if first_time {
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

    /// Returns header and key for a new pack of this view's domain.
    pub(crate) fn new_pack(&self, kind: PackKind) -> Result<(Header, Aead), RepositoryError> {
        let ring = self.ring();
        let domain = &self.domain;
        let (key_id, secret) = match kind {
            PackKind::MapNodes => (domain.id, &domain.map_key),
            PackKind::Chunks => {
                let mut keys = ring.data_keys.iter().rev();
                let key = keys.find(|key| key.domain == domain.id).ok_or_else(|| {
                    let what = "the key ring has no data key for this domain";
                    RepositoryError::new(RepositoryErrorKind::Unsupported, what)
                })?;
                (key.id, &key.key)
            }
        };
        let header = Header {
            kind,
            domain: domain.id,
            key_id,
            pack: PackId::random()?,
        };
        Ok((header, header.pack_key(secret)))
    }

    /// Reads the header at the beginning of `bytes`, and returns the pack's key with it. The pack
    /// may be of any domain; `OtherDomain` where we lack its keys.
    pub(crate) fn open_header(
        &self,
        bytes: &[u8],
        pack: PackId,
    ) -> Result<(Header, Aead), RepositoryError> {
        let header = bytes.first_chunk().ok_or_else(|| {
            RepositoryError::new(RepositoryErrorKind::Damaged, "the pack is too short")
        })?;
        let header = Header::parse(header, pack)?;
        let key = self.key_of(header)?;
        Ok((header, key))
    }

    /// Reads the header of a pack in the store, and returns the pack's key with it.
    pub(crate) fn read_header(&self, pack: PackId) -> Result<(Header, Aead), RepositoryError> {
        let object = pack.object_name();
        let mut bytes = [0; HEADER_BYTES];
        self.store.get_range(&object, 0, &mut bytes)?;
        self.open_header(&bytes, pack)
            .map_err(|error| error.in_object(&object))
    }

    /// Returns the key of an existing pack from its header.
    fn key_of(&self, header: Header) -> Result<Aead, RepositoryError> {
        let domain = self.domain_of(header.domain)?;
        let missing = || {
            let what = "the pack is encrypted with a key that the key ring does not have";
            RepositoryError::new(RepositoryErrorKind::Damaged, what).at(32)
        };
        match header.kind {
            PackKind::MapNodes if header.key_id == domain.id => {
                Ok(header.pack_key(&domain.map_key))
            }
            PackKind::MapNodes => Err(missing()),
            PackKind::Chunks => {
                let find = || self.ring().data_key(domain.id, header.key_id).cloned();
                let key = match find() {
                    Some(key) => key,
                    None => {
                        // Another host may have made a data key since.
                        self.reload_keys()?;
                        find().ok_or_else(missing)?
                    }
                };
                Ok(header.pack_key(&key.key))
            }
        }
    }

    /// Returns the header that a pack of this domain must have if there is but one key for its
    /// kind. A pack that has another one does not authenticate.
    fn only_header(&self, pack: PackId, kind: PackKind) -> Option<Header> {
        let domain = self.domain.id;
        let key_id = match kind {
            PackKind::MapNodes => domain,
            PackKind::Chunks => {
                let ring = self.ring();
                let mut keys = ring.data_keys.iter().filter(|key| key.domain == domain);
                match (keys.next(), keys.next()) {
                    (Some(only), None) => only.id,
                    _ => return None,
                }
            }
        };
        Some(Header {
            kind,
            domain,
            key_id,
            pack,
        })
    }

    /// Returns the key of a pack that should be of `kind` and of this domain; reads its header
    /// where that must tell.
    pub(crate) fn pack_key(
        &self,
        pack: PackId,
        kind: PackKind,
    ) -> Result<Arc<Aead>, RepositoryError> {
        let domain = self.domain.id;
        let lock = || {
            self.pack_keys
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let kept = lock().get(&(domain, pack));
        let (found, key) = match kept {
            Some(kept) => kept,
            None => {
                let (header, key) = match self.only_header(pack, kind) {
                    Some(header) => (header, self.key_of(header)?),
                    None => self.read_header(pack)?,
                };
                if header.domain != domain {
                    let what = "a disk map points into a pack of another domain";
                    return Err(RepositoryError::new(RepositoryErrorKind::Damaged, what).at(16));
                }
                let kept = (header.kind, Arc::new(key));
                lock().insert((domain, pack), kept.clone());
                kept
            }
        };
        if found != kind {
            let what = "the pack holds another kind of frames than expected";
            return Err(RepositoryError::new(RepositoryErrorKind::Damaged, what).at(8));
        }
        Ok(key)
    }
}
