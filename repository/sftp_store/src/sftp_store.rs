//! The store.

use std::collections::HashSet;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use object_store::{
    ConnectionPool, ObjectInfo, ObjectStore, ServerFolder, StoreError, StoreErrorKind,
    TEMPORARY_FOLDER, TEMPORARY_LIFE, check_object_name, temporary_name,
};
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags};
use tokio::runtime::Runtime;

use crate::SftpCredentials;
use crate::failure::{failed, kind_of};
use crate::host_keys::{HostKeyPolicy, HostKeys};
use crate::session::{Extensions, Session};
use crate::transfer::{read_exact, write_all};

mod listing;
mod publishing;

/// How a store is reached.
#[derive(Debug, Clone)]
pub struct SftpOptions {
    /// What is done about the server's key.
    pub host_keys: HostKeyPolicy,
    /// The file of known keys; the user's own (`~/.ssh/known_hosts`) where none is given.
    pub known_hosts: Option<PathBuf>,
    /// Connections at once, at most.
    pub connections: usize,
}

impl Default for SftpOptions {
    /// Strict, by the user's own file, four connections.
    fn default() -> Self {
        Self {
            host_keys: HostKeyPolicy::Strict,
            known_hosts: None,
            connections: 4,
        }
    }
}

/// A store in a folder on a server that speaks SFTP.
pub struct SftpStore {
    address: ServerFolder,
    host_keys: HostKeys,
    credentials: SftpCredentials,
    pool: ConnectionPool<Session>,
    extensions: OnceLock<Extensions>,
    /// Folders below the root whose own names are known to be durable.
    durable_folders: Mutex<HashSet<String>>,
    /// Taken out when the store is dropped: it must not be waited for.
    runtime: Option<Runtime>,
}

impl SftpStore {
    /// Opens the store in an existing folder.
    pub fn open(
        address: ServerFolder,
        credentials: SftpCredentials,
        options: SftpOptions,
    ) -> Result<Self, StoreError> {
        let store = Self::connect(address, credentials, options)?;
        store.call(async |session| store.check_root(session).await)?;
        Ok(store)
    }

    /// Makes the folder, and those above it, where it is not there, and opens it.
    pub fn create(
        address: ServerFolder,
        credentials: SftpCredentials,
        options: SftpOptions,
    ) -> Result<Self, StoreError> {
        let store = Self::connect(address, credentials, options)?;
        store.call(async |session| {
            store.make_root(session).await?;
            store.check_root(session).await
        })?;
        Ok(store)
    }

    fn connect(
        address: ServerFolder,
        credentials: SftpCredentials,
        options: SftpOptions,
    ) -> Result<Self, StoreError> {
        let place = address.to_string();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sftp")
            .enable_all()
            .build()
            .map_err(|error| StoreError::io(&place, "cannot start threads", error))?;
        let own = || Some(std::env::home_dir()?.join(".ssh").join("known_hosts"));
        let Some(known_hosts) = options.known_hosts.or_else(own) else {
            let text = "this user has no home folder, so no known_hosts: name the file";
            return Err(StoreError::new(StoreErrorKind::Denied, &place, text));
        };
        Ok(Self {
            host_keys: HostKeys {
                host: address.host.clone(),
                port: address.port,
                known_hosts,
                policy: options.host_keys,
                refused: Arc::default(),
            },
            address,
            credentials,
            pool: ConnectionPool::new(options.connections),
            extensions: OnceLock::new(),
            durable_folders: Mutex::default(),
            runtime: Some(runtime),
        })
    }

    /// Returns whether the server flushes what is written: without, an object is as durable as the
    /// server makes it. `None` before the first connection.
    pub fn flushes(&self) -> Option<bool> {
        self.extensions.get().map(|extensions| extensions.fsync)
    }

    /// Runs a call on a connection of its own.
    fn call<T>(
        &self,
        call: impl AsyncFnOnce(&Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Some(runtime) = &self.runtime else {
            // Only `drop` takes it out.
            let text = "this store is closed";
            return Err(StoreError::new(StoreErrorKind::Io, &self.location(), text));
        };
        let open = || {
            let open = Session::open(&self.address, &self.host_keys, &self.credentials);
            let session = block_on(runtime, open)?;
            let _ = self.extensions.set(session.extensions);
            Ok(session)
        };
        let is_usable = |session: &mut Session| !session.is_closed();
        self.pool.with(is_usable, open, |session| {
            block_on(runtime, async {
                tokio::select! {
                    biased;
                    result = call(&*session) => result,
                    () = session.closed() => Err(StoreError::new(
                        StoreErrorKind::Unavailable,
                        &self.location(),
                        "the connection to the server broke",
                    )),
                }
            })
        })
    }

    fn path(&self, name: &str) -> Result<String, StoreError> {
        check_object_name(name)?;
        Ok(self.below_root(name))
    }

    fn below_root(&self, name: &str) -> String {
        format!("{}/{name}", self.address.path)
    }

    /// Makes an error of a failed request. What is not found may be all of the store.
    async fn failed(&self, session: &Session, name: &str, what: &str, error: Error) -> StoreError {
        if kind_of(&error) == StoreErrorKind::NotFound
            && let Err(root) = self.check_root(session).await
        {
            return root;
        }
        failed(name, what, &error)
    }

    async fn check_root(&self, session: &Session) -> Result<(), StoreError> {
        let place = self.location();
        match session.raw.stat(&self.address.path).await {
            Ok(attributes) if attributes.attrs.is_dir() => Ok(()),
            Ok(_) => Err(StoreError::new(
                StoreErrorKind::NotFound,
                &place,
                "this is not a folder",
            )),
            Err(error) if kind_of(&error) == StoreErrorKind::NotFound => Err(StoreError::new(
                StoreErrorKind::MediumAbsent,
                &place,
                "the server has no such folder: see that the path is right and that what it lies \
                 on is mounted there",
            )),
            Err(error) => Err(failed(&place, "cannot look at this folder", &error)),
        }
    }

    async fn open_file(
        &self,
        session: &Session,
        name: &str,
        path: &str,
    ) -> Result<String, StoreError> {
        let open = session
            .raw
            .open(path, OpenFlags::READ, FileAttributes::empty());
        match open.await {
            Ok(handle) => Ok(handle.handle),
            Err(error) if kind_of(&error) == StoreErrorKind::NotFound => Err(self
                .failed(session, name, "this object is not there", error)
                .await),
            Err(error) => Err(failed(name, "cannot open this object", &error)),
        }
    }

    /// Fills `buf` from an object, which `check` has seen open.
    async fn read_open(
        &self,
        session: &Session,
        name: &str,
        handle: &str,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), StoreError> {
        read_exact(session, handle, offset, buf)
            .await
            .map_err(|error| match kind_of(&error) {
                StoreErrorKind::WrongSize => StoreError::new(
                    StoreErrorKind::WrongSize,
                    name,
                    "this object is shorter than expected",
                ),
                _ => failed(name, "cannot read this object", &error),
            })
    }
}

impl Drop for SftpStore {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for SftpStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SftpStore")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

fn block_on<F: Future>(runtime: &Runtime, future: F) -> F::Output {
    runtime.block_on(future)
}

/// Closes a file without waiting for it: nothing depends on the answer.
fn close_later(session: &Session, handle: String) {
    let raw = Arc::clone(&session.raw);
    tokio::spawn(async move {
        // The server closes what is open when the connection ends.
        let _ = raw.close(handle).await;
    });
}

impl ObjectStore for SftpStore {
    fn location(&self) -> String {
        self.address.to_string()
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let target = self.path(name)?;
        self.call(async |session| self.put(session, name, &target, bytes).await)
    }

    fn get(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let path = self.path(name)?;
        self.call(async |session| {
            let handle = self.open_file(session, name, &path).await?;
            let attributes = session.raw.fstat(&handle).await;
            let size_bytes = attributes.map_err(|e| failed(name, "cannot tell its size", &e));
            let result = async {
                let size_bytes = size_bytes?.attrs.size.unwrap_or(u64::MAX);
                let len = usize::try_from(size_bytes).ok();
                let Some(len) = len.filter(|_| size_bytes <= limit_bytes) else {
                    let text = format!(
                        "this object has {size_bytes} bytes, at most {limit_bytes} were expected"
                    );
                    return Err(StoreError::new(StoreErrorKind::WrongSize, name, text));
                };
                let mut bytes = vec![0; len];
                self.read_open(session, name, &handle, 0, &mut bytes)
                    .await?;
                Ok(bytes)
            }
            .await;
            close_later(session, handle);
            result
        })
    }

    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        let path = self.path(name)?;
        self.call(async |session| {
            let handle = self.open_file(session, name, &path).await?;
            let result = self.read_open(session, name, &handle, offset, buf).await;
            close_later(session, handle);
            result
        })
    }

    fn size_bytes(&self, name: &str) -> Result<u64, StoreError> {
        let path = self.path(name)?;
        self.call(async |session| match session.raw.stat(&path).await {
            Ok(found) => match found.attrs.size.filter(|_| found.attrs.is_regular()) {
                Some(size_bytes) => Ok(size_bytes),
                None => Err(StoreError::new(
                    StoreErrorKind::Io,
                    name,
                    "this is not a file",
                )),
            },
            Err(error) => {
                let what = match kind_of(&error) {
                    StoreErrorKind::NotFound => "this object is not there",
                    _ => "cannot look at this object",
                };
                Err(self.failed(session, name, what, error).await)
            }
        })
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        if let Some(folder) = prefix.strip_suffix('/') {
            check_object_name(folder)?;
        }
        self.call(async |session| self.list_below(session, prefix, visit).await)
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name)?;
        self.call(async |session| match session.raw.remove(&path).await {
            Ok(_) => Ok(()),
            Err(error) if kind_of(&error) == StoreErrorKind::NotFound => {
                // What is not there is removed, unless nothing is.
                self.check_root(session).await
            }
            Err(error) => Err(failed(name, "cannot remove this object", &error)),
        })
    }

    /// A new file's time is told by the machine that keeps the folder. Whole seconds.
    fn now(&self) -> Result<SystemTime, StoreError> {
        self.call(async |session| self.look_at_clock(session).await)
    }

    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        self.call(async |session| {
            if !session.extensions.statvfs {
                return Ok(None);
            }
            match session.raw.statvfs(&self.address.path).await {
                Ok(volume) => Ok(Some(
                    volume.blocks_avail.saturating_mul(volume.fragment_size),
                )),
                Err(error) => {
                    let place = self.location();
                    let what = "cannot tell its free space";
                    Err(self.failed(session, &place, what, error).await)
                }
            }
        })
    }
}
