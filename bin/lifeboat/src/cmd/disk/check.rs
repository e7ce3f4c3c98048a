//! `lifeboat disk check`. A damaged image ends with code 1: 13 is for repositories.

use clap::Args;
use disk_image::{Severity, check};

use super::SourceArgs;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat disk check disk.vhdx
  lifeboat disk check disk.avhdx --root /srv/vms --json

Ends with 0 where the disk reads as it should, and with 1 where it does not.")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) fn run(invocation: &Invocation, args: &CheckArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let report = check(&args.source.file, &args.source.options())?;
    for file in &report.files {
        ui.record("file", file);
        let path = file.path.display();
        if file.problems.is_empty() {
            ui.data(format!("{path}: good"));
        }
        for problem in &file.problems {
            let word = match problem.severity {
                Severity::Info => "info",
                Severity::Warning => "warning",
                Severity::Error => "error",
            };
            let offset = problem.offset.map_or_else(String::new, |offset| {
                format!("at offset {offset} ({offset:#x}): ")
            });
            // Some messages name file and offset already.
            let place = if problem.message.contains("at offset") {
                ""
            } else {
                &offset
            };
            ui.data(format!("{path}: {word}: {place}{}", problem.message));
            if let Some(hint) = &problem.hint {
                ui.data(format!("  do: {hint}"));
            }
        }
    }
    let (outcome, code) = match report.worst() {
        Some(Severity::Error) => ("failed", ExitCode::Failed),
        Some(Severity::Warning) => ("warning", ExitCode::Success),
        _ => ("success", ExitCode::Success),
    };
    ui.summary(outcome, code, &report);
    Ok(code)
}
