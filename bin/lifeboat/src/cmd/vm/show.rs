//! `lifeboat vm show`.

use backup_run::{BackupOptions, plan_backup, select_vms};
use clap::Args;
use hyperv_host::{DiskEntry, VmEntry, VmPlan};
use serde_json::json;

use super::show_finding;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::HostArgs;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, Ui, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat vm show SQL01 --host local
  lifeboat vm show SQL01 --host winrm://admin@hv1 --repo /backup --json

With a repository it says of each disk whether the host can tell what changed since the last point.")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    host: HostArgs,
    /// The VM: its name, its GUID or the beginning of it
    #[arg(value_name = "VM")]
    vm: String,
}

pub(super) fn run(invocation: &Invocation, args: &ShowArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let host = args.host.open()?;
    let inventory = host.as_host().inventory()?;
    let vms = select_vms(&inventory, std::slice::from_ref(&args.vm), false)?;
    let repository = invocation.open_repository_if_named()?;
    let options = BackupOptions::default();
    let planned = plan_backup(host.as_host(), repository.as_ref(), &vms, &options)?;
    for (vm, planned) in vms.iter().zip(&planned) {
        ui.record("vm", json!({ "vm": vm, "plan": planned.plan }));
        show(ui, vm, &planned.plan);
    }
    ui.summary("success", ExitCode::Success, json!({ "vm": args.vm }));
    Ok(ExitCode::Success)
}

fn show(ui: &Ui, vm: &VmEntry, plan: &VmPlan) {
    let known = |text: Option<String>| text.unwrap_or_else(|| "unknown".to_owned());
    let lines = [
        ("name", vm.name.clone()),
        ("identity", vm.identity.clone()),
        (
            "state",
            known(
                vm.state
                    .map(|state| super::list::state_word(state).to_owned()),
            ),
        ),
        (
            "generation",
            known(vm.generation.map(|number| number.to_string())),
        ),
        ("version", known(vm.version.clone())),
        ("checkpoints", vm.checkpoints.to_string()),
        (
            "consistency",
            format!(
                "{}: {}",
                plan.consistency.level.name(),
                plan.consistency.reason
            ),
        ),
    ];
    for (name, text) in lines {
        ui.data(format!("{name:<12} {text}"));
    }
    let mut table = Table::new(&[
        ("DISK", Align::Right),
        ("SLOT", Align::Left),
        ("SIZE", Align::Right),
        ("FILES", Align::Right),
        ("TRACKING", Align::Left),
        ("PATH", Align::Left),
    ]);
    for disk in &vm.disks {
        table.row(row(disk, plan));
    }
    ui.table(&table);
    for finding in &plan.findings {
        show_finding(ui, Some(&vm.name), finding);
    }
}

fn row(disk: &DiskEntry, plan: &VmPlan) -> Vec<String> {
    let slot = disk.slot.map(|slot| {
        let kind = format!("{:?}", slot.kind).to_lowercase();
        format!("{kind}{}:{}", slot.controller, slot.slot)
    });
    let planned = plan
        .disks
        .iter()
        .find(|planned| planned.number == disk.number);
    let tracking = match planned.map(|planned| planned.full) {
        None => "not in the point".to_owned(),
        Some(None) => "the host tells what changed".to_owned(),
        Some(Some(reason)) => format!("read in full: {}", reason.text()),
    };
    vec![
        disk.number.to_string(),
        slot.unwrap_or_else(|| "-".to_owned()),
        disk.size_bytes.map_or_else(|| "?".to_owned(), size),
        disk.chain_files.to_string(),
        tracking,
        disk.path.clone(),
    ]
}
