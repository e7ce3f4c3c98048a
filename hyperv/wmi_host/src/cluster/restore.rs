//! A cluster as a host that VMs are restored to (requirements CLUS-04, CLUS-06).
//!
//! A VM that is a role is restored on the node that owns the role; another one on a node that is
//! up. What is asked of a VM that is there goes to the node that has it, through its cluster.

use std::path::PathBuf;
use std::sync::Arc;

use hyperv_host::{
    AdapterOrder, DiskChanges, Finding, HostError, HostErrorKind, Identity, ImportOrder,
    NewVmOrder, PowerState, RestoreHost, RestoredVm, Severity, StepObserver, SwitchSettings,
    TargetHost, TargetVm,
};
use uuid::Uuid;
use vm_config::DiskSlot;

use super::cluster_host::ClusterHost;
use super::power::update_role;
use super::storage_path::is_shared_storage;
use crate::WmiHost;
use crate::backup::link::Link;
use crate::facts::NodeState;
use crate::residue::node_not_looked_at;
use crate::restore::{definition_id, role_not_updated};

impl ClusterHost {
    /// Returns the nodes that are up and answer, by name.
    fn up(&self) -> Result<Vec<(String, Arc<WmiHost>)>, HostError> {
        let facts = self.nodes.cluster()?;
        let mut hosts = Vec::new();
        let mut failure = None;
        let up = facts
            .nodes
            .iter()
            .filter(|node| node.state == NodeState::Up);
        for node in up {
            match self.nodes.host(&node.name) {
                Ok(host) => hosts.push((node.name.clone(), host)),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if hosts.is_empty() => Err(error),
            _ if hosts.is_empty() => {
                let text = format!("{}: no node is up", RestoreHost::name(self));
                Err(HostError::new(HostErrorKind::Unreachable, text))
            }
            _ => Ok(hosts),
        }
    }

    /// Returns the node that a VM is restored on: the owner of its role, or one that is up.
    fn node_for(&self, vm: Option<Uuid>) -> Result<(Arc<WmiHost>, bool), HostError> {
        let role = match vm {
            Some(id) => self.nodes.vm(id)?,
            None => None,
        };
        if let Some(role) = role {
            return Ok((self.nodes.host(&role.owner)?, true));
        }
        let first = self.up()?.into_iter().next();
        let (_, host) = first.ok_or_else(|| missing(self, "it has no node"))?;
        Ok((host, false))
    }

    /// Returns the node that has a VM.
    fn node_of(&self, vm: &str) -> Result<(Arc<WmiHost>, Uuid), HostError> {
        let id = Uuid::parse_str(vm).map_err(|_| no_such_vm(self, vm))?;
        if let Some(role) = self.nodes.vm(id)? {
            return Ok((self.nodes.host(&role.owner)?, id));
        }
        for (_, host) in self.up()? {
            match host.vm_facts(vm) {
                Ok(_) => return Ok((host, id)),
                Err(error) if error.kind() == HostErrorKind::NoSuchVm => {}
                Err(error) => return Err(error),
            }
        }
        Err(no_such_vm(self, vm))
    }

    /// Has the cluster take over what was changed of a VM's configuration.
    fn updated(host: &WmiHost, vm: Uuid, name: &str) -> Option<Finding> {
        let updated = update_role(&Link::of(host), vm);
        updated.err().map(|error| role_not_updated(name, &error))
    }
}

fn missing(cluster: &ClusterHost, what: &str) -> HostError {
    let text = format!("{}: {what}", RestoreHost::name(cluster));
    HostError::new(HostErrorKind::Unreachable, text)
}

fn no_such_vm(cluster: &ClusterHost, vm: &str) -> HostError {
    let text = format!(
        "{}: no VM has the identity {vm}",
        RestoreHost::name(cluster)
    );
    HostError::new(HostErrorKind::NoSuchVm, text)
}

/// A VM that no role of the cluster is about: nothing starts it elsewhere when its node fails.
fn no_role(name: &str) -> Finding {
    let text = format!("the VM {name} is on a node of the cluster, and is no role of it");
    Finding::new("VM-ROLE-NONE", Severity::Info, text)
        .cure("Add-ClusterVirtualMachineRole, once it is as it should be")
}

/// A role whose files one node alone sees.
fn not_shared(name: &str, path: &str) -> Finding {
    let text = format!("the VM {name} is a role of the cluster, and {path} is on one node alone");
    Finding::new("VM-ROLE-NOT-SHARED", Severity::Warn, text)
        .cure("restore it to a cluster shared volume or a share")
}

impl RestoreHost for ClusterHost {
    fn name(&self) -> &str {
        hyperv_host::HypervHost::name(self)
    }

    /// Reads what the node has that new VMs go to, and the VMs of all nodes. A node that runs VMs,
    /// and does not answer, is an error: nobody could tell which files are in use.
    fn target(&self) -> Result<TargetHost, HostError> {
        let mut merged: Option<TargetHost> = None;
        for node in &self.nodes.cluster()?.nodes {
            let host = match (node.state, self.nodes.host(&node.name)) {
                (NodeState::Down, _) => continue,
                (_, host) => host?,
            };
            let target = host.target()?;
            let vms = target.vms.iter().map(|vm| TargetVm {
                node: Some(node.name.clone()),
                ..vm.clone()
            });
            let vms: Vec<TargetVm> = vms.collect();
            let merged = merged.get_or_insert_with(|| TargetHost {
                computer: RestoreHost::name(self).to_owned(),
                is_cluster: true,
                vms: Vec::new(),
                ..target.clone()
            });
            // A VM moves to any node, and each of them has to take it.
            merged.versions.retain(|own| target.versions.contains(own));
            merged
                .switches
                .retain(|own| target.switches.iter().any(|other| other.name == own.name));
            if !target
                .versions
                .iter()
                .any(|own| Some(own) == merged.default_version.as_ref())
            {
                merged.default_version = merged.versions.last().cloned();
            }
            merged.vms.extend(vms);
        }
        merged.ok_or_else(|| missing(self, "no node is up"))
    }

    /// Shared volumes and shares are the same on all nodes; of a drive it is not known whose.
    fn local_path(&self, host_path: &str) -> Result<PathBuf, HostError> {
        if !is_shared_storage(host_path) {
            let text = format!("{host_path} is on a drive of one node, and not of the cluster");
            return Err(HostError::new(HostErrorKind::Blocked, text).hint(
                "name a folder on a cluster shared volume or a share, or the node itself as host",
            ));
        }
        let mut failure = None;
        for (_, host) in self.up()? {
            match RestoreHost::local_path(&*host, host_path) {
                Ok(path) => return Ok(path),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| missing(self, "no node is up")))
    }

    fn import(
        &self,
        order: &ImportOrder,
        observer: &dyn StepObserver,
    ) -> Result<RestoredVm, HostError> {
        let (any, _) = self.node_for(None)?;
        let id = definition_id(&any, &order.definition);
        let id = id.filter(|_| order.identity == Identity::Keep);
        // A node that has it refuses it, or takes up what its own restore has made.
        let there = id.and_then(|id| self.node_of(&id.to_string()).ok());
        let (host, is_role) = match there {
            Some((host, id)) if host.vm_facts(&id.to_string()).is_ok() => {
                (host, self.nodes.vm(id)?.is_some())
            }
            _ => self.node_for(id)?,
        };
        let mut vm = RestoreHost::import(&*host, order, observer)?;
        let made = Uuid::parse_str(&vm.identity).ok();
        match made.filter(|_| is_role) {
            Some(id) => {
                vm.findings.extend(Self::updated(&host, id, &vm.name));
                let disks = order.disks.iter().map(|disk| disk.path.as_str());
                let mut paths = disks.chain([order.configuration_folder.as_str()]);
                let own = paths.find(|path| !is_shared_storage(path));
                vm.findings
                    .extend(own.map(|path| not_shared(&vm.name, path)));
            }
            None => vm.findings.push(no_role(&vm.name)),
        }
        Ok(vm)
    }

    fn create(
        &self,
        order: &NewVmOrder,
        observer: &dyn StepObserver,
    ) -> Result<RestoredVm, HostError> {
        let (host, _) = self.node_for(None)?;
        let mut vm = RestoreHost::create(&*host, order, observer)?;
        vm.findings.push(no_role(&vm.name));
        Ok(vm)
    }

    fn unregister(&self, vm: &str, observer: &dyn StepObserver) -> Result<(), HostError> {
        self.node_of(vm)?.0.unregister(vm, observer)
    }

    fn set_power(
        &self,
        vm: &str,
        wanted: PowerState,
        observer: &dyn StepObserver,
    ) -> Result<PowerState, HostError> {
        self.node_of(vm)?.0.set_power(vm, wanted, observer)
    }

    fn rename(&self, vm: &str, name: &str) -> Result<(), HostError> {
        self.node_of(vm)?.0.rename(vm, name)
    }

    fn attach_disk(
        &self,
        vm: &str,
        slot: Option<DiskSlot>,
        host_path: &str,
    ) -> Result<DiskSlot, HostError> {
        let (host, id) = self.node_of(vm)?;
        let slot = host.attach_disk(vm, slot, host_path)?;
        // The disk is attached; a role that is not up to date says so before it moves.
        let _ = Self::updated(&host, id, vm);
        Ok(slot)
    }

    fn detach_disk(&self, vm: &str, slot: DiskSlot) -> Result<(), HostError> {
        let (host, id) = self.node_of(vm)?;
        host.detach_disk(vm, slot)?;
        let _ = Self::updated(&host, id, vm);
        Ok(())
    }

    fn set_adapters(&self, vm: &str, adapters: &[AdapterOrder]) -> Result<Vec<Finding>, HostError> {
        let (host, id) = self.node_of(vm)?;
        let mut findings = host.set_adapters(vm, adapters)?;
        findings.extend(Self::updated(&host, id, vm));
        Ok(findings)
    }

    /// Makes the switch on each node that is up: a VM that moves needs it there, too.
    fn create_switch(&self, switch: &SwitchSettings) -> Result<Vec<Finding>, HostError> {
        let (mut findings, mut failures) = (Vec::new(), Vec::new());
        let nodes = self.up()?;
        let count = nodes.len();
        for (node, host) in nodes {
            match host.create_switch(switch) {
                Ok(own) => findings.extend(own),
                Err(error) => failures.push((node, error)),
            }
        }
        if failures.len() == count
            && let Some((_, error)) = failures.pop()
        {
            return Err(error);
        }
        for (node, error) in failures {
            let text = format!("the switch {} was not made on {node}: {error}", switch.name);
            findings.push(Finding::new("HOST-SWITCH-PART", Severity::Warn, text));
        }
        Ok(findings)
    }

    fn changes_since(
        &self,
        vm: &str,
        slot: DiskSlot,
        cursor: &str,
    ) -> Result<DiskChanges, HostError> {
        self.node_of(vm)?.0.changes_since(vm, slot, cursor)
    }

    fn settle_restores(&self) -> Result<Vec<Finding>, HostError> {
        let mut findings = Vec::new();
        for (node, host) in self.up()? {
            let settled = host.settle_restores();
            findings
                .extend(settled.unwrap_or_else(|error| vec![node_not_looked_at(&node, &error)]));
        }
        Ok(findings)
    }
}
