//! `lifeboat vm`: look at the VMs of a host.

mod finding;
mod list;
mod plan;
mod show;

use clap::Subcommand;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
pub(crate) use finding::show_finding;

#[derive(Debug, Subcommand)]
pub(crate) enum VmCommand {
    /// List the VMs of a host, with what a backup should know
    List(list::ListArgs),
    /// Show one VM: its disks, whether they are tracked, and what is wrong
    Show(show::ShowArgs),
    /// Say what a backup of VMs would do, and touch nothing
    Plan(plan::PlanArgs),
}

pub(crate) fn run(invocation: &Invocation, command: &VmCommand) -> Result<ExitCode, CliError> {
    match command {
        VmCommand::List(args) => list::run(invocation, args),
        VmCommand::Show(args) => show::run(invocation, args),
        VmCommand::Plan(args) => plan::run(invocation, args),
    }
}
