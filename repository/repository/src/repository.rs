//! Making and opening a repository.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::{ObjectStore, StoreErrorKind};

use crate::cache::Cache;
use crate::format::{
    Aead, HEADER_BYTES, Header, Naming, PackId, PackKind, RepositoryFile, SEALED_BYTES_MAX,
    SealedKind, open_sealed, random_bytes, seal,
};
use crate::hex;
use crate::keys::{Domain, KeyRing, KeySlot, PasswordCost, Secret, Unlock};
use crate::read::NodeWindows;
use crate::{RepositoryError, RepositoryErrorKind};

/// Pack keys that are kept ready; each takes about a kilobyte.
const PACK_KEYS_KEPT: usize = 4096;
const MASTER_KEY_ID: [u8; 16] = [0; 16];
/// Slots that are tried: anybody with the bucket can add some, and each try costs a third of a
/// second.
const SLOTS_MAX: usize = 64;
const SMALL_FILE_BYTES_MAX: u64 = 1 << 20;

/// What a new repository is made with.
#[derive(Debug, Clone, Copy)]
pub struct InitOptions {
    /// Chunk size in bytes; see the format page for why 64 KiB.
    pub chunk_bytes: u32,
    /// Target size of a pack in bytes.
    pub pack_bytes: u32,
    /// The price of one try at a password.
    pub password_cost: PasswordCost,
}

impl Default for InitOptions {
    fn default() -> Self {
        Self {
            chunk_bytes: 64 << 10,
            pack_bytes: 32 << 20,
            password_cost: PasswordCost::default(),
        }
    }
}

/// An open repository.
#[derive(Clone)]
pub struct Repository {
    pub(crate) shared: Arc<Shared>,
}

/// What reading and writing share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) file: RepositoryFile,
    pub(crate) ring: KeyRing,
    pub(crate) naming: Naming,
    pack_keys: Mutex<Cache<PackId, (PackKind, Arc<Aead>)>>,
    pub(crate) node_windows: NodeWindows,
}

impl Repository {
    /// Makes a repository in an empty store. All of `unlocks` will open it.
    pub fn init(
        store: Arc<dyn ObjectStore>,
        unlocks: &[Unlock<'_>],
        options: InitOptions,
    ) -> Result<Self, RepositoryError> {
        if unlocks.is_empty() {
            let what = "a repository that nothing opens is of no use";
            return Err(RepositoryError::new(RepositoryErrorKind::WrongKey, what));
        }
        let mut taken = None;
        store.list("", &mut |object| {
            // What an init that died left is in the way of nobody.
            if !object.name.starts_with("keys/") && !object.name.starts_with("rings/") {
                taken.get_or_insert(object.name);
            }
        })?;
        if let Some(object) = taken {
            let what = format!("{} is not empty: it holds {object}", store.location());
            return Err(
                RepositoryError::new(RepositoryErrorKind::Exists, what).hint(
                    "choose an empty folder, or leave out `repo init` if this is your repository",
                ),
            );
        }
        let file = RepositoryFile {
            format: RepositoryFile::FORMAT.to_owned(),
            version: 1,
            id: hex::encode(&random_bytes::<16>()?),
            chunk_bytes: options.chunk_bytes,
            pack_bytes: options.pack_bytes,
            created: jiff::Timestamp::now(),
        };
        let file_bytes = file.to_bytes();
        RepositoryFile::parse(&file_bytes)?;
        let master = Secret::random()?;
        for unlock in unlocks {
            let slot = hex::encode(&random_bytes::<8>()?);
            let wrapped = KeySlot::wrap(&master, unlock, options.password_cost, &file.id, &slot)?;
            // A plain struct of strings and numbers always serialises.
            let bytes = serde_json::to_vec(&wrapped).unwrap_or_default();
            store.put_new(&format!("keys/{slot}"), &bytes)?;
        }
        let ring = KeyRing::generate(blake3::hash(&file_bytes).to_hex().to_string())?;
        let object = ring_object(&file, ring.sequence);
        let body = ring.to_json();
        store.put_new(
            &object,
            &seal(SealedKind::KeyRing, MASTER_KEY_ID, &master, &object, &body)?,
        )?;
        store.put_new(RepositoryFile::OBJECT, &file_bytes)?;
        Ok(Self::assemble(store, file, ring))
    }

    /// Opens a repository.
    pub fn open(store: Arc<dyn ObjectStore>, unlock: &Unlock<'_>) -> Result<Self, RepositoryError> {
        let file_bytes = match store.get(RepositoryFile::OBJECT, SMALL_FILE_BYTES_MAX) {
            Err(error) if error.kind() == StoreErrorKind::NotFound => {
                return Err(no_repository(&store.location()).caused_by(error));
            }
            result => result?,
        };
        let file = RepositoryFile::parse(&file_bytes)?;
        refuse_unknown_features(&*store, "features/read-")?;
        let master = open_slots(&*store, &file, unlock)?;
        let ring = open_ring(&*store, &file, &master)?;
        if ring.repository_hash != blake3::hash(&file_bytes).to_hex().as_str() {
            return Err(RepositoryError::damaged(
                RepositoryFile::OBJECT,
                "the parameters were changed since the repository was made",
            ));
        }
        Ok(Self::assemble(store, file, ring))
    }

    fn assemble(store: Arc<dyn ObjectStore>, file: RepositoryFile, ring: KeyRing) -> Self {
        let naming = Naming::of(&ring.domains[0]);
        let pack_keys = Mutex::new(Cache::new(PACK_KEYS_KEPT));
        Self {
            shared: Arc::new(Shared {
                store,
                file,
                ring,
                naming,
                pack_keys,
                node_windows: NodeWindows::new(),
            }),
        }
    }

    /// Returns the repository's id, 32 hex digits.
    pub fn id(&self) -> &str {
        &self.shared.file.id
    }

    /// Returns where the repository lies.
    pub fn location(&self) -> String {
        self.shared.store.location()
    }

    /// Returns the chunk size in bytes.
    pub fn chunk_bytes(&self) -> u32 {
        self.shared.file.chunk_bytes
    }
}

impl Shared {
    /// Returns the domain that new data belongs to.
    pub(crate) fn domain(&self) -> &Domain {
        // A ring without a domain is refused when it is read.
        &self.ring.domains[0]
    }

    /// Returns header and secret for a new pack.
    pub(crate) fn new_pack(&self, kind: PackKind) -> Result<(Header, &Secret), RepositoryError> {
        let domain = self.domain();
        let (key_id, secret) = match kind {
            PackKind::MapNodes => (domain.id, &domain.map_key),
            PackKind::Chunks => {
                let keys = &self.ring.data_keys;
                let key = keys
                    .iter()
                    .rev()
                    .find(|key| key.domain == domain.id)
                    .ok_or_else(|| {
                        let what = "the key ring has no data key for this domain";
                        RepositoryError::new(RepositoryErrorKind::Unsupported, what)
                    })?;
                (key.id, &key.key)
            }
        };
        Ok((
            Header {
                kind,
                domain: domain.id,
                key_id,
                pack: PackId::random()?,
            },
            secret,
        ))
    }

    /// Returns the key of an existing pack from its header.
    pub(crate) fn key_of(&self, header: Header) -> Result<Aead, RepositoryError> {
        let secret = match header.kind {
            PackKind::MapNodes => {
                let mut domains = self.ring.domains.iter();
                domains
                    .find(|domain| domain.id == header.key_id)
                    .map(|domain| &domain.map_key)
            }
            PackKind::Chunks => {
                let mut keys = self.ring.data_keys.iter();
                keys.find(|key| key.id == header.key_id).map(|key| &key.key)
            }
        };
        let secret = secret.ok_or_else(|| {
            let what = "the pack is encrypted with a key that the key ring does not have";
            RepositoryError::new(RepositoryErrorKind::Damaged, what).at(32)
        })?;
        Ok(header.pack_key(secret))
    }

    /// Returns the header that a pack must have if there is but one key for its kind. A pack that
    /// has another one does not authenticate.
    fn only_header(&self, pack: PackId, kind: PackKind) -> Option<Header> {
        let key_id = match (kind, &self.ring.domains[..], &self.ring.data_keys[..]) {
            (PackKind::MapNodes, [domain], _) => domain.id,
            (PackKind::Chunks, [_], [data_key]) => data_key.id,
            _ => return None,
        };
        let domain = self.domain().id;
        Some(Header {
            kind,
            domain,
            key_id,
            pack,
        })
    }

    /// Returns the key of a pack that should be of `kind`; reads its header where that must tell.
    pub(crate) fn pack_key(
        &self,
        pack: PackId,
        kind: PackKind,
    ) -> Result<Arc<Aead>, RepositoryError> {
        let kept = self
            .pack_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&pack);
        let (found, key) = match kept {
            Some(kept) => kept,
            None => {
                let header = match self.only_header(pack, kind) {
                    Some(header) => header,
                    None => {
                        let mut bytes = [0; HEADER_BYTES];
                        self.store.get_range(&pack.object_name(), 0, &mut bytes)?;
                        Header::parse(&bytes, pack)?
                    }
                };
                let kept = (header.kind, Arc::new(self.key_of(header)?));
                let mut keys = self
                    .pack_keys
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                keys.insert(pack, kept.clone());
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

/// There is no repository where one was expected.
fn no_repository(location: &str) -> RepositoryError {
    let what = format!("there is no repository at {location}");
    RepositoryError::new(RepositoryErrorKind::NotFound, what)
        .hint("make one with `lifeboat repo init --repo DIR`")
}

fn ring_object(file: &RepositoryFile, sequence: u32) -> String {
    format!("rings/{}-{sequence:08}", file.id)
}

/// Fails if there is a feature whose name begins with `prefix`: this version knows none.
///
/// Those that begin with `features/read-` stop readers, all of them stop writers.
pub(crate) fn refuse_unknown_features(
    store: &dyn ObjectStore,
    prefix: &str,
) -> Result<(), RepositoryError> {
    let mut feature = None;
    store.list("features/", &mut |object| {
        if object.name.starts_with(prefix) {
            feature.get_or_insert(object.name);
        }
    })?;
    match feature {
        None => Ok(()),
        Some(feature) => {
            let what = "the repository uses a feature that this version does not know";
            Err(RepositoryError::new(RepositoryErrorKind::Unsupported, what)
                .in_object(&feature)
                .hint("use a newer version of lifeboat"))
        }
    }
}

fn open_slots(
    store: &dyn ObjectStore,
    file: &RepositoryFile,
    unlock: &Unlock<'_>,
) -> Result<Secret, RepositoryError> {
    let mut slots = Vec::new();
    store.list("keys/", &mut |object| slots.push(object.name))?;
    slots.sort_unstable();
    let mut readable = 0;
    let mut refused = None;
    for object in slots.iter().take(SLOTS_MAX) {
        let bytes = store.get(object, SMALL_FILE_BYTES_MAX)?;
        let Some(slot) = KeySlot::parse(&bytes, &file.id) else {
            continue;
        };
        readable += 1;
        match slot.open(unlock, object.trim_start_matches("keys/")) {
            Ok(master) => return Ok(master),
            Err(error) if error.kind() == RepositoryErrorKind::WrongKey => {}
            // A slot that makes no sense must not keep the others from opening.
            Err(error) => drop(refused.get_or_insert(error.in_object(object))),
        }
    }
    if let Some(error) = refused {
        return Err(error);
    }
    if readable == 0 {
        let what = "the repository has no readable key slot";
        return Err(RepositoryError::damaged("keys/", what)
            .hint("bring the folder `keys` back from a copy of the repository"));
    }
    Err(RepositoryError::new(
        RepositoryErrorKind::WrongKey,
        "wrong password or recovery key",
    ))
}

fn open_ring(
    store: &dyn ObjectStore,
    file: &RepositoryFile,
    master: &Secret,
) -> Result<KeyRing, RepositoryError> {
    let mut objects = HashSet::new();
    store.list("rings/", &mut |object| {
        if object.name.starts_with(&format!("rings/{}-", file.id)) {
            objects.insert(object.name);
        }
    })?;
    let mut objects: Vec<String> = objects.into_iter().collect();
    objects.sort_unstable();
    let mut last_error = RepositoryError::damaged("rings/", "the key ring is missing");
    for object in objects.iter().rev() {
        let read = || {
            let bytes = store.get(object, SEALED_BYTES_MAX as u64)?;
            let body = open_sealed(SealedKind::KeyRing, MASTER_KEY_ID, master, object, &bytes)?;
            KeyRing::from_json(&body).map_err(|error| error.in_object(object))
        };
        match read() {
            // An older ring serves where the newest does not authenticate; any other failure must
            // not make this run write under keys that were retired.
            Err(error) if error.kind() == RepositoryErrorKind::Damaged => last_error = error,
            result => return result,
        }
    }
    Err(last_error)
}
