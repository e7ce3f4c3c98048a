//! `lifeboat vm`: look at the VMs of a host.

use clap::{Args, Subcommand};
use hyperv_host::{Finding, HypervHost as _, Severity, VmEntry};
use serde_json::json;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::{Invocation, open_host};
use crate::ui::{Align, Table, Ui, count, size};

#[derive(Debug, Subcommand)]
pub(crate) enum VmCommand {
    /// List the VMs of a host, with what a backup should know
    List(ListArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat vm list --host dir:/srv/vms
  lifeboat vm list --host dir:/srv/vms --json")]
pub(crate) struct ListArgs {
    /// The host: dir:FOLDER for a folder with VMs
    #[arg(long, value_name = "HOST")]
    host: String,
}

pub(crate) fn run(invocation: &Invocation, command: &VmCommand) -> Result<ExitCode, CliError> {
    let VmCommand::List(args) = command;
    let ui = &invocation.ui;
    let inventory = open_host(&args.host)?.inventory()?;
    let mut table = Table::new(&[
        ("NAME", Align::Left),
        ("GEN", Align::Right),
        ("VERSION", Align::Left),
        ("DISKS", Align::Right),
        ("SIZE", Align::Right),
        ("CHECKPOINTS", Align::Right),
        ("FINDINGS", Align::Left),
    ]);
    for vm in &inventory.vms {
        ui.record("vm", vm);
        table.row(row(vm));
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

/// Shows a finding: what was found, and what to do.
pub(crate) fn show_finding(ui: &Ui, vm: Option<&str>, finding: &Finding) {
    ui.record(
        "finding",
        json!({ "vm": vm, "id": finding.id, "severity": finding.severity,
                "text": finding.text, "cure": finding.cure }),
    );
    let sign = match finding.severity {
        Severity::Info => "i",
        Severity::Warn => "!",
        Severity::Block => "x",
    };
    let vm = vm.map_or_else(String::new, |vm| format!("{vm}: "));
    let mut lines = vec![format!("{sign} {vm}{} ({})", finding.text, finding.id)];
    lines.extend(finding.cure.iter().map(|cure| format!("    do: {cure}")));
    for line in lines {
        match finding.severity {
            Severity::Info => ui.message(line),
            Severity::Warn | Severity::Block => ui.trouble(line),
        }
    }
}
