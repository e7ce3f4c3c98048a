//! `lifeboat repo repair`: make the best of what is damaged.

use clap::Args;
use repository::{CheckDepth, RepairPlan, RepairReport};
use serde_json::json;

use crate::cli_error::CliError;
use crate::cmd::repo::damage::show_lost;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Ui, count};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo repair --dry-run --repo /backup
  lifeboat repo repair --repo /backup
  lifeboat repo repair --read-data --yes --repo /backup

The plan is shown first, and nothing is changed before it is agreed to. Without --read-data only
packs are mended that the structure shows to be damaged; with it every byte is read, so that
flipped bits are found too. Damaged packs are copied to quarantine/ in the repository before they
are removed. The next backup brings back what the VMs still have.")]
pub(crate) struct RepairArgs {
    /// Read every stored byte first, to find all damage
    #[arg(long)]
    read_data: bool,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn run(invocation: &Invocation, args: &RepairArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let depth = CheckDepth::from(args.read_data);
    let total = repository.check_bytes_to_read(depth)?;
    let progress = ui.progress("check", None, total);
    let plan = repository.plan_repair(depth, &progress)?;
    progress.finish();
    show_plan(ui, &plan);
    if !plan.is_needed() {
        return Ok(nothing_to_do(ui, args, &plan));
    }
    if args.dry_run {
        let fields = json!({ "dry_run": true, "plan": plan });
        ui.summary("success", ExitCode::Success, fields);
        return Ok(ExitCode::Success);
    }
    if !invocation.agreed("Repair it as planned?")? {
        return Err(CliError::usage("nothing was changed").hint("run it again with --yes"));
    }
    let progress = ui.progress("repair", None, 0);
    let report = repository.repair(&plan, &progress)?;
    progress.finish();
    let code = show_report(ui, &report);
    let outcome = if code == ExitCode::Success {
        "success"
    } else {
        "partial"
    };
    ui.summary(outcome, code, json!({ "dry_run": false, "report": report }));
    Ok(code)
}

fn nothing_to_do(ui: &Ui, args: &RepairArgs, plan: &RepairPlan) -> ExitCode {
    let code = if plan.beyond_repair.is_empty() {
        ui.data("there is nothing to repair");
        ExitCode::Success
    } else {
        ExitCode::Damaged
    };
    let outcome = if code == ExitCode::Success {
        "success"
    } else {
        "failed"
    };
    let fields = json!({ "dry_run": args.dry_run, "plan": plan });
    ui.summary(outcome, code, fields);
    code
}

fn show_plan(ui: &Ui, plan: &RepairPlan) {
    ui.record("plan", plan);
    for pack in &plan.damaged_packs {
        ui.data(format!(
            "damaged: {pack}: keep what is whole of it, and put it into quarantine"
        ));
    }
    for pack in &plan.missing_packs {
        ui.data(format!("missing: {pack}: look for what it held elsewhere"));
    }
    for index in &plan.indexes {
        ui.data(format!("index: {index}: write anew from the packs"));
    }
    for object in &plan.spare_objects {
        ui.data(format!(
            "damaged: {object}: put into quarantine; it can be done without"
        ));
    }
    for object in &plan.beyond_repair {
        ui.data(format!(
            "beyond repair: {object}: bring it back from a copy of the repository"
        ));
    }
    if plan.lost_frames > 0 {
        ui.message(format!(
            "restore points miss {}",
            count(plan.lost_frames, "stored piece")
        ));
    }
    show_lost(ui, &plan.check.lost);
}

fn show_report(ui: &Ui, report: &RepairReport) -> ExitCode {
    ui.message(format!(
        "{} of damaged packs kept, {} found elsewhere, {} quarantined, {} removed",
        count(report.salvaged_frames, "piece"),
        count(report.healed_frames, "piece"),
        count(report.quarantined.len() as u64, "object"),
        count(report.removed.len() as u64, "object"),
    ));
    for kept in &report.kept {
        ui.warning(&format!("{} is still there: {}", kept.object, kept.reason));
    }
    for damage in &report.after.damage {
        ui.data(format!("still damaged: {}", damage.text));
    }
    show_lost(ui, &report.after.lost);
    if report.after.is_good() {
        ui.data("the repository is good again: all that the restore points need is there");
        return ExitCode::Success;
    }
    ui.message(
        "Restore points that are not named are whole. Back up the named VMs now: what they still \
         have comes back in all their restore points.",
    );
    ExitCode::Partial
}
