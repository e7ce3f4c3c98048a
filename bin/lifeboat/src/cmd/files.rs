//! `lifeboat files`: single files out of restore points.

mod cat;
pub(crate) mod compared;
mod diff;
mod export;
mod find;
mod find_all;
mod followed_volume;
mod get;
mod list;
pub(crate) mod listing;
mod mount;
mod network_drive;
mod open_point;
mod serve;
mod time_bounds;
mod tree;
mod versions;
mod view_args;
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
    /// List the versions that a file has over all points of its VM
    Versions(versions::VersionsArgs),
    /// Show which files differ between two points
    Diff(diff::DiffArgs),
    /// Take files and folders out
    Get(get::GetArgs),
    /// Write a file to standard output
    Cat(cat::CatArgs),
    /// Take a whole volume out as an image
    Export(export::ExportArgs),
    /// Show restore points as folders of this machine (Linux)
    Mount(mount::MountArgs),
    /// Serve restore points as folders to programs of this machine
    Serve(serve::ServeArgs),
}

pub(crate) fn run(invocation: &Invocation, command: &FilesCommand) -> Result<ExitCode, CliError> {
    match command {
        FilesCommand::Volumes(args) => volumes::run(invocation, args),
        FilesCommand::Ls(args) => list::run(invocation, args),
        FilesCommand::Tree(args) => tree::run(invocation, args),
        FilesCommand::Find(args) => find::run(invocation, args),
        FilesCommand::Versions(args) => versions::run(invocation, args),
        FilesCommand::Diff(args) => diff::run(invocation, args),
        FilesCommand::Get(args) => get::run(invocation, args),
        FilesCommand::Cat(args) => cat::run(invocation, args),
        FilesCommand::Export(args) => export::run(invocation, args),
        FilesCommand::Mount(args) => mount::run(invocation, args),
        FilesCommand::Serve(args) => serve::run(invocation, args),
    }
}
