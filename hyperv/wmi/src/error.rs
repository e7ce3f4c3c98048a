//! Why a host did not answer a WMI call.

use std::error::Error;
use std::fmt;

/// What sort of failure this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WmiErrorKind {
    /// The host cannot be reached, or the connection broke.
    Unreachable,
    /// Who asks is not who they say, or the password is wrong.
    Authentication,
    /// Who asks may not.
    Denied,
    /// The namespace does not exist: Hyper-V is not installed.
    NoNamespace,
    /// The class does not exist on this version of the host.
    NoClass,
    /// The object does not exist, or not any more.
    NotFound,
    /// The method or one of its parameters does not exist on this version.
    NoMethod,
    /// The query is malformed.
    BadQuery,
    /// The host took too long.
    Timeout,
    /// What came back is not what the protocol says.
    Protocol,
    /// What came back is larger than [`crate::limits`] allow.
    TooLarge,
    /// This transport, or the library that it needs, is not there on this system.
    Unavailable,
    /// The host says that it failed.
    Failed,
}

impl WmiErrorKind {
    /// Returns the kind as programs read it. It never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Authentication => "authentication",
            Self::Denied => "denied",
            Self::NoNamespace => "no-namespace",
            Self::NoClass => "no-class",
            Self::NotFound => "not-found",
            Self::NoMethod => "no-method",
            Self::BadQuery => "bad-query",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::TooLarge => "too-large",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
        }
    }
}

/// A WMI call's failure.
#[derive(Debug)]
pub struct WmiError {
    kind: WmiErrorKind,
    message: String,
    code: Option<u32>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl WmiError {
    /// Makes an error; `message` has no full stop.
    pub fn new(kind: WmiErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            code: None,
            source: None,
        }
    }

    /// Keeps the host's own number: an `HRESULT` or a WS-Man fault code.
    #[must_use]
    pub fn with_code(mut self, code: u32) -> Self {
        self.code = Some(code);
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns what sort of failure this is.
    pub fn kind(&self) -> WmiErrorKind {
        self.kind
    }

    /// Returns the host's own number.
    pub fn code(&self) -> Option<u32> {
        self.code
    }

    /// Makes the error of an `HRESULT` that WMI gave for `asked` (wbemcli.h, winerror.h).
    pub fn of_hresult(code: u32, asked: &str) -> Self {
        let kind = match code {
            0x8004_1002 => WmiErrorKind::NotFound,
            0x8004_1003 | 0x8007_0005 => WmiErrorKind::Denied,
            0x8004_100E => WmiErrorKind::NoNamespace,
            0x8004_1010 => WmiErrorKind::NoClass,
            0x8004_1017 | 0x8004_1018 => WmiErrorKind::BadQuery,
            0x8004_1055 | 0x8004_102E | 0x8004_102F => WmiErrorKind::NoMethod,
            0x8004_3001 => WmiErrorKind::Timeout,
            0x8007_06BA | 0x8007_06BF | 0x8001_0108 => WmiErrorKind::Unreachable,
            0x8007_052E => WmiErrorKind::Authentication,
            _ => WmiErrorKind::Failed,
        };
        Self::new(kind, format!("{asked}: the host answered 0x{code:08X}")).with_code(code)
    }
}

impl fmt::Display for WmiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for WmiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
