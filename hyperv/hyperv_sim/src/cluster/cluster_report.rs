//! What a cluster is and has, for a person or a program to read.

use serde::Serialize;

use super::{ClusterFacts, SimCluster};
use crate::{SimError, StateReport};

/// What a cluster is and has.
#[derive(Debug, Clone, Serialize)]
pub struct ClusterReport {
    /// What the cluster itself knows.
    pub cluster: ClusterFacts,
    /// Its nodes, each with what it has.
    pub nodes: Vec<NodeReport>,
}

/// A node of a cluster.
#[derive(Debug, Clone, Serialize)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// What the host itself has.
    pub host: StateReport,
}

impl SimCluster {
    /// Says what the cluster is and has.
    pub fn state(&self) -> Result<ClusterReport, SimError> {
        let node = |(name, host): (&str, &std::sync::Arc<crate::SimHost>)| {
            Ok(NodeReport {
                name: name.to_owned(),
                host: host.state()?,
            })
        };
        let nodes = self.nodes().map(node).collect::<Result<_, SimError>>()?;
        Ok(ClusterReport {
            cluster: self.facts()?,
            nodes,
        })
    }
}
