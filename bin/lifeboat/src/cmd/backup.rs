//! `lifeboat backup`.

use std::sync::{PoisonError, RwLock};

use backup_run::{
    BackupOptions, Outcome, RunEvent, RunFailure, RunItem, RunObserver, RunReport, back_up,
    select_vms,
};
use clap::Args;
use hyperv_host::{HypervHost as _, VmEntry};
use repository::StreamStatistics;
use serde_json::json;

use crate::cli_error::CliError;
use crate::cmd::version::PROGRAM;
use crate::cmd::vm::show_finding;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::{Invocation, open_host};
use crate::ui::{Progress, Ui, count, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat backup --host dir:/srv/vms --all --repo /backup
  lifeboat backup --host dir:/srv/vms SQL01 WEB01 --repo /backup
  lifeboat backup --host dir:/srv/vms --all --dry-run

A VM is named by its name, its GUID or the beginning of it.")]
pub(crate) struct BackupArgs {
    /// The host: dir:FOLDER for a folder with VMs
    #[arg(long, value_name = "HOST")]
    host: String,
    /// Back up every VM of the host
    #[arg(long, conflicts_with = "vms")]
    all: bool,
    /// The VMs to back up
    #[arg(value_name = "VM", required_unless_present = "all")]
    vms: Vec<String>,
    /// End with code 4 where there are warnings
    #[arg(long)]
    strict: bool,
    /// Say what would be backed up, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn run(invocation: &Invocation, args: &BackupArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    if !args.dry_run {
        // Said before a large host is listed.
        invocation.repository_folder()?;
    }
    let host = open_host(&args.host)?;
    let inventory = host.inventory()?;
    let vms = select_vms(&inventory, &args.vms, args.all)?;
    if args.dry_run {
        return Ok(show_plan(ui, &vms));
    }
    let repository = invocation.open_repository()?;
    let options = BackupOptions {
        workers: 0,
        program: PROGRAM.to_owned(),
    };
    let report = back_up(&host, &repository, &vms, &options, &RunView::new(ui))?;
    let code = exit_code(&report, args.strict);
    show_total(ui, &report);
    ui.summary(outcome_word(report.outcome), code, &report);
    Ok(code)
}

fn show_plan(ui: &Ui, vms: &[VmEntry]) -> ExitCode {
    for vm in vms {
        ui.record("plan", vm);
        let bytes: u64 = vm.disks.iter().filter_map(|disk| disk.size_bytes).sum();
        let disks = count(vm.disks.len() as u64, "disk");
        ui.data(format!(
            "would back up {}: {disks}, {}",
            vm.name,
            size(bytes)
        ));
        vm.findings
            .iter()
            .for_each(|finding| show_finding(ui, Some(&vm.name), finding));
    }
    let fields = json!({ "vms": vms.len(), "dry_run": true });
    ui.summary("success", ExitCode::Success, fields);
    ExitCode::Success
}

/// Returns what a run ends with. A repository that failed ended the run, and says so itself.
pub(crate) fn exit_code(report: &RunReport, strict: bool) -> ExitCode {
    let failures = || report.items.iter().filter_map(|item| item.failure.as_ref());
    match report.outcome {
        Outcome::Success => ExitCode::Success,
        Outcome::Warning if strict => ExitCode::Warnings,
        Outcome::Warning => ExitCode::Success,
        Outcome::Partial => failures()
            .find(|failure| failure.repository.is_some())
            .map(code_of)
            .filter(|code| code.is_specific())
            .unwrap_or(ExitCode::Partial),
        Outcome::Cancelled => ExitCode::Cancelled,
        Outcome::Failed | Outcome::Skipped => failures().next().map_or(ExitCode::Failed, code_of),
    }
}

/// Returns the code of one VM's failure.
fn code_of(failure: &RunFailure) -> ExitCode {
    if let Some(kind) = failure.repository {
        return ExitCode::of_repository(kind);
    }
    failure.disk.map_or(ExitCode::Failed, ExitCode::of_disk)
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Warning => "warning",
        Outcome::Partial => "partial",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "cancelled",
        Outcome::Skipped => "skipped",
    }
}

/// Shows how a run gets on.
pub(crate) struct RunView<'a> {
    ui: &'a Ui,
    progress: RwLock<Option<Progress>>,
}

impl<'a> RunView<'a> {
    pub(crate) fn new(ui: &'a Ui) -> Self {
        Self {
            ui,
            progress: RwLock::new(None),
        }
    }

    fn replace(&self, next: Option<Progress>) -> Option<Progress> {
        let mut progress = self
            .progress
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *progress, next)
    }
}

impl RunObserver for RunView<'_> {
    fn event(&self, event: RunEvent<'_>) {
        match event {
            RunEvent::VmStarted {
                number,
                count,
                vm,
                size_bytes,
            } => {
                let turn = (number, count);
                let progress = self.ui.progress_of_turn("backup", vm, turn, size_bytes);
                self.replace(Some(progress));
            }
            RunEvent::StreamStarted {
                vm,
                stream,
                size_bytes,
            } => self.ui.record(
                "stream",
                json!({ "vm": vm, "stream": stream, "size_bytes": size_bytes }),
            ),
            RunEvent::Progress {
                stream_bytes,
                stored_bytes,
            } => {
                let progress = self.progress.read().unwrap_or_else(PoisonError::into_inner);
                if let Some(progress) = &*progress {
                    progress.advance(stream_bytes, stored_bytes);
                }
            }
            RunEvent::VmFinished(item) => {
                if let Some(progress) = self.replace(None)
                    && item.point.is_some()
                {
                    progress.finish();
                }
                show_item(self.ui, item);
            }
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}

fn show_item(ui: &Ui, item: &RunItem) {
    ui.record("item", item);
    for warning in &item.warnings {
        ui.warning(&format!("{}: {warning}", item.vm));
    }
    let vm = &item.vm;
    match (&item.point, &item.failure) {
        (Some(point), _) => ui.data(format!(
            "{vm}: restore point {point}, {}",
            figures(&item.statistics)
        )),
        (None, Some(_)) if item.outcome == Outcome::Cancelled => {
            ui.message(format!(
                "{vm}: cancelled; what was stored until now is kept"
            ));
        }
        (None, Some(failure)) => show_failure(ui, vm, failure),
        (None, None) => ui.message(format!(
            "{vm}: skipped, because the run ended before its turn"
        )),
    }
}

fn show_failure(ui: &Ui, vm: &str, failure: &RunFailure) {
    let code = code_of(failure);
    let message = failure.messages.first().map_or("failed", String::as_str);
    let causes = failure.messages.get(1..).unwrap_or_default();
    ui.record(
        "error",
        json!({ "vm": vm, "exit": code, "kind": failure.kind,
                "text": message, "causes": causes, "hint": failure.hint }),
    );
    ui.trouble(format!("error: {vm}: {message}"));
    // A cause that the message has already is not said twice.
    let said = |cause: &&String| !message.contains(cause.as_str());
    causes
        .iter()
        .filter(said)
        .for_each(|cause| ui.trouble(format!("  cause: {cause}")));
    if let Some(hint) = &failure.hint {
        ui.trouble(format!("  do: {hint}"));
    }
}

/// Says what was read and stored.
pub(crate) fn figures(statistics: &StreamStatistics) -> String {
    format!(
        "read {}, changed {}, new {}, stored {}",
        size(statistics.read_bytes),
        size(statistics.changed_bytes),
        size(statistics.new_bytes),
        size(statistics.stored_bytes)
    )
}

fn show_total(ui: &Ui, report: &RunReport) {
    if report.items.len() < 2 {
        return;
    }
    let made = report
        .items
        .iter()
        .filter(|item| item.point.is_some())
        .count();
    ui.message(format!(
        "{made} of {} have a new restore point",
        count(report.items.len() as u64, "VM")
    ));
}

#[cfg(test)]
mod tests {
    use block_io::DiskErrorKind;
    use jiff::Timestamp;
    use repository::RepositoryErrorKind;

    use super::*;

    fn report(
        outcome: Outcome,
        disk: Option<DiskErrorKind>,
        repository: Option<RepositoryErrorKind>,
    ) -> RunReport {
        let failure = RunFailure {
            messages: vec!["it failed".to_owned()],
            hint: None,
            kind: "failed".to_owned(),
            disk,
            repository,
        };
        let item = RunItem {
            vm: "VM".to_owned(),
            identity: "vm".to_owned(),
            outcome: Outcome::Failed,
            point: None,
            statistics: StreamStatistics::default(),
            warnings: Vec::new(),
            failure: Some(failure),
        };
        RunReport {
            host: "dir:host".to_owned(),
            started: Timestamp::UNIX_EPOCH,
            finished: Timestamp::UNIX_EPOCH,
            outcome,
            items: vec![item],
        }
    }

    #[test]
    fn a_run_ends_with_the_code_of_what_ended_it() {
        let code = |outcome, disk, repository| exit_code(&report(outcome, disk, repository), false);
        let full = Some(RepositoryErrorKind::NoSpace);
        let (corrupt, blocked) = (Some(DiskErrorKind::Corrupt), Some(DiskErrorKind::Blocked));
        assert_eq!(code(Outcome::Failed, None, full), ExitCode::NoSpace);
        assert_eq!(code(Outcome::Partial, None, full), ExitCode::NoSpace);
        assert_eq!(code(Outcome::Partial, corrupt, None), ExitCode::Partial);
        assert_eq!(code(Outcome::Failed, corrupt, None), ExitCode::Failed);
        assert_eq!(code(Outcome::Failed, blocked, None), ExitCode::Blocked);
        assert_eq!(code(Outcome::Cancelled, None, None), ExitCode::Cancelled);
    }

    #[test]
    fn warnings_fail_a_strict_run_alone() {
        let report = report(Outcome::Warning, None, None);
        assert_eq!(exit_code(&report, false), ExitCode::Success);
        assert_eq!(exit_code(&report, true), ExitCode::Warnings);
    }
}
