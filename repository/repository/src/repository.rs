//! Making and opening a repository.

use std::sync::Arc;

use object_store::{ObjectStore, StoreErrorKind};

use crate::domain_view::{OpenKeys, Opener, Shared};
use crate::features::refuse_unknown_features;
use crate::format::{RepositoryFile, SealedKind, random_bytes, seal};
use crate::hex;
use crate::keys::{KeyRing, KeySlot, PasswordCost, Secret, Unlock};
use crate::unlock::{MASTER_KEY_ID, SMALL_FILE_BYTES_MAX, open_keys, ring_object};
use crate::{RepositoryError, RepositoryErrorKind};

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

/// Returns the id of the repository in a store, which takes no key: 32 hex digits.
///
/// It tells one repository from another, such as on disks that come and go. That the file is the
/// repository's own is only known once it is opened.
pub fn repository_id(store: &dyn ObjectStore) -> Result<String, RepositoryError> {
    let file_bytes = store.get(RepositoryFile::OBJECT, SMALL_FILE_BYTES_MAX)?;
    Ok(RepositoryFile::parse(&file_bytes)?.id)
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
            // What an init that died left is in the way of nobody, nor is what `repo test` could
            // not remove for a lock.
            let left = ["keys/", "rings/", "lifeboat-test-"];
            if !left.iter().any(|start| object.name.starts_with(start)) {
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
        let mut slots = Vec::new();
        for unlock in unlocks {
            let slot = hex::encode(&random_bytes::<8>()?);
            let wrapped = KeySlot::wrap(&master, unlock, options.password_cost, &file.id, &slot)?;
            store.put_new(&format!("keys/{slot}"), &wrapped.to_json())?;
            slots.push(slot);
        }
        let ring = KeyRing::generate(blake3::hash(&file_bytes).to_hex().to_string())?;
        let object = ring_object(&file, ring.sequence);
        let body = ring.to_json();
        store.put_new(
            &object,
            &seal(SealedKind::KeyRing, MASTER_KEY_ID, &master, &object, &body)?,
        )?;
        store.put_new(RepositoryFile::OBJECT, &file_bytes)?;
        let slot = slots.into_iter().next().unwrap_or_default();
        let opener = Opener::Master { master, slot };
        Self::assemble(store, file, OpenKeys::new(opener, ring))
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
        let (keys, ring) = open_keys(&*store, &file, unlock)?;
        if ring.repository_hash != blake3::hash(&file_bytes).to_hex().as_str() {
            return Err(RepositoryError::damaged(
                RepositoryFile::OBJECT,
                "the parameters were changed since the repository was made",
            ));
        }
        Self::assemble(store, file, keys)
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
    RepositoryError::new(RepositoryErrorKind::NoSuchKey, what)
        .hint("`lifeboat repo domain list` shows the domains")
}
