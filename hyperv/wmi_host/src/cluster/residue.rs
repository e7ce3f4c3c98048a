//! What runs have left on the nodes of a cluster.

use std::collections::HashSet;
use std::sync::Arc;

use hyperv_host::HostError;

use super::cluster_host::ClusterHost;
use crate::WmiHost;
use crate::residue::{Residue, fix_residue, node_not_looked_at, residue_of_node, used_files};

/// A node that cannot be asked any more.
fn not_looked_at(host: &WmiHost, error: &HostError) -> Residue {
    Residue {
        vm: None,
        finding: node_not_looked_at(host.session.host(), error),
        fixable: true,
    }
}

impl ClusterHost {
    /// Finds what runs have left on any node. Nothing is changed. A run's entry belongs to the node
    /// that has its VM now.
    ///
    /// # Errors
    ///
    /// Those of the cluster. A node that does not answer is left out: the inventory tells of it. One that
    /// stops answering is a finding.
    pub fn find_residue(&self) -> Result<Vec<Residue>, HostError> {
        let facts = self.nodes.cluster()?;
        let (hosts, all) = self.answering(&facts);
        // A file on a shared volume may be another node's: without knowing them all, none is told.
        let used: Option<Vec<HashSet<String>>> =
            hosts.iter().map(|host| used_files(host)).collect();
        let used: Option<HashSet<String>> = used
            .filter(|_| all)
            .map(|all| all.into_iter().flatten().collect());
        let mut found: Vec<Residue> = Vec::new();
        for host in &hosts {
            let of_node = residue_of_node(host, used.as_ref());
            for residue in of_node.unwrap_or_else(|error| vec![not_looked_at(host, &error)]) {
                // Nodes share a journal and volumes.
                let told = found
                    .iter()
                    .any(|own| own.vm == residue.vm && own.finding == residue.finding);
                if !told {
                    found.push(residue);
                }
            }
        }
        Ok(found)
    }

    /// Removes what runs have left on any node and can be told to be ours, and waits for merges.
    /// Returns what is left then.
    ///
    /// # Errors
    ///
    /// As [`ClusterHost::find_residue`].
    pub fn fix_residue(&self) -> Result<Vec<Residue>, HostError> {
        let facts = self.nodes.cluster()?;
        let mut failed: Vec<Residue> = Vec::new();
        for host in self.answering(&facts).0 {
            // One node that goes away is no reason to leave what is on the others.
            if let Err(error) = fix_residue(&host) {
                failed.push(not_looked_at(&host, &error));
            }
        }
        let mut left = self.find_residue()?;
        failed.retain(|own| left.iter().all(|other| other.finding != own.finding));
        left.extend(failed);
        Ok(left)
    }

    /// Returns the nodes that can be asked, and whether these are all.
    fn answering(&self, facts: &crate::facts::ClusterFacts) -> (Vec<Arc<WmiHost>>, bool) {
        let mut hosts = Vec::new();
        for node in facts.nodes.iter().filter(|node| node.state.answers()) {
            if let Ok(host) = self.nodes.host(&node.name)
                && host.host_facts().is_ok()
            {
                hosts.push(host);
            }
        }
        let all = hosts.len() == facts.nodes.len();
        (hosts, all)
    }
}
