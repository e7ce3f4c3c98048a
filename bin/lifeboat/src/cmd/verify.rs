//! `lifeboat verify`.

use clap::Args;
use jiff::Timestamp;
use repository::{Note, RepositoryErrorKind};
use serde_json::json;
use vm_restore::check_tree;

use crate::cli_error::CliError;
use crate::cmd::repo::damage::{outcome, show_damage};
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{count, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat verify SQL01@latest --repo /backup
  lifeboat verify 3f2a --repo /backup --json")]
pub(crate) struct VerifyArgs {
    /// The restore point: VM@latest, VM@latest~1, VM@2026-05-01T22:00 or the beginning of an id
    #[arg(value_name = "POINT")]
    point: String,
}

pub(crate) fn run(invocation: &Invocation, args: &VerifyArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let point = repository.find_point(&args.point)?;
    let total = point.all_streams().map(|stream| stream.size_bytes).sum();
    let progress = ui.progress("verify", Some(&point.vm.name), total);
    let report = repository.verify_point(&point, &progress)?;
    progress.finish();
    let mut code = show_damage(ui, &report.damage);
    if code == ExitCode::Success {
        // Every byte is as it was stored; whether the disks of a tree can be read is another thing.
        for error in check_tree(&repository, &point) {
            ui.error(&error.into());
            code = ExitCode::VerifyFailed;
        }
    }
    if code == ExitCode::Success {
        ui.data(format!(
            "{} {}: good. {} ({}) of {} read back, authenticated and hashed",
            point.vm.name,
            point.id,
            count(report.chunks, "chunk"),
            size(report.data_bytes),
            count(report.streams as u64, "stream"),
        ));
        if report.skipped_bytes > 0 {
            ui.data(format!(
                "{} of its disks were left out on purpose and read as zero",
                size(report.skipped_bytes)
            ));
        }
    }
    // What is said of the point is worth less than the answer.
    let note = Note::Verified {
        how: "read".to_owned(),
        good: code == ExitCode::Success,
    };
    match repository.add_note(&point.id, &note, Timestamp::now()) {
        Err(error) if error.kind() != RepositoryErrorKind::WriteOnly => {
            ui.warning(&format!("that it was verified could not be noted: {error}"));
        }
        _ => {}
    }
    let fields = json!({ "point": point.id, "vm": point.vm.name, "report": report });
    ui.summary(outcome(code), code, fields);
    Ok(code)
}
