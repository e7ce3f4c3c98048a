//! `lifeboat repo lock`: keep locked objects locked.

use clap::{Args, Subcommand};
use serde_json::json;

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
  lifeboat repo lock extend --dry-run --repo \"s3://backups/hyperv?lock=compliance&lock-days=30\"
  lifeboat repo lock extend --repo \"s3://backups/hyperv?lock=compliance&lock-days=30\"

Run it once a week or more often: it asks for each object once in seven days, and remembers what it
asked. What garbage collection has condemned is locked as well, until it is deleted.")]
pub(crate) struct ExtendArgs {
    /// Say how much would be locked for longer, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn run(invocation: &Invocation, command: &LockCommand) -> Result<ExitCode, CliError> {
    let LockCommand::Extend(args) = command;
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let report = if args.dry_run {
        repository.plan_lock_extension()?
    } else {
        repository.extend_locks(&interrupt::asked)?
    };
    let (would, asked) = if args.dry_run {
        ("would be ", "would be asked for, the others are already")
    } else {
        ("", "asked for, the others were already")
    };
    ui.data(format!(
        "{} {would}locked until {}: {} {asked}",
        count(report.objects, "object"),
        report.until,
        report.extended
    ));
    let mut fields = json!(report);
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("dry_run".to_owned(), args.dry_run.into());
    }
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}
