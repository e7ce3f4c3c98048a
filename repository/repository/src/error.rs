//! One error for everything that can go wrong with a repository.

use std::error::Error;
use std::fmt;

use block_io::{DiskError, DiskErrorKind};
use object_store::{StoreError, StoreErrorKind};

/// What sort of failure this is. Callers decide on it, never on the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepositoryErrorKind {
    /// There is no repository here.
    NotFound,
    /// There is a repository, or something else, where a new one should be made.
    Exists,
    /// No key slot opens with this password or key.
    WrongKey,
    /// Stored bytes are missing, changed or not where they belong.
    Damaged,
    /// It belongs to a domain whose keys this key does not open. It may be as good as new.
    OtherDomain,
    /// There is no key slot, domain or host of that name.
    NoSuchKey,
    /// It would do harm, and is not done.
    Refused,
    /// The key is one of a host that adds restore points and may do nothing else.
    WriteOnly,
    /// Valid, but made by a newer version or with a feature that we lack.
    Unsupported,
    /// No restore point fits what was asked for.
    NoSuchPoint,
    /// Several restore points fit what was asked for.
    AmbiguousPoint,
    /// The volume or quota is full.
    NoSpace,
    /// The system refused access.
    Denied,
    /// The disk or share that the repository lies on is not there; nothing is damaged.
    MediumAbsent,
    /// Reading or writing the store failed.
    Store,
    /// Reading the source failed; the cause is a [`DiskError`].
    Source,
    /// The person, or a signal, asked to stop.
    Cancelled,
    /// A collection deleted meanwhile what the run relied on. The same may work again.
    Collected,
    /// An earlier write failed, so this run writes nothing more.
    Poisoned,
}

impl RepositoryErrorKind {
    /// Returns the kind as programs read it, such as `no-space`. It never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Exists => "exists",
            Self::WrongKey => "wrong-key",
            Self::Damaged => "damaged",
            Self::OtherDomain => "other-domain",
            Self::NoSuchKey => "no-such-key",
            Self::Refused => "refused",
            Self::WriteOnly => "write-only",
            Self::Unsupported => "unsupported",
            Self::NoSuchPoint => "no-such-point",
            Self::AmbiguousPoint => "ambiguous-point",
            Self::NoSpace => "no-space",
            Self::Denied => "denied",
            Self::MediumAbsent => "medium-absent",
            Self::Store => "store",
            Self::Source => "source",
            Self::Cancelled => "cancelled",
            Self::Collected => "collected",
            Self::Poisoned => "poisoned",
        }
    }
}

/// A repository's failure: what, on which object, at which offset, what to do.
#[derive(Debug)]
pub struct RepositoryError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: RepositoryErrorKind,
    object: Option<String>,
    offset: Option<u64>,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl RepositoryError {
    /// Makes an error; `message` has no full stop.
    pub fn new(kind: RepositoryErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            object: None,
            offset: None,
            message: message.into(),
            hint: None,
            source: None,
        }))
    }

    /// Makes a "stored bytes are not as written" error about `object`.
    pub fn damaged(object: &str, message: impl Into<String>) -> Self {
        Self::new(RepositoryErrorKind::Damaged, message).in_object(object)
    }

    /// Names the object, unless an inner layer already did.
    #[must_use]
    pub fn in_object(mut self, object: &str) -> Self {
        self.0.object.get_or_insert_with(|| object.to_owned());
        self
    }

    /// Names the offset in the object in bytes, unless an inner layer already did.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// Says what the person can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns what sort of failure this is.
    pub fn kind(&self) -> RepositoryErrorKind {
        self.0.kind
    }

    /// Returns the object, where it is known.
    pub fn object(&self) -> Option<&str> {
        self.0.object.as_deref()
    }

    /// Returns what the person can do, where something is known to help.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for RepositoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(object) = &self.0.object {
            write!(f, "{object}: ")?;
        }
        if let Some(offset) = self.0.offset {
            write!(f, "at offset {offset} ({offset:#x}): ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl Error for RepositoryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

impl From<StoreError> for RepositoryError {
    /// An object that a caller expected and that is not there, or is too short, is damage; where
    /// absence has another meaning the caller looks at the store's error first.
    fn from(error: StoreError) -> Self {
        let (kind, message) = match error.kind() {
            StoreErrorKind::NotFound => (RepositoryErrorKind::Damaged, "this object is missing"),
            StoreErrorKind::WrongSize => (
                RepositoryErrorKind::Damaged,
                "this object does not have the length it should",
            ),
            StoreErrorKind::NoSpace => (RepositoryErrorKind::NoSpace, "the repository is full"),
            StoreErrorKind::Denied => (RepositoryErrorKind::Denied, "access was refused"),
            StoreErrorKind::Locked => (
                RepositoryErrorKind::Denied,
                "the store keeps this object until a later time",
            ),
            StoreErrorKind::Unavailable => {
                (RepositoryErrorKind::Store, "the store does not answer")
            }
            StoreErrorKind::MediumAbsent => (
                RepositoryErrorKind::MediumAbsent,
                "the medium of the repository is not there",
            ),
            _ => (RepositoryErrorKind::Store, "the store failed"),
        };
        Self::new(kind, message)
            .in_object(error.object())
            .caused_by(error)
    }
}

impl From<DiskError> for RepositoryError {
    fn from(error: DiskError) -> Self {
        let kind = match error.kind() {
            DiskErrorKind::Cancelled => RepositoryErrorKind::Cancelled,
            _ => RepositoryErrorKind::Source,
        };
        Self::new(kind, "reading the source failed").caused_by(error)
    }
}
