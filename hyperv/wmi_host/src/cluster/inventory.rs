//! What all nodes of a cluster have, merged.

use std::collections::HashSet;
use std::sync::Arc;

use hyperv_host::{DiskKind, Finding, HostError, Inventory, Severity, VmEntry};
use uuid::Uuid;

use super::cluster_host::ClusterHost;
use super::findings;
use super::nodes::is_node;
use super::storage_path::StoragePath;
use crate::WmiHost;
use crate::facts::{ClusterFacts, NodeFacts, cluster_groups, shared_volumes};
use crate::inventory::tell_of_equal_names;

/// What came of looking at a node.
enum Seen<T> {
    /// It was looked at.
    Node(String, T),
    /// It could not be.
    Uncovered(Finding),
}

/// Lists the VMs of all nodes: a fixed number of calls for each node, whatever its VMs, and seven
/// for the cluster.
pub(super) fn inventory(cluster: &ClusterHost) -> Result<Inventory, HostError> {
    let facts = cluster.nodes.cluster()?;
    let mut seen = look_at_nodes(cluster, &facts, |host| {
        hyperv_host::HypervHost::inventory(host)
    });
    // In the order of the cluster's own list, whoever answered first.
    let mut vms: Vec<VmEntry> = Vec::new();
    let mut of_nodes = Vec::new();
    let mut uncovered = Vec::new();
    for node in seen.drain(..) {
        match node {
            Seen::Node(name, inventory) => {
                take_vms(&mut vms, &facts, &name, inventory.vms);
                of_nodes.push((name, inventory.findings));
            }
            Seen::Uncovered(finding) => uncovered.push(finding),
        }
    }
    vms.extend(unseen(&facts, &vms, &uncovered));
    vms.sort_by(|one, other| (&one.name, &one.identity).cmp(&(&other.name, &other.identity)));
    for vm in &mut vms {
        vm.findings.retain(|finding| finding.id != "VM-SAME-NAME");
    }
    tell_of_equal_names(&mut vms);
    let mut found = uncovered;
    found.extend(merged(of_nodes));
    let (of_cluster, of_roles) = of_cluster(cluster);
    found.extend(of_cluster);
    for (name, finding) in of_roles {
        for vm in vms.iter_mut().filter(|vm| is_role_of(&facts, vm, &name)) {
            vm.findings.push(finding.clone());
        }
    }
    Ok(Inventory {
        vms,
        findings: found,
    })
}

/// Looks at all nodes for `lifeboat doctor`.
pub(super) fn cluster_findings(
    cluster: &ClusterHost,
) -> Result<Vec<(Option<String>, Finding)>, HostError> {
    let facts = cluster.nodes.cluster()?;
    let mut of_vms: Vec<(Option<String>, Finding)> = Vec::new();
    let mut of_nodes = Vec::new();
    let mut found: Vec<(Option<String>, Finding)> = Vec::new();
    for node in look_at_nodes(cluster, &facts, WmiHost::doctor) {
        match node {
            Seen::Node(name, all) => {
                let (vms, own): (Vec<_>, Vec<_>) =
                    all.into_iter().partition(|(vm, _)| vm.is_some());
                of_vms.extend(vms);
                of_nodes.push((name, own.into_iter().map(|(_, finding)| finding).collect()));
            }
            Seen::Uncovered(finding) => found.push((None, finding)),
        }
    }
    let (own, of_roles) = of_cluster(cluster);
    let all = merged(of_nodes).into_iter().chain(own);
    found.extend(all.map(|finding| (None, finding)));
    found.extend(of_vms);
    found.extend(
        of_roles
            .into_iter()
            .map(|(role, finding)| (Some(role), finding)),
    );
    // What the nodes say of their VMs, but where VMs are and what they are called is the cluster's.
    let listed = inventory(cluster)?;
    for vm in listed.vms {
        const OF_CLUSTER: [&str; 4] = [
            "VM-SAME-NAME",
            "VM-NODE-NOT-COVERED",
            "VM-ON-THE-WAY",
            "VM-NOT-CLUSTERED",
        ];
        let own = vm.findings.into_iter();
        let own = own.filter(|finding| OF_CLUSTER.contains(&finding.id.as_str()));
        found.extend(own.map(|finding| (Some(vm.name.clone()), finding)));
    }
    let mut told = HashSet::new();
    found.retain(|(vm, finding)| {
        told.insert((vm.clone(), finding.id.clone(), finding.text.clone()))
    });
    Ok(found)
}

/// Looks at every node that may answer, all at once.
fn look_at_nodes<T: Send>(
    cluster: &ClusterHost,
    facts: &ClusterFacts,
    look: impl Fn(&WmiHost) -> Result<T, HostError> + Sync,
) -> Vec<Seen<T>> {
    let look_at = |node: &NodeFacts| {
        let looked = if node.state.answers() {
            let host = cluster.nodes.host(&node.name);
            Some(host.and_then(|host: Arc<WmiHost>| look(&host)))
        } else {
            None
        };
        match looked {
            Some(Ok(seen)) => Seen::Node(node.name.clone(), seen),
            other => {
                let error = other.and_then(Result::err);
                let (name, state) = (&node.name, node.state);
                Seen::Uncovered(findings::node_not_covered(
                    facts,
                    name,
                    state,
                    error.as_ref(),
                ))
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = facts
            .nodes
            .iter()
            .map(|node| (node, scope.spawn(|| look_at(node))))
            .collect();
        let joined = threads.into_iter().map(|(node, thread)| {
            thread.join().unwrap_or_else(|_| {
                let (name, state) = (&node.name, node.state);
                Seen::Uncovered(findings::node_not_covered(facts, name, state, None))
            })
        });
        joined.collect()
    })
}

/// Takes the VMs that a node listed. Each VM once: while it moves, two nodes may list it, and the
/// one that the cluster names counts.
fn take_vms(vms: &mut Vec<VmEntry>, facts: &ClusterFacts, node: &str, listed: Vec<VmEntry>) {
    for mut vm in listed {
        let role = Uuid::parse_str(&vm.identity)
            .ok()
            .and_then(|id| facts.vm(id));
        vm.node = Some(node.to_owned());
        if role.is_none() {
            vm.findings.push(findings::not_clustered(node));
        }
        let place = vms.iter().position(|own| own.identity == vm.identity);
        match place.and_then(|place| vms.get_mut(place)) {
            None => vms.push(vm),
            Some(own) if role.is_some_and(|role| is_node(&role.owner, node)) => *own = vm,
            Some(_) => {}
        }
    }
}

/// Makes entries of the cluster's VMs that no node listed: they must not be missed.
fn unseen(facts: &ClusterFacts, listed: &[VmEntry], uncovered: &[Finding]) -> Vec<VmEntry> {
    let listed: HashSet<&str> = listed.iter().map(|vm| vm.identity.as_str()).collect();
    let unseen = facts.vms.iter().filter(|vm| {
        let identity = vm.id.to_string();
        !listed.contains(identity.as_str())
    });
    let entry = |vm: &crate::facts::ClusterVm| {
        let of_node = uncovered
            .iter()
            .find(|finding| finding.text.starts_with(&format!("the node {} ", vm.owner)));
        let finding = match of_node {
            Some(node) => findings::vm_not_covered(vm, node),
            None => findings::on_the_way(vm),
        };
        VmEntry {
            identity: vm.id.to_string(),
            name: vm.group.clone(),
            state: None,
            node: Some(vm.owner.clone()),
            generation: None,
            version: None,
            disks: Vec::new(),
            checkpoints: 0,
            findings: vec![finding],
        }
    };
    unseen.map(entry).collect()
}

/// Puts together what nodes say of themselves: what all of them say is said once, the rest with the
/// names of those who say it. That a node does not see the others' VMs does not matter here.
fn merged(of_nodes: Vec<(String, Vec<Finding>)>) -> Vec<Finding> {
    let count = of_nodes.len();
    let mut all: Vec<(Finding, Vec<String>)> = Vec::new();
    for (node, findings) in of_nodes {
        for finding in findings {
            if finding.id == "HOST-CLUSTER-NODES" {
                continue;
            }
            match all.iter_mut().find(|(own, _)| *own == finding) {
                Some((_, nodes)) => nodes.push(node.clone()),
                None => all.push((finding, vec![node.clone()])),
            }
        }
    }
    let told = all.into_iter().map(|(mut finding, nodes)| {
        if nodes.len() < count || count == 1 {
            finding.text = format!("{}: {}", nodes.join(", "), finding.text);
        }
        finding
    });
    told.collect()
}

/// What the cluster says of its volumes and of the roles that hold VMs; the latter by role.
fn of_cluster(cluster: &ClusterHost) -> (Vec<Finding>, Vec<(String, Finding)>) {
    let doing = "reading the cluster's volumes";
    // What is not known here is worth no failure: the nodes say what stands in a backup's way.
    let volumes = cluster.nodes.ask(doing, shared_volumes).unwrap_or_default();
    let groups = cluster
        .nodes
        .ask("reading the cluster's roles", cluster_groups);
    let groups = groups.unwrap_or_default();
    let of_volumes = volumes.iter().filter_map(findings::of_volume).collect();
    let of_roles = groups
        .iter()
        .filter_map(|group| Some((group.name.clone(), findings::role_failed(group)?)));
    (of_volumes, of_roles.collect())
}

fn is_role_of(facts: &ClusterFacts, vm: &VmEntry, group: &str) -> bool {
    let id = Uuid::parse_str(&vm.identity).ok();
    id.and_then(|id| facts.vm(id))
        .is_some_and(|own| own.group.eq_ignore_ascii_case(group))
}

/// Says which disks lie where this machine does not look (CLUS-11): on a share or a shared volume
/// that nothing maps. Told before anything is made.
pub(super) fn storage_findings(cluster: &ClusterHost, vm: &VmEntry) -> Vec<Finding> {
    let Some(host) = vm
        .node
        .as_deref()
        .and_then(|node| cluster.nodes.host(node).ok())
    else {
        return Vec::new();
    };
    let Some(bytes) = &host.bytes else {
        // That nothing is mapped at all is another finding.
        return Vec::new();
    };
    let virtual_disks = vm
        .disks
        .iter()
        .filter(|disk| disk.kind == DiskKind::Virtual);
    let unseen = virtual_disks.filter(|disk| {
        StoragePath::of(&disk.path).is_shared() && bytes.locate(&disk.path).is_none()
    });
    let finding = |path: &str| {
        let (place, sort) = match StoragePath::of(path) {
            StoragePath::Share(share) => (share, "the share"),
            StoragePath::SharedVolume(volume) => (volume, "the cluster's volume"),
            StoragePath::OwnVolume => return None,
        };
        let text = format!("{path} is on {sort} {place}, where this machine finds no such file");
        let cure = format!(
            "say where it is seen: --host-files '{place}=FOLDER', such as /mnt/vms, or \
             '{place}={place}' on Windows; the account has to be allowed to read there"
        );
        Some(Finding::new("VM-STORAGE-NOT-SEEN", Severity::Block, text).cure(cure))
    };
    unseen.filter_map(|disk| finding(&disk.path)).collect()
}
