//! The key ring: domains and data keys.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::format::random_bytes;
use crate::hex;
use crate::keys::Secret;
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
    pub(crate) key: Secret,
}

/// All keys of a repository but the master key.
#[derive(Debug, Clone)]
pub(crate) struct KeyRing {
    pub(crate) sequence: u32,
    pub(crate) repository_hash: String,
    pub(crate) domains: Vec<Domain>,
    pub(crate) data_keys: Vec<DataKey>,
}

#[derive(Serialize, Deserialize)]
struct StoredRing {
    sequence: u32,
    repository_hash: String,
    domains: Vec<StoredDomain>,
    data_keys: Vec<StoredDataKey>,
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

impl KeyRing {
    /// Makes the first ring of a repository: one domain, one data key.
    pub(crate) fn generate(repository_hash: String) -> Result<Self, RepositoryError> {
        let id = random_bytes()?;
        let domain = Domain {
            id,
            name: DEFAULT_DOMAIN.to_owned(),
            naming_key: Secret::random()?,
            map_key: Secret::random()?,
        };
        let data_key = DataKey {
            id: random_bytes()?,
            domain: id,
            key: Secret::random()?,
        };
        Ok(Self {
            sequence: 1,
            repository_hash,
            domains: vec![domain],
            data_keys: vec![data_key],
        })
    }

    /// Returns a domain by its id.
    pub(crate) fn domain(&self, id: DomainId) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.id == id)
    }

    /// Returns a data key of a domain by its id.
    pub(crate) fn data_key(&self, domain: DomainId, id: [u8; 16]) -> Option<&DataKey> {
        let mut keys = self.data_keys.iter();
        keys.find(|key| key.domain == domain && key.id == id)
    }

    pub(crate) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let ring = StoredRing {
            sequence: self.sequence,
            repository_hash: self.repository_hash.clone(),
            domains: self
                .domains
                .iter()
                .map(|domain| StoredDomain {
                    id: hex::encode(&domain.id),
                    name: domain.name.clone(),
                    naming_key: Zeroizing::new(domain.naming_key.to_hex()),
                    map_key: Zeroizing::new(domain.map_key.to_hex()),
                })
                .collect(),
            data_keys: self
                .data_keys
                .iter()
                .map(|key| StoredDataKey {
                    id: hex::encode(&key.id),
                    domain: hex::encode(&key.domain),
                    scheme: "derived".to_owned(),
                    key: Zeroizing::new(key.key.to_hex()),
                })
                .collect(),
        };
        // Plain structs of strings and numbers always serialise.
        Zeroizing::new(serde_json::to_vec(&ring).unwrap_or_default())
    }

    pub(crate) fn from_json(bytes: &[u8]) -> Result<Self, RepositoryError> {
        let wrong = |what: &str| RepositoryError::new(RepositoryErrorKind::Unsupported, what);
        let ring: StoredRing = serde_json::from_slice(bytes).map_err(|error| {
            wrong("the key ring is not one that this version reads").caused_by(error)
        })?;
        let mut domains = Vec::new();
        for domain in &ring.domains {
            let read = || {
                Some(Domain {
                    id: hex::decode_array(&domain.id)?,
                    name: domain.name.clone(),
                    naming_key: Secret::from_hex(&domain.naming_key)?,
                    map_key: Secret::from_hex(&domain.map_key)?,
                })
            };
            domains.push(read().ok_or_else(|| wrong("a domain of the key ring is malformed"))?);
        }
        let mut data_keys = Vec::new();
        for key in ring.data_keys.iter().filter(|key| key.scheme == "derived") {
            let read = || {
                Some(DataKey {
                    id: hex::decode_array(&key.id)?,
                    domain: hex::decode_array(&key.domain)?,
                    key: Secret::from_hex(&key.key)?,
                })
            };
            data_keys.push(read().ok_or_else(|| wrong("a data key of the key ring is malformed"))?);
        }
        if domains.is_empty() {
            return Err(wrong("the key ring has no domain"));
        }
        let StoredRing {
            sequence,
            repository_hash,
            ..
        } = ring;
        Ok(Self {
            sequence,
            repository_hash,
            domains,
            data_keys,
        })
    }
}
