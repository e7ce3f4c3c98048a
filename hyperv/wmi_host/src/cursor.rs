//! What a disk's restore point keeps so that the next backup can ask what changed.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::facts::VmFacts;

/// A longer text is no cursor of ours.
const TEXT_BYTES_MAX: usize = 32 << 10;
/// Characters of a tracking id: `VIRTUAL_DISK_MAXIMUM_CHANGE_TRACKING_ID_LENGTH` of virtdisk.h.
const TRACKING_ID_MAX: usize = 256;
/// Characters of an `InstanceID`.
const ID_MAX: usize = 512;
/// Characters of a path; Windows' own limit is 32,767.
const PATH_MAX: usize = 8 << 10;
/// The version that this code writes, and the only one that it reads.
const VERSION: u32 = 1;

/// What a disk's restore point keeps so that the next backup can ask what changed.
///
/// To everybody else it is an opaque text. One that cannot be read costs a full backup and
/// nothing more, so a cursor is never migrated: a newer version is simply not known.
///
/// Next to the tracking id there is what the VM and the disk looked like then. The host answers a
/// query with an id that lost its meaning by an error at best; what happened in between is told
/// from these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    version: u32,
    /// `InstanceID` of the reference point that keeps the tracking id alive.
    pub(crate) reference_point: String,
    /// The tracking id: the `LimitId` of the next query.
    pub(crate) tracking_id: String,
    /// The virtual disk's own id.
    pub(crate) disk_id: Uuid,
    /// Size of the virtual disk in bytes.
    pub(crate) size_bytes: u64,
    /// The frozen file as the host named it: the disk's leaf again once the run's checkpoint is
    /// merged, as long as nobody makes or applies another.
    pub(crate) leaf_path: String,
    /// The file at the other end of the chain, as the host named it. Checkpoints do not change
    /// it; storage migration does.
    pub(crate) base_path: String,
    /// The VM then.
    pub(crate) vm: VmMark,
}

/// What a VM looked like when a cursor was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct VmMark {
    /// The VM's own id. A VM that was imported as a copy has another.
    pub(crate) id: Uuid,
    /// `CreationTime` of the active settings as the host wrote it: a VM that was deleted and
    /// restored or imported under the same id has another.
    #[serde(default)]
    pub(crate) created: Option<String>,
    /// `ConfigurationDataRoot`: where its configuration lies.
    #[serde(default)]
    pub(crate) configuration_root: Option<String>,
    /// `InstanceID` of the checkpoint that the VM's state derives from, our own left out.
    #[serde(default)]
    pub(crate) parent_snapshot: Option<String>,
    /// `InstanceID` of the checkpoint that was applied last.
    #[serde(default)]
    pub(crate) last_applied_snapshot: Option<String>,
}

impl VmMark {
    /// Takes what a VM looks like right before its checkpoint is made: afterwards its state
    /// derives from that.
    pub(crate) fn of(vm: &VmFacts) -> Self {
        Self {
            id: vm.id,
            created: vm.settings.created.clone(),
            configuration_root: vm.settings.configuration_root.clone(),
            parent_snapshot: vm.settings.parent.clone(),
            last_applied_snapshot: vm.last_applied.clone(),
        }
    }
}

/// A disk, as its cursor describes it.
#[derive(Debug, Clone)]
pub(crate) struct TrackedDisk {
    pub(crate) tracking_id: String,
    pub(crate) disk_id: Uuid,
    pub(crate) size_bytes: u64,
    pub(crate) leaf_path: String,
    pub(crate) base_path: String,
}

impl Cursor {
    /// Makes the cursor of a disk; `None` where a host gave ids that are out of all bounds.
    pub(crate) fn new(reference_point: &str, disk: TrackedDisk, vm: VmMark) -> Option<Self> {
        let cursor = Self {
            version: VERSION,
            reference_point: reference_point.to_owned(),
            tracking_id: disk.tracking_id,
            disk_id: disk.disk_id,
            size_bytes: disk.size_bytes,
            leaf_path: disk.leaf_path,
            base_path: disk.base_path,
            vm,
        };
        cursor.is_bounded().then_some(cursor)
    }

    /// Reads what [`Cursor::to_text`] wrote. `None`: it is none, or of a version not known here.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let cursor: Self = serde_json::from_str(text).ok()?;
        (cursor.version == VERSION && cursor.is_bounded()).then_some(cursor)
    }

    /// Writes the text that the restore point keeps.
    pub(crate) fn to_text(&self) -> Option<String> {
        let text = serde_json::to_string(self).ok()?;
        (text.len() <= TEXT_BYTES_MAX).then_some(text)
    }

    fn is_bounded(&self) -> bool {
        let within = |text: &str, limit: usize| !text.is_empty() && text.len() <= limit;
        let optional = |text: &Option<String>, limit| {
            text.as_deref().is_none_or(|text: &str| within(text, limit))
        };
        within(&self.reference_point, ID_MAX)
            && within(&self.tracking_id, TRACKING_ID_MAX)
            && within(&self.leaf_path, PATH_MAX)
            && within(&self.base_path, PATH_MAX)
            && optional(&self.vm.created, ID_MAX)
            && optional(&self.vm.configuration_root, PATH_MAX)
            && optional(&self.vm.parent_snapshot, ID_MAX)
            && optional(&self.vm.last_applied_snapshot, ID_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(tracking_id: &str) -> TrackedDisk {
        TrackedDisk {
            tracking_id: tracking_id.to_owned(),
            disk_id: Uuid::from_u128(7),
            size_bytes: 1 << 30,
            leaf_path: r"D:\vm\a_1.avhdx".to_owned(),
            base_path: r"D:\vm\a.vhdx".to_owned(),
        }
    }

    #[test]
    fn a_cursor_comes_back() {
        let vm = VmMark {
            id: Uuid::from_u128(1),
            created: Some("20261121042200.000000-000".to_owned()),
            ..VmMark::default()
        };
        let id = "rctX:5bfde23b:ce75:4303:b54f:6c18394f105c:00000001";
        let cursor = Cursor::new("Microsoft:RP", disk(id), vm).unwrap();
        assert_eq!(Cursor::read(&cursor.to_text().unwrap()), Some(cursor));
    }

    #[test]
    fn what_is_out_of_bounds_is_none() {
        let vm = VmMark::default;
        assert!(Cursor::new("Microsoft:RP", disk(""), vm()).is_none());
        assert!(Cursor::new("Microsoft:RP", disk(&"x".repeat(257)), vm()).is_none());
        let cursor = Cursor::new("Microsoft:RP", disk("x"), vm()).unwrap();
        let text = cursor.to_text().unwrap();
        assert!(Cursor::read(&text.replace("\"version\":1", "\"version\":2")).is_none());
        for text in ["", "{}", "[]", &format!("{text}{}", " ".repeat(40_000))] {
            assert!(Cursor::read(text).is_none(), "{text}");
        }
    }
}
