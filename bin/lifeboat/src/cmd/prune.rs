//! `lifeboat prune`: remove restore points by rule.

use clap::Args;
use pruning::{PlannedVm, PruneObserver, PruneOutcome, PrunePlan, VmRules, plan_prune, prune};
use repository::Repository;
use serde_json::json;

use crate::cli_error::CliError;
use crate::cmd::keep_args::KeepArgs;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, Ui, count, local_time, size};
use crate::vm_choice::find_vm;

/// Digits of an id that are shown.
const ID_DIGITS: usize = 10;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat prune --dry-run --repo /backup
  lifeboat prune --repo /backup
  lifeboat prune --keep-last 3 --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --dry-run --repo /backup
  lifeboat prune --vm SQL01 --keep-daily 30 --repo /backup

Where no rules are given, those of `lifeboat repo keep` are followed. The newest restore point of a
VM, and what is pinned or held, is never removed. `lifeboat repo collect` frees the space.")]
pub(crate) struct PruneArgs {
    #[command(flatten)]
    keep: KeepArgs,
    /// Only this VM: its name, or the beginning of its identity
    #[arg(long, value_name = "VM")]
    vm: Option<String>,
    /// Show each restore point and why it stays or goes, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn run(invocation: &Invocation, args: &PruneArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let given = args.keep.rules()?;
    let repository = invocation.open_repository()?;
    let rules = match given {
        Some(keep) => VmRules::Same(keep),
        None => VmRules::Settings(repository.settings()?),
    };
    if let VmRules::Settings(settings) = &rules
        && settings.keep.is_none()
        && settings.keep_vm.is_empty()
    {
        return Err(CliError::usage("there are no rules that say what is kept")
            .hint("set some with `lifeboat repo keep set`, or name them: --keep-daily 7"));
    }
    let catalog = repository.catalog()?;
    let vm = args.vm.as_deref().map(|vm| find_vm(&catalog, vm));
    let vm = vm.transpose()?;
    let only = vm.as_ref().map(|vm| vm.identity.as_str());
    let plan = plan_prune(&catalog, &rules, only, repository.store_time()?)?;
    show_plan(ui, &plan);
    for error in &catalog.unreadable {
        ui.warning(&format!(
            "a restore point cannot be read, and stays: {error}"
        ));
    }
    let removed = plan.removed().count();
    let freed = plan.vms.iter().map(|vm| vm.freed_bytes_at_most);
    let freed = freed.fold(0, u64::saturating_add);
    ui.message(format!(
        "{} of {} go; `lifeboat repo collect` can then free {} at most, told from what each run stored",
        removed,
        count(plan.points() as u64, "restore point"),
        size(freed)
    ));
    if args.dry_run {
        let fields = json!({ "points": plan.points(), "to_remove": removed,
                             "freed_bytes_at_most": freed, "dry_run": true });
        ui.summary("success", ExitCode::Success, fields);
        return Ok(ExitCode::Success);
    }
    apply(ui, &repository, &plan, &rules, freed)
}

fn apply(
    ui: &Ui,
    repository: &Repository,
    plan: &PrunePlan,
    rules: &VmRules,
    freed: u64,
) -> Result<ExitCode, CliError> {
    let report = prune(repository, plan, rules, &View { ui }).map_err(CliError::Library)?;
    let (outcome, code) = if report.stay > 0 {
        ("partial", ExitCode::Partial)
    } else {
        ("success", ExitCode::Success)
    };
    ui.data(format!(
        "removed {}",
        count(report.removed, "restore point")
    ));
    let fields = json!({ "points": plan.points(), "removed": report.removed,
                         "locked": report.locked, "stay": report.stay,
                         "stray_notes": report.stray_notes, "freed_bytes_at_most": freed });
    ui.summary(outcome, code, fields);
    Ok(code)
}

/// Shows each point, and why it stays or that it goes.
pub(crate) fn show_plan(ui: &Ui, plan: &PrunePlan) {
    let mut table = Table::new(&[
        ("ID", Align::Left),
        ("VM", Align::Left),
        ("TIME", Align::Left),
        ("STORED", Align::Right),
        ("", Align::Left),
        ("WHY", Align::Left),
    ]);
    for vm in &plan.vms {
        ui.message(format!("{}: {}", vm.name, vm.rules));
        ui.record("plan", vm);
        rows(vm, &mut table);
    }
    ui.table(&table);
}

fn rows(vm: &PlannedVm, table: &mut Table) {
    for point in &vm.points {
        let decision = &point.decision;
        let reasons: Vec<String> = decision.reasons.iter().map(ToString::to_string).collect();
        let stays = if decision.is_kept() { "keep" } else { "remove" };
        table.row(vec![
            decision.id.chars().take(ID_DIGITS).collect(),
            vm.name.clone(),
            local_time(point.time),
            size(point.stored_bytes),
            stays.to_owned(),
            reasons.join(", "),
        ]);
    }
}

struct View<'a> {
    ui: &'a Ui,
}

impl PruneObserver for View<'_> {
    fn done(&self, outcome: &PruneOutcome) {
        self.ui.record("point", outcome);
        match outcome {
            PruneOutcome::Locked { point, until } => {
                let until = until.map_or_else(|| "later".to_owned(), local_time);
                self.ui
                    .message(format!("{point} stays: the store keeps it until {until}"));
            }
            PruneOutcome::Stays { point, why } => {
                self.ui.warning(&format!("{point} stays: {why}"));
            }
            PruneOutcome::Removed { .. } => {}
        }
    }

    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}
