//! `lifeboat version`.

use clap::Args;
use serde_json::json;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

/// The program and its version, as restore points name it.
pub(crate) const PROGRAM: &str = concat!("lifeboat ", env!("CARGO_PKG_VERSION"));

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lifeboat version\n  lifeboat version --json")]
pub(crate) struct VersionArgs {}

pub(crate) fn run(invocation: &Invocation) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    ui.data(PROGRAM);
    let fields = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "os": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "repository_format": 1,
    });
    ui.record("version", &fields);
    ui.summary("success", ExitCode::Success, json!({}));
    Ok(ExitCode::Success)
}
