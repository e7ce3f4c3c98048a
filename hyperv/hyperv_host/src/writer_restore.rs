//! Restores through the host's own VSS writer: older than imports, and on some hosts the only way.

use serde::{Deserialize, Serialize};

use crate::{Finding, HostError, RestoredVm, StepObserver};

/// What a VSS writer needs to take a VM back. It is of the backup, and is kept with its point as it
/// is (section 10 of the format).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterRecord {
    /// Of this record: [`WriterRecord::VERSION`].
    pub version: u32,
    /// GUID of the writer in lower case.
    pub writer: String,
    /// What the writer calls the VM.
    pub component: String,
    /// Where among its components that is; empty for Hyper-V.
    #[serde(default)]
    pub logical_path: String,
    /// What the writer said that the VM is made of.
    pub files: Vec<WriterFiles>,
    /// The backup components document.
    pub document: String,
}

impl WriterRecord {
    /// The version that this program writes, and the newest that it reads.
    pub const VERSION: u32 = 1;
    /// A record with a longer document is not kept.
    pub const DOCUMENT_BYTES_MAX: usize = 256 << 10;
}

/// Files of a writer's component, as the host named them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterFiles {
    /// The folder.
    pub folder: String,
    /// Which files in it: a name, or a pattern such as `*`.
    pub spec: String,
    /// Those of folders below too.
    #[serde(default)]
    pub recursive: bool,
}

/// Files that go to another folder than the one that they were in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterMove {
    /// The files, as the writer named them.
    pub files: WriterFiles,
    /// Where they go.
    pub folder: String,
}

/// What a restore through the writer is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterOrder {
    /// What the point keeps for the writer.
    pub record: WriterRecord,
    /// GUID of the VM in lower case.
    pub vm: String,
    /// Its name, for people.
    pub name: String,
    /// Files that go elsewhere; the others go where they were.
    pub moved: Vec<WriterMove>,
    /// The folder that the VM's definition lies in afterwards.
    pub configuration_folder: String,
    /// Id of the restore: what it does to the host is in the journal under it.
    pub run: String,
}

/// What the writer is to restores to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriterWay {
    /// The host imports VMs as well, which can do more.
    Possible,
    /// The host imports nothing.
    OnlyWay,
}

/// A host whose own VSS writer takes VMs back.
pub trait WriterRestoreHost: Send + Sync {
    /// Says what the writer is to restores here. Nothing is touched.
    ///
    /// # Errors
    ///
    /// `Blocked` where the writer cannot be spoken to.
    fn way(&self) -> Result<WriterWay, HostError>;

    /// Tells the writer what comes back. The VM that is there stays, and nothing is changed.
    ///
    /// # Errors
    ///
    /// `Refused` where the writer, or the service, does not take the document.
    fn begin<'a>(
        &'a self,
        order: &WriterOrder,
        observer: &dyn StepObserver,
    ) -> Result<Box<dyn WriterRestore + 'a>, HostError>;
}

/// One restore through a writer.
///
/// ```text
///   begin ─► pre_restore ─► files are put into place ─► post_restore
///            the VM goes                                the VM is there
/// ```
///
/// Dropped between the two it stays in the host's journal, until the VM is there again or the same
/// restore is begun anew. What a writer did in `pre_restore` it does not undo.
pub trait WriterRestore: Send {
    /// Lets the writer take the VM from the host, if it is there. Its disks stay where they are.
    ///
    /// # Errors
    ///
    /// The VM may be gone all the same.
    fn pre_restore(&mut self, observer: &dyn StepObserver) -> Result<(), HostError>;

    /// Tells the writer that all files are in place; returns the VM that it registered.
    ///
    /// # Errors
    ///
    /// The VM may be there all the same.
    fn post_restore(&mut self, observer: &dyn StepObserver) -> Result<RestoredVm, HostError>;

    /// Says whether what the writer was asked last may still take effect: it gave no answer, or none
    /// that its host bears out yet. Then nothing may be taken back.
    fn is_unsettled(&self) -> bool {
        false
    }

    /// Ends it without a VM of its own: what was there before is there again. Returns what is left.
    fn give_up(self: Box<Self>) -> Vec<Finding>;
}
