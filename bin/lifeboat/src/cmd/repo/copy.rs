//! `lifeboat repo copy`: restore points into another repository, only what is missing.

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use clap::Args;
use point_copy::{CopyItem, CopyObserver, CopyOutcome, CopyPlan, CopySelection, PlannedPoint};
use repository::StreamObserver;
use serde_json::json;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::{Align, Progress, Table, Ui, count, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo copy --repo /backup --to sftp://vault@second-site/lifeboat
  lifeboat repo copy --to E:\\Vault --vm Web --newest 3 --dry-run

The repository to copy to is opened with LIFEBOAT_TO_PASSWORD_FILE, LIFEBOAT_TO_PASSWORD_COMMAND,
LIFEBOAT_TO_KEY_FILE or LIFEBOAT_TO_RECOVERY_KEY_FILE; where none is set, with the same secret as
--repo.")]
pub(crate) struct CopyArgs {
    /// Folder or URL of the repository to copy to
    #[arg(long, value_name = "PLACE")]
    to: PathBuf,
    /// Copy the points of this VM alone (may be given again)
    #[arg(long = "vm", value_name = "NAME")]
    vms: Vec<String>,
    /// Copy only so many of the newest points of each VM
    #[arg(long, value_name = "N")]
    newest: Option<usize>,
    /// Say what would be copied, and copy nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn run(invocation: &Invocation, args: &CopyArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let source = invocation.open_repository()?;
    let target = invocation.open_target_repository(&args.to)?;
    if source.id() == target.id() {
        return Err(CliError::usage("both are the same repository")
            .hint("copy a repository's files with any tool; `repo copy` is for two repositories"));
    }
    let selection = CopySelection {
        vms: args.vms.clone(),
        newest: args.newest,
    };
    let plan = point_copy::plan_copy(&source, &target, &selection)?;
    if let Some(vm) = plan.unknown_vms.first() {
        let message = format!("the repository has no restore point of a VM {vm}");
        return Err(CliError::usage(message).hint("`lifeboat point list` shows the restore points"));
    }
    show_plan(ui, &plan);
    if args.dry_run {
        let fields = json!({ "dry_run": true, "missing": plan.missing(),
                             "unreadable": plan.unreadable });
        ui.summary("success", ExitCode::Success, fields);
        return Ok(ExitCode::Success);
    }
    let view = CopyView {
        ui,
        progress: RwLock::new(None),
    };
    let report = point_copy::copy_points(&source, &target, plan, 0, &view)?;
    let (copied, there, failed) = report.counts();
    ui.data(format!(
        "copied {}, {there} were there, {failed} could not be read",
        count(copied as u64, "restore point")
    ));
    for why in &report.unreadable {
        ui.warning(&format!("cannot be read: {why}"));
    }
    let (outcome, code) = match (copied + there, failed) {
        (_, 0) => ("success", ExitCode::Success),
        _ => ("failed", ExitCode::Damaged),
    };
    let fields = json!({ "copied": copied, "there": there, "failed": failed,
                         "unreadable": report.unreadable });
    ui.summary(outcome, code, fields);
    Ok(code)
}

fn show_plan(ui: &Ui, plan: &CopyPlan) {
    let mut table = Table::new(&[
        ("VM", Align::Left),
        ("POINT", Align::Left),
        ("TIME", Align::Left),
        ("SIZE", Align::Right),
        ("WHAT", Align::Left),
    ]);
    for point in &plan.points {
        ui.record("planned", point);
        table.row(vec![
            point.vm.clone(),
            point.id.chars().take(10).collect(),
            point.started.strftime("%Y-%m-%d %H:%M").to_string(),
            size(point.size_bytes),
            if point.there { "there" } else { "copy" }.to_owned(),
        ]);
    }
    ui.table(&table);
}

/// Shows how a copy gets on.
struct CopyView<'a> {
    ui: &'a Ui,
    progress: RwLock<Option<Progress>>,
}

impl CopyView<'_> {
    fn replace(&self, next: Option<Progress>) -> Option<Progress> {
        let mut progress = self
            .progress
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *progress, next)
    }
}

impl StreamObserver for CopyView<'_> {
    fn advanced(&self, stream_bytes: u64, stored_bytes: u64) {
        let progress = self.progress.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = &*progress {
            progress.advance(stream_bytes, stored_bytes);
        }
    }

    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}

impl CopyObserver for CopyView<'_> {
    fn point_begins(&self, number: usize, count: usize, point: &PlannedPoint) {
        let turn = (number, count);
        let progress = self
            .ui
            .progress_of_turn("copy", &point.vm, turn, point.size_bytes);
        self.replace(Some(progress));
    }

    fn point_ends(&self, item: &CopyItem) {
        if let Some(progress) = self.replace(None) {
            progress.finish();
        }
        self.ui.record("copied", item);
        match &item.outcome {
            CopyOutcome::Copied {
                read_bytes,
                stored_bytes,
            } => self.ui.data(format!(
                "{}: restore point {} copied, read {}, stored {}",
                item.vm,
                item.id,
                size(*read_bytes),
                size(*stored_bytes)
            )),
            CopyOutcome::There => {}
            CopyOutcome::Failed { why } => {
                let text = format!("{}: restore point {} not copied: {why}", item.vm, item.id);
                self.ui.trouble(text);
            }
        }
    }
}
