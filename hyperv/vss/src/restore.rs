//! The seam of a restore through writers: older than imports, and the way on hosts whose backup was
//! made through them.

use crate::{Cancelled, ComponentId, FileSet, VssError, WriterStatus};

/// One restore through writers.
///
/// ```text
///   begin_restore ─► select … ─► add_new_target … ─► pre_restore: the VM is taken from the host
///        files are put into place ─► set_restored … ─► post_restore: the VM is registered
/// ```
///
/// What a writer did in `pre_restore` is not undone when this goes: between the two the VM is not on
/// the host, and a restore that died is done again from the beginning.
pub trait VssRestore: Send {
    /// Says that a component is to be restored (`SetSelectedForRestore`).
    ///
    /// # Errors
    ///
    /// `NotFound` where the document has no such component.
    fn select(&mut self, component: &ComponentId) -> Result<(), VssError>;

    /// Says that files of a component go to another folder (`AddNewTarget`): `files` are as the
    /// writer named them when they were backed up.
    fn add_new_target(
        &mut self,
        component: &ComponentId,
        files: &FileSet,
        folder: &str,
    ) -> Result<(), VssError>;

    /// Lets writers get ready (`PreRestore`): that of Hyper-V turns the VM off and takes it from the
    /// host. How it went is told by [`VssRestore::writer_statuses`].
    fn pre_restore(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError>;

    /// Says whether all files of a component are in place (`SetFileRestoreStatus`, `VSS_RS_ALL` or
    /// `VSS_RS_FAILED`).
    fn set_restored(&mut self, component: &ComponentId, all: bool) -> Result<(), VssError>;

    /// Tells writers that the files are in place (`PostRestore`): that of Hyper-V registers the VM,
    /// makes the paths of its disks fit, and connects it to the switches that there are.
    fn post_restore(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError>;

    /// Asks where the writers are (`GatherWriterStatus`).
    fn writer_statuses(&mut self, cancelled: Cancelled<'_>) -> Result<Vec<WriterStatus>, VssError>;
}
