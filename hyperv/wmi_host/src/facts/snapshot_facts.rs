//! Checkpoints, which Hyper-V's interface calls snapshots (contract 1.2).

use jiff::Timestamp;
use uuid::Uuid;
use wmi::{Instance, ObjectPath, VIRTUALIZATION, WmiError};

use super::SettingsFacts;

/// A checkpoint of a VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapshotFacts {
    /// Where its settings are.
    pub(crate) path: ObjectPath,
    /// Its own GUID.
    pub(crate) id: Uuid,
    /// Its name.
    pub(crate) name: String,
    /// Who it is for.
    pub(crate) kind: SnapshotKind,
    /// When it was made.
    pub(crate) created: Option<Timestamp>,
    /// `InstanceID` of the checkpoint that it derives from.
    pub(crate) parent: Option<String>,
    /// Where its files are.
    pub(crate) settings: SettingsFacts,
}

/// Who a checkpoint is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SnapshotKind {
    /// Made by people.
    User,
    /// Made by a backup, ours or another's.
    Recovery,
    /// Made by Hyper-V Replica, planned, or missing: the end of `VirtualSystemType`.
    Other(String),
}

impl SnapshotFacts {
    /// Reads settings; `None` where they are no snapshot's.
    pub(crate) fn of(instance: &Instance) -> Result<Option<Self>, WmiError> {
        let kind = instance.text("VirtualSystemType").unwrap_or_default();
        let Some(kind) = kind.strip_prefix("Microsoft:Hyper-V:Snapshot:") else {
            return Ok(None);
        };
        let settings = SettingsFacts::of(instance)?;
        let Some(id) = settings.owner else {
            return Ok(None);
        };
        Ok(Some(Self {
            path: instance.object_path(VIRTUALIZATION)?,
            id,
            name: instance.text("ElementName").unwrap_or_default(),
            kind: match kind {
                "Realized" => SnapshotKind::User,
                "Recovery" => SnapshotKind::Recovery,
                other => SnapshotKind::Other(other.to_owned()),
            },
            created: instance.time("CreationTime"),
            parent: settings.parent.clone(),
            settings,
        }))
    }
}
