//! A frozen VM that may move to another node.

use std::sync::Arc;

use hyperv_host::{Finding, FrozenVm, HostError, Sealed, VmSource};
use uuid::Uuid;

use super::findings;
use super::nodes::{Nodes, is_node};

/// A frozen VM that may move to another node. What it is made of follows it; this says so.
pub(super) struct FollowedVm {
    inner: Box<dyn FrozenVm>,
    moves: Moves,
}

/// Where a VM goes.
struct Moves {
    nodes: Arc<Nodes>,
    vm: Uuid,
    /// The node that had it when it was last looked.
    last: String,
    /// How often it was followed until then.
    followed: u64,
    /// What is to be told of moves so far.
    told: Vec<Finding>,
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
        let moved = moved.map(|before| findings::moved_before(before, on));
        Self {
            inner,
            moves: Moves {
                followed: nodes.moves(vm),
                nodes,
                vm,
                last: on.to_owned(),
                told: moved.into_iter().collect(),
            },
        }
    }
}

impl Moves {
    /// Looks whether it moved since it was last looked, and returns what is to be told.
    fn take(&mut self) -> Vec<Finding> {
        // Where that cannot be told there is nothing to tell.
        if let Ok(Some(vm)) = self.nodes.vm(self.vm) {
            if !is_node(&vm.owner, &self.last) {
                self.told.push(findings::moved(&self.last, &vm.owner));
                self.last = vm.owner;
            } else if self.nodes.moves(self.vm) > self.followed {
                self.told.push(findings::came_back(&self.last));
            }
            self.followed = self.nodes.moves(self.vm);
        }
        std::mem::take(&mut self.told)
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
        sealed.findings.extend(self.moves.take());
        Ok(sealed)
    }

    fn commit(self: Box<Self>) -> Vec<Finding> {
        let Self { inner, mut moves } = *self;
        let mut findings = inner.commit();
        findings.extend(moves.take());
        findings
    }

    fn abandon(self: Box<Self>) -> Vec<Finding> {
        let Self { inner, mut moves } = *self;
        let mut findings = inner.abandon();
        findings.extend(moves.take());
        findings
    }
}
