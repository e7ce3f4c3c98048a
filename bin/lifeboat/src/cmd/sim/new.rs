//! `lifeboat sim new`.

use std::path::PathBuf;

use clap::Args;
use hyperv_sim::{ClusterOptions, Profile, SimCluster, SimHost, SimOptions};
use serde_json::json;

use super::failed;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

/// Most nodes that a failover cluster has.
const NODES_MAX: u64 = 64;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat sim new DIR
  lifeboat sim new DIR --profile 2019 --seed 7 --name HV1
  lifeboat sim new DIR --nodes 3
  lifeboat sim new DIR --nodes 4 --profile 2016 --mixed=2012R2")]
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
    /// Its name; HV1, or CLUSTER1 for a cluster
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Make a cluster of so many hosts, HV1, HV2 and so on
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=NODES_MAX))]
    nodes: Option<u64>,
    /// Every other node of the cluster runs this version, 2012R2 unless it says another
    #[arg(
        long,
        value_name = "VERSION",
        requires = "nodes",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2012R2"
    )]
    mixed: Option<Profile>,
    /// The cluster's volumes are made of the nodes' own disks
    #[arg(long, requires = "nodes")]
    s2d: bool,
}

pub(super) fn run(invocation: &Invocation, args: &NewArgs) -> Result<ExitCode, CliError> {
    let (what, name) = match args.nodes {
        Some(nodes) => ("cluster", new_cluster(args, nodes)?),
        None => ("host", new_host(args)?),
    };
    let ui = &invocation.ui;
    let dir = args.dir.display();
    ui.data(format!("made the simulated {what} {name} in {dir}"));
    let fields = json!({ "dir": dir.to_string(), what: name });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

fn new_host(args: &NewArgs) -> Result<String, CliError> {
    let name = args.name.clone().unwrap_or_else(|| "HV1".to_owned());
    let options = SimOptions {
        profile: args.profile,
        host_name: name.clone(),
        seed: args.seed,
    };
    SimHost::create(&args.dir, options).map_err(failed)?;
    Ok(name)
}

fn new_cluster(args: &NewArgs, nodes: u64) -> Result<String, CliError> {
    let count = usize::try_from(nodes).unwrap_or(1);
    let mut options = ClusterOptions::of_nodes(count, args.profile);
    if let Some(profile) = args.mixed {
        options = options.mixed_with(profile);
    }
    options.seed = args.seed;
    options.s2d = args.s2d;
    if let Some(name) = &args.name {
        options.name.clone_from(name);
    }
    let name = options.name.clone();
    SimCluster::create(&args.dir, options).map_err(failed)?;
    Ok(name)
}
