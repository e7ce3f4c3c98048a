//! `lifeboat doctor restore`: what a restore depends on, looked at ahead (requirement PRE-33).

use clap::Args;
use hyperv_host::{Finding, HostError, HypervHost as _, RestoreHost, Severity, TargetHost};
use repository::{Consistency, RestorePoint, StreamRole};
use support_matrix::matrix;

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
    let mut report = Report::default();
    let vm = || Some(point.vm.name.clone());
    for finding in of_point(&point) {
        report.add(vm(), finding);
    }
    match args.host.as_ref().map(HostArgs::open).transpose()? {
        Some(OpenHost::Wmi(host)) => {
            for finding in on_target(&point, &host.target()?) {
                report.add(vm(), finding);
            }
        }
        Some(OpenHost::Cluster(cluster)) => {
            // Nodes that do not answer are told of here, too.
            let inventory = cluster.inventory()?;
            let uncovered = inventory.findings.into_iter();
            for finding in uncovered.filter(|own| own.id == "HOST-NODE-NOT-COVERED") {
                report.add(None, finding);
            }
            let mut of_nodes = Vec::new();
            for node in cluster.connected() {
                match node.target() {
                    Ok(target) => {
                        of_nodes.push((
                            RestoreHost::name(&*node).to_owned(),
                            on_target(&point, &target),
                        ));
                    }
                    Err(error) => {
                        report.add(None, node_not_looked(RestoreHost::name(&*node), &error));
                    }
                }
            }
            for finding in of_all_nodes(of_nodes) {
                report.add(vm(), finding);
            }
        }
        Some(OpenHost::Folder(_)) | None => {}
    }
    Ok(report.show(&invocation.ui))
}

fn node_not_looked(node: &str, error: &HostError) -> Finding {
    let text = format!("not looked at: what a restore would find on {node}, because {error}");
    let finding = Finding::new("HOST-NOT-LOOKED", Severity::Info, text);
    match error.hint_text() {
        Some(hint) => finding.cure(hint),
        None => finding,
    }
}

/// Puts together what the nodes of a cluster would say to it: the VM can be restored to any of
/// them, so what stands in the way on some alone is a warning.
fn of_all_nodes(of_nodes: Vec<(String, Vec<Finding>)>) -> Vec<Finding> {
    let count = of_nodes.len();
    let mut all: Vec<(Finding, Vec<String>)> = Vec::new();
    for (node, findings) in of_nodes {
        for finding in findings {
            match all.iter_mut().find(|(own, _)| *own == finding) {
                Some((_, nodes)) => nodes.push(node.clone()),
                None => all.push((finding, vec![node.clone()])),
            }
        }
    }
    // Nodes of several versions say the same in their own words.
    let blocked = |id: &str| -> usize {
        let own = all.iter().filter(|(own, _)| own.id == id);
        let own = own.filter(|(own, _)| own.severity == Severity::Block);
        own.map(|(_, nodes)| nodes.len()).sum()
    };
    let told = all.iter().map(|(finding, nodes)| {
        let mut finding = finding.clone();
        if nodes.len() < count {
            finding.text = format!("{}: {}", nodes.join(", "), finding.text);
        }
        if finding.severity == Severity::Block && blocked(&finding.id) < count {
            finding.severity = Severity::Warn;
        }
        finding
    });
    told.collect()
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
fn on_target(point: &RestorePoint, target: &TargetHost) -> Vec<Finding> {
    [
        version_of(point.vm.configuration_version.as_deref(), target),
        old_disks(point, target),
        same_vm(point, target),
        room(point, target),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn version_of(wanted: Option<&str>, target: &TargetHost) -> Option<Finding> {
    let wanted = wanted?;
    let known = matrix()
        .host(target.version, target.is_desktop)
        .filter(|_| !matrix().is_newer_than_known(target.version, target.is_desktop));
    let Some(row) = known else {
        let (major, minor, build) = target.version;
        let text = format!(
            "{} ({major}.{minor}.{build}) is not in the support matrix: whether it runs the VM's \
             configuration version {wanted} is not known",
            target.caption
        );
        let finding = Finding::new("HOST-UNKNOWN-VERSION", Severity::Info, text);
        return Some(finding.cure(
            "ask the host, with Get-VMHostSupportedVersion; or look for a newer version of lifeboat",
        ));
    };
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
fn old_disks(point: &RestorePoint, target: &TargetHost) -> Option<Finding> {
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
        Finding::new("POINT-OLD-DISK", Severity::Warn, text).cure(
            "restore the disks one by one, as VHD (`lifeboat restore disk POINT --disk N -o \
                   FILE --format vhd`), and make a new VM for them; or choose a newer host",
        )
    })
}

fn same_vm(point: &RestorePoint, target: &TargetHost) -> Option<Finding> {
    let vm = target
        .vms
        .iter()
        .find(|vm| vm.identity.eq_ignore_ascii_case(&point.vm.identity))?;
    let text = format!("the host has the VM already, as {}", vm.name);
    Some(
        Finding::new("POINT-SAME-VM", Severity::Info, text)
            .cure("restore it as a new VM, or to another folder, and choose afterwards"),
    )
}

fn room(point: &RestorePoint, target: &TargetHost) -> Option<Finding> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_some_nodes_alone_cannot_do_does_not_stand_in_the_way() {
        let blocks = |text| Finding::new("POINT-VERSION", Severity::Block, text);
        let known = Finding::new("POINT-SAME-VM", Severity::Info, "it is there");
        let two = |one: Vec<Finding>, other: Vec<Finding>| {
            let found = of_all_nodes(vec![("N1".to_owned(), one), ("N2".to_owned(), other)]);
            let told = found.into_iter().map(|own| (own.severity, own.text));
            told.collect::<Vec<_>>()
        };
        assert_eq!(
            two(vec![blocks("old")], vec![known.clone()]),
            [
                (Severity::Warn, "N1: old".to_owned()),
                (Severity::Info, "N2: it is there".to_owned())
            ]
        );
        assert_eq!(
            two(vec![blocks("2016")], vec![blocks("2019"), known]),
            [
                (Severity::Block, "N1: 2016".to_owned()),
                (Severity::Block, "N2: 2019".to_owned()),
                (Severity::Info, "N2: it is there".to_owned())
            ]
        );
        let same = two(vec![blocks("old")], vec![blocks("old")]);
        assert_eq!(same, [(Severity::Block, "old".to_owned())]);
    }

    #[test]
    fn a_host_that_nobody_knows_is_told_to_be_unknown() {
        let target = |version| TargetHost {
            caption: "Windows".to_owned(),
            version,
            ..TargetHost::default()
        };
        let said = |version| {
            let finding = version_of(Some("9.0"), &target(version));
            finding.map(|own| (own.id, own.severity))
        };
        let unknown = Some(("HOST-UNKNOWN-VERSION".to_owned(), Severity::Info));
        assert_eq!(said((5, 2, 3790)), unknown);
        assert_eq!(said((99, 0, 0)), unknown);
        let refused = Some(("POINT-VERSION".to_owned(), Severity::Block));
        assert_eq!(said((6, 3, 9600)), refused);
        assert_eq!(said((10, 0, 20348)), None);
    }
}
