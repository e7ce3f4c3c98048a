//! `lifeboat host`: what a host itself is set to.

mod export;
mod report;
mod settings;
mod show;
mod switches;

use clap::Subcommand;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

#[derive(Debug, Subcommand)]
pub(crate) enum HostCommand {
    /// Show what a host is set to, now or when a restore point was made
    Show(show::ShowArgs),
    /// Write it as a report that people can keep: switches, folders, live migration
    Export(export::ExportArgs),
    /// Make the virtual switches that a host lacks, as they were when a restore point was made
    Switches(switches::SwitchesArgs),
}

pub(crate) fn run(invocation: &Invocation, command: &HostCommand) -> Result<ExitCode, CliError> {
    match command {
        HostCommand::Show(args) => show::run(invocation, args),
        HostCommand::Export(args) => export::run(invocation, args),
        HostCommand::Switches(args) => switches::run(invocation, args),
    }
}
