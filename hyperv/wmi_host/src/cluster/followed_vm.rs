//! A frozen VM that may move to another node.

use std::sync::Arc;

use hyperv_host::{Finding, FrozenVm, HostError, Sealed, VmSource};
use uuid::Uuid;

use super::findings;
use super::nodes::{Nodes, is_node};

/// A frozen VM that may move to another node. What it is made of follows it; this says so.
pub(super) struct FollowedVm {
    inner: Box<dyn FrozenVm>,
    nodes: Arc<Nodes>,
    vm: Uuid,
    /// The node that had it when it was last looked.
    last: String,
    /// What is to be told of moves so far.
    moves: Vec<Finding>,
}

impl FollowedVm {
    /// Takes a VM that was frozen on a node. `before`: where the inventory had it.
    pub(super) fn new(
        inner: Box<dyn FrozenVm>,
        nodes: Arc<Nodes>,
        vm: Uuid,
        on: &str,
        before: Option<&str>,
    ) -> Self {
        let moved = before.filter(|before| !is_node(before, on));
        let moves = moved.map(|before| findings::moved_before(before, on));
        Self {
            inner,
            nodes,
            vm,
            last: on.to_owned(),
            moves: moves.into_iter().collect(),
        }
    }

    /// Looks whether it moved since it was last looked.
    fn look(&mut self) {
        // Where that cannot be told there is nothing to tell.
        if let Ok(Some(vm)) = self.nodes.vm(self.vm)
            && !is_node(&vm.owner, &self.last)
        {
            self.moves.push(findings::moved(&self.last, &vm.owner));
            self.last = vm.owner;
        }
    }

    fn told(&mut self) -> Vec<Finding> {
        self.look();
        std::mem::take(&mut self.moves)
    }
}

impl FrozenVm for FollowedVm {
    fn source(&self) -> &VmSource {
        self.inner.source()
    }

    fn check_bearable(&self) -> Result<(), HostError> {
        self.inner.check_bearable()
    }

    fn seal(&mut self) -> Result<Sealed, HostError> {
        let mut sealed = self.inner.seal()?;
        sealed.findings.extend(self.told());
        Ok(sealed)
    }

    fn commit(mut self: Box<Self>) -> Vec<Finding> {
        let told = self.told();
        let mut findings = self.inner.commit();
        findings.extend(told);
        findings
    }

    fn abandon(mut self: Box<Self>) -> Vec<Finding> {
        let told = self.told();
        let mut findings = self.inner.abandon();
        findings.extend(told);
        findings
    }
}
