//! `lifeboat doctor restore`: what a restore depends on, looked at ahead (requirement PRE-33).

use clap::Args;
use hyperv_host::{Finding, Severity};
use repository::{Consistency, RestorePoint, StreamRole};
use support_matrix::matrix;
use wmi_host::RestoreTarget;

use super::report::Report;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::{HostArgs, OpenHost};
use crate::invocation::Invocation;
use crate::ui::size;

#[derive(Debug, Args)]
#[command(mut_arg("host", |host| host.required(false)), after_help = "Examples:
  lifeboat doctor restore SQL01@latest --repo /backup
  lifeboat doctor restore SQL01@latest --repo /backup --host winrm://admin@hv2

Nothing is restored. With a host it says whether the VM would run there.")]
pub(super) struct RestoreArgs {
    /// The restore point: VM@latest, VM@latest~1, VM@2026-05-01T22:00 or the beginning of an id
    #[arg(value_name = "POINT")]
    point: String,
    #[command(flatten)]
    host: Option<HostArgs>,
}

pub(super) fn run(invocation: &Invocation, args: &RestoreArgs) -> Result<ExitCode, CliError> {
    let point = invocation.open_repository()?.find_point(&args.point)?;
    let target = match args.host.as_ref().map(HostArgs::open).transpose()? {
        Some(OpenHost::Wmi(host)) => Some(host.restore_target()?),
        Some(OpenHost::Cluster(host)) => {
            hyperv_host::HypervHost::inventory(&*host)?;
            let nodes = host.connected();
            let first = nodes.first().map(|node| node.restore_target());
            first.transpose()?
        }
        Some(OpenHost::Folder(_)) | None => None,
    };
    let mut report = Report::default();
    let own = of_point(&point).into_iter();
    let there = target.iter().flat_map(|target| on_target(&point, target));
    for finding in own.chain(there) {
        report.add(Some(point.vm.name.clone()), finding);
    }
    Ok(report.show(&invocation.ui))
}

/// What the point alone tells.
fn of_point(point: &RestorePoint) -> Vec<Finding> {
    let has = |role| point.all_streams().any(|stream| stream.role == role);
    let mut found = Vec::new();
    if point.configuration.is_none() {
        let text = "the point has no configuration of the VM: its disks come back, and the VM around \
                    them has to be made by hand";
        found.push(
            Finding::new("POINT-NO-CONFIGURATION", Severity::Warn, text)
                .cure("restore the disks one by one, or take an older point that has it"),
        );
    }
    for disk in &point.left_out {
        let text = format!(
            "the disk {} is not in the point ({}): its slot will be empty",
            disk.path, disk.reason
        );
        found.push(
            Finding::new("POINT-LEFT-OUT", Severity::Warn, text)
                .cure("have what is on it at hand from elsewhere"),
        );
    }
    if has(StreamRole::GuestState) {
        let text = "the point has the VM's guest state: if a virtual TPM is in it, it is sealed to \
                    keys of the host that it was taken from";
        found.push(Finding::new("POINT-VTPM", Severity::Info, text).cure(
            "on another host import the old one's \"Shielded VM Local Certificates\", and have \
             BitLocker recovery keys at hand",
        ));
    }
    if has(StreamRole::RuntimeState) || has(StreamRole::CheckpointState) {
        let text = "the point has the VM's memory: it resumes on a processor like the one that it \
                    was saved on, and nowhere else";
        found.push(
            Finding::new("POINT-MEMORY", Severity::Info, text)
                .cure("for another sort of host restore without memory: the VM starts anew"),
        );
    }
    if point.consistency == Consistency::Crash {
        let text = format!(
            "the point is crash-consistent: {}",
            point.consistency_reason
        );
        found.push(
            Finding::new("POINT-CONSISTENCY", Severity::Info, text).cure(
                "the VM starts as after a power cut; look for an older point if that will not do",
            ),
        );
    }
    found
}

/// What a host would say to it.
fn on_target(point: &RestorePoint, target: &RestoreTarget) -> Vec<Finding> {
    [
        version(point, target),
        old_disks(point, target),
        same_vm(point, target),
        room(point, target),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn version(point: &RestorePoint, target: &RestoreTarget) -> Option<Finding> {
    let wanted = point.vm.configuration_version.as_deref()?;
    let row = matrix().host(target.version, target.is_desktop)?;
    if row.runs(wanted) {
        return None;
    }
    let text = format!(
        "{} does not run the VM's configuration version {wanted}; it runs {}",
        target.caption,
        row.configurations.join(", ")
    );
    Some(
        Finding::new("POINT-VERSION", Severity::Block, text).cure(
            "restore to a host that runs it, or restore the disks and make a new VM for them",
        ),
    )
}

/// VHDX came with 2012, VHD sets with 2016.
fn old_disks(point: &RestorePoint, target: &RestoreTarget) -> Option<Finding> {
    let disks = point.disks().chain(&point.images);
    let too_new = disks.filter(|disk| {
        let is = |extension: &str| disk.name.to_lowercase().ends_with(extension);
        (target.version < (6, 2, 0) && (is(".vhdx") || is(".avhdx")))
            || (target.version < (10, 0, 0) && is(".vhds"))
    });
    let names: Vec<&str> = too_new.map(|disk| disk.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        let text = format!(
            "{} does not open these disks: {}",
            target.caption,
            names.join(", ")
        );
        Finding::new("POINT-OLD-DISK", Severity::Warn, text)
            .cure("restore them with --format vhd, or to a newer host")
    })
}

fn same_vm(point: &RestorePoint, target: &RestoreTarget) -> Option<Finding> {
    let (_, name) = target
        .vms
        .iter()
        .find(|(identity, _)| identity.eq_ignore_ascii_case(&point.vm.identity))?;
    let text = format!("the host has the VM already, as {name}");
    Some(
        Finding::new("POINT-SAME-VM", Severity::Info, text)
            .cure("restore it as a new VM, or to another folder, and choose afterwards"),
    )
}

fn room(point: &RestorePoint, target: &RestoreTarget) -> Option<Finding> {
    let disks = point.disks().chain(&point.images);
    let wanted: u64 = disks
        .map(|disk| disk.statistics.data_bytes)
        .fold(0, u64::saturating_add);
    let most = target
        .volumes
        .iter()
        .max_by_key(|volume| volume.free_bytes)?;
    (most.free_bytes < wanted).then(|| {
        let text = format!(
            "the point holds {} of data, and no volume of the host has that free: {} has {}",
            size(wanted),
            most.mount,
            size(most.free_bytes)
        );
        Finding::new("POINT-NO-ROOM", Severity::Warn, text)
            .cure("make room, or spread the disks over several volumes")
    })
}
