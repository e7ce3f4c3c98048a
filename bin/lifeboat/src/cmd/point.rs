//! `lifeboat point`: look at restore points.

mod bench_read;
mod bench_store;
mod churn;
mod diff;
mod list;
mod note;
mod serve;
mod show;
mod tree;

use clap::Subcommand;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

#[derive(Debug, Subcommand)]
pub(crate) enum PointCommand {
    /// List restore points, oldest first
    List(list::ListArgs),
    /// Show what a restore point holds
    Show(show::ShowArgs),
    /// Keep a restore point whatever the rules say
    Pin(note::PinArgs),
    /// Let the rules decide on a restore point again
    Unpin(note::UnpinArgs),
    /// Keep a restore point for a reason that has a name, until a time or until it is released
    Hold(note::HoldArgs),
    /// End a hold
    Release(note::ReleaseArgs),
    /// Say something of a restore point
    Comment(note::CommentArgs),
    /// Show what differs between two restore points
    Diff(diff::DiffArgs),
    /// Show which files made a restore point large
    Churn(churn::ChurnArgs),
    /// Serve a disk of a restore point to QEMU and Linux, read-only
    Serve(serve::ServeArgs),
    /// Read 4 KiB at each offset of a list and print how long that took
    #[command(hide = true)]
    BenchRead(bench_read::BenchReadArgs),
    /// Store the ranges of an image that are on a list, and print how long that took
    #[command(hide = true)]
    BenchStore(bench_store::BenchStoreArgs),
}

pub(crate) fn run(invocation: &Invocation, command: &PointCommand) -> Result<ExitCode, CliError> {
    match command {
        PointCommand::List(args) => list::run(invocation, args),
        PointCommand::Show(args) => show::run(invocation, args),
        PointCommand::Pin(args) => note::pin(invocation, args),
        PointCommand::Unpin(args) => note::unpin(invocation, args),
        PointCommand::Hold(args) => note::hold(invocation, args),
        PointCommand::Release(args) => note::release(invocation, args),
        PointCommand::Comment(args) => note::comment(invocation, args),
        PointCommand::Diff(args) => diff::run(invocation, args),
        PointCommand::Churn(args) => churn::run(invocation, args),
        PointCommand::Serve(args) => serve::run(invocation, args),
        PointCommand::BenchRead(args) => bench_read::run(invocation, args),
        PointCommand::BenchStore(args) => bench_store::run(invocation, args),
    }
}
