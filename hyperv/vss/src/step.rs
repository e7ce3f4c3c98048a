//! The calls of the seam, by name.

use std::fmt;

/// What was being done: a call of the seam.
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
    BeginRestore,
    Select,
    AddNewTarget,
    PreRestore,
    SetRestored,
    PostRestore,
}

impl VssStep {
    /// Returns the name of the call in [`VssService`](crate::VssService),
    /// [`VssBackup`](crate::VssBackup) or [`VssRestore`](crate::VssRestore).
    pub fn call(self) -> &'static str {
        match self {
            Self::Providers => "providers",
            Self::VolumeOf => "volume_of",
            Self::Begin => "begin",
            Self::Writers => "writers",
            Self::AddComponent => "add_component",
            Self::StartSet => "start_set",
            Self::AddVolume => "add_volume",
            Self::Prepare => "prepare",
            Self::Snapshot => "snapshot",
            Self::WriterStatuses => "writer_statuses",
            Self::Snapshots => "snapshots",
            Self::SetSucceeded => "set_succeeded",
            Self::Document => "document",
            Self::Complete => "complete",
            Self::DeleteSet => "delete_set",
            Self::BeginRestore => "begin_restore",
            Self::Select => "select",
            Self::AddNewTarget => "add_new_target",
            Self::PreRestore => "pre_restore",
            Self::SetRestored => "set_restored",
            Self::PostRestore => "post_restore",
        }
    }
}

impl fmt::Display for VssStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.call())
    }
}
