//! What happens to a simulated cluster: VMs move, roles go offline, nodes go down.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use hyperv_sim::{NodeState, SimCluster, SimError};
use serde_json::json;
use uuid::Uuid;

use super::failed;
use super::folder::SimFolder;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat sim move DIR SQL01 HV2
  lifeboat sim move DIR SQL01 HV2 --after 30

`lifeboat sim fault` lets a VM move when something is called.")]
pub(crate) struct MoveArgs {
    #[command(flatten)]
    role: RoleArgs,
    /// The node that it moves to
    #[arg(value_name = "NODE")]
    node: String,
    /// Seconds of the cluster's clock until then
    #[arg(long, value_name = "SECONDS")]
    after: Option<u64>,
}

/// A VM of a simulated cluster.
#[derive(Debug, Args)]
pub(crate) struct RoleArgs {
    /// Folder of the simulated cluster
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Name or GUID of the VM
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat sim node DIR HV2 down
  lifeboat sim node DIR HV2 up
  lifeboat sim node DIR HV2 unreachable")]
pub(crate) struct NodeArgs {
    /// Folder of the simulated cluster
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Name of the node
    #[arg(value_name = "NODE")]
    node: String,
    /// What becomes of it
    #[arg(value_name = "STATE")]
    state: NodeChange,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum NodeChange {
    /// It takes part again
    Up,
    /// It loses its power; what ran there is started on other nodes
    Down,
    /// It keeps what it has and takes nothing new
    Paused,
    /// Its WMI does not answer; the cluster does not notice
    Unreachable,
    /// Its WMI answers again
    Reachable,
}

impl RoleArgs {
    fn open(&self) -> Result<(SimCluster, Uuid), CliError> {
        let cluster = SimFolder::open(&self.dir)?.cluster(&self.dir)?;
        let vm = cluster.find_vm(&self.name).map_err(failed)?;
        Ok((cluster, vm))
    }
}

pub(super) fn move_vm(invocation: &Invocation, args: &MoveArgs) -> Result<ExitCode, CliError> {
    let (cluster, vm) = args.role.open()?;
    let (name, node) = (&args.role.name, &args.node);
    let text = match args.after {
        Some(seconds) => {
            let after = Duration::from_secs(seconds);
            cluster.plan_move(vm, node, after).map_err(failed)?;
            format!("{name} moves to {node} in {seconds} s")
        }
        None => {
            cluster.move_vm(vm, node).map_err(failed)?;
            format!("{name} is on {node}")
        }
    };
    say(invocation, &args.role.dir, &text)
}

pub(super) fn offline(invocation: &Invocation, args: &RoleArgs) -> Result<ExitCode, CliError> {
    change(invocation, args, "offline", SimCluster::take_offline)
}

pub(super) fn online(invocation: &Invocation, args: &RoleArgs) -> Result<ExitCode, CliError> {
    change(invocation, args, "online", SimCluster::bring_online)
}

fn change(
    invocation: &Invocation,
    args: &RoleArgs,
    done: &str,
    change: impl Fn(&SimCluster, Uuid) -> Result<(), SimError>,
) -> Result<ExitCode, CliError> {
    let (cluster, vm) = args.open()?;
    change(&cluster, vm).map_err(failed)?;
    say(invocation, &args.dir, &format!("{} is {done}", args.name))
}

pub(super) fn node(invocation: &Invocation, args: &NodeArgs) -> Result<ExitCode, CliError> {
    let cluster = SimFolder::open(&args.dir)?.cluster(&args.dir)?;
    let node = &args.node;
    let (changed, done) = match args.state {
        NodeChange::Up => (cluster.set_node(node, NodeState::Up), "up"),
        NodeChange::Down => (cluster.set_node(node, NodeState::Down), "down"),
        NodeChange::Paused => (cluster.set_node(node, NodeState::Paused), "paused"),
        NodeChange::Unreachable => (cluster.set_reachable(node, false), "out of reach"),
        NodeChange::Reachable => (cluster.set_reachable(node, true), "in reach"),
    };
    changed.map_err(failed)?;
    say(invocation, &args.dir, &format!("{node} is {done}"))
}

fn say(invocation: &Invocation, dir: &Path, text: &str) -> Result<ExitCode, CliError> {
    invocation.ui.data(text);
    let fields = json!({ "dir": dir.display().to_string(), "text": text });
    invocation.ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}
