//! `lifeboat doctor --fix ID`: what is safe about a finding, told first.

use std::collections::BTreeMap;

use finding_catalog::{Explanation, find};
use serde_json::json;
use wmi_host::{Fix, Residue, WmiHost, plan_fixes};

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::OpenHost;
use crate::invocation::Invocation;
use crate::ui::count;

/// Says what can be done about a finding, and does it where that is asked for.
pub(super) fn run(invocation: &Invocation, host: &OpenHost, id: &str) -> Result<(), CliError> {
    let page = find(id).ok_or_else(|| {
        CliError::usage(format!("there is no finding {id}"))
            .hint("`lifeboat explain` lists all of them")
    })?;
    if page.fix.is_empty() {
        let text = format!(
            "there is nothing that could safely be done about {}",
            page.id
        );
        return Err(CliError::usage(text).hint(page.cure));
    }
    if page.settles_residue {
        return settle(invocation, host, page);
    }
    let ui = &invocation.ui;
    let mut planned = 0_u64;
    let mut failed = 0_u64;
    each_host(host, |host| {
        for fix in plan_fixes(host, page.id)? {
            planned += 1;
            failed += u64::from(!carry_out(invocation, host, &fix));
        }
        Ok(())
    })?;
    if planned == 0 {
        ui.data(format!(
            "no VM has the finding {}: nothing is to be done",
            page.id
        ));
    } else if !invocation.says_yes() {
        ui.data("nothing was done; say --yes to do it");
    }
    failed_of(failed, planned)
}

fn failed_of(failed: u64, planned: u64) -> Result<(), CliError> {
    match failed {
        0 => Ok(()),
        count => Err(CliError::new(
            ExitCode::Failed,
            "fix-failed",
            format!("{count} of {planned} could not be put right"),
        )),
    }
}

/// Says what dead runs left of one kind, and settles those runs where that is asked for. What one
/// run left belongs together: there is no settling a part of it.
fn settle(invocation: &Invocation, host: &OpenHost, page: &Explanation) -> Result<(), CliError> {
    let ui = &invocation.ui;
    let is_meant = |left: &Residue| {
        // A VM's plan calls the same thing by a name of its own.
        let is_checkpoint =
            page.id == "VM-LEFTOVER-CHECKPOINT" && left.finding.id == "RESIDUE-CHECKPOINT";
        left.fixable && (left.finding.id == page.id || is_checkpoint)
    };
    let found = residue(host)?;
    let (meant, others): (Vec<Residue>, Vec<Residue>) = found.into_iter().partition(is_meant);
    if meant.is_empty() {
        ui.data(format!(
            "no run has left anything of {}: nothing is to be done",
            page.id
        ));
        return Ok(());
    }
    let names = names(host);
    let along = others.iter().filter(|left| left.fixable).count();
    let acts = invocation.says_yes();
    let left: Vec<Residue> = if acts { fixed(host)? } else { Vec::new() };
    let mut failed = 0_u64;
    for own in &meant {
        let is_left = |other: &Residue| other.vm == own.vm && other.finding.id == own.finding.id;
        let done = match acts {
            false => "planned",
            true if left.iter().any(is_left) => {
                failed += 1;
                "failed"
            }
            true => "done",
        };
        let vm = own.vm.as_deref().unwrap_or_default();
        let name = names.get(vm).map_or(vm, String::as_str);
        let text = &own.finding.text;
        ui.record(
            "fix",
            json!({ "id": page.id, "vm": name, "text": text, "outcome": done }),
        );
        ui.data(format!("{name}: {text} ({done})"));
    }
    if along > 0 {
        ui.data(format!(
            "what dead runs left is settled as a whole, with {} of other kinds",
            count(along as u64, "thing")
        ));
    }
    if !acts {
        ui.data("nothing was done; say --yes to do it");
    }
    failed_of(failed, meant.len() as u64)
}

fn residue(host: &OpenHost) -> Result<Vec<Residue>, CliError> {
    Ok(match host {
        OpenHost::Folder(_) => Vec::new(),
        OpenHost::Wmi(host) => wmi_host::find_residue(host)?,
        OpenHost::Cluster(host) => host.find_residue()?,
    })
}

/// Settles what dead runs left. Returns what is there still.
fn fixed(host: &OpenHost) -> Result<Vec<Residue>, CliError> {
    Ok(match host {
        OpenHost::Folder(_) => Vec::new(),
        OpenHost::Wmi(host) => wmi_host::fix_residue(host)?,
        OpenHost::Cluster(host) => host.fix_residue()?,
    })
}

/// Returns the names of VMs by identity; without them they are called by that.
fn names(host: &OpenHost) -> BTreeMap<String, String> {
    let inventory = host.as_host().inventory();
    let vms = inventory.map(|inventory| inventory.vms).unwrap_or_default();
    vms.into_iter().map(|vm| (vm.identity, vm.name)).collect()
}

/// Tells what is planned, and does it where that was agreed to. Returns whether nothing failed.
fn carry_out(invocation: &Invocation, host: &WmiHost, fix: &Fix) -> bool {
    let ui = &invocation.ui;
    let done = match (fix.is_possible, invocation.says_yes()) {
        (false, _) => "not possible now",
        (true, false) => "planned",
        (true, true) => match fix.apply(host) {
            Ok(()) => "done",
            Err(error) => {
                ui.warning(&format!("{}: {error}", fix.vm));
                "failed"
            }
        },
    };
    ui.record(
        "fix",
        json!({ "id": fix.id, "vm": fix.vm, "text": fix.text, "outcome": done }),
    );
    ui.data(format!("{}: {} ({done})", fix.vm, fix.text));
    done != "failed"
}

fn each_host(
    host: &OpenHost,
    mut work: impl FnMut(&WmiHost) -> Result<(), CliError>,
) -> Result<(), CliError> {
    match host {
        OpenHost::Folder(_) => Ok(()),
        OpenHost::Wmi(host) => work(host),
        OpenHost::Cluster(host) => {
            // Nodes are connected when they are needed.
            hyperv_host::HypervHost::inventory(&**host)?;
            host.connected().iter().try_for_each(|node| work(node))
        }
    }
}
