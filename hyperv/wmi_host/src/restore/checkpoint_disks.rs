//! Which settings of a planned VM are which checkpoint's.

use std::collections::HashMap;

use hyperv_host::ImportOrder;
use uuid::Uuid;
use vm_config::DiskSlot;

use super::definition::configuration;
use super::planned_vm::{PlannedKind, PlannedSettings};
use crate::WmiHost;
use crate::backup::link::Link;
use crate::facts::disks_of_settings;

/// The disks that the checkpoints' definition files name, by the checkpoints' GUIDs.
pub(super) struct CheckpointDisks {
    by_guid: HashMap<Uuid, Vec<(DiskSlot, String)>>,
}

impl CheckpointDisks {
    /// Reads the definition files of the checkpoints that have disks to be placed.
    pub(super) fn read(host: &WmiHost, order: &ImportOrder) -> Self {
        let mut by_guid = HashMap::new();
        let folder = order.checkpoint_folder.as_deref().unwrap_or_default();
        for guid in order
            .disks
            .iter()
            .filter_map(|disk| guid_of(disk.checkpoint.as_deref()?))
        {
            let upper = guid.hyphenated().to_string().to_ascii_uppercase();
            let path =
                |extension: &str| format!("{}\\{upper}.{extension}", folder.trim_end_matches('\\'));
            let read = configuration(host, &path("vmcx"));
            if let Some(read) = read.or_else(|| configuration(host, &path("xml"))) {
                let disks = read.disks.into_iter().filter(|disk| !disk.pass_through);
                let disks = disks.map(|disk| (disk.slot, disk.path.to_lowercase()));
                by_guid.insert(guid, disks.collect());
            }
        }
        Self { by_guid }
    }

    /// Returns whether settings are those of the checkpoint that had this GUID when it was backed
    /// up. With a new identity its GUID may be another: then it is told by the files that its disks
    /// are, of which no other checkpoint has one. Contract: 4.1 [M]
    pub(super) fn is_of(&self, link: &Link, settings: &PlannedSettings, guid: &str) -> bool {
        let Some(guid) = guid_of(guid).filter(|_| settings.kind == PlannedKind::Checkpoint) else {
            return false;
        };
        if settings.owner == guid {
            return true;
        }
        let Some(wanted) = self.by_guid.get(&guid).filter(|own| !own.is_empty()) else {
            return false;
        };
        let there = link.patiently(|| disks_of_settings(&*link.session, &settings.path));
        let there = there.unwrap_or_default();
        wanted.iter().all(|(slot, path)| {
            let mut there = there.iter();
            there.any(|own| own.slot == Some(*slot) && own.path.to_lowercase() == *path)
        })
    }
}

fn guid_of(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text.trim_matches(['{', '}'])).ok()
}
