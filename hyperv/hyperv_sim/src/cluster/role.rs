//! A VM as a role of a cluster.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::PowerState;

/// A VM as a role of a cluster: a group with the VM and its configuration as resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// The VM.
    pub vm: Uuid,
    /// Name of the group: the VM's, with a number behind it where another group has that.
    pub group: String,
    /// The node that has the VM.
    pub owner: String,
    /// What the cluster wants, or has given up on.
    pub state: RoleState,
    /// How the VM was when it was looked at last.
    pub power: PowerState,
    /// The host's own backup may stop the VM for a moment: no surprise.
    pub is_excused: bool,
    /// How often it was started again in place.
    pub restarts: u32,
}

/// What a cluster does with a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleState {
    /// It shall run, and does.
    Online,
    /// It shall not run.
    Offline,
    /// It shall run, and does not.
    Failed,
}

impl RoleState {
    /// Returns `MSCluster_Resource.State` (contract 6).
    pub fn resource_state(self) -> u32 {
        match self {
            Self::Online => 2,
            Self::Offline => 3,
            Self::Failed => 4,
        }
    }

    /// Returns `MSCluster_ResourceGroup.State` as the class of the provider says it; a page on the
    /// C interface has others. Contract: 6 \[V?\]
    pub fn group_state(self) -> u32 {
        match self {
            Self::Online => 0,
            Self::Offline => 1,
            Self::Failed => 2,
        }
    }
}

impl Role {
    /// Returns the name of the resource that is the VM (contract 6).
    pub fn resource(&self) -> String {
        format!("Virtual Machine {}", self.group)
    }

    /// Returns the name of the resource that is its configuration (contract 6).
    pub fn configuration_resource(&self) -> String {
        format!("Virtual Machine Configuration {}", self.group)
    }
}
