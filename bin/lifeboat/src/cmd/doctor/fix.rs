//! `lifeboat doctor --fix ID`: what is safe about a finding, told first.

use finding_catalog::find;
use serde_json::json;
use wmi_host::{Fix, WmiHost, plan_fixes};

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::OpenHost;
use crate::invocation::Invocation;

/// Returns whether what dead runs left is meant: no id, or one of its findings.
pub(super) fn is_residue(id: &str) -> bool {
    id.is_empty()
        || find(id).is_some_and(|page| {
            page.id == "VM-LEFTOVER-CHECKPOINT"
                || (page.code.starts_with("LB-22") && !page.fix.is_empty())
        })
}

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
    match failed {
        0 => Ok(()),
        count => Err(CliError::new(
            ExitCode::Failed,
            "fix-failed",
            format!("{count} of {planned} could not be put right"),
        )),
    }
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
