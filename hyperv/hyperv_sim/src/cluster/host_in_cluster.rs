//! A cluster that one host is told to be in: there is nothing else of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    ClusterFacts, ClusterNode, ClusterRules, NodeState, Role, RoleState, functional_level,
};
use crate::Vm;
use crate::host_state::HostState;

/// The failover cluster that a single host is told to be in; see [`crate::SimCluster`] for one with
/// nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Its nodes; this host is one of them.
    pub nodes: Vec<String>,
    /// Nodes run different versions of Windows: functional level below this host's.
    pub is_mixed: bool,
}

impl HostState {
    /// Returns the cluster that the host is told to be in. It knows also the VMs that moved away;
    /// they are on the first of the other nodes.
    pub(crate) fn told_cluster(&self) -> Option<ClusterFacts> {
        let cluster = self.facts.cluster.as_ref()?;
        let other = cluster.nodes.iter().find(|node| **node != self.facts.name);
        let other = other.map_or("", String::as_str);
        let here = self.vms.values().map(|vm| (vm, self.facts.name.as_str()));
        let away = self.facts.away.iter().map(|vm| (vm, other));
        let roles = here.chain(away).filter(|(vm, _)| vm.is_clustered);
        let roles: BTreeMap<_, _> = roles.map(|(vm, node)| (vm.id, role(vm, node))).collect();
        let level = functional_level(self.facts.profile);
        let node = |name: &String| ClusterNode {
            name: name.clone(),
            profile: self.facts.profile,
            state: NodeState::Up,
            is_reachable: true,
            booted: None,
        };
        Some(ClusterFacts {
            name: cluster.name.clone(),
            functional_level: level - u32::from(cluster.is_mixed),
            s2d: false,
            rules: ClusterRules::default(),
            nodes: cluster.nodes.iter().map(node).collect(),
            volumes: Vec::new(),
            shares: Vec::new(),
            roles,
            plans: Vec::new(),
            events: Vec::new(),
        })
    }
}

fn role(vm: &Vm, node: &str) -> Role {
    Role {
        vm: vm.id,
        group: vm.name.clone(),
        owner: node.to_owned(),
        state: if vm.power.has_memory() {
            RoleState::Online
        } else {
            RoleState::Offline
        },
        power: vm.power,
        is_excused: false,
        restarts: 0,
    }
}
