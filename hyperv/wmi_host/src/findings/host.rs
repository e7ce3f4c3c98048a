//! Findings about the host itself.

use hyperv_host::{Finding, Severity};
use uuid::Uuid;

use super::vss::no_vss;
use crate::facts::{HostFacts, HostState};

/// Free space below which a volume with VMs is in danger, whatever its size.
const LOW_BYTES: u64 = 10 << 30;

/// Returns what is wrong with the host, or worth knowing.
pub(crate) fn of_host(facts: &HostFacts, has_bytes: bool, has_vss: bool) -> Vec<Finding> {
    let host = &facts.host;
    let mut findings: Vec<Finding> = old(host).into_iter().collect();
    // Newer hosts need it for all checkpoints alone, and a plan for those says so.
    let blind = !has_vss && findings.is_empty() && !host.windows.has_recovery_checkpoints();
    findings.extend(blind.then(|| no_vss(host)));
    findings.extend(rights(facts));
    findings.extend((!has_bytes).then(|| no_bytes(&host.computer)));
    findings.extend(mixed_cluster(host));
    findings.extend(low_volumes(facts));
    findings.extend(other_nodes(facts));
    findings
}

/// The host is too old for what this program does with it.
pub(crate) fn old(host: &HostState) -> Option<Finding> {
    (!host.windows.is_known()).then(|| {
        let text = format!(
            "{} is older than Windows Server 2012, whose interface is the first that this program \
             speaks: its VMs cannot be frozen",
            host.windows.caption
        );
        Finding::new("HOST-OLD", Severity::Block, text).cure(
            "export the VMs (Export-VM) and back up the folder with --host dir:FOLDER, or move \
             them to a newer host",
        )
    })
}

/// An account without rights is not refused: it is shown nothing, not even the host itself.
/// Contract: 0.1 [M]
fn rights(facts: &HostFacts) -> Option<Finding> {
    (!facts.sees_systems).then(|| {
        let text = format!(
            "{} shows this account no VM, and not even itself: the account lacks the rights",
            facts.host.computer
        );
        Finding::new("HOST-RIGHTS", Severity::Block, text).cure(
            "use an account in the host's Administrators or Hyper-V Administrators group, on the \
             host itself from an elevated prompt",
        )
    })
}

/// Nothing was said of where the host's files are.
pub(crate) fn no_bytes(computer: &str) -> Finding {
    let text = format!(
        "WMI carries no files, and nothing says where this machine sees those of {computer}: it \
         lists and plans, and cannot back up"
    );
    Finding::new("HOST-NO-BYTES", Severity::Block, text).cure(
        "say where the host's drives are seen, as in --host-files 'C:\\=\\\\HOST\\C$' on Windows or \
         --host-files 'C:\\=/mnt/host-c' elsewhere, or run lifeboat on the host with --host local",
    )
}

fn mixed_cluster(host: &HostState) -> Option<Finding> {
    let cluster = host.cluster.as_ref().filter(|cluster| cluster.is_mixed())?;
    let text = format!(
        "the cluster {} works at the level of Windows Server 2012 R2: changes of its VMs are not \
         tracked, and every backup reads their disks in full",
        cluster.name
    );
    Some(
        Finding::new("HOST-CLUSTER-MIXED", Severity::Warn, text).cure(
            "when all nodes run a newer Windows: Update-ClusterFunctionalLevel on one of them",
        ),
    )
}

fn low_volumes(facts: &HostFacts) -> impl Iterator<Item = Finding> {
    let volumes = facts.host.volumes.iter().filter(|volume| {
        let in_use = facts.vms.iter().flat_map(|vm| &vm.disks).any(|disk| {
            let of_disk = facts.host.volume_of(&disk.path);
            of_disk.is_some_and(|own| std::ptr::eq(own, *volume))
        });
        in_use && volume.free_bytes < LOW_BYTES.min(volume.size_bytes / 10)
    });
    volumes.map(|volume| {
        let text = format!(
            "{} has {} MiB free of {} MiB: a checkpoint grows on the volume of its disk, and a \
             full volume pauses all VMs on it",
            volume.mount.to_uppercase(),
            volume.free_bytes >> 20,
            volume.size_bytes >> 20
        );
        Finding::new("HOST-VOLUME-LOW", Severity::Warn, text)
            .cure("make room, or move disks to another volume")
    })
}

/// VMs of the cluster that other nodes have (DISC-03).
fn other_nodes(facts: &HostFacts) -> Option<Finding> {
    let cluster = facts.host.cluster.as_ref()?;
    let others: Vec<String> = cluster
        .vms
        .iter()
        .filter(|vm| facts.vm(vm.id).is_none())
        .filter(|vm| facts.unread.iter().all(|own| own.id != vm.id))
        .map(|vm| format!("{} on {}", vm.group, vm.owner))
        .collect();
    let nodes: Vec<&str> = cluster
        .nodes
        .iter()
        .map(|node| node.name.as_str())
        .filter(|node| !node.eq_ignore_ascii_case(&facts.host.computer))
        .collect();
    if others.is_empty() && nodes.is_empty() {
        return None;
    }
    let elsewhere = if others.is_empty() {
        "none of its VMs is elsewhere now".to_owned()
    } else {
        format!("elsewhere now: {}", others.join(", "))
    };
    let text = format!(
        "this lists the VMs of {}, one node of the cluster {} beside {}; {elsewhere}",
        facts.host.computer,
        cluster.name,
        nodes.join(", ")
    );
    Some(
        Finding::new("HOST-CLUSTER-NODES", Severity::Info, text).cure(
            "name the cluster, so that no VM is missed: --host cluster:winrm://USER@NODE, or \
                 --host local --cluster",
        ),
    )
}

/// Says on which node a VM is that is not here.
pub(crate) fn elsewhere(host: &HostState, id: Uuid) -> Option<Finding> {
    let vm = host.cluster.as_ref()?.vm(id)?;
    let text = format!("{} is on the node {} now", vm.group, vm.owner);
    let cure = format!("name {} as the host", vm.owner);
    Some(Finding::new("VM-ELSEWHERE", Severity::Block, text).cure(cure))
}
