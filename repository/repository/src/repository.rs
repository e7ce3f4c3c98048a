//! Making and opening a repository.

use std::sync::Arc;

use object_store::{ObjectStore, StoreErrorKind};

use crate::features::refuse_unknown_features;
use crate::format::{
    RepositoryFile, SEALED_BYTES_MAX, SealedKind, open_sealed, random_bytes, seal,
};
use crate::hex;
use crate::keys::{KeyRing, KeySlot, PasswordCost, Secret, Unlock};
use crate::shared::{OpenKeys, Shared};
use crate::{RepositoryError, RepositoryErrorKind};

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
        Self::assemble(store, file, OpenKeys::new(master, ring))
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
        let ring = open_ring(&*store, &file, &master, 0)?.ok_or_else(no_ring)?;
        if ring.repository_hash != blake3::hash(&file_bytes).to_hex().as_str() {
            return Err(RepositoryError::damaged(
                RepositoryFile::OBJECT,
                "the parameters were changed since the repository was made",
            ));
        }
        Self::assemble(store, file, OpenKeys::new(master, ring))
    }

    fn assemble(
        store: Arc<dyn ObjectStore>,
        file: RepositoryFile,
        keys: OpenKeys,
    ) -> Result<Self, RepositoryError> {
        let shared = Arc::new(Shared::new(store, file, keys)?);
        Ok(Self { shared })
    }

    /// Returns the repository's id, 32 hex digits.
    pub fn id(&self) -> &str {
        &self.shared.file.id
    }

    /// Returns where the repository lies.
    pub fn location(&self) -> String {
        self.shared.store.location()
    }

    /// Returns the name of the domain that this handle writes to.
    pub fn domain(&self) -> &str {
        &self.shared.domain().name
    }

    /// Returns the names of all domains that this key opens, oldest first.
    pub fn domains(&self) -> Vec<String> {
        let ring = self.shared.ring();
        ring.domains
            .iter()
            .map(|domain| domain.name.clone())
            .collect()
    }

    /// Returns a handle that writes to another domain. Points of all domains are read by any.
    pub fn in_domain(&self, name: &str) -> Result<Self, RepositoryError> {
        let find = || {
            let ring = self.shared.ring();
            let found = ring.domains.iter().find(|domain| domain.name == name);
            found.map(|domain| domain.id)
        };
        let id = match find() {
            Some(id) => id,
            None => {
                self.shared.reload_keys()?;
                find().ok_or_else(|| no_domain(name))?
            }
        };
        let shared = self.shared.of_domain(id)?;
        Ok(Self { shared })
    }

    /// Returns the chunk size in bytes.
    pub fn chunk_bytes(&self) -> u32 {
        self.shared.file.chunk_bytes
    }
}

/// There is no repository where one was expected.
fn no_repository(location: &str) -> RepositoryError {
    let what = format!("there is no repository at {location}");
    RepositoryError::new(RepositoryErrorKind::NotFound, what)
        .hint("make one with `lifeboat repo init --repo DIR`")
}

fn no_domain(name: &str) -> RepositoryError {
    let what = format!("the repository has no domain {name}, or this key does not open it");
    RepositoryError::new(RepositoryErrorKind::OtherDomain, what)
        .hint("`lifeboat repo domain list` shows the domains")
}

pub(crate) fn ring_object(file: &RepositoryFile, sequence: u32) -> String {
    format!("rings/{}-{sequence:08}", file.id)
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

fn no_ring() -> RepositoryError {
    RepositoryError::damaged("rings/", "the key ring is missing")
}

/// Reads the newest key ring that is newer than sequence `known`; `None` where there is none.
pub(crate) fn open_ring(
    store: &dyn ObjectStore,
    file: &RepositoryFile,
    master: &Secret,
    known: u32,
) -> Result<Option<KeyRing>, RepositoryError> {
    let oldest = ring_object(file, known);
    let mut objects = Vec::new();
    store.list("rings/", &mut |object| {
        if object.name.starts_with(&format!("rings/{}-", file.id)) && object.name > oldest {
            objects.push(object.name);
        }
    })?;
    objects.sort_unstable();
    let mut last_error = None;
    for object in objects.iter().rev() {
        let read = || {
            let bytes = store.get(object, SEALED_BYTES_MAX as u64)?;
            let body = open_sealed(SealedKind::KeyRing, MASTER_KEY_ID, master, object, &bytes)?;
            let ring = KeyRing::from_json(&body).map_err(|error| error.in_object(object))?;
            if ring_object(file, ring.sequence) != *object {
                let what = "the key ring says that it is another one";
                return Err(RepositoryError::damaged(object, what));
            }
            Ok(Some(ring))
        };
        match read() {
            // An older ring serves where the newest does not authenticate; any other failure must
            // not make this run write under keys that were retired.
            Err(error) if error.kind() == RepositoryErrorKind::Damaged => last_error = Some(error),
            result => return result,
        }
    }
    // Where a ring is held already, one that does not authenticate is none.
    match last_error {
        Some(error) if known == 0 => Err(error),
        _ => Ok(None),
    }
}
