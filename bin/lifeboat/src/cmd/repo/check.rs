//! `lifeboat repo check`: see that everything is as it was written.

use clap::Args;

use crate::cli_error::CliError;
use crate::cmd::repo::damage::{outcome, show_damage};
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{count, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo check --repo /backup
  lifeboat repo check --read-data --repo /backup --json")]
pub(crate) struct CheckArgs {
    /// Read, decrypt and decode every stored byte
    #[arg(long)]
    read_data: bool,
}

pub(crate) fn run(invocation: &Invocation, args: &CheckArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    // What a check is to find may keep the sizes from being added up.
    let statistics = repository.statistics().unwrap_or_default();
    let total = if args.read_data {
        statistics.pack_bytes
    } else {
        0
    };
    let progress = ui.progress("check", None, total);
    let report = repository.check(args.read_data, &progress)?;
    progress.finish();
    ui.message(format!(
        "looked at {}, {} and {} of packs",
        count(report.points, "restore point"),
        count(report.packs, "pack"),
        size(report.read_bytes)
    ));
    let code = show_damage(ui, &report.damage);
    if code == ExitCode::Success {
        let depth = if args.read_data {
            "every stored byte is as it was written"
        } else {
            "all that the restore points need is there (--read-data reads it all)"
        };
        ui.data(format!("the repository is good: {depth}"));
    }
    ui.summary(outcome(code), code, &report);
    Ok(code)
}
