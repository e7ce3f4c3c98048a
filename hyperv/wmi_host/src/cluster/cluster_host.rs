//! A cluster as a host.

use std::sync::Arc;
use std::time::Duration;

use hyperv_host::{
    BackupRequest, FrozenVm, HostError, HostErrorKind, HostSettings, HypervHost, Inventory,
    PreviousBackup, StepObserver, VmEntry, VmPlan,
};
use uuid::Uuid;

use super::coordinator::Begin;
use super::findings;
use super::followed_vm::FollowedVm;
use super::inventory::{cluster_findings, inventory, storage_findings};
use super::nodes::{NodeConnector, Nodes, is_node, no_cluster};
use crate::WmiHost;
use crate::facts::{ClusterFacts, NodeState};
use crate::host_failure::host_failure;

/// Looks at a VM that is where nobody has it, as while it moves.
const LOOKS: u32 = 15;
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Tries to begin a backup of a VM that moves each time.
const TRIES: u32 = 4;

/// A failover cluster: the VMs of all its nodes, each backed up on the node that has it.
#[derive(Debug)]
pub struct ClusterHost {
    name: String,
    pub(super) nodes: Arc<Nodes>,
}

/// A node that has a VM.
struct Owner {
    node: String,
    host: Arc<WmiHost>,
}

impl ClusterHost {
    /// Learns from one node of a cluster what its nodes are; `connector` reaches the others.
    ///
    /// # Errors
    ///
    /// `Refused` where the host is in no cluster, and what reaching the host comes to. Nodes that
    /// cannot be reached are findings of the inventory.
    pub fn connect(through: WmiHost, connector: NodeConnector) -> Result<Self, HostError> {
        let session = Arc::clone(&through.session);
        let facts = ClusterFacts::read(&*session)
            .map_err(|error| host_failure(session.host(), "reading the cluster", error))?
            .ok_or_else(no_cluster)?;
        let computer = through.host_state()?.computer;
        let nodes = Nodes::new(&computer, through, connector);
        nodes.learn(&facts.nodes);
        Ok(Self {
            name: facts.name,
            nodes,
        })
    }

    /// Returns the node that has a VM, as the cluster says now; one that is no role of the cluster
    /// stays where it was listed.
    fn owner(&self, vm: &VmEntry) -> Result<Owner, HostError> {
        let id = id_of(vm)?;
        let listed = vm.node.clone();
        let node = match self.nodes.vm(id)? {
            Some(own) => own.owner,
            None => listed.ok_or_else(|| no_such_vm(&self.name, vm))?,
        };
        self.covered(node, vm)
    }

    /// Returns the node that was listed, where a set of the run that was made there holds the VM: it
    /// is in no other, wherever it is by now, and its link follows it.
    fn holder(&self, vm: &VmEntry) -> Result<Option<Owner>, HostError> {
        let Some(node) = vm.node.clone() else {
            return Ok(None);
        };
        // Who is not connected has made nothing.
        let mut hosts = self.nodes.hosts().into_iter();
        let id = id_of(vm)?;
        let host = hosts.find(|host| host.run_sets.holds(id));
        Ok(host.map(|host| Owner { node, host }))
    }

    /// Connects to the node of a VM, or says how it is made to answer.
    fn covered(&self, node: String, vm: &VmEntry) -> Result<Owner, HostError> {
        match self.nodes.host(&node) {
            Ok(host) => Ok(Owner { node, host }),
            Err(error) => Err(self.not_covered(&node, vm, &error)),
        }
    }

    fn not_covered(&self, node: &str, vm: &VmEntry, error: &HostError) -> HostError {
        let Ok(facts) = self.nodes.cluster() else {
            return unreached(node, vm, error);
        };
        let mut nodes = facts.nodes.iter();
        let state = nodes.find(|own| is_node(&own.name, node));
        let state = state.map_or(NodeState::Unknown, |node| node.state);
        let of_node = findings::node_not_covered(&facts, node, state, Some(error));
        let id = id_of(vm).unwrap_or_default();
        match facts.vm(id) {
            Some(own) => HostError::blocked(&findings::vm_not_covered(own, &of_node)),
            None => unreached(node, vm, error),
        }
    }

    /// Does something on the node that has a VM, again where it turns out to be elsewhere by then.
    fn on_owner<T>(
        &self,
        vm: &VmEntry,
        work: impl Fn(&Owner, &VmEntry) -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        let id = id_of(vm)?;
        let mut owner = self.owner(vm)?;
        let mut looks = LOOKS;
        let mut tries = TRIES;
        loop {
            let there = VmEntry {
                node: Some(owner.node.clone()),
                ..vm.clone()
            };
            let moves = self.nodes.moves(id);
            let error = match work(&owner, &there) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let Some(now) = self.nodes.vm(id)? else {
                return Err(error);
            };
            let moved = !is_node(&now.owner, &owner.node) || self.nodes.moves(id) > moves;
            if moved && tries > 0 {
                // Whatever the error says, it is that of a VM that was about to go.
                tries -= 1;
                owner = self.covered(now.owner, vm)?;
            } else if moved {
                return Err(moves_on(&vm.name, &error));
            } else if is_missing(&error) && looks > 0 {
                looks -= 1;
                owner.host.clock.wait(LOOK_EVERY);
            } else {
                return Err(error);
            }
        }
    }
}

impl HypervHost for ClusterHost {
    fn name(&self) -> &str {
        &self.name
    }

    fn inventory(&self) -> Result<Inventory, HostError> {
        inventory(self)
    }

    fn plan(
        &self,
        vm: &VmEntry,
        request: &BackupRequest,
        previous: Option<&PreviousBackup>,
    ) -> Result<VmPlan, HostError> {
        // Where it was listed a moment ago is good enough to look at it.
        let listed = vm
            .node
            .as_deref()
            .and_then(|node| self.nodes.host(node).ok());
        let plan = listed.map(|host| host.plan(vm, request, previous));
        let mut plan = match plan {
            Some(Ok(plan)) => plan,
            _ => self.on_owner(vm, |owner, vm| owner.host.plan(vm, request, previous))?,
        };
        plan.findings.extend(storage_findings(self, vm));
        plan.findings
            .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Ok(plan)
    }

    fn announce(&self, run: &[(&VmEntry, BackupRequest)]) {
        for host in self.nodes.hosts() {
            let name = host.session.host().to_owned();
            let on_host = |vm: &VmEntry| {
                let node = vm.node.as_deref();
                node.and_then(|node| self.nodes.host(node).ok())
                    .is_some_and(|own| own.session.host() == name)
            };
            let own: Vec<(&VmEntry, BackupRequest)> = run
                .iter()
                .filter(|(vm, _)| on_host(vm))
                .map(|(vm, request)| (*vm, request.clone()))
                .collect();
            // Also to those without a VM: that ends their last run.
            host.announce(&own);
        }
    }

    fn begin_backup(
        &self,
        vm: &VmEntry,
        request: &BackupRequest,
        previous: Option<&PreviousBackup>,
        observer: &dyn StepObserver,
    ) -> Result<Box<dyn FrozenVm>, HostError> {
        if let Some(block) = storage_findings(self, vm)
            .iter()
            .find(|finding| finding.severity == hyperv_host::Severity::Block)
        {
            return Err(HostError::blocked(block));
        }
        let before = vm.node.as_deref();
        let begin = |owner: &Owner, vm: &VmEntry| {
            let begin = Begin {
                nodes: &self.nodes,
                vm,
                request,
                previous,
                observer,
            };
            let frozen = begin.run(&owner.node, &owner.host)?;
            let nodes = Arc::clone(&self.nodes);
            let followed = FollowedVm::new(frozen, nodes, id_of(vm)?, &owner.node, before);
            Ok(Box::new(followed) as Box<dyn FrozenVm>)
        };
        match self.holder(vm)? {
            Some(holder) => begin(&holder, vm),
            None => self.on_owner(vm, begin),
        }
    }

    /// Those of the nodes that answer; an error only where none does.
    fn host_settings(&self) -> Result<Option<HostSettings>, HostError> {
        let mut failure = None;
        let (mut nodes, mut taken) = (Vec::new(), None);
        for host in self.nodes.hosts() {
            match host.node_settings() {
                Ok(node) => nodes.push(node),
                Err(error) => failure = Some(error),
            }
            taken = taken.or_else(|| Some(host.clock.now()));
        }
        match (failure, taken) {
            (Some(error), _) if nodes.is_empty() => Err(error),
            (_, Some(taken)) => Ok(Some(HostSettings::new(&self.name, taken, nodes))),
            (_, None) => Ok(None),
        }
    }

    fn as_restore_host(&self) -> Option<&dyn hyperv_host::RestoreHost> {
        Some(self)
    }
}

impl ClusterHost {
    /// Returns the nodes that were connected so far.
    pub fn connected(&self) -> Vec<Arc<WmiHost>> {
        self.nodes.hosts()
    }

    /// Looks at everything that a backup depends on, on every node: each finding with the name of
    /// its VM, or none where it is a node's or the cluster's own.
    ///
    /// # Errors
    ///
    /// Those of the cluster itself; that a node does not answer is a finding.
    pub fn doctor(&self) -> Result<Vec<(Option<String>, hyperv_host::Finding)>, HostError> {
        cluster_findings(self)
    }
}

fn id_of(vm: &VmEntry) -> Result<Uuid, HostError> {
    Uuid::parse_str(&vm.identity).map_err(|_| {
        let text = format!("no VM has the identity {}", vm.identity);
        HostError::new(HostErrorKind::NoSuchVm, text)
    })
}

fn no_such_vm(cluster: &str, vm: &VmEntry) -> HostError {
    let text = format!("{cluster}: no VM has the identity {}", vm.identity);
    HostError::new(HostErrorKind::NoSuchVm, text)
}

fn unreached(node: &str, vm: &VmEntry, error: &HostError) -> HostError {
    let text = format!("the VM {} is on the node {node}: {error}", vm.name);
    let failure = HostError::new(error.kind(), text);
    match error.hint_text() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A VM that moved during each try.
fn moves_on(name: &str, error: &HostError) -> HostError {
    let text = format!("the VM {name} moved while it was frozen, {TRIES} times in a row: {error}");
    HostError::new(HostErrorKind::Busy, text)
        .hint("run the backup when the VM stays on a node for some minutes")
}

/// Returns whether an error says that the node does not have the VM.
fn is_missing(error: &HostError) -> bool {
    error.kind() == HostErrorKind::NoSuchVm
        || (error.kind() == HostErrorKind::Blocked && error.to_string().starts_with("VM-ELSEWHERE"))
}
