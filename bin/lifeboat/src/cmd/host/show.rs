//! `lifeboat host show`.

use clap::Args;
use hyperv_host::NodeSettings;
use serde_json::json;

use super::report::{live_migration_text, machine_text, switch_row};
use super::settings::settings_of;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::HostArgs;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, Ui, local_time};

#[derive(Debug, Args)]
#[command(mut_arg("host", |host| host.required(false)), after_help = "Examples:
  lifeboat host show --host local
  lifeboat host show SQL01@latest --repo /backup
  lifeboat host show SQL01@2026-05-01 --repo /backup --json")]
pub(crate) struct ShowArgs {
    /// A restore point: what its host was set to then
    #[arg(value_name = "POINT")]
    point: Option<String>,
    #[command(flatten)]
    host: Option<HostArgs>,
}

pub(super) fn run(invocation: &Invocation, args: &ShowArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let settings = settings_of(invocation, args.point.as_deref(), args.host.as_ref())?;
    ui.record("host_settings", &settings);
    ui.data(format!("{:<14} {}", "host", settings.host));
    ui.data(format!("{:<14} {}", "read", local_time(settings.taken)));
    for node in &settings.nodes {
        show_node(ui, node);
    }
    let fields = json!({ "host": settings.host, "nodes": settings.nodes.len() });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

fn show_node(ui: &Ui, node: &NodeSettings) {
    let lines = [
        ("computer", node.computer.clone()),
        ("Windows", format!("{} ({})", node.caption, node.version)),
        ("machine", machine_text(node)),
        ("disks in", node.disk_folder.clone()),
        ("VMs in", node.configuration_folder.clone()),
        ("live migration", live_migration_text(node)),
    ];
    for (name, text) in lines {
        ui.data(format!("{name:<14} {text}"));
    }
    let mut table = Table::new(&[
        ("SWITCH", Align::Left),
        ("KIND", Align::Left),
        ("ADAPTER", Align::Left),
        ("HOST", Align::Left),
        ("VLAN", Align::Right),
        ("NOTES", Align::Left),
    ]);
    for switch in &node.switches {
        table.row(switch_row(switch).to_vec());
    }
    ui.table(&table);
}
