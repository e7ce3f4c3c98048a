//! What a finding is about, to tell findings in groups.

use serde::Serialize;

use crate::Explanation;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// The host, or one node of a cluster.
    Host,
    /// The cluster.
    Cluster,
    /// A VM, as its host sees it.
    Vm,
    /// What runs in a VM.
    Guest,
    /// The repository.
    Repository,
    /// A restore that is to be.
    Restore,
}

impl Area {
    /// Returns the heading of a group.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Host => "Host",
            Self::Cluster => "Cluster",
            Self::Vm => "VMs",
            Self::Guest => "Guests",
            Self::Repository => "Repository",
            Self::Restore => "Restore",
        }
    }
}

impl Explanation {
    /// Returns what it is about: its code says so, and for clusters its id.
    pub fn area(&self) -> Area {
        const OF_CLUSTER: [&str; 4] = ["CLUSTER", "-NODE", "-CSV-", "VM-ROLE"];
        if OF_CLUSTER.iter().any(|part| self.id.contains(part)) {
            return Area::Cluster;
        }
        match self.code.as_bytes().get(3..5) {
            Some([b'1', _]) => Area::Host,
            Some([b'3', b'1'..=b'4']) => Area::Restore,
            Some([b'4', _]) => Area::Guest,
            Some([b'5', _]) => Area::Repository,
            _ => Area::Vm,
        }
    }
}
