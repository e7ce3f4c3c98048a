//! What is to be said of a cluster, its nodes and where its VMs are.

use hyperv_host::{Finding, HostError, Severity};

use crate::facts::{ClusterFacts, ClusterGroup, ClusterVm, GroupState, NodeState, SharedVolume};

/// A node of which nothing is seen (DISC-03, DISC-04).
pub(super) fn node_not_covered(
    cluster: &ClusterFacts,
    node: &str,
    state: NodeState,
    error: Option<&HostError>,
) -> Finding {
    let vms: Vec<&str> = cluster
        .vms
        .iter()
        .filter(|vm| vm.owner.eq_ignore_ascii_case(node))
        .map(|vm| vm.group.as_str())
        .collect();
    let theirs = match vms.as_slice() {
        [] if state == NodeState::Down => "it has no VM now".to_owned(),
        [] => "it has no VM now, and the VMs that move there are not backed up".to_owned(),
        vms => format!("not backed up now: {}", vms.join(", ")),
    };
    let name = &cluster.name;
    if state == NodeState::Down {
        let text = format!("the node {node} of the cluster {name} is down; {theirs}");
        return Finding::new("HOST-NODE-DOWN", Severity::Warn, text).cure(
            "nothing for the backup: the cluster brings its VMs up on other nodes, and the next \
             run finds them there; otherwise start the node, or its service ClusSvc",
        );
    }
    let why = error.map_or_else(|| "it was not tried".to_owned(), ToString::to_string);
    let text = format!("the node {node} of the cluster {name} is not covered: {why}; {theirs}");
    // Who connects may know better than the rest how the node is reached.
    let cure = match error.and_then(HostError::hint_text) {
        Some(hint) if hint.contains(node) => hint.to_owned(),
        Some(hint) => format!("{hint}; {}", enrol(node)),
        None => enrol(node),
    };
    Finding::new("HOST-NODE-NOT-COVERED", Severity::Warn, text).cure(cure)
}

/// The commands that make a node answer.
fn enrol(node: &str) -> String {
    format!(
        "on {node}, as an administrator: Enable-PSRemoting -Force; then see that this works here: \
         lifeboat vm list --host winrm://USER@{node}"
    )
}

/// A VM of the cluster that is on a node of which nothing is seen.
pub(super) fn vm_not_covered(vm: &ClusterVm, node: &Finding) -> Finding {
    let text = format!(
        "the VM is on the node {}, of which nothing can be seen: {}",
        vm.owner, node.text
    );
    let finding = Finding::new("VM-NODE-NOT-COVERED", Severity::Block, text);
    match &node.cure {
        Some(cure) => finding.cure(cure.clone()),
        None => finding,
    }
}

/// The cluster and the node do not agree, as while a VM moves.
pub(super) fn on_the_way(vm: &ClusterVm) -> Finding {
    let text = format!(
        "the cluster says that the VM is on the node {}, and that node does not list it: it is on \
         its way there, or it was deleted on the node and its role stayed",
        vm.owner
    );
    Finding::new("VM-ON-THE-WAY", Severity::Warn, text).cure(
        "nothing: a run looks where it is when its turn comes; if it stays so, compare the node's \
         VMs with the cluster's roles",
    )
}

/// A VM on a node that the cluster does not look after (CLUS-03).
pub(super) fn not_clustered(node: &str) -> Finding {
    let text = format!(
        "the VM is on the node {node} and no role of its cluster: it goes down with the node, and \
         its backup with it"
    );
    Finding::new("VM-NOT-CLUSTERED", Severity::Info, text).cure(
        "make it a role, if that is not on purpose: Add-ClusterVirtualMachineRole -VirtualMachine \
         NAME; its disks have to be on storage that all nodes reach",
    )
}

/// The cluster has given up on a VM, or on a part of it.
pub(super) fn role_failed(group: &ClusterGroup) -> Option<Finding> {
    let how = match group.state {
        GroupState::Failed => "the cluster has given up on it",
        GroupState::Partial => "a part of it is offline",
        _ => return None,
    };
    let text = format!(
        "the role {} on {} is not well: {how}",
        group.name, group.owner
    );
    Some(Finding::new("VM-ROLE-FAILED", Severity::Warn, text).cure(
        "see what Failover Cluster Manager says of the role, and the cluster's events; a backup of \
         a VM that is off works as well",
    ))
}

/// A volume of the cluster that nobody can read, or that another backup is at.
pub(super) fn of_volume(volume: &SharedVolume) -> Option<Finding> {
    if volume.is_lost() {
        let text = format!("the volume {} cannot be read by any node", volume.mount);
        return Some(
            Finding::new("HOST-CSV-LOST", Severity::Warn, text)
                .cure("see what Failover Cluster Manager says of the volume and its disk"),
        );
    }
    volume.in_backup.then(|| in_backup(volume))
}

/// Another backup makes, or keeps, a snapshot of a volume.
fn in_backup(volume: &SharedVolume) -> Finding {
    let text = format!(
        "another backup is at the volume {}: what goes through VSS has to wait for it",
        volume.mount
    );
    Finding::new("HOST-CSV-IN-BACKUP", Severity::Info, text).cure(
        "nothing: a run waits; if no backup is running, the volume's coordinator forgets it when \
         the volume moves to another node (Move-ClusterSharedVolume)",
    )
}

/// The VM had moved before it was frozen.
pub(super) fn moved_before(from: &str, to: &str) -> Finding {
    let text = format!("the VM moved from {from} to {to} before its turn: it was backed up there");
    Finding::new("VM-MOVED", Severity::Info, text)
}

/// The VM moved while it was backed up.
pub(super) fn moved(from: &str, to: &str) -> Finding {
    let text = format!(
        "the VM moved from {from} to {to} while it was backed up: it was read to its end, and what \
         the run had made is ended on {to}"
    );
    Finding::new("VM-MOVED", Severity::Info, text)
}

/// The VM moved while it was backed up, and is where it was.
pub(super) fn came_back(node: &str) -> Finding {
    let text = format!(
        "the VM moved away from {node} and back while it was backed up: it was read to its end"
    );
    Finding::new("VM-MOVED", Severity::Info, text)
}
