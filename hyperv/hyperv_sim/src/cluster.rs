//! The failover cluster that the host is in.

use serde::{Deserialize, Serialize};

/// The failover cluster that the host is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Its nodes; this host is one of them.
    pub nodes: Vec<String>,
    /// Nodes run different versions of Windows: functional level below this host's.
    pub is_mixed: bool,
}
