//! What a new cluster is to be, and how it behaves.

use serde::{Deserialize, Serialize};

use crate::Profile;

/// What a new cluster is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterOptions {
    /// Its name.
    pub name: String,
    /// What all GUIDs of all nodes come from.
    pub seed: u64,
    /// Its nodes, at least one.
    pub nodes: Vec<NodeOptions>,
    /// Its shared volumes, by name.
    pub volumes: Vec<String>,
    /// Shares that all nodes reach, such as `\\nas\vm`.
    pub shares: Vec<String>,
    /// Storage Spaces Direct: the nodes' own disks make its volumes.
    pub s2d: bool,
    /// `None`: that of its oldest node.
    pub functional_level: Option<u32>,
    /// How it behaves.
    pub rules: ClusterRules,
}

/// What a new node is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeOptions {
    /// Its name: letters, digits and hyphens.
    pub name: String,
    /// Which Windows Server it is.
    pub profile: Profile,
}

impl ClusterOptions {
    /// Describes a cluster of so many nodes of one version, `HV1`, `HV2` and so on, with the volume
    /// `Volume1` and the share `\\nas\vm`.
    pub fn of_nodes(count: usize, profile: Profile) -> Self {
        let node = |number| NodeOptions {
            name: format!("HV{number}"),
            profile,
        };
        Self {
            name: "CLUSTER1".to_owned(),
            seed: 1,
            nodes: (1..=count).map(node).collect(),
            volumes: vec!["Volume1".to_owned()],
            shares: vec!["\\\\nas\\vm".to_owned()],
            s2d: false,
            functional_level: None,
            rules: ClusterRules::default(),
        }
    }

    /// Lets every other node, the first of them included, be of another version.
    #[must_use]
    pub fn mixed_with(mut self, profile: Profile) -> Self {
        for node in self.nodes.iter_mut().step_by(2) {
            node.profile = profile;
        }
        self
    }
}

/// How a cluster behaves. Changed at any time with [`crate::SimCluster::change_rules`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRules {
    /// Snapshots of a shared volume can be made on every node, not on its coordinator alone, as
    /// since 2012 with the writer for shared volumes. Contract: 5.2 \[M\]
    pub snapshots_on_any_node: bool,
    /// Several backups may keep a snapshot of one volume, unlike 2008 R2. Contract: 5.2 \[M\]
    pub parallel_volume_backups: bool,
    /// How often a role that failed is started where it was before another node gets it.
    /// Contract: 6 \[M\]
    pub restarts_in_place: u32,
    /// Milliseconds until the cluster does something about a role that failed: it looks every few
    /// seconds. Contract: 6 \[M\]
    pub recovery_ms: u64,
}

impl Default for ClusterRules {
    fn default() -> Self {
        Self {
            snapshots_on_any_node: true,
            parallel_volume_backups: true,
            restarts_in_place: 0,
            recovery_ms: 5_000,
        }
    }
}
