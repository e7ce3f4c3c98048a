//! What reading and writing share: the store, the keys, and the one domain that is looked at.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use object_store::ObjectStore;

use crate::cache::Cache;
use crate::format::{
    Aead, HEADER_BYTES, Header, KeyScheme, Naming, PackId, PackKind, RepositoryFile, recipients,
    sealed_header,
};
use crate::keys::{
    DataKeyMaterial, Domain, DomainId, HostKey, KeyRing, PublicKey, Secret, open_pack_key,
};
use crate::read::{Forwards, NodeWindows};
use crate::unlock::{open_host, open_ring};
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

/// A pack that is about to be filled.
pub(crate) struct NewPack {
    pub(crate) id: PackId,
    /// What the pack begins with.
    pub(crate) header: Vec<u8>,
    pub(crate) key: Aead,
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

    /// Returns header and key for a new pack of this view's domain.
    ///
    /// Who has the data key derives the pack's from it; who has but a public key seals a random
    /// one to it, and cannot read the pack again once it is done.
    pub(crate) fn new_pack(&self, kind: PackKind) -> Result<NewPack, RepositoryError> {
        let ring = self.ring();
        let domain = &self.domain;
        let id = PackId::random()?;
        let derived = |key_id, secret: &Secret| {
            let header = Header::derived(kind, domain.id, key_id, id);
            NewPack {
                id,
                header: header.to_bytes().to_vec(),
                key: header.pack_key(secret),
            }
        };
        if kind == PackKind::MapNodes {
            return Ok(derived(domain.id, &domain.map_key));
        }
        let mut keys = ring.data_keys_of(domain.id).rev();
        let usable = keys.find_map(|key| match &key.material {
            DataKeyMaterial::Derived(secret) => Some(Ok(derived(key.id, secret))),
            DataKeyMaterial::Public(public) => Some(self.sealed_pack(id, key.id, public)),
            DataKeyMaterial::Private(_) => None,
        });
        usable.unwrap_or_else(|| {
            let what = "there is no data key for this domain";
            Err(RepositoryError::new(RepositoryErrorKind::Unsupported, what))
        })
    }

    fn sealed_pack(
        &self,
        id: PackId,
        key_id: [u8; 16],
        public: &PublicKey,
    ) -> Result<NewPack, RepositoryError> {
        let pack_key = Secret::random()?;
        let header = sealed_header(id, &self.domain, &[(key_id, *public)], &pack_key)?;
        Ok(NewPack {
            id,
            header,
            key: Aead::new(&pack_key),
        })
    }

    /// Reads the header at the beginning of `bytes`, and returns the pack's key with it. The pack
    /// may be of any domain; `OtherDomain` where we lack its keys.
    pub(crate) fn open_header(
        &self,
        bytes: &[u8],
        pack: PackId,
    ) -> Result<(Header, Aead), RepositoryError> {
        let too_short =
            || RepositoryError::new(RepositoryErrorKind::Damaged, "the pack is too short");
        let header = Header::parse(bytes.first_chunk().ok_or_else(too_short)?, pack)?;
        let recipients = bytes.get(HEADER_BYTES..header.len_bytes as usize);
        let key = self.key_of(header, recipients.ok_or_else(too_short)?)?;
        Ok((header, key))
    }

    /// Reads the header of a pack in the store, and returns the pack's key with it.
    pub(crate) fn read_header(&self, pack: PackId) -> Result<(Header, Aead), RepositoryError> {
        let object = pack.object_name();
        let named = |error: RepositoryError| error.in_object(&object);
        let mut bytes = [0; HEADER_BYTES];
        self.store.get_range(&object, 0, &mut bytes)?;
        let header = Header::parse(&bytes, pack).map_err(named)?;
        // A few kilobytes at most, and nothing for scheme 1.
        let mut recipients = vec![0; (header.len_bytes as usize).saturating_sub(HEADER_BYTES)];
        if !recipients.is_empty() {
            let offset = HEADER_BYTES as u64;
            self.store.get_range(&object, offset, &mut recipients)?;
        }
        let key = self.key_of(header, &recipients).map_err(named)?;
        Ok((header, key))
    }

    /// Returns the key of an existing pack from its header.
    fn key_of(&self, header: Header, recipients: &[u8]) -> Result<Aead, RepositoryError> {
        let domain = self.domain_of(header.domain)?;
        let missing = || {
            let what = "the pack is encrypted with a key that the key ring does not have";
            RepositoryError::new(RepositoryErrorKind::Damaged, what).at(32)
        };
        match header.kind {
            PackKind::MapNodes if header.key_id == domain.id => {
                return Ok(header.pack_key(&domain.map_key));
            }
            PackKind::MapNodes => return Err(missing()),
            PackKind::Chunks if self.is_write_only() => {
                let what = "a host's key adds restore points and nothing else: it reads no data";
                return Err(RepositoryError::new(RepositoryErrorKind::WriteOnly, what));
            }
            PackKind::Chunks => {}
        }
        let find = || find_pack_key(&self.ring(), &domain, header, recipients);
        if let Some(key) = find()? {
            return Ok(key);
        }
        // Another host may have made a data key since.
        self.reload_keys()?;
        find()?.ok_or_else(missing)
    }

    /// Returns the header that a pack of this domain must have if there is but one key for its
    /// kind. A pack that has another one does not authenticate.
    fn only_header(&self, pack: PackId, kind: PackKind) -> Option<Header> {
        let domain = self.domain.id;
        let key_id = match kind {
            PackKind::MapNodes => domain,
            PackKind::Chunks => {
                let ring = self.ring();
                let mut keys = ring.data_keys_of(domain);
                match (keys.next(), keys.next()) {
                    (Some(only), None) if only.is_derived() => only.id,
                    _ => return None,
                }
            }
        };
        Some(Header::derived(kind, domain, key_id, pack))
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
                    Some(header) => (header, self.key_of(header, &[])?),
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

/// Finds the key of a pack of chunks in a key ring.
fn find_pack_key(
    ring: &KeyRing,
    domain: &Domain,
    header: Header,
    sealed: &[u8],
) -> Result<Option<Aead>, RepositoryError> {
    let of_id = |id| ring.data_keys_of(domain.id).find(|key| key.id == id);
    if header.scheme == KeyScheme::Derived {
        let key = of_id(header.key_id).map(|key| &key.material);
        return Ok(match key {
            Some(DataKeyMaterial::Derived(secret)) => Some(header.pack_key(secret)),
            _ => None,
        });
    }
    for (id, sealed) in recipients(sealed)? {
        let key = of_id(id).map(|key| &key.material);
        if let Some(DataKeyMaterial::Private(private)) = key {
            let fixed = header.to_bytes();
            let key = open_pack_key(&sealed, private, &domain.map_key, &fixed)?;
            return Ok(Some(Aead::new(&key)));
        }
    }
    Ok(None)
}
