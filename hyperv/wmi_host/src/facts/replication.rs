//! Hyper-V Replica.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use wmi::{Instance, VIRTUALIZATION, WmiError, WmiErrorKind, WmiSession, quote};

use super::owner_of;
use super::raw_vms::host_guid;

/// What Hyper-V Replica does with a VM (contract 1.1).
///
/// Which side the VM is on stands in `Msvm_ComputerSystem`. State, health and times are those of
/// its `Msvm_ReplicationRelationship`; hosts before 2012 R2 have only the copies in the VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ReplicationFacts {
    /// 0 none, 1 primary, 2 replica, 3 test replica, 4 extended replica.
    pub(crate) mode: u16,
    /// `ReplicationState`.
    pub(crate) state: u16,
    /// 0 not replicated, 1 OK, 2 warning, 3 critical.
    pub(crate) health: u16,
    /// When changes arrived last.
    pub(crate) last_replicated: Option<Timestamp>,
    /// When they were applied to the disks last.
    pub(crate) last_applied: Option<Timestamp>,
}

/// `ReplicationState` of a VM whose changes go to the other side.
pub(crate) const REPLICATING: u16 = 3;
/// `ReplicationState` of one whose replication was paused.
pub(crate) const SUSPENDED: u16 = 7;

impl ReplicationFacts {
    /// Takes what the VM says, and its relationship where there is one: number 0 is the one with
    /// its primary or first replica, 1 that with an extended replica.
    pub(super) fn of(system: &Instance, relationships: &[&Instance]) -> Self {
        let first = relationships.iter().min_by_key(|own| number_of(own));
        let newest = first.copied().unwrap_or(system);
        let number = |name: &str| newest.number(name).or_else(|| system.number(name));
        let time = |newer: &str, older: &str| newest.time(newer).or_else(|| system.time(older));
        Self {
            mode: system.number("ReplicationMode").unwrap_or(0),
            state: number("ReplicationState").unwrap_or(0),
            health: number("ReplicationHealth").unwrap_or(0),
            last_replicated: time("LastReplicationTime", "LastReplicationTime"),
            last_applied: newest.time("LastApplyTime"),
        }
    }

    /// The VM is the copy that another host sends its changes to.
    pub(crate) fn is_replica(self) -> bool {
        matches!(self.mode, 2 | 4)
    }

    /// The VM's changes go to another host.
    pub(crate) fn is_primary(self) -> bool {
        self.mode == 1 && self.state != 0
    }

    /// The host sends or applies changes, unless something is wrong.
    pub(crate) fn is_active(self) -> bool {
        self.state == REPLICATING
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

    /// Returns how old the newest change is that this side has.
    pub(crate) fn lag(self, now: Timestamp) -> Option<SignedDuration> {
        let last = self.last_applied.max(self.last_replicated)?;
        let lag = now.duration_since(last);
        (!lag.is_negative()).then_some(lag)
    }
}

/// Reads the relationships of all VMs of a host: one call, and none where no VM is replicated.
/// Without such a class there are none.
pub(super) fn relationships(
    session: &dyn WmiSession,
    systems: &[Instance],
) -> Result<Vec<Instance>, WmiError> {
    if !systems.iter().any(is_replicated) {
        return Ok(Vec::new());
    }
    read(session, "SELECT * FROM Msvm_ReplicationRelationship")
}

/// As [`relationships`], of one VM.
pub(super) fn relationships_of(
    session: &dyn WmiSession,
    systems: &[Instance],
    vm: Uuid,
) -> Result<Vec<Instance>, WmiError> {
    if !systems.iter().any(is_replicated) {
        return Ok(Vec::new());
    }
    let prefix = quote(&format!("Microsoft:{}%", host_guid(vm)));
    let wql = format!("SELECT * FROM Msvm_ReplicationRelationship WHERE InstanceID LIKE {prefix}");
    read(session, &wql)
}

fn read(session: &dyn WmiSession, wql: &str) -> Result<Vec<Instance>, WmiError> {
    match session.query_all(VIRTUALIZATION, wql) {
        Err(error) if error.kind() == WmiErrorKind::NoClass => Ok(Vec::new()),
        other => other,
    }
}

fn is_replicated(system: &Instance) -> bool {
    system.number("ReplicationMode").unwrap_or(0_u16) != 0
}

/// Returns the VM that a relationship is of: `Microsoft:<vm>\HVR\0`.
pub(super) fn vm_of(relationship: &Instance) -> Option<Uuid> {
    owner_of(&relationship.text("InstanceID")?)
}

fn number_of(relationship: &Instance) -> u8 {
    let id = relationship.text("InstanceID").unwrap_or_default();
    let last = id.rsplit('\\').next().unwrap_or_default();
    last.parse().unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VM: &str = "7F0D4A1C-9A01-4C6B-8F6E-1D1C5D3B9A77";

    fn relationship(number: u8, state: u16) -> Instance {
        Instance::new("Msvm_ReplicationRelationship")
            .with("InstanceID", format!(r"Microsoft:{VM}\HVR\{number}"))
            .with("ReplicationState", state)
            .with("ReplicationHealth", 1_u16)
    }

    #[test]
    fn the_relationship_counts_and_the_copies_in_the_vm_where_there_is_none() {
        let system = Instance::new("Msvm_ComputerSystem")
            .with("ReplicationMode", 2_u16)
            .with("ReplicationState", 3_u16)
            .with("ReplicationHealth", 3_u16);
        let old = ReplicationFacts::of(&system, &[]);
        assert_eq!((old.mode, old.state, old.health), (2, 3, 3));
        let (first, extended) = (relationship(0, 7), relationship(1, 10));
        let new = ReplicationFacts::of(&system, &[&extended, &first]);
        assert_eq!((new.mode, new.state, new.health), (2, 7, 1));
        assert_eq!(vm_of(&first), Uuid::parse_str(VM).ok());
    }

    #[test]
    fn the_lag_is_told_by_the_newest_of_both_times() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let mut facts = ReplicationFacts {
            last_replicated: Some(at("2026-11-21T04:00:00Z")),
            ..ReplicationFacts::default()
        };
        let now = at("2026-11-21T04:05:00Z");
        assert_eq!(facts.lag(now), Some(SignedDuration::from_mins(5)));
        facts.last_applied = Some(at("2026-11-21T04:03:00Z"));
        assert_eq!(facts.lag(now), Some(SignedDuration::from_mins(2)));
        assert_eq!(facts.lag(at("2026-11-21T03:00:00Z")), None);
        assert_eq!(ReplicationFacts::default().lag(now), None);
    }
}
