//! What a host says of itself and of all its VMs.

use uuid::Uuid;
use wmi::{WmiError, WmiSession};

use super::raw_vms::RawVms;
use super::{HostState, UnreadVm, VmFacts};

/// What a host says of itself and of all its VMs, at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostFacts {
    /// The host itself.
    pub(crate) host: HostState,
    /// The host shows any system at all, itself among them: the account may see them.
    pub(crate) sees_systems: bool,
    /// Its VMs, ordered by name, then by identity.
    pub(crate) vms: Vec<VmFacts>,
    /// VMs of which the host does not say what they are made of.
    pub(crate) unread: Vec<UnreadVm>,
}

impl HostFacts {
    /// Reads them in at most 15 calls, whatever the number of VMs.
    pub(crate) fn read(session: &dyn WmiSession) -> Result<Self, WmiError> {
        // Without Hyper-V the first query says so.
        let raw = RawVms::of_host(session)?;
        let host = HostState::read(session)?;
        let (mut vms, mut unread) = (Vec::new(), Vec::new());
        for vm in VmFacts::all(&raw) {
            match vm {
                Ok(vm) => vms.push(vm),
                Err(vm) => unread.push(vm),
            }
        }
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
            unread,
        })
    }

    /// Returns a VM.
    pub(crate) fn vm(&self, id: Uuid) -> Option<&VmFacts> {
        self.vms.iter().find(|vm| vm.id == id)
    }
}
