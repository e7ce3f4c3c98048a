//! Writers: what they tell of themselves, and where they are.

use serde::Serialize;
use uuid::{Uuid, uuid};

use crate::{VssError, VssErrorKind, VssStep};

/// `Microsoft Hyper-V VSS Writer`, by the id that it has in every language (contract 5.1).
pub const HYPERV_WRITER: Uuid = uuid!("66841cd4-6ded-4f4b-8f17-fd23f8ddc3de");

/// What writers are told (`VSS_BACKUP_TYPE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupType {
    /// 1: applications may cut their logs.
    Full,
    /// 5: applications leave everything as it is.
    Copy,
}

/// A writer (`IVssExamineWriterMetadata`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Writer {
    /// This instance of it.
    pub instance: Uuid,
    /// What it is.
    pub id: Uuid,
    /// Its name, in the host's language.
    pub name: String,
    /// What can be backed up.
    pub components: Vec<Component>,
}

/// Something of a writer's that can be backed up (`IVssWMComponent`); for Hyper-V a VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Component {
    /// What it is called in calls.
    pub id: ComponentId,
    /// What people read, such as `Online\SQL01`.
    pub caption: String,
    /// It can be chosen by itself.
    pub is_selectable: bool,
    /// What it is made of.
    pub files: Vec<FileSet>,
}

/// Names a component in calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct ComponentId {
    /// The writer's instance.
    pub instance: Uuid,
    /// The writer.
    pub writer: Uuid,
    /// Which sort of component.
    pub kind: ComponentKind,
    /// Empty for Hyper-V.
    pub logical_path: String,
    /// For Hyper-V the VM's GUID, or `Host Component`.
    pub name: String,
}

/// `VSS_COMPONENT_TYPE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentKind {
    /// 1
    Database,
    /// 2
    FileGroup,
}

/// Files of a component (`IVssWMFiledesc`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileSet {
    /// The folder.
    pub path: String,
    /// Which files in it: a name, or a pattern such as `*`.
    pub spec: String,
    /// Those of folders below too.
    pub is_recursive: bool,
}

/// Where a writer is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WriterStatus {
    /// This instance of it.
    pub instance: Uuid,
    /// What it is.
    pub id: Uuid,
    /// Its name, in the host's language.
    pub name: String,
    /// How far it got.
    pub state: WriterState,
    /// Why it failed: an `HRESULT`; 0 where it did not.
    pub failure: u32,
    /// What it says of that (`GetWriterStatusEx`).
    pub message: Option<String>,
    /// Components that failed, with their codes, where only some did
    /// (`VSS_E_WRITERERROR_PARTIAL_FAILURE`).
    pub failed_components: Vec<(String, u32)>,
}

impl WriterStatus {
    /// Returns whether the writer is where it should be, and has nothing to complain of.
    pub fn is_well(&self) -> bool {
        self.state.is_well() && self.failure == 0
    }

    /// Returns why the writer failed; `None` where it is well.
    ///
    /// A writer that failed without a number has the kind `Other`.
    pub fn error(&self, step: VssStep) -> Option<VssError> {
        if self.is_well() {
            return None;
        }
        let said = self.message.iter().map(|text| format!(", it says: {text}"));
        let said: String = said.collect();
        let what = format!("writer {} is {:?}{said}", self.name, self.state);
        Some(match self.failure {
            0 => VssError::new(VssErrorKind::Other, step, what),
            code => VssError::of_code(step, what, code),
        })
    }
}

/// `VSS_WRITER_STATE` (contract 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the interface's own")]
pub enum WriterState {
    Unknown,
    Stable,
    WaitingForFreeze,
    WaitingForThaw,
    WaitingForPostSnapshot,
    WaitingForBackupComplete,
    FailedAtIdentify,
    FailedAtPrepareBackup,
    FailedAtPrepareSnapshot,
    FailedAtFreeze,
    FailedAtThaw,
    FailedAtPostSnapshot,
    FailedAtBackupComplete,
    FailedAtPreRestore,
    FailedAtPostRestore,
    FailedAtBackupShutdown,
}

impl WriterState {
    /// Returns the state of a number.
    pub fn of(number: u32) -> Self {
        match number {
            1 => Self::Stable,
            2 => Self::WaitingForFreeze,
            3 => Self::WaitingForThaw,
            4 => Self::WaitingForPostSnapshot,
            5 => Self::WaitingForBackupComplete,
            6 => Self::FailedAtIdentify,
            7 => Self::FailedAtPrepareBackup,
            8 => Self::FailedAtPrepareSnapshot,
            9 => Self::FailedAtFreeze,
            10 => Self::FailedAtThaw,
            11 => Self::FailedAtPostSnapshot,
            12 => Self::FailedAtBackupComplete,
            13 => Self::FailedAtPreRestore,
            14 => Self::FailedAtPostRestore,
            15 => Self::FailedAtBackupShutdown,
            _ => Self::Unknown,
        }
    }

    /// Returns whether the writer is where it should be after the snapshots were made, and before
    /// the backup ends.
    pub fn is_well(self) -> bool {
        matches!(self, Self::Stable | Self::WaitingForBackupComplete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: u32, failure: u32) -> WriterStatus {
        WriterStatus {
            instance: Uuid::nil(),
            id: HYPERV_WRITER,
            name: "Microsoft Hyper-V VSS Writer".to_owned(),
            state: WriterState::of(state),
            failure,
            message: Some("no room".to_owned()),
            failed_components: Vec::new(),
        }
    }

    #[test]
    fn only_a_good_state_without_a_failure_is_well() {
        for (state, failure, is_well) in [
            (1, 0, true),
            (5, 0, true),
            (1, 0x8004_23F3, false),
            (2, 0, false),
            (9, 0, false),
            (99, 0, false),
        ] {
            assert_eq!(
                status(state, failure).is_well(),
                is_well,
                "{state} {failure:X}"
            );
            let error = status(state, failure).error(VssStep::Snapshot);
            assert_eq!(error.is_none(), is_well);
        }
    }

    #[test]
    fn a_failure_has_its_kind_and_the_writers_words() {
        let error = status(8, 0x8004_23F3).error(VssStep::Snapshot).unwrap();
        assert_eq!(error.kind(), VssErrorKind::Retryable);
        let text = error.to_string();
        assert!(
            text.contains("FailedAtPrepareSnapshot, it says: no room"),
            "{text}"
        );
        let error = status(8, 0).error(VssStep::Snapshot).unwrap();
        assert_eq!((error.kind(), error.code()), (VssErrorKind::Other, None));
    }
}
