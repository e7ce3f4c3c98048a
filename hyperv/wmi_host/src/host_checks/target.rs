//! What a restore would find on a host (requirement PRE-33).

use hyperv_host::HostError;

use crate::WmiHost;

/// What a restore would find on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreTarget {
    /// What its Windows calls itself.
    pub caption: String,
    /// Its version: major, minor, build.
    pub version: (u32, u32, u32),
    /// It is no Windows Server.
    pub is_desktop: bool,
    /// Its volumes.
    pub volumes: Vec<TargetVolume>,
    /// Identities and names of the VMs that it has.
    pub vms: Vec<(String, String)>,
}

/// A volume that VMs can be restored to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetVolume {
    /// Where it is mounted.
    pub mount: String,
    /// What is free on it, in bytes.
    pub free_bytes: u64,
}

impl WmiHost {
    /// Reads what a restore would find; nothing is changed.
    ///
    /// # Errors
    ///
    /// Those of reading the host.
    pub fn restore_target(&self) -> Result<RestoreTarget, HostError> {
        let facts = self.host_facts()?;
        let volumes = facts.host.volumes.iter();
        Ok(RestoreTarget {
            caption: facts.host.windows.caption.clone(),
            version: facts.host.windows.version,
            is_desktop: facts.host.windows.is_desktop,
            volumes: volumes
                .map(|volume| TargetVolume {
                    mount: volume.mount.to_uppercase(),
                    free_bytes: volume.free_bytes,
                })
                .collect(),
            vms: facts
                .vms
                .iter()
                .map(|vm| (vm.identity(), vm.name.clone()))
                .collect(),
        })
    }
}
