//! `lifeboat sim`: a Hyper-V host, or a cluster of them, that does not exist.

mod add_vm;
mod ailing;
mod change;
mod cluster;
mod cluster_state;
mod folder;
mod new;
mod serve;
mod state;

use clap::Subcommand;
use hyperv_sim::SimError;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    /// Make a host, or a cluster, in an empty folder
    New(new::NewArgs),
    /// Make a cluster on which about everything is wrong that doctor knows
    Ailing(ailing::AilingArgs),
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
    /// Move a VM of a cluster to another node, now or later
    Move(cluster::MoveArgs),
    /// Take a VM of a cluster offline, as its manager does: the VM is saved
    #[command(after_help = "Examples:\n  lifeboat sim offline DIR SQL01")]
    Offline(cluster::RoleArgs),
    /// Bring a VM of a cluster online
    #[command(after_help = "Examples:\n  lifeboat sim online DIR SQL01")]
    Online(cluster::RoleArgs),
    /// Let a node of a cluster go down, come up, or be out of reach
    Node(cluster::NodeArgs),
    /// Plan what will go wrong, or forget all plans
    Fault(change::FaultArgs),
    /// Let the host crash, as by a power cut, and start again
    Crash(change::CrashArgs),
    /// Let time pass until no job and no merge is left
    Settle(change::HostArgs),
    /// Show everything that the host or the cluster has
    State(state::StateArgs),
    /// Answer WS-Man, as WinRM does
    Serve(serve::ServeArgs),
}

pub(crate) fn run(invocation: &Invocation, command: &SimCommand) -> Result<ExitCode, CliError> {
    match command {
        SimCommand::New(args) => new::run(invocation, args),
        SimCommand::Ailing(args) => ailing::run(invocation, args),
        SimCommand::AddVm(args) => add_vm::run(invocation, args),
        SimCommand::Apply(args) => change::apply(invocation, args),
        SimCommand::Write(args) => change::write(invocation, args),
        SimCommand::Start(args) => change::start(invocation, args),
        SimCommand::Stop(args) => change::stop(invocation, args),
        SimCommand::Save(args) => change::save(invocation, args),
        SimCommand::Pause(args) => change::pause(invocation, args),
        SimCommand::Checkpoint(args) => change::checkpoint(invocation, args),
        SimCommand::Move(args) => cluster::move_vm(invocation, args),
        SimCommand::Offline(args) => cluster::offline(invocation, args),
        SimCommand::Online(args) => cluster::online(invocation, args),
        SimCommand::Node(args) => cluster::node(invocation, args),
        SimCommand::Fault(args) => change::fault(invocation, args),
        SimCommand::Crash(args) => change::crash(invocation, args),
        SimCommand::Settle(args) => change::settle(invocation, args),
        SimCommand::State(args) => state::run(invocation, args),
        SimCommand::Serve(args) => serve::run(invocation, args),
    }
}

/// Makes the error of what the simulated host refused.
pub(crate) fn failed(error: SimError) -> CliError {
    CliError::new(ExitCode::Failed, "sim", error.to_string())
}
