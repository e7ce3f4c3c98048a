//! The failover cluster that a host may be a node of (contract 6).

use uuid::Uuid;
use wmi::{CIMV2, CLUSTER, Instance, WmiError, WmiErrorKind, WmiSession};

/// Asks for the VMs of a cluster.
const VM_RESOURCES: &str = "SELECT * FROM MSCluster_Resource WHERE Type = \"Virtual Machine\"";

/// A failover cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterFacts {
    /// Its name.
    pub(crate) name: String,
    /// 8 = 2012 R2, 9 = 2016 and so on; older clusters do not say it.
    pub(crate) functional_level: Option<u32>,
    /// Its nodes pool their own disks (Storage Spaces Direct).
    pub(crate) s2d: bool,
    /// Its nodes.
    pub(crate) nodes: Vec<NodeFacts>,
    /// Its VMs, on whichever node.
    pub(crate) vms: Vec<ClusterVm>,
}

/// A node of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeFacts {
    /// Its name.
    pub(crate) name: String,
    /// Whether it takes part.
    pub(crate) state: NodeState,
}

/// Whether a node takes part (`MSCluster_Node.State`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeState {
    /// It does.
    Up,
    /// It does not run, or its cluster service does not.
    Down,
    /// It keeps what it has and takes nothing new.
    Paused,
    /// It is on its way in.
    Joining,
    /// The cluster does not know.
    Unknown,
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
    /// What the cluster does with it.
    pub(crate) state: ResourceState,
}

/// What a cluster does with a resource (`MSCluster_Resource.State`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResourceState {
    /// It is meant to run, and does.
    Online,
    /// It is not meant to run.
    Offline,
    /// It should run, and the cluster has given up on it.
    Failed,
    /// It is on its way from one to the other, or to another node.
    Pending,
    /// Not known.
    Unknown,
}

impl ClusterFacts {
    /// Reads them in three calls; `None` where the host is in no cluster, which one call tells.
    pub(crate) fn read(session: &dyn WmiSession) -> Result<Option<Self>, WmiError> {
        let clusters = session.query_all(CLUSTER, "SELECT * FROM MSCluster_Cluster");
        let clusters = match clusters {
            Err(error) if says_no_cluster(error.kind()) => return Ok(None),
            other => other?,
        };
        let Some(cluster) = clusters.first() else {
            return Ok(None);
        };
        let nodes = session.query_all(CLUSTER, "SELECT * FROM MSCluster_Node")?;
        Ok(Some(Self {
            name: cluster.text("Name").unwrap_or_default(),
            functional_level: cluster.number("ClusterFunctionalLevel"),
            s2d: cluster.number("S2DEnabled").unwrap_or(0_u32) != 0,
            nodes: nodes.iter().filter_map(NodeFacts::of).collect(),
            vms: cluster_vms(session)?,
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

/// Reads the VMs of a cluster, and where they are: one call.
pub(crate) fn cluster_vms(session: &dyn WmiSession) -> Result<Vec<ClusterVm>, WmiError> {
    let resources = session.query_all(CLUSTER, VM_RESOURCES)?;
    Ok(resources.iter().filter_map(ClusterVm::of).collect())
}

/// Returns the resource that is a VM; `None` where no cluster has it.
///
/// # Errors
///
/// Also where that cannot be told: a cluster takes a VM that it has, and that stops without its
/// order, for one that failed.
pub(crate) fn cluster_vm_resource(
    session: &dyn WmiSession,
    id: Uuid,
) -> Result<Option<Instance>, WmiError> {
    let resources = match session.query_all(CLUSTER, VM_RESOURCES) {
        Err(error) if says_no_cluster(error.kind()) && cluster_service_runs(session)? => {
            let text = "the cluster service runs, and the cluster does not say which VMs it has";
            return Err(WmiError::new(WmiErrorKind::Unavailable, text));
        }
        Err(error) if says_no_cluster(error.kind()) => return Ok(None),
        other => other?,
    };
    let mut unread = None;
    for resource in resources {
        match ClusterVm::of(&resource) {
            Some(vm) if vm.id == id => return Ok(Some(resource)),
            Some(_) => {}
            None => unread = unread.or(Some(resource.text("Name").unwrap_or_default())),
        }
    }
    match unread {
        None => Ok(None),
        Some(name) => {
            let text = format!("the cluster does not say which VM its resource {name:?} is");
            Err(WmiError::new(WmiErrorKind::Protocol, text))
        }
    }
}

/// Returns whether the host's cluster service runs, whatever the cluster says of itself.
fn cluster_service_runs(session: &dyn WmiSession) -> Result<bool, WmiError> {
    let wql = "SELECT * FROM Win32_Service WHERE Name = \"ClusSvc\"";
    let services = match session.query_all(CIMV2, wql) {
        Err(error) if says_no_cluster(error.kind()) => return Ok(false),
        other => other?,
    };
    let mut states = services.iter().filter_map(|service| service.text("State"));
    Ok(states.any(|state| state.eq_ignore_ascii_case("Running")))
}

impl NodeFacts {
    fn of(node: &Instance) -> Option<Self> {
        Some(Self {
            name: node.text("Name")?,
            state: NodeState::of(node.number("State")),
        })
    }
}

impl NodeState {
    /// Reads `CLUSTER_NODE_STATE`. Contract: 6 [M]
    fn of(number: Option<i64>) -> Self {
        match number {
            Some(0) => Self::Up,
            Some(1) => Self::Down,
            Some(2) => Self::Paused,
            Some(3) => Self::Joining,
            _ => Self::Unknown,
        }
    }

    /// Returns whether the node can be expected to answer.
    pub(crate) fn answers(self) -> bool {
        self != Self::Down
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
            state: ResourceState::of(resource.number("State")),
        })
    }
}

impl ResourceState {
    /// Reads the number; 127 is an offline resource that cannot come online on this node.
    pub(crate) fn of(number: Option<i64>) -> Self {
        match number {
            Some(2) => Self::Online,
            Some(3 | 127) => Self::Offline,
            Some(4) => Self::Failed,
            Some(1 | 128..=130) => Self::Pending,
            _ => Self::Unknown,
        }
    }
}

/// A host that is in no cluster has not even the namespace. Contract: 6 [M]
fn says_no_cluster(kind: WmiErrorKind) -> bool {
    matches!(kind, WmiErrorKind::NoNamespace | WmiErrorKind::NoClass)
}
