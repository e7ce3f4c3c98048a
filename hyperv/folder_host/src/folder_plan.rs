//! What a backup of a folder's VM does: it reads files as they lie.

use hyperv_host::{
    BackupMethod, BackupRequest, Consistency, DiskPlan, Finding, FullReason, OnMissed, Reached,
    Severity, VmEntry, VmPlan,
};

use crate::machine::left_out;

/// The level that files of a folder have.
pub(crate) fn reached() -> Reached {
    Reached {
        level: Consistency::Crash,
        reason: "files of a folder, read as they lie: as after a power cut".to_owned(),
    }
}

/// Says what a backup of the VM would do.
pub(crate) fn plan(vm: &VmEntry, request: &BackupRequest) -> VmPlan {
    let mut findings = vm.findings.clone();
    findings.extend(missed(request));
    let excluded = |slot| request.exclude.contains(&slot);
    let (out, read): (Vec<_>, Vec<_>) = vm
        .disks
        .iter()
        .partition(|disk| disk.slot.is_some_and(excluded));
    VmPlan {
        method: BackupMethod::Files,
        consistency: reached(),
        interruption: "none".to_owned(),
        interruption_seconds: Some(0),
        disks: read
            .into_iter()
            .map(|disk| DiskPlan {
                number: disk.number,
                path: disk.path.clone(),
                full: Some(FullReason::NotTracked),
                estimated_bytes: disk.size_bytes.unwrap_or(0),
            })
            .collect(),
        left_out: out
            .into_iter()
            .map(|disk| left_out(disk.slot, &disk.path, "excluded"))
            .collect(),
        findings,
    }
}

/// Says that the required level cannot be had, where it cannot.
fn missed(request: &BackupRequest) -> Option<Finding> {
    let required = request.require?;
    if required <= Consistency::Crash {
        return None;
    }
    let severity = match request.on_missed {
        OnMissed::Fail => Severity::Block,
        OnMissed::Warn => Severity::Warn,
        OnMissed::Accept => return None,
    };
    let text = format!(
        "{} consistency is required, and files of a folder are crash-consistent",
        required.name()
    );
    let cure = "back the VM up through its host, or require less";
    Some(Finding::new("VM-CONSISTENCY", severity, text).cure(cure))
}
