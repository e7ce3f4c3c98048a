//! `lifeboat vm list`.

use clap::Args;
use hyperv_host::{PowerState, Severity, VmEntry};
use serde_json::json;

use super::show_finding;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::HostArgs;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, Ui, count, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat vm list --host local
  lifeboat vm list --host winrm://admin@hv1
  lifeboat vm list --host cluster:winrm://admin@hv1
  lifeboat vm list --host dir:/srv/vms --json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    host: HostArgs,
}

pub(super) fn run(invocation: &Invocation, args: &ListArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let inventory = args.host.open()?.as_host().inventory()?;
    // Only a cluster has nodes.
    let nodes = inventory.vms.iter().any(|vm| vm.node.is_some());
    let node = [("NODE", Align::Left)];
    let columns = [
        ("NAME", Align::Left),
        ("STATE", Align::Left),
        ("GEN", Align::Right),
        ("VERSION", Align::Left),
        ("DISKS", Align::Right),
        ("SIZE", Align::Right),
        ("CHECKPOINTS", Align::Right),
        ("FINDINGS", Align::Left),
    ];
    let columns: Vec<(&str, Align)> = match nodes {
        true => node.into_iter().chain(columns).collect(),
        false => columns.to_vec(),
    };
    let mut table = Table::new(&columns);
    for vm in &inventory.vms {
        ui.record("vm", vm);
        let on = vm.node.clone().unwrap_or_else(|| "-".to_owned());
        let on = nodes.then_some(on).into_iter();
        table.row(on.chain(row(vm)).collect());
    }
    ui.table(&table);
    if ui.is_verbose() {
        inventory.vms.iter().for_each(|vm| show_details(ui, vm));
    }
    for vm in &inventory.vms {
        vm.findings
            .iter()
            .for_each(|finding| show_finding(ui, Some(&vm.name), finding));
    }
    inventory
        .findings
        .iter()
        .for_each(|finding| show_finding(ui, None, finding));
    ui.summary(
        "success",
        ExitCode::Success,
        json!({ "vms": inventory.vms.len() }),
    );
    Ok(ExitCode::Success)
}

fn row(vm: &VmEntry) -> Vec<String> {
    let known = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let sizes: Option<u64> = vm.disks.iter().map(|disk| disk.size_bytes).sum();
    vec![
        vm.name.clone(),
        known(vm.state.map(|state| state_word(state).to_owned())),
        known(vm.generation.map(|number| number.to_string())),
        known(vm.version.clone()),
        vm.disks.len().to_string(),
        sizes.map_or_else(|| "?".to_owned(), size),
        vm.checkpoints.to_string(),
        findings(vm),
    ]
}

/// Says in a word or two whether the VM can be backed up.
fn findings(vm: &VmEntry) -> String {
    let of = |severity| {
        vm.findings
            .iter()
            .filter(|f| f.severity == severity)
            .count() as u64
    };
    match (of(Severity::Block), of(Severity::Warn)) {
        (0, 0) => "ok".to_owned(),
        (0, warnings) => count(warnings, "warning"),
        (blocks, _) => format!("blocked ({})", count(blocks, "finding")),
    }
}

fn show_details(ui: &Ui, vm: &VmEntry) {
    ui.data(format!("{}  {}", vm.name, vm.identity));
    for disk in &vm.disks {
        ui.data(format!(
            "  disk {}  {}  {}  {}",
            disk.number,
            disk.size_bytes.map_or_else(|| "?".to_owned(), size),
            count(disk.chain_files as u64, "file"),
            disk.path
        ));
    }
}

pub(super) fn state_word(state: PowerState) -> &'static str {
    match state {
        PowerState::Running => "running",
        PowerState::Off => "off",
        PowerState::Saved => "saved",
        PowerState::Paused => "paused",
        _ => "other",
    }
}
