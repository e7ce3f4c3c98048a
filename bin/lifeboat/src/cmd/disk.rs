//! `lifeboat disk`: look at, check and convert images.

mod check;
mod convert;
mod info;
mod map;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use disk_image::OpenOptions;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

#[derive(Debug, Subcommand)]
pub(crate) enum DiskCommand {
    /// Show format, sizes, parents and ids of an image
    Info(info::InfoArgs),
    /// List what the disk holds: data, zeros, or nothing
    Map(map::MapArgs),
    /// Look for everything that is wrong with an image and its parents
    Check(check::CheckArgs),
    /// Convert an image, with all its parents, into one new image
    Convert(convert::ConvertArgs),
}

/// The image that a command is about. It is only ever read.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// The image: VHDX, AVHDX, VHD, AVHD or raw
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The folder below which the image and all its parents lie; by default the image's own
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

impl SourceArgs {
    fn options(&self) -> OpenOptions {
        self.root
            .as_ref()
            .map_or_else(OpenOptions::default, OpenOptions::below)
    }
}

pub(crate) fn run(invocation: &Invocation, command: &DiskCommand) -> Result<ExitCode, CliError> {
    match command {
        DiskCommand::Info(args) => info::run(invocation, args),
        DiskCommand::Map(args) => map::run(invocation, args),
        DiskCommand::Check(args) => check::run(invocation, args),
        DiskCommand::Convert(args) => convert::run(invocation, args),
    }
}
