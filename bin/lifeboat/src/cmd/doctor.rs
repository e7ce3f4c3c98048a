//! `lifeboat doctor`: what is wrong, and what to do.

use clap::Args;
use hyperv_host::{Finding, Severity};
use serde_json::json;

use crate::cli_error::CliError;
use crate::cmd::vm::show_finding;
use crate::exit_code::ExitCode;
use crate::host_choice::{HostArgs, OpenHost};
use crate::invocation::Invocation;
use crate::ui::{Ui, count};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat doctor --host local
  lifeboat doctor --host winrm://admin@hv1 --json
  lifeboat doctor --host local --fix

--fix removes what a run of this program left on the host when it died, and nothing else.")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    host: HostArgs,
    /// Remove what dead runs of this program left on the host
    #[arg(long)]
    fix: bool,
}

pub(crate) fn run(invocation: &Invocation, args: &DoctorArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let host = args.host.open()?;
    let mut found = Found::default();
    match &host {
        OpenHost::Folder(host) => {
            let inventory = hyperv_host::HypervHost::inventory(host)?;
            inventory
                .findings
                .iter()
                .for_each(|finding| found.add(ui, None, finding));
            for vm in &inventory.vms {
                let findings = vm.findings.iter();
                findings.for_each(|finding| found.add(ui, Some(&vm.name), finding));
            }
        }
        OpenHost::Wmi(host) => {
            for (vm, finding) in host.doctor()? {
                found.add(ui, vm.as_deref(), &finding);
            }
            let residue = if args.fix {
                wmi_host::fix_residue(host)?
            } else {
                wmi_host::find_residue(host)?
            };
            for left in residue {
                // What belongs to others is told, and is nobody's mistake here.
                found.residue += u64::from(left.fixable);
                found.add(ui, left.vm.as_deref(), &left.finding);
            }
        }
    }
    found.tell(ui)
}

/// What was found so far.
#[derive(Default)]
struct Found {
    blocks: u64,
    warnings: u64,
    notes: u64,
    residue: u64,
}

impl Found {
    fn add(&mut self, ui: &Ui, vm: Option<&str>, finding: &Finding) {
        match finding.severity {
            Severity::Block => self.blocks += 1,
            Severity::Warn => self.warnings += 1,
            Severity::Info => self.notes += 1,
        }
        show_finding(ui, vm, finding);
    }

    fn tell(&self, ui: &Ui) -> Result<ExitCode, CliError> {
        let code = match (self.blocks, self.residue) {
            (0, 0) => ExitCode::Success,
            (0, _) => ExitCode::Residue,
            _ => ExitCode::Blocked,
        };
        ui.data(format!(
            "{} in the way, {}, {}",
            count(self.blocks, "finding"),
            count(self.warnings, "warning"),
            count(self.notes, "note")
        ));
        let outcome = if code == ExitCode::Success {
            "success"
        } else {
            "findings"
        };
        let fields =
            json!({ "blocks": self.blocks, "warnings": self.warnings, "notes": self.notes });
        ui.summary(outcome, code, fields);
        Ok(code)
    }
}
