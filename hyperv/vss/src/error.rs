//! Why the service could not do what was asked.

use std::error::Error;
use std::fmt;

/// What sort of failure this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VssErrorKind {
    /// This machine has no such service, or its library cannot be loaded.
    Absent,
    /// Rights are missing.
    Denied,
    /// It is not the time for this call (`VSS_E_BAD_STATE`).
    BadState,
    /// There is no such volume, writer, component, provider or snapshot.
    NotFound,
    /// Another requester is making snapshots (`VSS_E_SNAPSHOT_SET_IN_PROGRESS`).
    Busy,
    /// A writer says that another try may succeed, or a deadline passed.
    Retryable,
    /// A writer says that another try would fail as well.
    NotRetryable,
    /// Some components failed, others did not (`VSS_E_WRITERERROR_PARTIAL_FAILURE`).
    Partial,
    /// No room for the snapshot, or too many of them.
    NoRoom,
    /// Another node of the cluster has to be asked.
    NotLocal,
    /// The volume, the provider or this Windows cannot do it.
    NotSupported,
    /// A provider failed.
    Provider,
    /// The writers could not be reached.
    Infrastructure,
    /// The person asked to stop.
    Cancelled,
    /// Anything else.
    Other,
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of the seam's methods")]
pub enum VssStep {
    Providers,
    VolumeOf,
    Begin,
    Writers,
    AddComponent,
    StartSet,
    AddVolume,
    Prepare,
    Snapshot,
    WriterStatuses,
    Snapshots,
    SetSucceeded,
    Document,
    Complete,
    DeleteSet,
}

/// A failure of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VssError {
    kind: VssErrorKind,
    step: VssStep,
    code: Option<u32>,
    message: String,
}

impl VssError {
    /// Makes an error; `message` has no full stop.
    pub fn new(kind: VssErrorKind, step: VssStep, message: impl Into<String>) -> Self {
        Self {
            kind,
            step,
            code: None,
            message: message.into(),
        }
    }

    /// Keeps the `HRESULT`.
    #[must_use]
    pub fn with_code(mut self, code: u32) -> Self {
        self.code = Some(code);
        self
    }

    /// Returns what sort of failure this is.
    pub fn kind(&self) -> VssErrorKind {
        self.kind
    }

    /// Returns what was being done.
    pub fn step(&self) -> VssStep {
        self.step
    }

    /// Returns the `HRESULT`.
    pub fn code(&self) -> Option<u32> {
        self.code
    }
}

impl fmt::Display for VssError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for VssError {}
