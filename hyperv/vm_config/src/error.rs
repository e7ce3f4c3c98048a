//! Why a configuration could not be read or written.

use std::error::Error;
use std::fmt;

/// What sort of failure this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// Reading the file failed.
    Io,
    /// The bytes are wrong: they break the format's own rules.
    Corrupt,
    /// The bytes are valid, but we lack the feature, or they exceed a bound.
    Unsupported,
    /// The file is something else: not the configuration of a VM.
    NotAConfiguration,
    /// A new value needs more room than the old one leaves.
    DoesNotFit,
}

/// A failure, with its place.
#[derive(Debug)]
pub struct ConfigError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ConfigErrorKind,
    file: Option<String>,
    offset: Option<u64>,
    field: String,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ConfigError {
    /// Makes an error about `field`, a structure's member or a key's path. `message` has no full
    /// stop and repeats neither file nor offset nor field.
    pub fn new(
        kind: ConfigErrorKind,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            file: None,
            offset: None,
            field: field.into(),
            message: message.into(),
            source: None,
        }))
    }

    pub(crate) fn corrupt(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ConfigErrorKind::Corrupt, field, message)
    }

    pub(crate) fn unsupported(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ConfigErrorKind::Unsupported, field, message)
    }

    pub(crate) fn expected(
        field: impl Into<String>,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::corrupt(field, format!("expected {expected}, found {found}"))
    }

    /// Names the file, unless an inner layer already did.
    #[must_use]
    pub fn in_file(mut self, file: &str) -> Self {
        self.0.file.get_or_insert_with(|| file.to_owned());
        self
    }

    /// Names the offset in bytes, unless an inner layer already did.
    #[must_use]
    pub fn at(mut self, offset: usize) -> Self {
        self.0.offset.get_or_insert(offset as u64);
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns what sort of failure this is.
    pub fn kind(&self) -> ConfigErrorKind {
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

    /// Returns the structure's member or the key's path that the failure is about.
    pub fn field(&self) -> &str {
        &self.0.field
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.0.file {
            write!(f, "{file}: ")?;
        }
        if let Some(offset) = self.0.offset {
            write!(f, "at offset {offset} ({offset:#x}): ")?;
        }
        write!(f, "{}: {}", self.0.field, self.0.message)
    }
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
