//! How a VM is frozen, and why that way (requirements MODE-12 to MODE-15, CONS-17).
//!
//! | Host | Latest state | All checkpoints |
//! |---|---|---|
//! | Windows Server 2016 and later | recovery checkpoint | VSS writer |
//! | Windows 10 and later | recovery checkpoint | blocked: no such writer |
//! | Windows Server 2012 R2 | VSS writer, online or offline | VSS writer |
//! | Windows Server 2012 | VSS writer, online or saved | VSS writer |
//! | before | blocked | blocked |
//!
//! Beside this a guest that is too old for checkpoints is saved where the policy allows it.

use hyperv_host::{
    BackupMethod, BackupMode, BackupRequest, Finding, PowerState, SavedState, Severity,
};

use super::consistency::{fails_without_scsi, takes_part};
use super::old_guest::is_too_old;
use super::saving::{Interruption, saved_state_findings};
use crate::facts::{HostState, VmFacts};
use crate::findings;

/// Who holds the VM still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A recovery checkpoint that we make.
    Checkpoint,
    /// The host's VSS writer.
    Writer,
    /// We save the VM, where it runs, while its volumes are snapped.
    Saving,
}

/// How a VM is frozen, and why that way.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) way: Way,
    pub(crate) method: BackupMethod,
    /// What the guest notices.
    pub(crate) interruption: Interruption,
    /// What stands in the way of it, or is worth knowing.
    pub(crate) findings: Vec<Finding>,
}

/// Chooses for a VM. No call is made.
pub(crate) fn choose(
    vm: &VmFacts,
    host: &HostState,
    request: &BackupRequest,
    has_vss: bool,
) -> Choice {
    let (way, method, reason) = way_of(vm, host, request);
    let saved = method == BackupMethod::SavedState && vm.state == PowerState::Running;
    let interruption = if saved {
        Interruption::of_saving(vm)
    } else {
        Interruption::none()
    };
    let mut found: Vec<Finding> = findings::old_host(host).into_iter().collect();
    let all = request.mode == BackupMode::AllCheckpoints;
    found.extend((all && host.windows.is_desktop).then(|| findings::desktop(host)));
    let blind = way != Way::Checkpoint && !has_vss && found.is_empty();
    found.extend(blind.then(|| findings::no_vss(host)));
    if found.iter().any(|own| own.severity == Severity::Block) {
        return Choice {
            way,
            method,
            interruption,
            findings: found,
        };
    }
    found.extend(reason.map(|reason| told(method, &reason)));
    if saved {
        found.extend(saved_state_findings(vm, request, &interruption));
    } else if is_too_old(vm) {
        found.push(old_guest(vm));
    }
    Choice {
        way,
        method,
        interruption,
        findings: found,
    }
}

/// Returns the way, the method, and the reason where it is not the usual one.
fn way_of(
    vm: &VmFacts,
    host: &HostState,
    request: &BackupRequest,
) -> (Way, BackupMethod, Option<String>) {
    let windows = &host.windows;
    let may_save = request.saved_state == SavedState::Allow;
    if may_save && is_too_old(vm) && windows.has_offline_checkpoints() {
        let guest = vm.guest.system.as_deref().unwrap_or("the guest");
        let reason = format!("{guest} is too old for checkpoints, and the VM may be saved");
        // One that does not run is read as it lies.
        let method = match vm.state {
            PowerState::Running => BackupMethod::SavedState,
            _ => BackupMethod::VssOffline,
        };
        return (Way::Saving, method, Some(reason));
    }
    if fails_without_scsi(vm, windows) {
        let reason = "it has no SCSI controller, and without one the host's VSS writer fails with a \
                      guest that takes part (event 10103)";
        return (
            Way::Saving,
            BackupMethod::SavedState,
            Some(reason.to_owned()),
        );
    }
    let all = request.mode == BackupMode::AllCheckpoints;
    if windows.has_recovery_checkpoints() && !all {
        return (Way::Checkpoint, BackupMethod::RecoveryCheckpoint, None);
    }
    let why = if all {
        "all checkpoints are read through the host's VSS writer".to_owned()
    } else {
        format!(
            "{} has no recovery checkpoints, so its VSS writer freezes its VMs",
            windows.caption
        )
    };
    let method = if takes_part(vm, windows) {
        BackupMethod::VssOnline
    } else if vm.state == PowerState::Running && !windows.has_offline_checkpoints() {
        BackupMethod::SavedState
    } else {
        BackupMethod::VssOffline
    };
    (Way::Writer, method, Some(why))
}

/// Says which method is used where it is not the usual one.
fn told(method: BackupMethod, reason: &str) -> Finding {
    let how = match method {
        BackupMethod::VssOnline => "frozen with the guest's help, and read from a volume snapshot",
        BackupMethod::VssOffline => "frozen without its guest, and read from a volume snapshot",
        BackupMethod::SavedState => "saved while its volumes are snapped",
        _ => "frozen by a checkpoint",
    };
    let text = format!("the VM is {how} ({}): {reason}", method.name());
    Finding::new("VM-METHOD", Severity::Info, text)
}

fn old_guest(vm: &VmFacts) -> Finding {
    let guest = vm.guest.system.as_deref().unwrap_or("its system");
    let text = format!(
        "the guest says that it is {guest}, which cannot take part in a backup: points are \
         crash-consistent"
    );
    Finding::new("VM-OLD-GUEST", Severity::Info, text).cure(
        "if that will not do, let the VM be saved for its backups: saved_state = \"allow\" in its \
         policy",
    )
}
