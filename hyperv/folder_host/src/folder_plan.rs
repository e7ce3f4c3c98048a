//! What a backup of a folder's VM does: it reads files as they lie.

use hyperv_host::{
    BackupMethod, BackupRequest, Consistency, DiskEntry, DiskPlan, Finding, FullReason, HostError,
    LeftOut, OnMissed, Reached, Severity, VmEntry, VmPlan, VmSource,
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
    let read = vm.disks.iter().filter(|disk| !is_excluded(disk, request));
    VmPlan {
        method: BackupMethod::Files,
        consistency: reached(),
        interruption: "none".to_owned(),
        interruption_seconds: Some(0),
        disks: read
            .map(|disk| DiskPlan {
                number: disk.number,
                path: disk.path.clone(),
                full: Some(FullReason::NotTracked),
                estimated_bytes: disk.size_bytes.unwrap_or(0),
            })
            .collect(),
        left_out: excluded(vm, request),
        findings,
    }
}

fn is_excluded(disk: &DiskEntry, request: &BackupRequest) -> bool {
    disk.slot
        .is_some_and(|slot| request.exclude.contains(&slot))
}

/// Returns the disks that are left out because the person said so.
pub(crate) fn excluded(vm: &VmEntry, request: &BackupRequest) -> Vec<LeftOut> {
    let out = vm.disks.iter().filter(|disk| is_excluded(disk, request));
    out.map(|disk| left_out(disk.slot, &disk.path, "excluded"))
        .collect()
}

/// Makes the plan that of a checkpoint tree: every image file is read, as it lies.
pub(crate) fn plan_tree(plan: &mut VmPlan, opened: Result<&VmSource, &HostError>) {
    match opened {
        Ok(source) => {
            plan.findings.extend(source.findings.iter().cloned());
            let images = (0..).zip(&source.images);
            plan.disks = images
                .map(|(number, image)| DiskPlan {
                    number,
                    path: image.configured_path.clone(),
                    full: Some(FullReason::NotTracked),
                    estimated_bytes: image.file.size_bytes().unwrap_or(0),
                })
                .collect();
        }
        // What stands in the way of the VM itself is told already.
        Err(error) if plan.block().is_none() => {
            let cure = error.hint_text().map_or(
                "put all files of the checkpoints below the folder, or choose another mode",
                |hint| hint,
            );
            let finding = Finding::new(
                "VM-CHECKPOINT-INCOMPLETE",
                Severity::Block,
                error.to_string(),
            );
            plan.findings.push(finding.cure(cure));
        }
        Err(_) => {}
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
