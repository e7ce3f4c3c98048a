//! Groups ("roles") of a cluster, as far as they hold VMs (contract 6).

use wmi::{CLUSTER, Instance, WmiError, WmiSession};

/// A role of a cluster that holds a VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterGroup {
    /// Its name: the VM's, as a rule.
    pub(crate) name: String,
    /// The node that it is on.
    pub(crate) owner: String,
    /// How it is.
    pub(crate) state: GroupState,
}

/// How a role is (`MSCluster_ResourceGroup.State`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupState {
    /// All of it is online.
    Online,
    /// All of it is offline.
    Offline,
    /// The cluster has given up on it.
    Failed,
    /// Some of it is online.
    Partial,
    /// It changes.
    Pending,
    /// Not known.
    Unknown,
}

impl GroupState {
    /// Reads the number as the class of the provider says it; a page on the C interface has others.
    /// Contract: 6 [V?]
    fn of(number: Option<i64>) -> Self {
        match number {
            Some(0) => Self::Online,
            Some(1) => Self::Offline,
            Some(2) => Self::Failed,
            Some(3) => Self::Partial,
            Some(4) => Self::Pending,
            _ => Self::Unknown,
        }
    }
}

/// Reads the groups that hold VMs: one call.
pub(crate) fn cluster_groups(session: &dyn WmiSession) -> Result<Vec<ClusterGroup>, WmiError> {
    // 111: virtual machine.
    let wql = "SELECT * FROM MSCluster_ResourceGroup WHERE GroupType = 111";
    let groups = session.query_all(CLUSTER, wql)?;
    let group = |group: &Instance| {
        Some(ClusterGroup {
            name: group.text("Name")?,
            owner: group.text("OwnerNode").unwrap_or_default(),
            state: GroupState::of(group.number("State")),
        })
    };
    Ok(groups.iter().filter_map(group).collect())
}
