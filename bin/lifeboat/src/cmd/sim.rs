//! `lifeboat sim`: a Hyper-V host that does not exist.

mod add_vm;
mod change;
mod serve;
mod state;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hyperv_sim::{Profile, SimError, SimHost, SimOptions};
use serde_json::json;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    /// Make a host in an empty folder
    New(NewArgs),
    /// Add a VM
    AddVm(add_vm::AddVmArgs),
    /// Write into a running disk, as the guest would, what differs from an image
    Apply(change::ApplyArgs),
    /// Write into a running disk, as the guest would
    Write(change::WriteArgs),
    /// Start a VM
    #[command(after_help = "Examples:\n  lifeboat sim start DIR SQL01")]
    Start(change::PowerArgs),
    /// Turn a VM off
    #[command(after_help = "Examples:\n  lifeboat sim stop DIR SQL01")]
    Stop(change::PowerArgs),
    /// Save a VM: its memory goes into a file
    #[command(after_help = "Examples:\n  lifeboat sim save DIR SQL01")]
    Save(change::PowerArgs),
    /// Pause a VM
    #[command(after_help = "Examples:\n  lifeboat sim pause DIR SQL01")]
    Pause(change::PowerArgs),
    /// Make a checkpoint of a VM
    Checkpoint(change::CheckpointArgs),
    /// Plan what will go wrong, or forget all plans
    Fault(change::FaultArgs),
    /// Let the host crash, as by a power cut, and start again
    Crash(change::CrashArgs),
    /// Let time pass until no job and no merge is left
    Settle(change::HostArgs),
    /// Show everything that the host has
    State(state::StateArgs),
    /// Answer WS-Man, as WinRM does
    Serve(serve::ServeArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat sim new DIR
  lifeboat sim new DIR --profile 2019 --seed 7 --name HV1")]
pub(crate) struct NewArgs {
    /// A folder that is empty or not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Which Windows Server it is: 2012R2, 2016, 2019, 2022 or 2025
    #[arg(long, value_name = "VERSION", default_value = "2022")]
    profile: Profile,
    /// What all its GUIDs come from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Its name
    #[arg(long, value_name = "NAME", default_value = "HV1")]
    name: String,
}

pub(crate) fn run(invocation: &Invocation, command: &SimCommand) -> Result<ExitCode, CliError> {
    match command {
        SimCommand::New(args) => new(invocation, args),
        SimCommand::AddVm(args) => add_vm::run(invocation, args),
        SimCommand::Apply(args) => change::apply(invocation, args),
        SimCommand::Write(args) => change::write(invocation, args),
        SimCommand::Start(args) => change::start(invocation, args),
        SimCommand::Stop(args) => change::stop(invocation, args),
        SimCommand::Save(args) => change::save(invocation, args),
        SimCommand::Pause(args) => change::pause(invocation, args),
        SimCommand::Checkpoint(args) => change::checkpoint(invocation, args),
        SimCommand::Fault(args) => change::fault(invocation, args),
        SimCommand::Crash(args) => change::crash(invocation, args),
        SimCommand::Settle(args) => change::settle(invocation, args),
        SimCommand::State(args) => state::run(invocation, args),
        SimCommand::Serve(args) => serve::run(invocation, args),
    }
}

fn new(invocation: &Invocation, args: &NewArgs) -> Result<ExitCode, CliError> {
    let options = SimOptions {
        profile: args.profile,
        host_name: args.name.clone(),
        seed: args.seed,
    };
    SimHost::create(&args.dir, options).map_err(failed)?;
    let ui = &invocation.ui;
    ui.data(format!(
        "made the simulated host {} in {}",
        args.name,
        args.dir.display()
    ));
    let fields = json!({ "dir": args.dir.display().to_string(), "host": args.name });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

/// Makes the error of what the simulated host refused.
pub(crate) fn failed(error: SimError) -> CliError {
    CliError::new(ExitCode::Failed, "sim", error.to_string())
}
