//! Why a store could not do what it was asked.

use std::error::Error;
use std::fmt;
use std::io;

/// What sort of failure this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// No such object, or no such store.
    NotFound,
    /// The object is there already; nothing was written.
    Exists,
    /// The object is shorter than the range that was asked for, or longer than allowed.
    WrongSize,
    /// The volume or quota is full.
    NoSpace,
    /// The system refused access.
    Denied,
    /// The name is not one that a store takes.
    BadName,
    /// The store keeps the object until a later time.
    Locked,
    /// The store cannot do this at all.
    Unsupported,
    /// The store did not answer, or asked to be left alone for a while: the same may work later.
    Unavailable,
    /// The disk or share that the store lies on is not there: it was taken out, or not put in yet.
    MediumAbsent,
    /// Anything else that reading or writing can meet.
    Io,
}

/// A store's failure: what was tried, on which object.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    object: String,
    message: String,
    source: Option<io::Error>,
}

impl StoreError {
    /// Makes an error about `object`; `message` has no full stop.
    pub fn new(kind: StoreErrorKind, object: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            object: object.to_owned(),
            message: message.into(),
            source: None,
        }
    }

    /// Wraps a failed system call. The kind follows the system's own.
    pub fn io(object: &str, message: impl Into<String>, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::NotFound => StoreErrorKind::NotFound,
            io::ErrorKind::AlreadyExists => StoreErrorKind::Exists,
            io::ErrorKind::UnexpectedEof => StoreErrorKind::WrongSize,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreErrorKind::NoSpace,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                StoreErrorKind::Denied
            }
            kind if may_pass(kind) => StoreErrorKind::Unavailable,
            _ => StoreErrorKind::Io,
        };
        Self {
            kind,
            object: object.to_owned(),
            message: message.into(),
            source: Some(source),
        }
    }

    /// Returns the error with how often it was tried, where that was more than once.
    #[must_use]
    pub(crate) fn after_attempts(mut self, attempts: u32) -> Self {
        if attempts > 1 {
            self.message = format!("{} (tried {attempts} times)", self.message);
        }
        self
    }

    /// Returns what sort of failure this is.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Returns the name of the object.
    pub fn object(&self) -> &str {
        &self.object
    }
}

/// Whether a system call that failed so may work in a while: a network's or a share's outages.
fn may_pass(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::Interrupted
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NotConnected
            | io::ErrorKind::StaleNetworkFileHandle
            | io::ErrorKind::TimedOut
            | io::ErrorKind::WouldBlock
    )
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.message)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_ref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
