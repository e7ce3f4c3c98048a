//! A failover cluster as one host (contract 6; requirements CLUS, DISC-03, DISC-04, X-03).
//!
//! ```text
//!   ClusterHost ── Nodes: a WmiHost for each, connected when needed
//!        │            │
//!        │            └─ Whereabouts: which node has a VM ──► FollowingSession ──► Link
//!        ├─ inventory   all nodes at once, merged; what no node could show is listed all the same
//!        ├─ plan, begin the node that has the VM; asked again where it is not
//!        ├─ FollowedVm  says where the VM went while it was backed up
//!        └─ residue     an entry is settled on the node that has its VM now
//! ```
//!
//! # A VM that moves
//!
//! The node that owns a VM has it, and no other node knows it. Whatever a run does about a VM goes
//! through its [`crate::backup::link::Link`], whose session notices that the VM is gone, asks the
//! cluster, and goes on where the VM is. Its files stay where they are, so reading is not disturbed.
//! Checkpoints and reference points move with the VM and keep their ids.
//!
//! # Power
//!
//! A cluster restarts a VM that goes away without having been asked to: power is changed through
//! the cluster alone, by [`change_power`].

mod cluster_host;
mod coordinator;
mod findings;
mod followed_vm;
mod following_session;
mod inventory;
mod nodes;
mod power;
mod residue;
mod restore;
mod storage_path;
mod whereabouts;

pub use cluster_host::ClusterHost;
pub(crate) use following_session::FollowingSession;
pub use nodes::NodeConnector;
pub(crate) use nodes::is_node;
pub(crate) use power::{PowerChange, change_power, take_role_offline};
pub use storage_path::is_shared_storage;
pub(crate) use whereabouts::{LoneHost, Whereabouts};
