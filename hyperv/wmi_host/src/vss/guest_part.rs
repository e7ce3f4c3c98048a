//! What the writer will do with a guest, by what it calls the VM's component.

use ::vss::Component;
use hyperv_host::{BackupMethod, Consistency, HostError, PowerState, Reached, SavedState};

use super::candidate::Candidate;
use super::component::is_online;
use crate::backup::consistency::without_guest;
use crate::facts::WindowsVersion;
use crate::plan::saved_state_refused;

/// Takes the writer's word for whether the guest takes part.
///
/// # Errors
///
/// `ConsistencyMissed` where the request does not accept what is left, `Blocked` where the VM would
/// be saved and may not be.
pub(super) fn guest_part(
    vm: &mut Candidate,
    component: &Component,
    windows: &WindowsVersion,
) -> Result<(), HostError> {
    let planned = vm.expected.ask_guest;
    // No level is claimed, and no VM saved unasked, on a word that is not understood.
    let online = is_online(&component.caption).unwrap_or(false);
    let runs = vm.vm.state == PowerState::Running;
    vm.method = match (online, runs && !windows.has_offline_checkpoints()) {
        (true, _) => BackupMethod::VssOnline,
        (false, true) => BackupMethod::SavedState,
        (false, false) => BackupMethod::VssOffline,
    };
    if vm.method == BackupMethod::SavedState && vm.request.saved_state == SavedState::Refuse {
        return Err(HostError::blocked(&saved_state_refused(&vm.vm)));
    }
    if planned && !online {
        let why = format!("the host's VSS writer calls the VM {:?}", component.caption);
        let (reached, finding) = without_guest(&vm.expected.reached, &why, &vm.request)?;
        vm.expected.reached = reached;
        vm.expected.ask_guest = false;
        vm.findings.extend(finding);
    }
    Ok(())
}

/// Lowers the level of a VM of which the guest's repaired snapshot is missing.
pub(super) fn not_recovered(vm: &mut Candidate) -> Result<(), HostError> {
    if vm.expected.reached.level != Consistency::Application {
        return Ok(());
    }
    let why = "the volume snapshot does not hold what the guest's own snapshot recovered to";
    let (reached, finding): (Reached, _) = without_guest(&vm.expected.reached, why, &vm.request)?;
    vm.expected.reached = reached;
    vm.findings.extend(finding);
    Ok(())
}
