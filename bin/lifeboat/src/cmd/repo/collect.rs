//! `lifeboat repo collect`: delete what no restore point needs.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use repository::{CollectObserver, CollectOptions, CollectReport, CollectStage};
use serde_json::json;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::{Progress, Ui, count, local_time, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo collect --dry-run --repo /backup
  lifeboat repo collect --repo /backup
  lifeboat repo collect --no-other-writers --yes --repo /backup

Backups may run meanwhile, also from other hosts. What no restore point needs is condemned first,
and deleted by a collection a day or more later, if still nothing needs it; what is younger than
three days is left alone. So run it every day, after backups and the removal of old points.
With --no-other-writers what nothing needs is condemned and deleted at once, however young; nothing is
rewritten, so neither --grace nor --rewrite-below goes with it. Only for a repository to which surely
nobody else writes until it is done.

Ends with 13 where packs are missing that restore points need, and with 3 where the repository was too
full to do all of it.")]
pub(crate) struct CollectArgs {
    /// Say what would be condemned, deleted and rewritten, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Delete at once what nothing needs: nobody else writes to the repository
    #[arg(long, conflicts_with_all = ["grace", "rewrite_below"])]
    no_other_writers: bool,
    /// Hours from condemning to deleting, at least 24
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(24..))]
    grace: u32,
    /// Rewrite packs of which less than this many per cent are needed; 0 for none
    #[arg(long, value_name = "PERCENT", default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    rewrite_below: u8,
    /// Go on where there are restore points of domains that this key does not open
    #[arg(long)]
    leave_other_domains: bool,
}

/// Shows one stage after the other.
struct Stages<'a> {
    ui: &'a Ui,
    current: Mutex<Option<(CollectStage, Progress)>>,
}

impl CollectObserver for Stages<'_> {
    fn advanced(&self, stage: CollectStage, _: u64, total: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_none_or(|(shown, _)| *shown != stage) {
            if let Some((_, before)) = current.take() {
                before.finish();
            }
            let name = match stage {
                CollectStage::Listing => "list",
                CollectStage::Marking => "mark",
                CollectStage::Deleting => "delete",
                CollectStage::Rewriting => "rewrite",
                CollectStage::Indexing => "index",
            };
            *current = Some((stage, self.ui.progress_counted(name, total)));
        }
        if let Some((_, progress)) = &*current {
            progress.advance(1, 0);
        }
    }

    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}

pub(crate) fn run(invocation: &Invocation, args: &CollectArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let options = CollectOptions {
        dry_run: args.dry_run,
        grace: Duration::from_secs(u64::from(args.grace) * 60 * 60),
        rewrite_below: f64::from(args.rewrite_below) / 100.0,
        no_other_writers: args.no_other_writers,
        leave_other_domains: args.leave_other_domains,
        ..CollectOptions::default()
    };
    let collect = |options: &CollectOptions| {
        let stages = Stages {
            ui,
            current: Mutex::new(None),
        };
        let report = repository.collect(options, &stages);
        let last = stages.current.into_inner();
        if let Some((_, last)) = last.unwrap_or_else(PoisonError::into_inner) {
            last.finish();
        }
        report
    };
    if args.no_other_writers && !args.dry_run {
        let dry_run = true;
        show(
            ui,
            &collect(&CollectOptions {
                dry_run,
                ..options.clone()
            })?,
        );
        if !invocation.agreed("Delete it, though a backup that runs now would fail?")? {
            return Err(CliError::usage("nothing was deleted").hint("run it again with --yes"));
        }
    }
    let report = collect(&options)?;
    show(ui, &report);
    let (outcome, code) = ending(&report);
    ui.summary(outcome, code, json!({ "report": report }));
    Ok(code)
}

/// Damage counts for more than what is left to do: the next collection does that, and mends nothing.
fn ending(report: &CollectReport) -> (&'static str, ExitCode) {
    if report.missing_packs > 0 {
        ("failed", ExitCode::Damaged)
    } else if report.store_is_full {
        ("partial", ExitCode::Partial)
    } else {
        ("success", ExitCode::Success)
    }
}

fn packs(number: u64, bytes: u64) -> String {
    format!("{} of {}", count(number, "pack"), size(bytes))
}

fn show(ui: &Ui, report: &CollectReport) {
    let would = if report.dry_run { "would be " } else { "" };
    ui.data(format!(
        "needed by {}: {}, of which about {} are alive",
        count(report.points, "restore point"),
        packs(report.needed_packs, report.needed_bytes),
        size(report.alive_bytes)
    ));
    let lines = [
        ("deleted", report.deleted_packs, report.deleted_bytes),
        ("rewritten", report.rewritten_packs, report.rewritten_bytes),
        ("condemned", report.condemned_packs, report.condemned_bytes),
    ];
    for (what, number, bytes) in lines.into_iter().filter(|(_, number, _)| *number > 0) {
        ui.data(format!("{would}{what}: {}", packs(number, bytes)));
    }
    let waiting = [
        (
            "condemned before",
            report.waiting_packs,
            report.waiting_bytes,
        ),
        (
            "needed by nothing, but too young to tell",
            report.young_packs,
            report.young_bytes,
        ),
    ];
    for (what, number, bytes) in waiting.into_iter().filter(|(_, number, _)| *number > 0) {
        ui.data(format!("{what}: {}", packs(number, bytes)));
    }
    if let Some(Ok(time)) = report.next_deletion.map(Timestamp::try_from) {
        ui.message(format!(
            "What is condemned can be deleted from {} on, by the next collection.",
            local_time(time)
        ));
    }
    if report.locked_packs > 0 {
        let number = count(report.locked_packs, "pack");
        ui.message(format!("{number} stay until the store unlocks them."));
    }
    if report.missing_packs > 0 {
        ui.warning(&format!(
            "{} that restore points need are missing: see `lifeboat repo check`",
            count(report.missing_packs, "pack")
        ));
    }
    if report.store_is_full {
        ui.warning("the repository is full: what was left undone is done by the next collection");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_packs_and_a_full_store_are_no_success() {
        let clean = CollectReport::default();
        assert_eq!(ending(&clean), ("success", ExitCode::Success));
        let full = CollectReport {
            store_is_full: true,
            ..clean
        };
        assert_eq!(ending(&full), ("partial", ExitCode::Partial));
        let damaged = CollectReport {
            missing_packs: 1,
            ..full
        };
        assert_eq!(ending(&damaged), ("failed", ExitCode::Damaged));
    }
}
