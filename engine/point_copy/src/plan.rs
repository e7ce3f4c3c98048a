//! What a copy would do.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use repository::{Repository, RepositoryError, RestorePoint};
use serde::Serialize;

/// Which points are to be copied.
#[derive(Debug, Clone, Default)]
pub struct CopySelection {
    /// Names or identities of VMs; none: all.
    pub vms: Vec<String>,
    /// Only so many of the newest points of each VM.
    pub newest: Option<usize>,
}

impl CopySelection {
    fn takes(&self, point: &RestorePoint) -> bool {
        let named = |vm: &String| {
            vm.eq_ignore_ascii_case(&point.vm.name) || vm.eq_ignore_ascii_case(&point.vm.identity)
        };
        self.vms.is_empty() || self.vms.iter().any(named)
    }
}

/// A point of the source, and whether the target has it.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedPoint {
    /// The point.
    #[serde(skip)]
    pub point: RestorePoint,
    /// Its id.
    pub id: String,
    /// Name of the VM.
    pub vm: String,
    /// The time of the point.
    pub started: Timestamp,
    /// Bytes of its disks and files.
    pub size_bytes: u64,
    /// Whether the target has it already.
    pub there: bool,
}

/// What a copy would do, in the order in which it does it: VM by VM, oldest point first.
#[derive(Debug, Default, Serialize)]
pub struct CopyPlan {
    /// The points that were asked for.
    pub points: Vec<PlannedPoint>,
    /// Points of the source that cannot be read, and why.
    pub unreadable: Vec<String>,
    /// Names of VMs that were asked for and have no point in the source.
    pub unknown_vms: Vec<String>,
}

impl CopyPlan {
    /// Returns how many points are to be copied.
    pub fn missing(&self) -> usize {
        self.points.iter().filter(|point| !point.there).count()
    }
}

/// Finds out what a copy would do. Nothing is written.
pub fn plan_copy(
    source: &Repository,
    target: &Repository,
    selection: &CopySelection,
) -> Result<CopyPlan, RepositoryError> {
    let (points, unreadable) = source.points()?;
    let there: HashSet<String> = target
        .points()?
        .0
        .into_iter()
        .map(|point| point.id)
        .collect();
    let mut by_vm: BTreeMap<String, Vec<RestorePoint>> = BTreeMap::new();
    for point in points.into_iter().filter(|point| selection.takes(point)) {
        // By identity: a VM that was renamed stays one.
        by_vm
            .entry(point.vm.identity.clone())
            .or_default()
            .push(point);
    }
    let mut plan = CopyPlan {
        unreadable: unreadable.iter().map(ToString::to_string).collect(),
        ..CopyPlan::default()
    };
    for points in by_vm.into_values() {
        let newest = selection.newest.unwrap_or(usize::MAX);
        let older = points.len().saturating_sub(newest);
        for point in points.into_iter().skip(older) {
            plan.points.push(PlannedPoint {
                id: point.id.clone(),
                vm: point.vm.name.clone(),
                started: point.started,
                size_bytes: point.all_streams().map(|stream| stream.size_bytes).sum(),
                there: there.contains(&point.id),
                point,
            });
        }
    }
    let known = |vm: &&String| {
        let mut points = plan.points.iter();
        points.any(|planned| {
            vm.eq_ignore_ascii_case(&planned.vm)
                || vm.eq_ignore_ascii_case(&planned.point.vm.identity)
        })
    };
    plan.unknown_vms = selection
        .vms
        .iter()
        .filter(|vm| !known(vm))
        .cloned()
        .collect();
    Ok(plan)
}
