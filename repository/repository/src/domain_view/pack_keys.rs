//! The keys of packs: those of new ones, and those of packs that are there.

use std::sync::{Arc, PoisonError};

use super::Shared;
use crate::format::{
    Aead, HEADER_BYTES, Header, KeyScheme, PackId, PackKind, recipients, sealed_header,
};
use crate::keys::{DataKeyMaterial, Domain, KeyRing, PublicKey, Secret, open_pack_key};
use crate::{RepositoryError, RepositoryErrorKind};

/// A pack that is about to be filled.
pub(crate) struct NewPack {
    pub(crate) id: PackId,
    /// What the pack begins with.
    pub(crate) header: Vec<u8>,
    pub(crate) key: Aead,
}

impl Shared {
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
