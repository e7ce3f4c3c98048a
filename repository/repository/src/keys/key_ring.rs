//! The key ring: domains, data keys, and the hosts that have a part of it (section 4).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::format::random_bytes;
use crate::hex;
use crate::keys::sealed_pack_key::{self, PublicKey};
use crate::keys::{HostKey, Secret};
use crate::{RepositoryError, RepositoryErrorKind};

/// Identity of a domain.
pub(crate) type DomainId = [u8; 16];

/// Name of the domain that every repository is made with.
const DEFAULT_DOMAIN: &str = "default";

/// Who may dedupe against whom.
#[derive(Debug, Clone)]
pub(crate) struct Domain {
    pub(crate) id: DomainId,
    /// What people call it.
    pub(crate) name: String,
    pub(crate) naming_key: Secret,
    pub(crate) map_key: Secret,
}

/// A key for data packs.
#[derive(Debug, Clone)]
pub(crate) struct DataKey {
    pub(crate) id: [u8; 16],
    pub(crate) domain: DomainId,
    pub(crate) material: DataKeyMaterial,
}

/// What a data key consists of.
#[derive(Debug, Clone)]
pub(crate) enum DataKeyMaterial {
    /// Keys of packs are derived from it.
    Derived(Secret),
    /// A private key; keys of packs are random and sealed to its public key.
    Private(Secret),
    /// The public key alone: packs can be written, and not read again.
    Public(PublicKey),
}

/// A host that has the keys of a domain without those of its data.
#[derive(Debug, Clone)]
pub(crate) struct HostEntry {
    pub(crate) name: String,
    pub(crate) domain: DomainId,
    pub(crate) key: HostKey,
    pub(crate) added: Timestamp,
}

/// All keys of a repository but the master key; or, at a write-only host, those of its domain.
#[derive(Debug, Clone)]
pub(crate) struct KeyRing {
    pub(crate) sequence: u32,
    pub(crate) repository_hash: String,
    pub(crate) domains: Vec<Domain>,
    pub(crate) data_keys: Vec<DataKey>,
    pub(crate) hosts: Vec<HostEntry>,
}

#[derive(Serialize, Deserialize)]
struct StoredRing {
    sequence: u32,
    repository_hash: String,
    domains: Vec<StoredDomain>,
    data_keys: Vec<StoredDataKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<StoredHost>,
}

#[derive(Serialize, Deserialize)]
struct StoredDomain {
    id: String,
    name: String,
    naming_key: Zeroizing<String>,
    map_key: Zeroizing<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredDataKey {
    id: String,
    domain: String,
    scheme: String,
    key: Zeroizing<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredHost {
    name: String,
    domain: String,
    key: Zeroizing<String>,
    added: Timestamp,
}

impl Domain {
    pub(crate) fn generate(name: &str) -> Result<Self, RepositoryError> {
        Ok(Self {
            id: random_bytes()?,
            name: name.to_owned(),
            naming_key: Secret::random()?,
            map_key: Secret::random()?,
        })
    }
}

impl DataKey {
    /// Makes a data key from which keys of packs are derived.
    pub(crate) fn derived(domain: DomainId) -> Result<Self, RepositoryError> {
        Ok(Self {
            id: random_bytes()?,
            domain,
            material: DataKeyMaterial::Derived(Secret::random()?),
        })
    }

    /// Makes a key pair that keys of packs are sealed to.
    pub(crate) fn sealed(domain: DomainId) -> Result<Self, RepositoryError> {
        let private = sealed_pack_key::generate_private_key()?;
        Ok(Self {
            id: random_bytes()?,
            domain,
            material: DataKeyMaterial::Private(private),
        })
    }

    pub(crate) fn is_derived(&self) -> bool {
        matches!(self.material, DataKeyMaterial::Derived(_))
    }

    /// Returns the key as a write-only host has it; `None` for one that it must not have.
    fn public(&self) -> Result<Option<Self>, RepositoryError> {
        let public = match &self.material {
            DataKeyMaterial::Derived(_) => return Ok(None),
            DataKeyMaterial::Private(private) => sealed_pack_key::public_key(private)?,
            DataKeyMaterial::Public(public) => *public,
        };
        Ok(Some(Self {
            material: DataKeyMaterial::Public(public),
            ..self.clone()
        }))
    }

    fn to_stored(&self) -> StoredDataKey {
        let (scheme, key) = match &self.material {
            DataKeyMaterial::Derived(key) => ("derived", key.to_hex()),
            DataKeyMaterial::Private(key) => ("sealed", key.to_hex()),
            DataKeyMaterial::Public(key) => ("public", hex::encode(key)),
        };
        StoredDataKey {
            id: hex::encode(&self.id),
            domain: hex::encode(&self.domain),
            scheme: scheme.to_owned(),
            key: Zeroizing::new(key),
        }
    }

    /// Reads a data key; `Ok(None)` for a scheme that this version does not know.
    fn from_stored(stored: &StoredDataKey) -> Result<Option<Self>, RepositoryError> {
        let read = || {
            let key = Secret::from_hex(&stored.key)?;
            let material = match stored.scheme.as_str() {
                "derived" => DataKeyMaterial::Derived(key),
                "sealed" => DataKeyMaterial::Private(key),
                "public" => DataKeyMaterial::Public(*key.bytes()),
                _ => return Some(None),
            };
            Some(Some(Self {
                id: hex::decode_array(&stored.id)?,
                domain: hex::decode_array(&stored.domain)?,
                material,
            }))
        };
        read().ok_or_else(|| unreadable("a data key of the key ring is malformed"))
    }
}

fn unreadable(what: &str) -> RepositoryError {
    RepositoryError::new(RepositoryErrorKind::Unsupported, what)
}

impl KeyRing {
    /// Makes the first ring of a repository: one domain, one data key.
    pub(crate) fn generate(repository_hash: String) -> Result<Self, RepositoryError> {
        let domain = Domain::generate(DEFAULT_DOMAIN)?;
        Ok(Self {
            sequence: 1,
            repository_hash,
            data_keys: vec![DataKey::derived(domain.id)?],
            domains: vec![domain],
            hosts: Vec::new(),
        })
    }

    /// Returns a domain by its id.
    pub(crate) fn domain(&self, id: DomainId) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.id == id)
    }

    /// Returns the data keys of a domain, oldest first.
    pub(crate) fn data_keys_of(
        &self,
        domain: DomainId,
    ) -> impl DoubleEndedIterator<Item = &DataKey> {
        self.data_keys
            .iter()
            .filter(move |key| key.domain == domain)
    }

    /// Returns what a write-only host of a domain is given: everything of the domain but what
    /// opens its data.
    pub(crate) fn for_host(&self, domain: DomainId) -> Result<Self, RepositoryError> {
        let keys: Result<Vec<_>, _> = self.data_keys_of(domain).map(DataKey::public).collect();
        let domains = self.domains.iter().filter(|known| known.id == domain);
        Ok(Self {
            sequence: self.sequence,
            repository_hash: self.repository_hash.clone(),
            domains: domains.cloned().collect(),
            data_keys: keys?.into_iter().flatten().collect(),
            hosts: Vec::new(),
        })
    }

    pub(crate) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let domain = |domain: &Domain| StoredDomain {
            id: hex::encode(&domain.id),
            name: domain.name.clone(),
            naming_key: Zeroizing::new(domain.naming_key.to_hex()),
            map_key: Zeroizing::new(domain.map_key.to_hex()),
        };
        let host = |host: &HostEntry| StoredHost {
            name: host.name.clone(),
            domain: hex::encode(&host.domain),
            key: Zeroizing::new(host.key.secret().to_hex()),
            added: host.added,
        };
        let ring = StoredRing {
            sequence: self.sequence,
            repository_hash: self.repository_hash.clone(),
            domains: self.domains.iter().map(domain).collect(),
            data_keys: self.data_keys.iter().map(DataKey::to_stored).collect(),
            hosts: self.hosts.iter().map(host).collect(),
        };
        // Plain structs of strings and numbers always serialise.
        Zeroizing::new(serde_json::to_vec(&ring).unwrap_or_default())
    }

    pub(crate) fn from_json(bytes: &[u8]) -> Result<Self, RepositoryError> {
        let ring: StoredRing = serde_json::from_slice(bytes).map_err(|error| {
            unreadable("the key ring is not one that this version reads").caused_by(error)
        })?;
        let domain = |stored: &StoredDomain| {
            Some(Domain {
                id: hex::decode_array(&stored.id)?,
                name: stored.name.clone(),
                naming_key: Secret::from_hex(&stored.naming_key)?,
                map_key: Secret::from_hex(&stored.map_key)?,
            })
        };
        let domains: Option<Vec<Domain>> = ring.domains.iter().map(domain).collect();
        let domains = domains.ok_or_else(|| unreadable("a domain of the key ring is malformed"))?;
        if domains.is_empty() {
            return Err(unreadable("the key ring has no domain"));
        }
        let host = |stored: &StoredHost| {
            Some(HostEntry {
                name: stored.name.clone(),
                domain: hex::decode_array(&stored.domain)?,
                key: HostKey::from_secret(Secret::from_hex(&stored.key)?),
                added: stored.added,
            })
        };
        let hosts: Option<Vec<HostEntry>> = ring.hosts.iter().map(host).collect();
        let data_keys: Result<Vec<_>, _> =
            ring.data_keys.iter().map(DataKey::from_stored).collect();
        Ok(Self {
            sequence: ring.sequence,
            repository_hash: ring.repository_hash,
            domains,
            data_keys: data_keys?.into_iter().flatten().collect(),
            hosts: hosts.ok_or_else(|| unreadable("a host of the key ring is malformed"))?,
        })
    }
}
