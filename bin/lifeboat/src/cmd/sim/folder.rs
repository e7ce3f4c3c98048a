//! What a folder holds: a host, or a cluster of them.

use std::path::Path;
use std::sync::Arc;

use hyperv_sim::{SimCluster, SimError, SimHost};
use uuid::Uuid;

use super::failed;
use crate::cli_error::CliError;
use crate::host_choice::open_sim;

/// What a folder holds.
pub(super) enum SimFolder {
    Host(Arc<SimHost>),
    Cluster(SimCluster),
}

impl SimFolder {
    /// Opens a folder. That of a node is a host.
    pub(super) fn open(dir: &Path) -> Result<Self, CliError> {
        if SimCluster::is_in(dir) {
            return SimCluster::open(dir).map(Self::Cluster).map_err(failed);
        }
        open_sim(dir).map(Self::Host)
    }

    /// Returns the cluster.
    pub(super) fn cluster(self, dir: &Path) -> Result<SimCluster, CliError> {
        match self {
            Self::Cluster(cluster) => Ok(cluster),
            Self::Host(_) => Err(CliError::usage(format!(
                "{} holds a single host, and this takes a cluster",
                dir.display()
            ))
            .hint("make one with `lifeboat sim new DIR --nodes 3`")),
        }
    }

    /// Returns the host: of a cluster, the node of this name.
    pub(super) fn host(self, dir: &Path, node: Option<&str>) -> Result<Arc<SimHost>, CliError> {
        match (self, node) {
            (Self::Cluster(cluster), Some(node)) => cluster.node(node).map_err(failed),
            (Self::Host(host), None) => Ok(host),
            (Self::Host(_), Some(_)) => Err(CliError::usage(format!(
                "{} holds a single host: leave --node away",
                dir.display()
            ))),
            (Self::Cluster(cluster), None) => {
                let mut nodes = cluster.nodes().map(|(name, _)| name);
                let first = dir.join("nodes").join(nodes.next().unwrap_or_default());
                Err(CliError::usage(format!(
                    "{} holds a cluster, and this takes one host",
                    dir.display()
                ))
                .hint(format!("name a node's own folder: {}", first.display())))
            }
        }
    }

    /// Returns a VM by name or GUID, and the host that has it.
    pub(super) fn find_vm(self, name: &str) -> Result<(Arc<SimHost>, Uuid), CliError> {
        let cluster = match self {
            Self::Host(host) => {
                let vm = host.find_vm(name).map_err(failed)?;
                return Ok((host, vm));
            }
            Self::Cluster(cluster) => cluster,
        };
        // A role has a name of its own; what is no role is looked for on every node.
        if let Ok(vm) = cluster.find_vm(name) {
            return Ok((cluster.owner_host(vm).map_err(failed)?, vm));
        }
        let mut reason: Option<SimError> = None;
        for (_, host) in cluster.nodes() {
            match host.find_vm(name) {
                Ok(vm) => return Ok((Arc::clone(host), vm)),
                Err(error) => reason = Some(error),
            }
        }
        let none = || CliError::usage(format!("there is no virtual machine '{name}'"));
        Err(reason.map_or_else(none, failed))
    }
}
