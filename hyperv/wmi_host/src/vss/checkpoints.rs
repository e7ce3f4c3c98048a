//! The checkpoints that people made of a VM, with their disks.

use hyperv_host::HostError;

use crate::backup::link::Link;
use crate::facts::{DiskFacts, SnapshotFacts, SnapshotKind, VmFacts, disks_of_settings};
use crate::host_failure::host_failure;

/// The checkpoints that people made of a VM, parents before their children.
#[derive(Debug, Clone, Default)]
pub(super) struct Checkpoints(Vec<(SnapshotFacts, Vec<DiskFacts>)>);

impl Checkpoints {
    /// Reads them: a call for each.
    pub(super) fn read(link: &Link, vm: &VmFacts) -> Result<Self, HostError> {
        let mut all = Vec::new();
        for snapshot in in_order(vm) {
            let disks = link
                .patiently(|| disks_of_settings(&*link.session, &snapshot.path))
                .map_err(|error| host_failure(link.host(), "reading a checkpoint", error))?;
            all.push((snapshot.clone(), disks));
        }
        Ok(Self(all))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(SnapshotFacts, Vec<DiskFacts>)> {
        self.0.iter()
    }

    /// Returns the checkpoint that one derives from, as its GUID: those of backups in between are
    /// passed over.
    pub(super) fn parent_of(vm: &VmFacts, parent: Option<&str>) -> Option<String> {
        let mut at = parent;
        // What refers to itself ends after as many steps as there are checkpoints.
        for _ in 0..=vm.snapshots.len() {
            let id = at?;
            let mut snapshots = vm.snapshots.iter();
            let own = snapshots.find(|own| own.settings.instance_id.eq_ignore_ascii_case(id))?;
            if own.kind == SnapshotKind::User {
                return Some(own.id.to_string());
            }
            at = own.parent.as_deref();
        }
        None
    }
}

/// Orders the checkpoints of people so that each comes after the one that it derives from.
fn in_order(vm: &VmFacts) -> Vec<&SnapshotFacts> {
    let mut left: Vec<&SnapshotFacts> = vm.user_snapshots().collect();
    let mut ordered: Vec<&SnapshotFacts> = Vec::new();
    while !left.is_empty() {
        let is_next = |own: &&SnapshotFacts| {
            let parent = Checkpoints::parent_of(vm, own.parent.as_deref());
            parent.is_none_or(|parent| ordered.iter().any(|done| done.id.to_string() == parent))
        };
        // Of those that refer to each other in a circle the oldest goes first.
        let at = left.iter().position(is_next).unwrap_or(0);
        ordered.push(left.remove(at));
    }
    ordered
}

/// Returns whether people's checkpoints are those of before.
pub(super) fn same_checkpoints(before: &VmFacts, now: &VmFacts) -> bool {
    let ids = |vm: &VmFacts| -> Vec<_> {
        let own = vm.user_snapshots().map(|own| own.id);
        own.collect()
    };
    ids(before) == ids(now) && before.last_applied == now.last_applied
}
