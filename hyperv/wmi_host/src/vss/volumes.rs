//! The volumes that hold a VM (requirements PRE-11, PRE-26).

use std::collections::HashMap;

use ::vss::{SnapshotVolume, VssErrorKind, VssService};
use hyperv_host::HostError;

use super::failure::vss_failure;
use crate::facts::VmFacts;

/// Finds volumes, and remembers folders: many VMs lie in few of them.
pub(super) struct Volumes<'a> {
    service: &'a dyn VssService,
    host: &'a str,
    known: HashMap<String, SnapshotVolume>,
}

impl<'a> Volumes<'a> {
    pub(super) fn new(service: &'a dyn VssService, host: &'a str) -> Self {
        Self {
            service,
            host,
            known: HashMap::new(),
        }
    }

    /// Returns the volumes of all files of a VM: of its disks, its checkpoints' disks and its
    /// configuration, and of what its component names beside them. Parents that lie elsewhere are
    /// among the component's.
    ///
    /// # Errors
    ///
    /// Where a disk lies on no volume that can be told. What else is not found is not needed.
    pub(super) fn of_vm(
        &mut self,
        vm: &VmFacts,
        disks: &[String],
        named: impl Iterator<Item = String>,
    ) -> Result<Vec<SnapshotVolume>, HostError> {
        let mut volumes = Vec::new();
        for path in disks {
            let volume = self.of_path(path, true)?;
            volumes.extend(volume);
        }
        let settings = &vm.settings;
        let roots = [
            &settings.configuration_root,
            &settings.snapshot_root,
            &settings.guest_state_root,
        ];
        let roots = roots.into_iter().flatten().cloned();
        for path in roots.chain(named) {
            volumes.extend(self.of_path(&path, false)?);
        }
        volumes.sort_by(|one, other| one.name.cmp(&other.name));
        volumes.dedup_by(|one, other| one.name == other.name);
        Ok(volumes)
    }

    fn of_path(
        &mut self,
        path: &str,
        is_needed: bool,
    ) -> Result<Option<SnapshotVolume>, HostError> {
        let folder = path.rsplit_once('\\').map_or(path, |(folder, _)| folder);
        let folder = folder.to_lowercase();
        if let Some(known) = self.known.get(&folder) {
            return Ok(Some(known.clone()));
        }
        match self.service.volume_of(path) {
            Ok(volume) => {
                self.known.insert(folder, volume.clone());
                Ok(Some(volume))
            }
            Err(error) if error.kind() == VssErrorKind::NotFound && !is_needed => Ok(None),
            Err(error) => {
                let doing = format!("finding the volume of {path}");
                Err(vss_failure(self.host, &doing, error))
            }
        }
    }
}
