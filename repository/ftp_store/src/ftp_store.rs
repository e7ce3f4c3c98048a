//! The store.

use std::collections::HashSet;
use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use object_store::{
    ConnectionPool, ObjectInfo, ObjectStore, Secret, ServerFolder, StoreError, StoreErrorKind,
    TEMPORARY_FOLDER, check_object_name, temporary_name,
};
use rustls::ClientConfig;
use suppaftp::FtpError;

use crate::connection::Connection;
use crate::encryption::Encryption;
use crate::failure::{failed, kind_of, kind_of_io};
use crate::trust::tls_config;

mod listing;
mod publishing;

/// How a store is reached.
#[derive(Debug, Clone)]
pub struct FtpOptions {
    /// What keeps others from reading along.
    pub encryption: Encryption,
    /// Connections at once, at most: servers allow a user a few.
    pub connections: usize,
}

impl Default for FtpOptions {
    /// TLS by the machine's roots, four connections.
    fn default() -> Self {
        Self {
            encryption: Encryption::Tls { ca_file: None },
            connections: 4,
        }
    }
}

/// A store in a folder on a server that speaks FTP.
pub struct FtpStore {
    address: ServerFolder,
    password: Secret,
    tls: Option<Arc<ClientConfig>>,
    pool: ConnectionPool<Connection>,
    /// Claims that were made here and not given back: the line was cut.
    claims: Mutex<HashSet<String>>,
}

impl FtpStore {
    /// Opens the store in an existing folder.
    pub fn open(
        address: ServerFolder,
        password: Secret,
        options: FtpOptions,
    ) -> Result<Self, StoreError> {
        let store = Self::connect(address, password, options)?;
        store.call(|connection| store.check_root(connection))?;
        Ok(store)
    }

    /// Makes the folder, and those above it, where it is not there, and opens it.
    pub fn create(
        address: ServerFolder,
        password: Secret,
        options: FtpOptions,
    ) -> Result<Self, StoreError> {
        let store = Self::connect(address, password, options)?;
        store.call(|connection| {
            let root = connection.root.clone();
            publishing::make_folders(connection, "", root.trim_start_matches('/'));
            store.check_root(connection)
        })?;
        Ok(store)
    }

    fn connect(
        address: ServerFolder,
        password: Secret,
        options: FtpOptions,
    ) -> Result<Self, StoreError> {
        let tls = match &options.encryption {
            Encryption::Tls { ca_file } => {
                Some(tls_config(&address.to_string(), ca_file.as_deref())?)
            }
            Encryption::None => None,
        };
        Ok(Self {
            address,
            password,
            tls,
            pool: ConnectionPool::new(options.connections),
            claims: Mutex::default(),
        })
    }

    fn call<T>(
        &self,
        call: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.pool.with(
            Connection::is_usable,
            || Connection::open(&self.address, self.tls.as_ref(), &self.password),
            call,
        )
    }

    /// As [`Self::call`], for what only reads: a server that was cut off in the middle of an object
    /// may end the connection after its answer.
    fn call_to_read<T>(
        &self,
        call: impl FnMut(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.pool.with_again(
            Connection::is_usable,
            || Connection::open(&self.address, self.tls.as_ref(), &self.password),
            call,
        )
    }

    fn check_root(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let root = connection.root.clone();
        connection.ftp.cwd(root).map_err(|error| {
            let place = self.location();
            match kind_of(&error) {
                StoreErrorKind::NotFound => StoreError::new(
                    StoreErrorKind::MediumAbsent,
                    &place,
                    "the server has no such folder for this user: see that the path is right and \
                     that what it lies on is mounted there",
                ),
                _ => failed(&place, "cannot look at this folder", &error),
            }
        })
    }

    /// Makes an error of a failed command. What is not found may be all of the store.
    fn failed(
        &self,
        connection: &mut Connection,
        name: &str,
        what: &str,
        error: &FtpError,
    ) -> StoreError {
        if kind_of(error) == StoreErrorKind::NotFound
            && let Err(root) = self.check_root(connection)
        {
            return root;
        }
        failed(name, what, error)
    }

    fn size_of(&self, connection: &mut Connection, name: &str) -> Result<u64, StoreError> {
        let path = format!("{}/{name}", connection.root);
        match connection.size(&path) {
            Ok(Some(size_bytes)) => Ok(size_bytes),
            Ok(None) => {
                self.check_root(connection)?;
                let text = "this object is not there";
                Err(StoreError::new(StoreErrorKind::NotFound, name, text))
            }
            Err(error) => Err(failed(name, "cannot look at this object", &error)),
        }
    }

    /// Fills `buf` from an object; why that failed is found out afterwards.
    fn read(
        &self,
        connection: &mut Connection,
        name: &str,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), StoreError> {
        let result = fetch(connection, name, offset, buf);
        let Err(error) = result else { return Ok(()) };
        let kind = kind_of(&error);
        if kind == StoreErrorKind::Unavailable && !is_end(&error) {
            return Err(failed(name, "cannot read this object", &error));
        }
        let size_bytes = self.size_of(connection, name)?;
        let end = offset.saturating_add(buf.len() as u64);
        Err(match (size_bytes < end, is_end(&error)) {
            (true, _) => StoreError::new(
                StoreErrorKind::WrongSize,
                name,
                "this object is shorter than expected",
            ),
            // The line was cut, though it looked like an end.
            (false, true) => StoreError::new(
                StoreErrorKind::Unavailable,
                name,
                "the server broke off in the middle of this object",
            ),
            (false, false) => failed(name, "cannot read this object", &error),
        })
    }
}

/// Returns whether a transfer ended before all was there.
fn is_end(error: &FtpError) -> bool {
    matches!(error, FtpError::ConnectionError(error) if error.kind() == io::ErrorKind::UnexpectedEof)
}

fn fetch(
    connection: &mut Connection,
    name: &str,
    offset: u64,
    buf: &mut [u8],
) -> Result<(), FtpError> {
    if buf.is_empty() {
        return Ok(());
    }
    let too_far = || FtpError::ConnectionError(io::ErrorKind::UnexpectedEof.into());
    let start = usize::try_from(offset).map_err(|_| too_far())?;
    connection.ftp.resume_transfer(start)?;
    let path = format!("{}/{name}", connection.root);
    let mut stream = connection.ftp.retr_as_stream(path)?;
    let read = stream.read_exact(buf);
    // What lies behind the range is not wanted, and the server says that it was cut off.
    let finished = stream.finish();
    match (read, finished) {
        (Ok(()), Err(FtpError::ConnectionError(error))) => Err(FtpError::ConnectionError(error)),
        (Ok(()), _) => Ok(()),
        (Err(error), _) => Err(FtpError::ConnectionError(error)),
    }
}

impl std::fmt::Debug for FtpStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FtpStore")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl ObjectStore for FtpStore {
    fn location(&self) -> String {
        self.address.to_string()
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        check_object_name(name)?;
        self.call(|connection| self.put(connection, name, bytes))
    }

    fn get(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        check_object_name(name)?;
        self.call_to_read(|connection| {
            let size_bytes = self.size_of(connection, name)?;
            let len = usize::try_from(size_bytes).ok();
            let Some(len) = len.filter(|_| size_bytes <= limit_bytes) else {
                let text = format!(
                    "this object has {size_bytes} bytes, at most {limit_bytes} were expected"
                );
                return Err(StoreError::new(StoreErrorKind::WrongSize, name, text));
            };
            let mut bytes = vec![0; len];
            self.read(connection, name, 0, &mut bytes)?;
            Ok(bytes)
        })
    }

    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        check_object_name(name)?;
        self.call_to_read(|connection| {
            if buf.is_empty() {
                let size_bytes = self.size_of(connection, name)?;
                return match offset <= size_bytes {
                    true => Ok(()),
                    false => Err(StoreError::new(
                        StoreErrorKind::WrongSize,
                        name,
                        "this object is shorter than expected",
                    )),
                };
            }
            self.read(connection, name, offset, buf)
        })
    }

    fn size_bytes(&self, name: &str) -> Result<u64, StoreError> {
        check_object_name(name)?;
        self.call_to_read(|connection| self.size_of(connection, name))
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        if let Some(folder) = prefix.strip_suffix('/') {
            check_object_name(folder)?;
        }
        self.call(|connection| self.list_below(connection, prefix, visit))
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        check_object_name(name)?;
        self.call(|connection| {
            let path = format!("{}/{name}", connection.root);
            let Err(error) = connection.ftp.rm(&path) else {
                return Ok(());
            };
            const WHAT: &str = "cannot remove this object";
            if kind_of(&error) != StoreErrorKind::NotFound {
                return Err(failed(name, WHAT, &error));
            }
            match connection.size(&path) {
                // What is not there is removed, unless nothing is.
                Ok(None) => self.check_root(connection),
                Ok(Some(_)) => {
                    let text = format!("{WHAT}: the server refuses to");
                    Err(StoreError::new(StoreErrorKind::Denied, name, text))
                }
                Err(error) => Err(failed(name, WHAT, &error)),
            }
        })
    }

    /// A new file's time is told by the machine that keeps the folder. Whole seconds.
    fn now(&self) -> Result<SystemTime, StoreError> {
        self.call(|connection| {
            let temporary = self.temporary_path(connection)?;
            self.write(connection, TEMPORARY_FOLDER, &temporary, &[])?;
            let told = connection.ftp.mdtm(&temporary);
            drop(connection.ftp.rm(&temporary));
            let told = told.map_err(|error| failed(TEMPORARY_FOLDER, "no time is told", &error))?;
            Ok(SystemTime::from(told.and_utc()))
        })
    }
}

/// Returns what a transfer's own failure is.
pub(super) fn broke_off(name: &str, what: &str, error: &io::Error) -> StoreError {
    StoreError::new(kind_of_io(error), name, format!("{what}: {error}"))
}
