//! The commands, one module for each noun.

pub(crate) mod backup;
pub(crate) mod demo;
pub(crate) mod disk;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod files;
pub(crate) mod guest_reader;
pub(crate) mod host;
pub(crate) mod keep_args;
pub(crate) mod point;
pub(crate) mod prune;
pub(crate) mod repo;
pub(crate) mod restore;
pub(crate) mod sim;
pub(crate) mod verify;
pub(crate) mod version;
pub(crate) mod vm;

use crate::arguments::Command;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

/// Does what was asked for.
pub(crate) fn run(invocation: &Invocation, command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Backup(args) => backup::run(invocation, &args),
        Command::Restore(command) => restore::run(invocation, &command),
        Command::Verify(args) => verify::run(invocation, &args),
        Command::Point(command) => point::run(invocation, &command),
        Command::Files(command) => files::run(invocation, &command),
        Command::GuestReader => guest_reader::run(),
        Command::Prune(args) => prune::run(invocation, &args),
        Command::Repo(command) => repo::run(invocation, &command),
        Command::Host(command) => host::run(invocation, &command),
        Command::Vm(command) => vm::run(invocation, &command),
        Command::Doctor(args) => doctor::run(invocation, &args),
        Command::Explain(args) => explain::run(invocation, &args),
        Command::Sim(command) => sim::run(invocation, &command),
        Command::Disk(command) => disk::run(invocation, &command),
        Command::Demo(args) => demo::run(invocation, &args),
        Command::Version(_) => version::run(invocation),
    }
}
