//! A VM that is held still for a backup.

use crate::{Finding, HostError, VmSource, WriterRecord};

/// A VM that is held still for a backup, with what must be undone afterwards.
///
/// ```text
///   begin_backup ─► source: read ─► all data durable ─► seal ─► the point is published ─► commit
///                     │                                   │
///                     └── anything fails ──► abandon ◄────┘
/// ```
///
/// One of [`FrozenVm::commit`] and [`FrozenVm::abandon`] ends it; dropping it abandons. Whatever a
/// host could not undo then is in its journal, and the next run finds it.
pub trait FrozenVm: Send + Sync {
    /// Returns what to read.
    fn source(&self) -> &VmSource;

    /// Fails where the host cannot bear the backup any longer: a volume is about to fill. Cheap
    /// enough to be called often; it looks only now and then.
    fn check_bearable(&self) -> Result<(), HostError>;

    /// Lets the VM go: all that was read is durable. Returns one cursor for each disk of the
    /// source; `None` means that the next backup of the disk is a full one.
    ///
    /// # Errors
    ///
    /// What was read is not the VM at one time, so there may be no point. That the host cannot
    /// keep track is no error but a finding.
    fn seal(&mut self) -> Result<Sealed, HostError>;

    /// Ends it after the point exists: what older points needed of the host is removed.
    fn commit(self: Box<Self>) -> Vec<Finding>;

    /// Ends it without a point: everything that was made on the host is removed.
    fn abandon(self: Box<Self>) -> Vec<Finding>;
}

/// What a VM left behind for its next backup.
#[derive(Debug, Clone, Default)]
pub struct Sealed {
    /// One for each disk of the source, in order.
    pub cursors: Vec<Option<String>>,
    /// What the host's VSS writer needs to take the VM back, where it held the VM still.
    pub writer: Option<WriterRecord>,
    /// What went less well than it should.
    pub findings: Vec<Finding>,
}

/// Hears what a host does for a backup, and may end it.
pub trait StepObserver: Sync {
    /// A step begins: a short line such as `making a recovery checkpoint`.
    fn step(&self, text: &str);

    /// Says whether to stop.
    fn cancelled(&self) -> bool;
}
