//! Names of chunks, nodes, groups and packs (section 7).

use std::fmt;

use crate::RepositoryError;
use crate::format::random_bytes;
use crate::hex;
use crate::keys::{Domain, Secret};

/// Name of a chunk or map node: a keyed hash of its content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(pub(crate) [u8; 32]);

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0[..8]))
    }
}

/// Name of a pack or index object: random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PackId(pub(crate) [u8; 16]);

impl PackId {
    pub(crate) fn random() -> Result<Self, RepositoryError> {
        Ok(Self(random_bytes()?))
    }

    /// Returns the name of the pack's object.
    pub(crate) fn object_name(self) -> String {
        let hex = hex::encode(&self.0);
        format!("packs/{}/{hex}", &hex[..2])
    }

    /// Reads the name of a pack's object.
    pub(crate) fn from_object_name(name: &str) -> Option<Self> {
        let (folder, hex) = name.strip_prefix("packs/")?.split_once('/')?;
        let id = Self(hex::decode_array(hex)?);
        hex.starts_with(folder).then_some(id)
    }

    /// Returns the name that the header of a pack says, whatever the rest of it is.
    pub(crate) fn from_header(bytes: &[u8]) -> Option<Self> {
        let name = bytes.get(48..64)?.first_chunk()?;
        bytes.starts_with(b"LBPACK01").then_some(Self(*name))
    }

    /// Returns the name of the index object of this id.
    pub(crate) fn index_object_name(self) -> String {
        format!("index/{}", hex::encode(&self.0))
    }
}

impl fmt::Debug for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

/// Gives names within one domain.
#[derive(Debug, Clone)]
pub(crate) struct Naming {
    chunk: Secret,
    node: Secret,
    group: Secret,
}

impl Naming {
    pub(crate) fn of(domain: &Domain) -> Self {
        let key = &domain.naming_key;
        Self {
            chunk: key.clone(),
            node: key.derive("lifeboat v1 map node", &[]),
            group: key.derive("lifeboat v1 group", &[]),
        }
    }

    pub(crate) fn chunk(&self, content: &[u8]) -> Name {
        Name(*blake3::keyed_hash(self.chunk.bytes(), content).as_bytes())
    }

    pub(crate) fn node(&self, canonical: &[u8]) -> Name {
        Name(*blake3::keyed_hash(self.node.bytes(), canonical).as_bytes())
    }

    /// Returns the group of a VM, as hex.
    pub(crate) fn group(&self, identity: &str) -> String {
        let hash = blake3::keyed_hash(self.group.bytes(), identity.as_bytes());
        hex::encode(&hash.as_bytes()[..16])
    }
}
