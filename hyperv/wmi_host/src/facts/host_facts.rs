//! What a host says of itself and of all its VMs.

use uuid::Uuid;
use wmi::{WmiError, WmiSession};

use super::raw_vms::RawVms;
use super::{HostState, VmFacts};

/// What a host says of itself and of all its VMs, at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostFacts {
    /// The host itself.
    pub(crate) host: HostState,
    /// The host shows any system at all, itself among them: the account may see them.
    pub(crate) sees_systems: bool,
    /// Its VMs, ordered by name, then by identity.
    pub(crate) vms: Vec<VmFacts>,
}

impl HostFacts {
    /// Reads them in at most 14 calls, whatever the number of VMs.
    pub(crate) fn read(session: &dyn WmiSession) -> Result<Self, WmiError> {
        // Without Hyper-V the first query says so.
        let raw = RawVms::of_host(session)?;
        let host = HostState::read(session)?;
        let mut vms = VmFacts::all(&raw)?;
        for vm in &mut vms {
            vm.clustered = host
                .cluster
                .as_ref()
                .is_some_and(|cluster| cluster.vm(vm.id).is_some());
        }
        vms.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
        Ok(Self {
            host,
            sees_systems: !raw.systems.is_empty(),
            vms,
        })
    }

    /// Returns a VM.
    pub(crate) fn vm(&self, id: Uuid) -> Option<&VmFacts> {
        self.vms.iter().find(|vm| vm.id == id)
    }
}
