//! `lifeboat files`: single files out of restore points.

mod cat;
mod find;
mod get;
mod list;
mod listing;
mod open_point;
mod tree;
mod volume_secrets;
mod volumes;

use clap::Subcommand;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

#[derive(Debug, Subcommand)]
pub(crate) enum FilesCommand {
    /// List the volumes of a restore point's disks
    Volumes(volumes::VolumesArgs),
    /// List a folder
    Ls(list::ListArgs),
    /// Show a folder with all that is in it
    Tree(tree::TreeArgs),
    /// Look for files by their names
    Find(find::FindArgs),
    /// Take files and folders out
    Get(get::GetArgs),
    /// Write a file to standard output
    Cat(cat::CatArgs),
}

pub(crate) fn run(invocation: &Invocation, command: &FilesCommand) -> Result<ExitCode, CliError> {
    match command {
        FilesCommand::Volumes(args) => volumes::run(invocation, args),
        FilesCommand::Ls(args) => list::run(invocation, args),
        FilesCommand::Tree(args) => tree::run(invocation, args),
        FilesCommand::Find(args) => find::run(invocation, args),
        FilesCommand::Get(args) => get::run(invocation, args),
        FilesCommand::Cat(args) => cat::run(invocation, args),
    }
}
