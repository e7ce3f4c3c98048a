//! What a run would do, before anything is touched.

use hyperv_host::{HostError, HypervHost, VmEntry, VmPlan};
use repository::Repository;
use serde::Serialize;

use crate::BackupOptions;
use crate::previous::previous_backup;

/// A VM, and what a backup of it would do.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedVm {
    /// The VM's name.
    pub vm: String,
    /// Its identity.
    pub identity: String,
    /// What would be done.
    pub plan: VmPlan,
}

/// Says what a run would do with each VM. Without a repository every disk counts as new.
pub fn plan_backup(
    host: &dyn HypervHost,
    repository: Option<&Repository>,
    vms: &[VmEntry],
    options: &BackupOptions,
) -> Result<Vec<PlannedVm>, HostError> {
    let mut planned = Vec::with_capacity(vms.len());
    for vm in vms {
        // Points that cannot be listed are the run's trouble; to plan, the VM counts as new.
        let points = repository.and_then(|repository| repository.points_of(&vm.identity).ok());
        let previous = points.and_then(|mut points| points.pop());
        let previous = previous.as_ref().map(previous_backup);
        let request = options.request_for(vm);
        planned.push(PlannedVm {
            vm: vm.name.clone(),
            identity: vm.identity.clone(),
            plan: host.plan(vm, &request, previous.as_ref())?,
        });
    }
    Ok(planned)
}
