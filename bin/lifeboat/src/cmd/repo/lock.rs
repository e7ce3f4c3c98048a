//! `lifeboat repo lock`: keep locked objects locked.

use clap::{Args, Subcommand};

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::count;

#[derive(Debug, Subcommand)]
pub(crate) enum LockCommand {
    /// Lock all that the repository needs for as long as what is written now
    Extend(ExtendArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo lock extend --repo \"s3://backups/hyperv?lock=compliance&lock-days=30\"

Run it once a week or more often: it asks for each object once in seven days, and remembers what it
asked. What garbage collection has condemned is left alone, so that its lock ends.")]
pub(crate) struct ExtendArgs {}

pub(crate) fn run(invocation: &Invocation, command: &LockCommand) -> Result<ExitCode, CliError> {
    let LockCommand::Extend(_) = command;
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let report = repository.extend_locks(&interrupt::asked)?;
    ui.data(format!(
        "{} locked until {}: {} asked for, the others were already",
        count(report.objects, "object"),
        report.until,
        report.extended
    ));
    if report.condemned > 0 {
        ui.message(format!(
            "{} left to the end of their locks: nothing needs them",
            count(report.condemned, "condemned pack")
        ));
    }
    ui.summary("success", ExitCode::Success, &report);
    Ok(ExitCode::Success)
}
