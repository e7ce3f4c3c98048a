//! What would be done with each VM, as a table.

use std::time::Duration;

use backup_run::PlannedVm;
use hyperv_host::{DiskPlan, Severity, VmPlan};

use crate::cmd::vm::show_finding;
use crate::ui::{Align, Table, Ui, count, duration, size};

/// Shows what a run would do: method, consistency, interruption, bytes, and why.
pub(crate) fn show_plan(ui: &Ui, planned: &[PlannedVm]) {
    let mut table = Table::new(&[
        ("VM", Align::Left),
        ("DISKS", Align::Right),
        ("METHOD", Align::Left),
        ("CONSISTENCY", Align::Left),
        ("INTERRUPTION", Align::Left),
        ("READS", Align::Left),
        ("WHY", Align::Left),
    ]);
    for vm in planned {
        ui.record("plan", vm);
        table.row(row(vm));
    }
    ui.table(&table);
    for vm in planned {
        for finding in &vm.plan.findings {
            show_finding(ui, Some(&vm.vm), finding);
        }
    }
}

fn row(vm: &PlannedVm) -> Vec<String> {
    let plan = &vm.plan;
    let blocked = plan.block().is_some();
    vec![
        vm.vm.clone(),
        plan.disks.len().to_string(),
        if blocked {
            "none: blocked"
        } else {
            plan.method.name()
        }
        .to_owned(),
        plan.consistency.level.name().to_owned(),
        interruption(plan),
        reads(&plan.disks, plan.estimated_bytes()),
        why(vm),
    ]
}

/// Says what the guest notices, and for how long it would not run.
fn interruption(plan: &VmPlan) -> String {
    match plan.interruption_seconds {
        Some(seconds) if seconds > 0 => {
            let time = duration(Duration::from_secs(seconds));
            format!("{}, about {time}", plan.interruption)
        }
        _ => plan.interruption.clone(),
    }
}

/// Says what will be read: `what changed`, `all, 40 GiB`, or both.
fn reads(disks: &[DiskPlan], bytes: u64) -> String {
    let full = disks.iter().filter(|disk| disk.full.is_some()).count();
    match full {
        0 if disks.is_empty() => "nothing".to_owned(),
        0 => "what changed".to_owned(),
        all if all == disks.len() => format!("all, {}", size(bytes)),
        some => format!("{} in full, {}", count(some as u64, "disk"), size(bytes)),
    }
}

fn why(vm: &PlannedVm) -> String {
    if let Some(finding) = vm.plan.block() {
        return finding.id.clone();
    }
    let mut reasons = vec![vm.plan.consistency.reason.clone()];
    for disk in &vm.plan.disks {
        let text = disk.full.map(|reason| reason.text().to_owned());
        reasons.extend(text.filter(|text| !reasons.contains(text)));
    }
    let warnings = vm.plan.findings.iter();
    let warnings = warnings.filter(|finding| finding.severity == Severity::Warn);
    reasons.extend(warnings.map(|finding| finding.id.clone()));
    reasons.join("; ")
}

#[cfg(test)]
mod tests {
    use hyperv_host::{BackupMethod, Consistency, DiskPlan, Finding, FullReason, Reached};

    use super::*;

    fn planned(method: BackupMethod, interruption: &str, seconds: Option<u64>) -> PlannedVm {
        PlannedVm {
            vm: "OLD01".to_owned(),
            identity: "old".to_owned(),
            plan: VmPlan {
                method,
                consistency: Reached {
                    level: Consistency::Crash,
                    reason: "the guest has no integration services".to_owned(),
                },
                interruption: interruption.to_owned(),
                interruption_seconds: seconds,
                disks: vec![DiskPlan {
                    number: 0,
                    path: "C:\\old.vhd".to_owned(),
                    full: Some(FullReason::OldDiskFormat),
                    estimated_bytes: 40 << 30,
                }],
                left_out: Vec::new(),
                findings: vec![Finding::new(
                    "VM-SAVED-STATE",
                    Severity::Warn,
                    "it is saved",
                )],
            },
        }
    }

    #[test]
    fn an_interruption_is_told_before_the_run_with_how_long_it_will_be() {
        let saved = planned(BackupMethod::SavedState, "saved", Some(95));
        assert_eq!(
            row(&saved),
            [
                "OLD01",
                "1",
                "saved-state",
                "crash",
                "saved, about 1 min 35 s",
                "all, 40.0 GiB",
                "the guest has no integration services; the disk is no VHDX, and only those are \
                 tracked; VM-SAVED-STATE",
            ]
        );
        let none = planned(BackupMethod::VssOnline, "none", Some(0));
        assert_eq!(row(&none)[4], "none");
        let unknown = planned(BackupMethod::SavedState, "saved", None);
        assert_eq!(row(&unknown)[4], "saved");
    }
}
