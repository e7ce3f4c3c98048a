//! `lifeboat restore`: bring disks and VMs back.

mod all_latest;
mod attach;
mod config;
mod cure;
mod disk;
mod elsewhere;
mod import_hint;
mod network_args;
mod plan_view;
mod start_args;
mod to_host;
mod vm;
mod vm_to_host;

use clap::Subcommand;
use repository::Stream;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Ui, size};

#[derive(Debug, Subcommand)]
pub(crate) enum RestoreCommand {
    /// Bring one disk back, as one new image or into a VM of a host
    Disk(disk::DiskArgs),
    /// Bring a VM back to a host, or into a folder: disks, configuration and state files
    Vm(Box<vm::VmArgs>),
    /// Bring a VM's configuration back to the VM that is on a host
    Config(config::ConfigArgs),
    /// Bring a VM's network adapters back to the VM that is on a host
    Network(config::NetworkPartArgs),
    /// Bring the VMs of a lost host back to another one, each as its latest point has it
    AllLatest(all_latest::AllLatestArgs),
}

pub(crate) fn run(invocation: &Invocation, command: &RestoreCommand) -> Result<ExitCode, CliError> {
    match command {
        RestoreCommand::Disk(args) => disk::run(invocation, args),
        RestoreCommand::Vm(args) => vm::run(invocation, args),
        RestoreCommand::Config(args) => config::run(invocation, args),
        RestoreCommand::Network(args) => config::run_network(invocation, args),
        RestoreCommand::AllLatest(args) => all_latest::run(invocation, args),
    }
}

/// Says what of the disks was left out when the point was made, and is zero now.
fn say_skipped<'a>(ui: &Ui, disks: impl Iterator<Item = &'a Stream>) {
    let skipped: u64 = disks.map(|stream| stream.statistics.skipped_bytes).sum();
    if skipped > 0 {
        ui.message(format!(
            "{} were left out on purpose when the point was made, and read as zero now",
            size(skipped)
        ));
    }
}
