//! The failover cluster that a host may be a node of (contract 6).

use uuid::Uuid;
use wmi::{CLUSTER, Instance, WmiError, WmiErrorKind, WmiSession};

/// A failover cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterFacts {
    /// Its name.
    pub(crate) name: String,
    /// 8 = 2012 R2, 9 = 2016 and so on; older clusters do not say it.
    pub(crate) functional_level: Option<u32>,
    /// Its nodes' names.
    pub(crate) nodes: Vec<String>,
    /// Its VMs, on whichever node.
    pub(crate) vms: Vec<ClusterVm>,
}

/// A VM of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterVm {
    /// Its GUID.
    pub(crate) id: Uuid,
    /// Name of the group that it is in: almost always the VM's.
    pub(crate) group: String,
    /// The node that owns it.
    pub(crate) owner: String,
}

impl ClusterFacts {
    /// Reads them in three calls; `None` where the host is in no cluster, which one call tells.
    pub(super) fn read(session: &dyn WmiSession) -> Result<Option<Self>, WmiError> {
        let clusters = session.query_all(CLUSTER, "SELECT * FROM MSCluster_Cluster");
        let clusters = match clusters {
            Err(error) if says_no_cluster(error.kind()) => return Ok(None),
            other => other?,
        };
        let Some(cluster) = clusters.first() else {
            return Ok(None);
        };
        let nodes = session.query_all(CLUSTER, "SELECT * FROM MSCluster_Node")?;
        let vms = session.query_all(
            CLUSTER,
            "SELECT * FROM MSCluster_Resource WHERE Type = \"Virtual Machine\"",
        )?;
        Ok(Some(Self {
            name: cluster.text("Name").unwrap_or_default(),
            functional_level: cluster.number("ClusterFunctionalLevel"),
            nodes: nodes.iter().filter_map(|node| node.text("Name")).collect(),
            vms: vms.iter().filter_map(ClusterVm::of).collect(),
        }))
    }

    /// Returns whether nodes older than 2016 may take a VM over. Contract: 6 [M]
    pub(crate) fn is_mixed(&self) -> bool {
        self.functional_level.is_none_or(|level| level < 9)
    }

    /// Returns a VM of the cluster.
    pub(crate) fn vm(&self, id: Uuid) -> Option<&ClusterVm> {
        self.vms.iter().find(|vm| vm.id == id)
    }
}

impl ClusterVm {
    fn of(resource: &Instance) -> Option<Self> {
        let wmi::Value::Instance(properties) = resource.value("PrivateProperties") else {
            return None;
        };
        Some(Self {
            id: Uuid::parse_str(&properties.text("VmID")?).ok()?,
            group: resource.text("OwnerGroup").unwrap_or_default(),
            owner: resource.text("OwnerNode").unwrap_or_default(),
        })
    }
}

/// A host that is in no cluster has not even the namespace. Contract: 6 [M]
fn says_no_cluster(kind: WmiErrorKind) -> bool {
    matches!(kind, WmiErrorKind::NoNamespace | WmiErrorKind::NoClass)
}
