//! What becomes of each of many VMs, and the report of them.

use hyperv_host::{Finding, Severity};
use serde::Serialize;
use serde_json::json;
use vm_restore::{RestoreError, VmOutcome, VmPlan};

use super::super::to_host::say_failure;
use crate::cmd::vm::show_finding;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::ui::{Align, Table, Ui, count, size};

/// What becomes of a VM.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Item {
    pub(super) vm: String,
    pub(super) identity: String,
    pub(super) point: String,
    /// What happened to it.
    pub(super) outcome: ItemOutcome,
    /// Bytes that were written, or will be.
    pub(super) bytes: u64,
    /// Why it did not come back.
    pub(super) text: String,
    /// It came back, and something is otherwise than one would wish.
    pub(super) warned: bool,
}

/// What happened to a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ItemOutcome {
    /// It would be restored.
    Planned,
    /// It came back.
    Restored,
    /// The host has it already.
    There,
    /// A finding stands in the way.
    Blocked,
    /// It failed.
    Failed,
    /// The person asked to stop.
    Cancelled,
}

impl ItemOutcome {
    fn text(self) -> &'static str {
        match self {
            Self::Planned => "would come back",
            Self::Restored => "came back",
            Self::There => "is there already",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    fn of_block(finding: &Finding) -> Self {
        match finding.id.as_str() {
            "POINT-SAME-VM" => Self::There,
            _ => Self::Blocked,
        }
    }
}

impl Item {
    /// Says of a VM what would be done, and shows what is found.
    pub(super) fn of_plan(ui: &Ui, vm: &VmPlan) -> Self {
        let mut item = Self {
            vm: vm.name.clone(),
            identity: vm.identity.clone(),
            point: vm.point.clone(),
            outcome: ItemOutcome::Planned,
            bytes: 0,
            text: String::new(),
            warned: false,
        };
        let plan = match &vm.plan {
            Ok(plan) => plan,
            Err(error) => {
                item.outcome = ItemOutcome::Failed;
                item.text = with_causes(error);
                return item;
            }
        };
        ui.record("plan", json!({ "plan": plan }));
        item.bytes = plan.write_bytes;
        // Of a VM that does not come back nothing else is worth a word.
        if let Some(block) = plan.block() {
            item.outcome = ItemOutcome::of_block(block);
            item.text.clone_from(&block.text);
            return item;
        }
        let warns = |finding: &&Finding| finding.severity == Severity::Warn;
        for finding in plan.findings.iter().filter(warns) {
            item.warned = true;
            show_finding(ui, Some(&plan.vm), finding);
        }
        item
    }

    /// Says what became of a VM.
    pub(super) fn of_outcome(ui: &Ui, done: &VmOutcome) -> Self {
        let mut item = Self {
            vm: done.name.clone(),
            identity: done.identity.clone(),
            point: done.point.clone(),
            outcome: ItemOutcome::Restored,
            bytes: 0,
            text: String::new(),
            warned: false,
        };
        match &done.result {
            Ok(report) => {
                item.bytes = report.written_bytes;
                for finding in &report.findings {
                    item.warned |= finding.severity >= Severity::Warn;
                    show_finding(ui, Some(&report.name), finding);
                }
            }
            Err(failure) => {
                item.outcome = match &failure.error {
                    RestoreError::Blocked(finding) => ItemOutcome::of_block(finding),
                    _ if interrupt::asked() => ItemOutcome::Cancelled,
                    _ => ItemOutcome::Failed,
                };
                item.text = with_causes(failure);
                if item.outcome == ItemOutcome::Failed {
                    say_failure(ui, failure);
                }
            }
        }
        item
    }
}

/// Returns what an error says, and what its causes add.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let causes = std::iter::successors(error.source(), |cause| cause.source()).take(8);
    for cause in causes {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Says which VMs came back.
pub(super) fn finish(ui: &Ui, host: &str, items: &[Item], dry_run: bool) -> ExitCode {
    let mut table = Table::new(&[
        ("VM", Align::Left),
        ("POINT", Align::Left),
        ("", Align::Left),
        ("WRITES", Align::Right),
        ("WHY", Align::Left),
    ]);
    for item in items {
        ui.record("item", item);
        table.row(vec![
            item.vm.clone(),
            item.point.clone(),
            item.outcome.text().to_owned(),
            size(item.bytes),
            item.text.clone(),
        ]);
    }
    ui.table(&table);
    let of = |outcome| items.iter().filter(|item| item.outcome == outcome).count();
    let cancelled = of(ItemOutcome::Cancelled);
    let missing = of(ItemOutcome::Failed) + of(ItemOutcome::Blocked) + cancelled;
    let back = match dry_run {
        true => of(ItemOutcome::Planned),
        false => of(ItemOutcome::Restored),
    };
    let verb = match dry_run {
        true => "would come back",
        false => "came back",
    };
    let there = of(ItemOutcome::There);
    ui.data(format!(
        "{} {verb} to {host}, {there} there already, {missing} not",
        count(back as u64, "VM"),
    ));
    let (outcome, code) = match (missing, cancelled) {
        (0, _) if !dry_run && items.iter().any(|item| item.warned) => {
            ("warning", ExitCode::Success)
        }
        (0, _) => ("success", ExitCode::Success),
        (_, 0) => ("partial", ExitCode::Partial),
        _ => ("cancelled", ExitCode::Cancelled),
    };
    let fields = json!({ "host": host, "restored": of(ItemOutcome::Restored), "there": there,
                         "missing": missing, "dry_run": dry_run, "items": items });
    ui.summary(outcome, code, fields);
    code
}
