//! `lifeboat host switches`: virtual switches made anew (requirement HOST-03).

use clap::Args;
use hyperv_host::{RestoreHost, SwitchKind, SwitchSettings};
use serde::Serialize;
use serde_json::json;

use super::report::switch_row;
use super::settings::settings_in;
use crate::cli_error::CliError;
use crate::cmd::vm::show_finding;
use crate::exit_code::ExitCode;
use crate::host_choice::HostArgs;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, Ui};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat host switches --create-like SQL01@latest --host local --dry-run --repo E:\\Backup
  lifeboat host switches --create-like SQL01@latest --host local --yes --repo E:\\Backup
  lifeboat host switches --create-like DC01@latest --host local --adapter \"LAN=Intel I350\" --repo E:\\Backup

A switch whose name the host has already is left as it is. An external switch needs a physical
adapter: by default the one of the same name, or the one that --adapter names for it. Making an
external switch interrupts the host's own network for some seconds.")]
pub(crate) struct SwitchesArgs {
    /// The restore point whose host had the switches
    #[arg(long, value_name = "POINT")]
    create_like: String,
    /// Only this switch; may be given several times
    #[arg(long, value_name = "NAME")]
    switch: Vec<String>,
    /// The physical adapter of this host that an external switch leads through; may be given several times
    #[arg(long, value_name = "SWITCH=ADAPTER", value_parser = crate::name_pair::read_pair)]
    adapter: Vec<(String, String)>,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    host: HostArgs,
}

/// What is to become of a switch.
#[derive(Debug, Serialize)]
struct Step {
    /// `create` or `is-there`.
    what: &'static str,
    switch: SwitchSettings,
}

pub(super) fn run(invocation: &Invocation, args: &SwitchesArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository_to_add_points()?;
    let settings = settings_in(&repository.find_point(&args.create_like)?)?;
    let host = args.host.open()?;
    let host = host.as_restore_host()?;
    let switches: Vec<SwitchSettings> = settings.switches().into_iter().cloned().collect();
    let steps = plan(args, switches, &host.target()?.switches)?;
    show(ui, &steps);
    let missing: Vec<&SwitchSettings> = steps
        .iter()
        .filter(|step| step.what == "create")
        .map(|step| &step.switch)
        .collect();
    let fields = |made: usize| json!({ "host": host.name(), "made": made, "missing": missing.len(), "dry_run": args.dry_run });
    if args.dry_run || missing.is_empty() {
        ui.summary("success", ExitCode::Success, fields(0));
        return Ok(ExitCode::Success);
    }
    let question = format!("make {} on {}?", missing.len(), host.name());
    if !invocation.agreed(&question)? {
        return Err(CliError::new(
            ExitCode::Cancelled,
            "cancelled",
            "no switch was made",
        ));
    }
    let made = missing
        .iter()
        .filter(|switch| make(ui, host, switch))
        .count();
    let (outcome, code) = match made == missing.len() {
        true => ("success", ExitCode::Success),
        false => ("partial", ExitCode::Partial),
    };
    ui.summary(outcome, code, fields(made));
    Ok(code)
}

/// Says for each switch whether it is there or is made.
fn plan(
    args: &SwitchesArgs,
    switches: Vec<SwitchSettings>,
    there: &[SwitchSettings],
) -> Result<Vec<Step>, CliError> {
    for name in args
        .switch
        .iter()
        .chain(args.adapter.iter().map(|(name, _)| name))
    {
        if !switches.iter().any(|switch| switch.name == *name) {
            let text = format!("the host of that point had no switch {name:?}");
            return Err(CliError::usage(text).hint("lifeboat host show POINT lists them"));
        }
    }
    let wanted = |name: &str| args.switch.is_empty() || args.switch.iter().any(|own| own == name);
    let step = |mut switch: SwitchSettings| {
        let is_there = there.iter().any(|own| own.name == switch.name);
        let named = args.adapter.iter().find(|(name, _)| *name == switch.name);
        if let (SwitchKind::External { adapter, .. }, Some((_, other))) = (&mut switch.kind, named)
        {
            adapter.clone_from(other);
        }
        // The new one gets a GUID of its own.
        switch.id.clear();
        Step {
            what: if is_there { "is-there" } else { "create" },
            switch,
        }
    };
    let own = switches.into_iter();
    Ok(own
        .filter(|switch| wanted(&switch.name))
        .map(step)
        .collect())
}

fn show(ui: &Ui, steps: &[Step]) {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("SWITCH", Align::Left),
        ("KIND", Align::Left),
        ("ADAPTER", Align::Left),
        ("HOST", Align::Left),
        ("VLAN", Align::Right),
        ("NOTES", Align::Left),
    ]);
    for step in steps {
        ui.record("switch", step);
        let word = step.what.replace('-', " ");
        let cells = switch_row(&step.switch).to_vec();
        table.row([vec![word], cells].concat());
    }
    ui.table(&table);
}

/// Makes a switch; one that cannot be made is a warning, and the others are made all the same.
fn make(ui: &Ui, host: &dyn RestoreHost, switch: &SwitchSettings) -> bool {
    match host.create_switch(switch) {
        Ok(findings) => {
            for finding in &findings {
                show_finding(ui, None, finding);
            }
            ui.data(format!("made the switch {}", switch.name));
            true
        }
        Err(error) => {
            ui.warning(&format!("the switch {} was not made: {error}", switch.name));
            false
        }
    }
}
