//! The nodes of a cluster, connected when they are needed.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use hyperv_host::{HostError, HostErrorKind};
use uuid::Uuid;
use wmi::{WmiError, WmiSession};

use super::whereabouts::Whereabouts;
use crate::WmiHost;
use crate::facts::{ClusterFacts, ClusterVm, NodeFacts, cluster_vms};
use crate::host_failure::host_failure;

/// Connects to a node of a cluster, by its name as the cluster has it. The hint of its error says
/// how the node is made to answer.
pub type NodeConnector = Box<dyn Fn(&str) -> Result<WmiHost, HostError> + Send + Sync>;

/// The nodes of a cluster.
pub(crate) struct Nodes {
    connector: NodeConnector,
    own: Weak<Self>,
    list: Mutex<Vec<Node>>,
    /// How often each VM was found on another node than it was looked for.
    moves: Mutex<HashMap<Uuid, u64>>,
}

struct Node {
    name: String,
    /// The node, once connected.
    host: Option<Arc<WmiHost>>,
}

impl Nodes {
    /// Begins with the one node that is known.
    pub(crate) fn new(name: &str, through: WmiHost, connector: NodeConnector) -> Arc<Self> {
        Arc::new_cyclic(|own: &Weak<Self>| {
            let first = Node {
                name: name.to_owned(),
                host: Some(Arc::new(through.among(Weak::clone(own) as _))),
            };
            Self {
                connector,
                own: Weak::clone(own),
                list: Mutex::new(vec![first]),
                moves: Mutex::default(),
            }
        })
    }

    /// Takes notice of nodes; those that are known stay as they are.
    pub(crate) fn learn(&self, nodes: &[NodeFacts]) {
        let mut list = self.list();
        for node in nodes {
            if !list.iter().any(|own| own.is(&node.name)) {
                list.push(Node {
                    name: node.name.clone(),
                    host: None,
                });
            }
        }
    }

    /// Returns a node, connected.
    pub(crate) fn host(&self, name: &str) -> Result<Arc<WmiHost>, HostError> {
        if let Some(host) = self.connected(name) {
            return Ok(host);
        }
        // Not while the list is locked: that may take its time.
        let host = (self.connector)(name)?;
        let host = Arc::new(host.among(Weak::clone(&self.own) as _));
        let mut list = self.list();
        match list.iter_mut().find(|own| own.is(name)) {
            // Somebody else was quicker.
            Some(Node {
                host: Some(host), ..
            }) => return Ok(Arc::clone(host)),
            Some(node) => node.host = Some(Arc::clone(&host)),
            None => list.push(Node {
                name: name.to_owned(),
                host: Some(Arc::clone(&host)),
            }),
        }
        Ok(host)
    }

    /// Asks the cluster something, through whichever node answers: those that are connected first.
    pub(crate) fn ask<T>(
        &self,
        doing: &str,
        question: impl Fn(&dyn WmiSession) -> Result<T, WmiError>,
    ) -> Result<T, HostError> {
        let mut names: Vec<(bool, String)> = self
            .list()
            .iter()
            .map(|node| (node.host.is_none(), node.name.clone()))
            .collect();
        names.sort_by_key(|(unknown, _)| *unknown);
        let mut first = None;
        for (_, name) in names {
            let answer = self.host(&name).and_then(|host| {
                question(&*host.session)
                    .map_err(|error| host_failure(host.session.host(), doing, error))
            });
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| {
            HostError::new(HostErrorKind::Unreachable, "the cluster has no nodes")
        }))
    }

    /// Reads what the cluster says of itself: three calls.
    pub(crate) fn cluster(&self) -> Result<ClusterFacts, HostError> {
        let facts = self.ask("reading the cluster", |session| ClusterFacts::read(session))?;
        let facts = facts.ok_or_else(no_cluster)?;
        self.learn(&facts.nodes);
        Ok(facts)
    }

    /// Returns what the cluster says of a VM now, in one call; `None`: it is none of its.
    pub(crate) fn vm(&self, id: Uuid) -> Result<Option<ClusterVm>, HostError> {
        let vms = self.ask("looking for a VM", cluster_vms)?;
        Ok(vms.into_iter().find(|vm| vm.id == id))
    }

    /// Returns how often a VM was found on another node than it was looked for.
    pub(crate) fn moves(&self, vm: Uuid) -> u64 {
        let moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        moves.get(&vm).copied().unwrap_or(0)
    }

    /// Returns the nodes that are connected.
    pub(crate) fn hosts(&self) -> Vec<Arc<WmiHost>> {
        let list = self.list();
        list.iter().filter_map(|node| node.host.clone()).collect()
    }

    fn connected(&self, name: &str) -> Option<Arc<WmiHost>> {
        let list = self.list();
        list.iter().find(|own| own.is(name))?.host.clone()
    }

    fn list(&self) -> MutexGuard<'_, Vec<Node>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    fn is(&self, name: &str) -> bool {
        is_node(&self.name, name)
    }
}

/// Returns whether two names are of one node: a cluster names its nodes without their domain.
pub(crate) fn is_node(one: &str, other: &str) -> bool {
    let short = |name: &str| {
        let first = name.split('.').next().unwrap_or_default();
        first.to_lowercase()
    };
    // Addresses have points as well.
    let is_address = |name: &str| name.parse::<std::net::IpAddr>().is_ok();
    if is_address(one) || is_address(other) {
        return one.eq_ignore_ascii_case(other);
    }
    short(one) == short(other)
}

/// The error of a host that is in no cluster.
pub(super) fn no_cluster() -> HostError {
    HostError::new(
        HostErrorKind::Refused,
        "the host is no node of a failover cluster, or its cluster service does not run",
    )
    .hint("name it as a host of its own, or start the service ClusSvc on it")
}

impl Whereabouts for Nodes {
    fn session_of(&self, vm: Uuid) -> Result<Option<Arc<dyn WmiSession>>, WmiError> {
        // Who cannot be asked, or reached, does not have it.
        let Ok(Some(vm)) = self.vm(vm) else {
            return Ok(None);
        };
        let host = self.host(&vm.owner).ok();
        Ok(host.map(|host| Arc::clone(&host.session)))
    }

    fn noted_move(&self, vm: Uuid) {
        let mut moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        *moves.entry(vm).or_default() += 1;
    }

    fn has_host(&self, name: &str) -> bool {
        let list = self.list();
        list.iter().any(|node| {
            let by_session = node.host.as_ref().map(|host| host.session.host());
            node.is(name) || by_session.is_some_and(|own| own.eq_ignore_ascii_case(name))
        })
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.list().iter().map(|node| node.name.clone()).collect();
        f.debug_tuple("Nodes").field(&names).finish()
    }
}
