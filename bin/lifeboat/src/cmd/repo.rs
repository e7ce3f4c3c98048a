//! `lifeboat repo`: make and look after a repository.

mod bench_collect;
mod bench_fill;
mod check;
mod collect;
mod copy;
pub(crate) mod damage;
mod domain;
mod host;
mod init;
mod keep;
mod key;
mod lock;
mod quota;
mod repair;
mod stats;
mod test;

use clap::Subcommand;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

#[derive(Debug, Subcommand)]
pub(crate) enum RepoCommand {
    /// Make a repository in an empty folder or bucket
    Init(init::InitArgs),
    /// Check that everything in the repository is as it was written
    Check(check::CheckArgs),
    /// How many restore points are kept
    #[command(subcommand)]
    Keep(keep::KeepCommand),
    /// Delete what no restore point needs
    Collect(collect::CollectArgs),
    /// Copy restore points to another repository, only what is missing
    Copy(copy::CopyArgs),
    /// Keep locked objects locked
    #[command(subcommand)]
    Lock(lock::LockCommand),
    /// How large the repository may grow
    #[command(subcommand)]
    Quota(quota::QuotaCommand),
    /// Keep what is whole of a damaged repository, and say what is lost
    Repair(repair::RepairArgs),
    /// Show how large the repository is, and why
    Stats(stats::StatsArgs),
    /// Look after what opens the repository: passwords, key files, recovery keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Look after hosts that add restore points and read none
    #[command(subcommand)]
    Host(host::HostCommand),
    /// Look after domains: who shares stored data with whom
    #[command(subcommand)]
    Domain(domain::DomainCommand),
    /// See whether a store does what a repository needs, and how fast
    Test(test::TestArgs),
    /// Make a repository that has as much in it as a large one, in little space
    #[command(hide = true)]
    BenchFill(bench_fill::BenchFillArgs),
    /// Drop points of such a repository, or collect what nothing needs
    #[command(hide = true)]
    BenchCollect(bench_collect::BenchCollectArgs),
}

pub(crate) fn run(invocation: &Invocation, command: &RepoCommand) -> Result<ExitCode, CliError> {
    match command {
        RepoCommand::Init(args) => init::run(invocation, args),
        RepoCommand::Check(args) => check::run(invocation, args),
        RepoCommand::Keep(command) => keep::run(invocation, command),
        RepoCommand::Quota(command) => quota::run(invocation, command),
        RepoCommand::Collect(args) => collect::run(invocation, args),
        RepoCommand::Copy(args) => copy::run(invocation, args),
        RepoCommand::Lock(command) => lock::run(invocation, command),
        RepoCommand::Repair(args) => repair::run(invocation, args),
        RepoCommand::Stats(_) => stats::run(invocation),
        RepoCommand::Key(command) => key::run(invocation, command),
        RepoCommand::Host(command) => host::run(invocation, command),
        RepoCommand::Domain(command) => domain::run(invocation, command),
        RepoCommand::Test(args) => test::run(invocation, args),
        RepoCommand::BenchFill(args) => bench_fill::run(invocation, args),
        RepoCommand::BenchCollect(args) => bench_collect::run(invocation, args),
    }
}
