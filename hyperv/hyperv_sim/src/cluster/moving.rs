//! VMs that move from node to node.

use uuid::Uuid;

use super::{ClusterEventKind, NodeState};
use crate::host_state::HostState;
use crate::{Profile, SimError, SimErrorKind, Vm};

impl HostState {
    /// Moves a VM to another node, as it is: with its checkpoints, reference points and tracking,
    /// whose files stay where they are. Its jobs end; merges begin anew at the new node.
    pub(crate) fn move_vm(&mut self, vm: Uuid, node: &str) -> Result<(), SimError> {
        let from = self.cluster()?.role(vm)?.owner.clone();
        let target = self.cluster()?.node(node)?.clone();
        if target.name == from {
            return Ok(());
        }
        if target.state != NodeState::Up {
            let what = format!("the node {} is not up", target.name);
            // ERROR_HOST_NODE_NOT_AVAILABLE
            return Err(SimError::new(SimErrorKind::InvalidState, what).with_code(5005));
        }
        let moved = self.at_node(&from, |source| source.pack_vm(vm))?;
        self.check_can_move(&moved, target.profile)?;
        let arrived = self.at_node(&target.name, |node| {
            node.vms.insert(vm, moved);
            node.vm_mut(vm)?;
            node.clear_leftovers(vm)
        });
        arrived?;
        let now = self.now;
        let facts = self.cluster_mut()?;
        facts.role_mut(vm)?.owner.clone_from(&target.name);
        let kind = ClusterEventKind::Moved { from: from.clone() };
        facts.note(now, &target.name, Some(vm), kind);
        if let Some(membership) = self.membership.as_deref_mut() {
            membership.stale.push((from, vm));
        }
        self.forget_moved_vms();
        Ok(())
    }

    /// Ends the jobs of a VM that is about to leave, and returns it; here it stays until the
    /// cluster says that another node owns it.
    fn pack_vm(&mut self, vm: Uuid) -> Result<Vm, SimError> {
        let active = self.vm(vm)?.jobs.iter().filter(|job| !job.state.is_over());
        let active: Vec<Uuid> = active.map(|job| job.id).collect();
        for job in active {
            self.end_job(job, true)?;
        }
        let jobs = std::mem::take(&mut self.vm_mut(vm)?.jobs);
        self.facts_mut().orphaned_jobs.extend(jobs);
        self.vm(vm).cloned()
    }

    /// Fails where a VM has files that other nodes do not reach, or where the new node does not
    /// know its version. Contract: 6 [M]
    fn check_can_move(&self, vm: &Vm, profile: Profile) -> Result<(), SimError> {
        let facts = self.cluster()?;
        let paths = vm.files.keys().chain([&vm.config_root]);
        if let Some(path) = paths.into_iter().find(|path| !facts.is_shared(path)) {
            let what = format!("'{}' cannot move: other nodes do not reach {path}", vm.name);
            return Err(SimError::new(SimErrorKind::InvalidState, what));
        }
        let newest = profile.vm_version().split('.').next();
        let newest = newest.and_then(|major| major.parse().ok()).unwrap_or(0);
        if vm.major_version() > newest {
            let what = format!("{profile} does not run a VM of version {}", vm.version);
            return Err(SimError::new(SimErrorKind::NotSupported, what));
        }
        Ok(())
    }
}
