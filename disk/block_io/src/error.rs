//! One error for everything that can go wrong with a disk image.
//!
//! It says what, where (file and offset), what was expected, and what to do.
//! Callers decide on [`DiskErrorKind`], never on the text.

use std::error::Error;
use std::fmt;
use std::io;

/// What sort of failure this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DiskErrorKind {
    /// Reading or writing the file failed.
    Io,
    /// The file or folder does not exist.
    NotFound,
    /// The bytes are wrong: they break the format's own rules.
    Corrupt,
    /// The bytes are valid, but we lack the feature.
    Unsupported,
    /// A parent was needed and none was found.
    ParentMissing,
    /// A file stands where the parent should be, but it is not the right one.
    ParentMismatch,
    /// The chain of parents returns to a file that is already in it, or is too deep.
    ParentLoop,
    /// A path leads out of the folder that may be read.
    OutsideRoot,
    /// Several files fit, and choosing one would be a guess.
    Ambiguous,
    /// The source is open for writing elsewhere.
    InUse,
    /// The source changed while it was read.
    Changed,
    /// The caller asked for a range outside the disk, or gave an impossible parameter.
    OutOfRange,
    /// A check said beforehand that this cannot work.
    Blocked,
    /// The output exists already.
    Exists,
    /// The volume or quota is full.
    NoSpace,
    /// The system refused access.
    Denied,
    /// An earlier write failed, so this writer does nothing more.
    Poisoned,
    /// The person asked to stop.
    Cancelled,
}

impl DiskErrorKind {
    /// Returns the kind as programs read it, such as `no-space`. It never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::NotFound => "not-found",
            Self::Corrupt => "corrupt",
            Self::Unsupported => "unsupported",
            Self::ParentMissing => "parent-missing",
            Self::ParentMismatch => "parent-mismatch",
            Self::ParentLoop => "parent-loop",
            Self::OutsideRoot => "outside-root",
            Self::Ambiguous => "ambiguous",
            Self::InUse => "in-use",
            Self::Changed => "changed",
            Self::OutOfRange => "out-of-range",
            Self::Blocked => "blocked",
            Self::Exists => "exists",
            Self::NoSpace => "no-space",
            Self::Denied => "denied",
            Self::Poisoned => "poisoned",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A failure, with its place.
#[derive(Debug)]
pub struct DiskError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: DiskErrorKind,
    file: Option<String>,
    offset: Option<u64>,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl DiskError {
    /// Makes an error of any kind. `message` has no full stop and does not repeat file or offset.
    pub fn new(kind: DiskErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            file: None,
            offset: None,
            message: message.into(),
            hint: None,
            source: None,
        }))
    }

    /// Makes a "the bytes are wrong" error at `offset` of `file`.
    pub fn corrupt(file: &str, offset: u64, message: impl Into<String>) -> Self {
        Self::new(DiskErrorKind::Corrupt, message)
            .in_file(file)
            .at(offset)
    }

    /// Makes a "we lack this feature" error.
    pub fn unsupported(file: &str, message: impl Into<String>) -> Self {
        Self::new(DiskErrorKind::Unsupported, message).in_file(file)
    }

    /// Wraps a failed system call. The kind follows the system's own.
    pub fn io(file: &str, message: impl Into<String>, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::NotFound => DiskErrorKind::NotFound,
            io::ErrorKind::AlreadyExists => DiskErrorKind::Exists,
            io::ErrorKind::PermissionDenied => DiskErrorKind::Denied,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskErrorKind::NoSpace,
            io::ErrorKind::UnexpectedEof => DiskErrorKind::Corrupt,
            io::ErrorKind::WouldBlock | io::ErrorKind::ResourceBusy => DiskErrorKind::InUse,
            _ => DiskErrorKind::Io,
        };
        let mut error = Self::new(kind, message).in_file(file);
        error.0.source = Some(Box::new(source));
        error
    }

    /// Names the file, unless an inner layer already did.
    #[must_use]
    pub fn in_file(mut self, file: &str) -> Self {
        self.0.file.get_or_insert_with(|| file.to_owned());
        self
    }

    /// Names the offset in bytes, unless an inner layer already did.
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
    pub fn kind(&self) -> DiskErrorKind {
        self.0.kind
    }

    /// Returns the file, where it is known.
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// Returns the offset in the file in bytes, where it is known.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// Returns what the person can do, where something is known to help.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.0.file {
            write!(f, "{file}: ")?;
        }
        if let Some(offset) = self.0.offset {
            write!(f, "at offset {offset} ({offset:#x}): ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl Error for DiskError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
