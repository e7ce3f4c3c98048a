//! `lifeboat restore`: bring disks and VMs back.

mod disk;
mod elsewhere;
mod vm;

use clap::Subcommand;
use repository::Stream;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Ui, size};

#[derive(Debug, Subcommand)]
pub(crate) enum RestoreCommand {
    /// Bring one disk back, as one new image
    Disk(disk::DiskArgs),
    /// Bring a VM back into a folder: disks, configuration and state files
    Vm(vm::VmArgs),
}

pub(crate) fn run(invocation: &Invocation, command: &RestoreCommand) -> Result<ExitCode, CliError> {
    match command {
        RestoreCommand::Disk(args) => disk::run(invocation, args),
        RestoreCommand::Vm(args) => vm::run(invocation, args),
    }
}

/// Reads `SWITCH=NETWORK`. A switch may have any name, so the last sign counts.
fn switch_mapping(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => {
            Ok((from.to_owned(), to.to_owned()))
        }
        _ => Err("expected SWITCH=NETWORK".to_owned()),
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
