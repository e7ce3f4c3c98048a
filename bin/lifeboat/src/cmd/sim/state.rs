//! `lifeboat sim state`.

use std::path::PathBuf;

use clap::Args;
use hyperv_sim::{StateReport, Vm};

use super::folder::SimFolder;
use super::{cluster_state, failed};
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, Ui, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat sim state DIR
  lifeboat sim state DIR --json")]
pub(crate) struct StateArgs {
    /// Folder of the simulated host or cluster
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(super) fn run(invocation: &Invocation, args: &StateArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    match SimFolder::open(&args.dir)? {
        SimFolder::Host(host) => {
            let state = host.state().map_err(failed)?;
            ui.record("state", &state);
            show(ui, &state);
        }
        SimFolder::Cluster(cluster) => {
            let state = cluster.state().map_err(failed)?;
            ui.record("cluster-state", &state);
            cluster_state::show(ui, &state);
        }
    }
    ui.summary("success", ExitCode::Success, serde_json::json!({}));
    Ok(ExitCode::Success)
}

fn show(ui: &Ui, state: &StateReport) {
    ui.data(format!(
        "{}, Windows Server {}, {}",
        state.name, state.profile, state.now
    ));
    for volume in &state.volumes {
        ui.data(format!(
            "{}  {} free",
            volume.volume.drive,
            size(volume.free_bytes)
        ));
    }
    let mut table = Table::new(&[
        ("VM", Align::Left),
        ("POWER", Align::Left),
        ("DISKS", Align::Right),
        ("CHECKPOINTS", Align::Right),
        ("REFERENCE POINTS", Align::Right),
        ("DOING", Align::Left),
    ]);
    for vm in &state.vms {
        table.row(vec![
            vm.name.clone(),
            format!("{:?}", vm.power).to_lowercase(),
            vm.disks.len().to_string(),
            vm.snapshots.len().to_string(),
            vm.reference_points.len().to_string(),
            doing(vm),
        ]);
    }
    ui.table(&table);
}

pub(super) fn doing(vm: &Vm) -> String {
    let job = vm.active_job().or_else(|| vm.pending_merge());
    job.map_or_else(|| "nothing".to_owned(), |job| job.kind.caption().to_owned())
}
