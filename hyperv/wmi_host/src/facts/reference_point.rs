//! Reference points (contract 2.2).

use hyperv_host::Consistency;
use uuid::Uuid;
use wmi::{Instance, ObjectPath, VIRTUALIZATION, WmiError};

/// A reference point of a VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReferencePointFacts {
    /// Where it is.
    pub(crate) path: ObjectPath,
    /// Its id, as the host writes it.
    pub(crate) instance_id: String,
    /// Whose it is.
    pub(crate) vm: Uuid,
    /// What it keeps tracking ids of.
    pub(crate) disks: Vec<TrackedDisk>,
    /// The level that it was made with, where the host says it.
    pub(crate) consistency: Option<Consistency>,
}

/// A disk that a reference point keeps track of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrackedDisk {
    /// Id of the disk's settings when the reference point was made: a place, not a file. Another
    /// disk may be there now.
    pub(crate) disk_instance_id: String,
    /// The tracking id, opaque.
    pub(crate) rct_id: String,
}

impl ReferencePointFacts {
    /// Reads an instance; `None` where it names no VM or is of the log kind.
    pub(crate) fn of(instance: &Instance) -> Result<Option<Self>, WmiError> {
        let vm = instance.text("VirtualSystemIdentifier");
        let Some(vm) = vm.and_then(|text| Uuid::parse_str(&text).ok()) else {
            return Ok(None);
        };
        let disks = instance.texts("VirtualDiskIdentifiers");
        let ids = instance.texts("ResilientChangeTrackingIdentifiers");
        // The arrays are parallel; where one is longer, what they say of the rest is unknown.
        let disks = disks.into_iter().zip(ids);
        Ok(Some(Self {
            path: instance.object_path(VIRTUALIZATION)?,
            instance_id: instance.required_text("InstanceID")?,
            vm,
            disks: disks
                .filter(|(_, id)| !id.is_empty())
                .map(|(disk_instance_id, rct_id)| TrackedDisk {
                    disk_instance_id,
                    rct_id,
                })
                .collect(),
            consistency: match instance.number::<u16>("ConsistencyLevel") {
                Some(1) => Some(Consistency::Application),
                Some(2) => Some(Consistency::Crash),
                _ => None,
            },
        }))
    }

    /// Returns the tracking id of the disk at a place.
    pub(crate) fn rct_id(&self, disk_instance_id: &str) -> Option<&str> {
        self.disks
            .iter()
            .find(|disk| disk.disk_instance_id.eq_ignore_ascii_case(disk_instance_id))
            .map(|disk| disk.rct_id.as_str())
    }
}
