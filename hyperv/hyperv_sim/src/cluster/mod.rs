//! Failover clusters: several simulated hosts over storage that all of them see (contract 6).
//!
//! ```text
//!   SimCluster ── node("HV2") ──► SimHost of nodes/HV2 ──► HostState
//!                                    │ act: lock the cluster, lock the node        │
//!                                    ▼                                             ▼
//!                              cluster.json: nodes, roles, volumes ◄── membership ─┘
//! ```
//!
//! | Path | Holds |
//! |---|---|
//! | `lock` | the cluster's lock; one line with generation and clock |
//! | `cluster.json` | [`ClusterFacts`]: nodes, roles, volumes, plans, events |
//! | `nodes/<NAME>/` | each a simulated host of its own |
//! | `storage/volumes/Volume1/…` | `C:\ClusterStorage\Volume1\…` of every node |
//! | `storage/shares/nas/vm/…` | `\\nas\vm\…` |
//!
//! # Locks and time
//!
//! A host that lies in a cluster's folder takes the cluster's lock before its own with every
//! operation, whoever opened it. Under that lock it may open other nodes, too. All nodes have one
//! clock: a node that was not asked for a while catches up first.
//!
//! # Who owns a VM
//!
//! The role in `cluster.json` says it, and nothing else. A move writes the VM at its new node, then
//! the role, and then removes it from the old node; a node that finds a VM of its that another
//! node owns forgets it. So a program may die anywhere in between.
//!
//! # The cluster watches
//!
//! After each operation a node's VMs are compared with what their roles want. One that was saved,
//! turned off or removed by anybody but the cluster is a surprise: it is noted, the role fails, and
//! a moment later the VM is started again, on another node where there is one.

mod cluster_event;
mod cluster_facts;
mod cluster_folder;
mod cluster_ledger;
mod cluster_node;
mod cluster_options;
mod cluster_report;
mod host_in_cluster;
mod membership;
mod moving;
mod plans;
mod role;
mod role_power;
mod roles;
mod shared_volume;
mod sim_cluster;
mod volume_rules;
mod watch;

pub use cluster_event::{ClusterEvent, ClusterEventKind};
pub use cluster_facts::ClusterFacts;
pub use cluster_node::{ClusterNode, NodeState};
pub use cluster_options::{ClusterOptions, ClusterRules, NodeOptions};
pub use cluster_report::{ClusterReport, NodeReport};
pub use host_in_cluster::Cluster;
pub use role::{Role, RoleState};
pub use shared_volume::SharedVolume;
pub use sim_cluster::SimCluster;

pub(crate) use cluster_facts::functional_level;
pub(crate) use cluster_folder::{ClusterFolder, shared_storage};
pub(crate) use membership::Membership;
