//! `lifeboat doctor`: what is wrong, and what to do.

mod antivirus;
mod fix;
mod guest;
mod report;
mod repository;
mod restore;

use clap::{Args, Subcommand};
use hyperv_host::{Finding, HypervHost as _, Severity};

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::{HostArgs, OpenHost};
use crate::invocation::Invocation;
use report::Report;
use wmi_host::WmiHost;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    mut_arg("host", |host| host.required(false)),
    after_help = "Examples:
  lifeboat doctor --host local
  lifeboat doctor --host winrm://admin@hv1 --repo /backup --json
  lifeboat doctor --host local --fix
  lifeboat doctor --host local --fix VM-IC-BACKUP --yes
  lifeboat doctor --antivirus
  lifeboat doctor guest --paste listing.txt
  lifeboat doctor restore SQL01@latest --host local

--fix alone removes what runs of this program left on the host when they died, and nothing else.
--fix ID does what is safe about a finding: without --yes it only says what it would do.
Nothing that cannot be undone is ever done here."
)]
pub(crate) struct DoctorArgs {
    #[command(subcommand)]
    command: Option<DoctorCommand>,
    #[command(flatten)]
    host: Option<HostArgs>,
    /// Remove what dead runs left; or, with the ID of a finding, do what is safe about it
    #[arg(long, value_name = "ID", num_args = 0..=1, default_missing_value = "")]
    fix: Option<String>,
    /// Print what an antivirus program has to leave alone
    #[arg(long)]
    antivirus: bool,
    /// Do not look at the partitions of the VMs' disks
    #[arg(long)]
    no_disks: bool,
}

#[derive(Debug, Subcommand)]
enum DoctorCommand {
    /// Read what lsmod, ps or vssadmin printed in a guest
    Guest(guest::GuestArgs),
    /// Look ahead at what a restore of a point depends on
    Restore(restore::RestoreArgs),
}

pub(crate) fn run(invocation: &Invocation, args: &DoctorArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        Some(DoctorCommand::Guest(args)) => return guest::run(invocation, args),
        Some(DoctorCommand::Restore(args)) => return restore::run(invocation, args),
        None => {}
    }
    let host = args.host.as_ref().map(HostArgs::open).transpose()?;
    if args.antivirus {
        return antivirus::run(invocation, host.as_ref());
    }
    if host.is_none() && !invocation.names_repository() {
        return Err(CliError::usage("nothing is named that could be looked at")
            .hint("name a host with --host, a repository with --repo, or both"));
    }
    let mut report = Report::default();
    if let Some(host) = &host {
        match args.fix.as_deref() {
            Some(id) if !id.is_empty() => fix::run(invocation, host, id)?,
            _ => {}
        }
        let with_disks = !args.no_disks;
        let fixes_residue = args.fix.as_deref() == Some("");
        look_at_host(host, with_disks, fixes_residue, &mut report)?;
    } else if args.fix.is_some() {
        return Err(CliError::usage("--fix needs a host").hint("name it with --host"));
    }
    repository::look(invocation, host.as_ref(), &mut report);
    Ok(report.show(&invocation.ui))
}

fn look_at_host(
    host: &OpenHost,
    with_disks: bool,
    fixes_residue: bool,
    report: &mut Report,
) -> Result<(), CliError> {
    let (found, residue) = match host {
        OpenHost::Folder(host) => {
            let inventory = host.inventory()?;
            let own = inventory.findings.into_iter();
            let mut found: Vec<(Option<String>, Finding)> =
                own.map(|finding| (None, finding)).collect();
            for vm in inventory.vms {
                let findings = vm.findings.into_iter();
                found.extend(findings.map(|finding| (Some(vm.name.clone()), finding)));
            }
            (found, Vec::new())
        }
        OpenHost::Wmi(host) => {
            let mut found = host.doctor()?;
            if with_disks {
                found.extend(inside(host));
            }
            // What the inventory said, doctor has told: this is for the VMs' names alone.
            let listed = host.inventory().map(|inventory| inventory.vms);
            report.know_vms(&listed.unwrap_or_default());
            let residue = match fixes_residue {
                true => wmi_host::fix_residue(host)?,
                false => wmi_host::find_residue(host)?,
            };
            (found, residue)
        }
        OpenHost::Cluster(host) => {
            let mut found = host.doctor()?;
            let listed = host.inventory().map(|inventory| inventory.vms);
            report.know_vms(&listed.unwrap_or_default());
            if with_disks {
                for node in host.connected() {
                    found.extend(inside(&node));
                }
            }
            let residue = match fixes_residue {
                true => host.fix_residue()?,
                false => host.find_residue()?,
            };
            (found, residue)
        }
    };
    for (vm, finding) in found {
        report.add(vm, finding);
    }
    for left in residue {
        report.add_residue(left);
    }
    Ok(())
}

/// Looks at the partitions of a host's VMs; that this fails is a finding.
fn inside(host: &WmiHost) -> Vec<(Option<String>, Finding)> {
    host.look_inside().unwrap_or_else(|error| {
        let text = format!(
            "not looked at: partitions of the VMs' disks on {}, because {error}",
            host.name()
        );
        vec![(
            None,
            Finding::new("HOST-NOT-LOOKED", Severity::Info, text)
                .cure("see why, with `lifeboat explain`; or leave that out: --no-disks"),
        )]
    })
}
