//! What sorts of failures there are.

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

impl VssErrorKind {
    /// Returns whether the same may succeed in a while, without anything being done about it.
    ///
    /// `Partial` is not among these: there the set is made again without what failed.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Busy | Self::Retryable)
    }
}
