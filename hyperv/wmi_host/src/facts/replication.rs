//! Hyper-V Replica.

use wmi::Instance;

/// What Hyper-V Replica does with a VM (contract 1.1). The copies in `Msvm_ComputerSystem` are
/// deprecated since 2012 R2, and still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ReplicationFacts {
    /// 0 none, 1 primary, 2 replica, 3 test replica, 4 extended replica.
    pub(crate) mode: u16,
    /// `ReplicationState`.
    pub(crate) state: u16,
    /// 0 not replicated, 1 OK, 2 warning, 3 critical.
    pub(crate) health: u16,
}

impl ReplicationFacts {
    pub(super) fn of(system: &Instance) -> Self {
        let number = |name| system.number(name).unwrap_or(0);
        Self {
            mode: number("ReplicationMode"),
            state: number("ReplicationState"),
            health: number("ReplicationHealth"),
        }
    }

    /// The VM is the copy that another host sends its changes to.
    pub(crate) fn is_replica(self) -> bool {
        matches!(self.mode, 2 | 4)
    }

    /// A backup of this replica would fail now: the state, in words (contract 7, "Replica VM
    /// backup fails on purpose").
    pub(crate) fn in_the_way(self) -> Option<&'static str> {
        match self.state {
            2 => Some("its initial replication is not complete"),
            9..=11 => Some("it is to be resynchronized"),
            12..=14 => Some("it fails over or back"),
            _ if self.health == 3 => Some("its replication is in a critical state"),
            _ => None,
        }
    }
}
