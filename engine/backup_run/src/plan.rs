//! What a run would do, before anything is touched.

use hyperv_host::{
    BackupMethod, Consistency, Finding, HostError, HostErrorKind, HypervHost, Reached, Severity,
    SnapshotSets, VmEntry, VmPlan,
};
use repository::Repository;
use serde::Serialize;

use crate::BackupOptions;
use crate::previous::{latest, previous_backup};

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
        let mode = options.request.mode;
        let previous = repository.and_then(|own| latest(own, &vm.identity, mode).ok().flatten());
        let previous = previous.as_ref().map(previous_backup);
        let request = options.request_for(vm);
        let mut plan = match host.plan(vm, &request, previous.as_ref()) {
            Ok(plan) => plan,
            Err(error) if is_of_the_host(error.kind()) => return Err(error),
            Err(error) => unplanned(&error),
        };
        plan.findings.extend(own_snapshots(&plan, options));
        planned.push(PlannedVm {
            vm: vm.name.clone(),
            identity: vm.identity.clone(),
            plan,
        });
    }
    Ok(planned)
}

/// Says that the VM shares its volume snapshots with no other, where it else might.
fn own_snapshots(plan: &VmPlan, options: &BackupOptions) -> Option<Finding> {
    let snapped = matches!(
        plan.method,
        BackupMethod::VssOnline | BackupMethod::VssOffline | BackupMethod::SavedState
    );
    let shared = options.request.snapshot_sets == SnapshotSets::Shared;
    (snapped && shared && options.commands.is_around_vms()).then(|| {
        let text = "a command runs around each VM, so the VM's volume snapshots are its own: a set \
                    for all would freeze it before its command has run";
        Finding::new("VM-SNAPSHOT-ALONE", Severity::Info, text)
            .cure("nothing; with --before and --after alone one set serves all VMs")
    })
}

/// Returns whether a failure is that of the whole host and not of one VM.
fn is_of_the_host(kind: HostErrorKind) -> bool {
    matches!(
        kind,
        HostErrorKind::Unreachable | HostErrorKind::NoHyperv | HostErrorKind::Denied
    )
}

/// Makes the plan of a VM that cannot be looked at: it may be going away just now.
fn unplanned(error: &HostError) -> VmPlan {
    let text = format!("the VM cannot be looked at: {error}");
    let finding = Finding::new("VM-UNREADABLE", Severity::Block, text)
        .cure("see whether the VM is being made, moved or deleted, and run again");
    VmPlan {
        method: BackupMethod::RecoveryCheckpoint,
        consistency: Reached {
            level: Consistency::Crash,
            reason: "it cannot be looked at".to_owned(),
        },
        interruption: "none".to_owned(),
        interruption_seconds: Some(0),
        disks: Vec::new(),
        left_out: Vec::new(),
        findings: vec![finding],
    }
}
