//! One restore to a host: plan, confirmation, work, report.

use hyperv_host::{HostError, RestoreHost, Severity, StepObserver};
use repository::{Repository, RestorePoint};
use serde_json::json;
use vm_restore::{
    Destroyed, HostRestoreFailure, HostRestoreObserver, HostRestorePlan, HostRestoreReport,
    HostRestoreRequest, RestoreKind, plan_host_restore,
};

use super::cure::fit_cures;
use super::plan_view::show_plan;
use super::say_skipped;
use crate::cli_error::CliError;
use crate::cmd::vm::show_finding;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::{Progress, Ui, size};

/// One restore to a host.
pub(super) struct ToHost<'a> {
    pub(super) invocation: &'a Invocation,
    pub(super) repository: &'a Repository,
    pub(super) point: &'a RestorePoint,
    pub(super) host: &'a dyn RestoreHost,
    pub(super) request: HostRestoreRequest,
    /// The name that confirms that something is destroyed.
    pub(super) confirm: Option<&'a str>,
    pub(super) dry_run: bool,
}

impl ToHost<'_> {
    /// Plans, shows the plan, and does what it says once nothing stands in the way.
    pub(super) fn run(&self) -> Result<ExitCode, CliError> {
        let ui = &self.invocation.ui;
        let mut plan = plan_host_restore(self.repository, self.point, self.host, &self.request)?;
        fit_cures(&mut plan, &self.request.part);
        show_plan(ui, &plan);
        let fields = json!({ "point": plan.point, "vm": plan.vm, "host": plan.host,
                             "kind": plan.kind, "method": plan.method, "dry_run": self.dry_run,
                             "needs_confirmation": plan.needs_confirmation() });
        // Also for a plan alone: who asks whether it would work gets the answer of the real thing.
        refuse_blocked(&plan)?;
        if self.dry_run {
            ui.summary("success", ExitCode::Success, fields);
            return Ok(ExitCode::Success);
        }
        self.confirm(&plan)?;
        self.agree(&plan)?;
        let report = execute(ui, &plan, self.host).map_err(|failure| {
            say_failure(ui, &failure);
            CliError::from(failure)
        })?;
        self.report(&plan, &report)
    }

    /// Asks for the name where something is destroyed.
    fn confirm(&self, plan: &HostRestorePlan) -> Result<(), CliError> {
        if !plan.needs_confirmation() {
            return Ok(());
        }
        let name = name_to_confirm(plan);
        match self.confirm {
            Some(given) if given == name => Ok(()),
            Some(given) => Err(not_confirmed(format!(
                "--confirm says {given:?}, and what gives way is {name:?}"
            ))),
            None if self.invocation.typed(name)? => Ok(()),
            None => Err(not_confirmed(format!(
                "this destroys what is there now of {name:?}, and nobody confirmed it"
            ))),
        }
        .map_err(|error| {
            let otherwise = match plan.kind {
                RestoreKind::InPlace => ", or keep what is there with --keep-old",
                _ => "",
            };
            error.hint(format!(
                "look at the plan (--dry-run); then confirm it with --confirm {name:?}{otherwise}"
            ))
        })
    }

    /// Asks before adapters of a VM are changed, which destroys nothing that the point does not
    /// bring back, but is felt by whoever uses the VM.
    fn agree(&self, plan: &HostRestorePlan) -> Result<(), CliError> {
        let vm = plan.old_vm_name().unwrap_or(&plan.vm);
        if plan.kind != RestoreKind::Network || self.confirm == Some(vm) {
            return Ok(());
        }
        if let Some(given) = self.confirm {
            let text = format!("--confirm says {given:?}, and what is changed is {vm:?}");
            return Err(not_confirmed(text).hint(format!("confirm it with --confirm {vm:?}")));
        }
        let question = format!("change the network adapters of {vm} on {}?", plan.host);
        if self.invocation.agreed(&question)? {
            return Ok(());
        }
        let text = "no network adapter was changed";
        Err(CliError::new(ExitCode::Cancelled, "cancelled", text))
    }

    fn report(
        &self,
        plan: &HostRestorePlan,
        report: &HostRestoreReport,
    ) -> Result<ExitCode, CliError> {
        let ui = &self.invocation.ui;
        for finding in &report.findings {
            show_finding(ui, Some(&report.name), finding);
        }
        for note in &report.notes {
            ui.message(note);
        }
        ui.data(report_line(plan, report));
        say_skipped(ui, self.point.disks());
        if report.started {
            ui.data(format!("started {}", report.name));
        }
        let warned = report
            .findings
            .iter()
            .any(|finding| finding.severity >= Severity::Warn);
        let (outcome, code) = match (warned, plan.starts && !report.started) {
            (_, true) => ("partial", ExitCode::Partial),
            (true, false) => ("warning", ExitCode::Success),
            (false, false) => ("success", ExitCode::Success),
        };
        let fields = json!({ "point": report.point, "vm": plan.vm, "host": report.host,
                             "started": report.started, "report": report });
        ui.summary(outcome, code, fields);
        Ok(code)
    }
}

/// Ends with the first thing that stands in the way.
fn refuse_blocked(plan: &HostRestorePlan) -> Result<(), CliError> {
    let Some(block) = plan.block() else {
        return Ok(());
    };
    let code = match block.id.as_str() {
        "POINT-SAME-VM" => ExitCode::TargetExists,
        "POINT-VERSION" => ExitCode::Incompatible,
        "POINT-NO-ROOM" => ExitCode::NoSpace,
        _ => return Err(HostError::blocked(block).into()),
    };
    let text = format!("{}: {}", block.id, block.text);
    let error = CliError::new(code, "blocked", text);
    Err(match &block.cure {
        Some(cure) => error.hint(cure),
        None => error,
    })
}

/// Returns the name of what gives way.
pub(super) fn name_to_confirm(plan: &HostRestorePlan) -> &str {
    let names = plan
        .destroyed
        .iter()
        .filter_map(|destroyed| match destroyed {
            Destroyed::Vm { name, .. } | Destroyed::Configuration { name } => Some(name.as_str()),
            _ => None,
        });
    names.into_iter().next().unwrap_or(&plan.vm)
}

fn not_confirmed(text: String) -> CliError {
    CliError::new(ExitCode::Usage, "not-confirmed", text)
}

/// Does what a plan says, and shows how it gets on.
pub(super) fn execute(
    ui: &Ui,
    plan: &HostRestorePlan,
    host: &dyn RestoreHost,
) -> Result<HostRestoreReport, HostRestoreFailure> {
    let total = plan.disks.iter().map(|disk| disk.size_bytes).sum();
    let progress = ui.progress("restore", Some(&plan.vm), total);
    let watching = Watching {
        ui,
        progress: &progress,
    };
    let report = plan.execute(host, &watching)?;
    progress.finish();
    Ok(report)
}

/// Says what became of a restore that did not come to its end.
pub(super) fn say_failure(ui: &Ui, failure: &HostRestoreFailure) {
    for text in &failure.undone {
        ui.message(format!("taken back: {text}"));
    }
    for text in &failure.left {
        ui.warning(&format!("left: {text}"));
    }
    ui.record(
        "failure",
        json!({ "undone": failure.undone, "left": failure.left,
                "can_go_on": failure.can_go_on }),
    );
    if failure.can_go_on {
        ui.message("the same command goes on where this one ended");
    }
}

/// Returns in one line what was done.
pub(super) fn report_line(plan: &HostRestorePlan, report: &HostRestoreReport) -> String {
    let what = match report.kind {
        RestoreKind::NewVm | RestoreKind::FromConfiguration => "restored",
        RestoreKind::Beside => "restored beside the old VM",
        RestoreKind::InPlace => "restored in place",
        RestoreKind::Disks => "attached disks of",
        RestoreKind::Configuration => "restored the configuration of",
        RestoreKind::Network => "restored the network adapters of",
        RestoreKind::Finish => "finished the restore of",
    };
    let compared = match report.compared_bytes {
        0 => String::new(),
        bytes => format!(", {} compared", size(bytes)),
    };
    format!(
        "{what} {} {} to {} as {} ({}): {} written{compared}",
        plan.vm,
        report.point,
        report.host,
        report.name,
        report.identity,
        size(report.written_bytes)
    )
}

/// Shows how a restore gets on, or several together.
pub(super) struct Watching<'a> {
    pub(super) ui: &'a Ui,
    pub(super) progress: &'a Progress,
}

impl HostRestoreObserver for Watching<'_> {
    fn step(&self, vm: &str, text: &str) {
        say_step(self.ui, vm, text);
    }

    fn advanced(&self, _vm: &str, bytes: u64) {
        self.progress.advance(bytes, 0);
    }

    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}

/// Says that a step begins.
fn say_step(ui: &Ui, vm: &str, text: &str) {
    ui.record("step", json!({ "vm": vm, "text": text }));
    if ui.is_verbose() {
        ui.message(format!("{vm}: {text}"));
    }
}

/// Hears what a host does with a VM's power.
pub(super) struct Steps<'a> {
    pub(super) ui: &'a Ui,
}

impl StepObserver for Steps<'_> {
    fn step(&self, text: &str) {
        if self.ui.is_verbose() {
            self.ui.message(text);
        }
    }

    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}
