//! Settings of a VM or of one of its checkpoints (contract 1.2).

use std::fmt;

use uuid::Uuid;
use wmi::{Instance, ObjectPath, VIRTUALIZATION, WmiError};

use super::owner_of;

/// Settings of a VM or of one of its checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettingsFacts {
    /// Where they are.
    pub(crate) path: ObjectPath,
    /// Their id.
    pub(crate) instance_id: String,
    /// The GUID in their id: the VM's, or the snapshot's own.
    pub(crate) owner: Option<Uuid>,
    /// `CreationTime`, as the host wrote it.
    pub(crate) created: Option<String>,
    /// Folder that `configuration_file` is below.
    pub(crate) configuration_root: Option<String>,
    /// The configuration, below `configuration_root`.
    pub(crate) configuration_file: Option<String>,
    /// Folder of checkpoints.
    pub(crate) snapshot_root: Option<String>,
    /// Folder that `guest_state_file` is below.
    pub(crate) guest_state_root: Option<String>,
    /// Firmware variables and virtual TPM, since 1709.
    pub(crate) guest_state_file: Option<String>,
    /// 1 or 2.
    pub(crate) generation: Option<u32>,
    /// Configuration version.
    pub(crate) version: ConfigurationVersion,
    /// What people wrote about the VM.
    pub(crate) notes: String,
    /// Which checkpoints people can make.
    pub(crate) checkpoints: CheckpointSetting,
    /// Memory is kept in a file.
    pub(crate) is_saved: bool,
    /// `InstanceID` of the checkpoint that these settings derive from.
    pub(crate) parent: Option<String>,
}

/// `UserSnapshotType`: which checkpoints people can make. A backup's own ones do not obey it.
/// Contract: 1.2 [M]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckpointSetting {
    /// 2
    Disabled,
    /// 3, the default
    ProductionElseStandard,
    /// 4
    Production,
    /// 5
    Standard,
    /// The host does not say it.
    Unknown,
}

/// A configuration version, such as 9.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct ConfigurationVersion {
    /// 5 on 2012 R2, 8 on 2016, and so on.
    pub(crate) major: u32,
    /// Almost always 0.
    pub(crate) minor: u32,
}

impl ConfigurationVersion {
    /// The first version with change tracking (contract 7).
    pub(crate) const TRACKED: Self = Self { major: 8, minor: 0 };

    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

impl fmt::Display for ConfigurationVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl SettingsFacts {
    /// Reads an instance of `Msvm_VirtualSystemSettingData`.
    pub(crate) fn of(instance: &Instance) -> Result<Self, WmiError> {
        let instance_id = instance.required_text("InstanceID")?;
        let subtype = instance.text("VirtualSystemSubType").unwrap_or_default();
        let version = instance.text("Version");
        Ok(Self {
            path: instance.object_path(VIRTUALIZATION)?,
            owner: owner_of(&instance_id),
            instance_id,
            created: instance.text("CreationTime"),
            configuration_root: instance.text("ConfigurationDataRoot"),
            configuration_file: instance.text("ConfigurationFile"),
            snapshot_root: instance.text("SnapshotDataRoot"),
            guest_state_root: instance.text("GuestStateDataRoot"),
            guest_state_file: instance.text("GuestStateFile"),
            generation: subtype
                .strip_prefix("Microsoft:Hyper-V:SubType:")
                .and_then(|number| number.parse().ok()),
            version: version
                .and_then(|text| ConfigurationVersion::parse(&text))
                .unwrap_or_default(),
            notes: instance.texts("Notes").join("\n"),
            checkpoints: match instance.number::<u16>("UserSnapshotType") {
                Some(2) => CheckpointSetting::Disabled,
                Some(3) => CheckpointSetting::ProductionElseStandard,
                Some(4) => CheckpointSetting::Production,
                Some(5) => CheckpointSetting::Standard,
                _ => CheckpointSetting::Unknown,
            },
            is_saved: instance.flag("IsSaved"),
            parent: instance
                .value("Parent")
                .to_reference()
                .and_then(|path| path.key("InstanceID").map(str::to_owned)),
        })
    }

    /// Returns whether these are the settings that a VM runs with (contract 1.2).
    pub(super) fn is_active(instance: &Instance) -> bool {
        instance
            .text("VirtualSystemType")
            .is_some_and(|kind| !kind.contains(":Snapshot:") && !kind.ends_with(":Planned"))
    }
}
