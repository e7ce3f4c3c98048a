//! What a cluster knows: `cluster.json`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::plans::Plan;
use super::{
    ClusterEvent, ClusterEventKind, ClusterNode, ClusterRules, NodeState, Role, SharedVolume,
};
use crate::{Profile, SimError, SimErrorKind};

/// Events that are kept; older ones go.
const EVENTS_MAX: usize = 2000;

/// What a cluster knows: `cluster.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// Its name.
    pub name: String,
    /// 8 = 2012 R2, 9 = 2016 and so on: the lowest of its nodes unless it was not raised yet.
    pub functional_level: u32,
    /// Storage Spaces Direct: the nodes' own disks make its volumes.
    pub s2d: bool,
    /// How it behaves.
    pub rules: ClusterRules,
    /// Its nodes.
    pub nodes: Vec<ClusterNode>,
    /// Its shared volumes.
    pub volumes: Vec<SharedVolume>,
    /// Shares that all nodes reach, such as `\\nas\vm`.
    pub shares: Vec<String>,
    /// Its VMs.
    pub roles: BTreeMap<Uuid, Role>,
    /// What happens when its time has come.
    pub(crate) plans: Vec<Plan>,
    /// What happened, oldest first.
    pub events: Vec<ClusterEvent>,
}

impl ClusterFacts {
    /// Returns a node, whatever the case of its name.
    ///
    /// Errors: `NotFound`, with the code of a node that is unknown.
    pub fn node(&self, name: &str) -> Result<&ClusterNode, SimError> {
        let found = self.nodes.iter().find(|node| is_called(node, name));
        found.ok_or_else(|| no_node(&self.name, name))
    }

    pub(crate) fn node_mut(&mut self, name: &str) -> Result<&mut ClusterNode, SimError> {
        let cluster = self.name.clone();
        let found = self.nodes.iter_mut().find(|node| is_called(node, name));
        found.ok_or_else(|| no_node(&cluster, name))
    }

    /// Returns a VM's role.
    ///
    /// Errors: `NotFound`.
    pub fn role(&self, vm: Uuid) -> Result<&Role, SimError> {
        self.roles.get(&vm).ok_or_else(|| no_role(vm))
    }

    pub(crate) fn role_mut(&mut self, vm: Uuid) -> Result<&mut Role, SimError> {
        self.roles.get_mut(&vm).ok_or_else(|| no_role(vm))
    }

    /// Returns the shared volume that a path, or one of a volume's names, is on.
    pub fn volume(&self, host_path: &str) -> Option<&SharedVolume> {
        self.volumes.iter().find(|volume| volume.holds(host_path))
    }

    /// Returns whether all nodes reach a path.
    pub fn is_shared(&self, host_path: &str) -> bool {
        self.volume(host_path).is_some() || host_path.starts_with("\\\\")
    }

    /// Returns whether not all nodes run the version of Windows that the functional level is of.
    pub fn is_mixed(&self) -> bool {
        let highest = self.nodes.iter().map(|node| node.profile).max();
        highest.is_some_and(|highest| functional_level(highest) > self.functional_level)
    }

    pub(crate) fn note(
        &mut self,
        at: Timestamp,
        node: &str,
        vm: Option<Uuid>,
        kind: ClusterEventKind,
    ) {
        if self.events.len() >= EVENTS_MAX {
            self.events.remove(0);
        }
        self.events.push(ClusterEvent {
            at,
            node: node.to_owned(),
            vm,
            kind,
        });
    }

    /// Returns the nodes that may take a new role, those behind `from` in the list first.
    pub(crate) fn successors(&self, from: &str) -> Vec<String> {
        let place = self.nodes.iter().position(|node| is_called(node, from));
        let (before, behind) = self.nodes.split_at(place.unwrap_or(0));
        behind
            .iter()
            .chain(before)
            .filter(|node| !is_called(node, from) && node.state == NodeState::Up)
            .map(|node| node.name.clone())
            .collect()
    }
}

/// Returns `ClusterFunctionalLevel` of a cluster whose nodes all run this version: 8 for 2012 R2, and
/// one more or less for each version of Windows Server since or before. Contract: 6 [M]
pub(crate) fn functional_level(profile: Profile) -> u32 {
    let older = |than: Profile| Profile::ALL.iter().filter(|own| **own < than).count();
    let level = (8 + older(profile)).saturating_sub(older(Profile::Server2012R2));
    u32::try_from(level).unwrap_or(8)
}

fn is_called(node: &ClusterNode, name: &str) -> bool {
    node.name.eq_ignore_ascii_case(name)
}

/// `ERROR_CLUSTER_NODE_NOT_FOUND`
fn no_node(cluster: &str, name: &str) -> SimError {
    let what = format!("the cluster {cluster} has no node {name}");
    SimError::new(SimErrorKind::NotFound, what).with_code(5042)
}

/// `ERROR_RESOURCE_NOT_FOUND`
fn no_role(vm: Uuid) -> SimError {
    let what = format!("{vm} is no role of the cluster");
    SimError::new(SimErrorKind::NotFound, what).with_code(5007)
}
