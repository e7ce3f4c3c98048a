//! `lifeboat host export`.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::report::markdown;
use super::settings::settings_of;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::HostArgs;
use crate::invocation::Invocation;

#[derive(Debug, Args)]
#[command(mut_arg("host", |host| host.required(false)), after_help = "Examples:
  lifeboat host export --host local
  lifeboat host export SQL01@latest --format json --repo /backup
  lifeboat host export --host winrm://admin@hv1 --format md")]
pub(crate) struct ExportArgs {
    /// A restore point: what its host was set to then
    #[arg(value_name = "POINT")]
    point: Option<String>,
    /// md for people, with the PowerShell that makes the switches anew, or json
    #[arg(long, value_name = "FORMAT", default_value = "md")]
    format: ReportFormat,
    #[command(flatten)]
    host: Option<HostArgs>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// Markdown
    Md,
    /// One JSON document
    Json,
}

pub(super) fn run(invocation: &Invocation, args: &ExportArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let settings = settings_of(invocation, args.point.as_deref(), args.host.as_ref())?;
    let text = match args.format {
        ReportFormat::Md => markdown(&settings),
        ReportFormat::Json => serde_json::to_string_pretty(&settings)?,
    };
    ui.data(text.trim_end());
    ui.record("host_settings", &settings);
    let fields = json!({ "host": settings.host, "nodes": settings.nodes.len() });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}
