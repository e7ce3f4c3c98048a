//! What would be removed, and why the rest stays.

use std::collections::BTreeMap;

use jiff::Timestamp;
use repository::{Catalog, CatalogPoint};
use retention::{Candidate, Decision, Hold, decide};
use serde::Serialize;

use crate::freed::freed_bytes_at_most;
use crate::{UnknownTimeZone, VmRules};

/// What would be removed, and why the rest stays.
#[derive(Debug, Clone, Serialize)]
pub struct PrunePlan {
    /// One for each VM that has points, by name.
    pub vms: Vec<PlannedVm>,
}

/// What would become of the points of a VM.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedVm {
    /// Its identity.
    pub identity: String,
    /// Its latest name.
    pub name: String,
    /// The rules that it follows, in words.
    pub rules: String,
    /// Its points, newest first.
    pub points: Vec<PlannedPoint>,
    /// About how many bytes only the points that go can need, at most: told from what each run
    /// stored, so data that other VMs share counts as free.
    pub freed_bytes_at_most: u64,
}

/// What would become of a point.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedPoint {
    /// The point's object.
    #[serde(skip)]
    pub object: String,
    /// The point's time.
    pub time: Timestamp,
    /// What its run stored.
    pub stored_bytes: u64,
    /// Why it stays; nothing where it goes.
    #[serde(flatten)]
    pub decision: Decision,
}

impl PrunePlan {
    /// Returns the points that go.
    pub fn removed(&self) -> impl Iterator<Item = (&PlannedVm, &PlannedPoint)> {
        self.vms.iter().flat_map(|vm| {
            let gone = vm.points.iter().filter(|point| !point.decision.is_kept());
            gone.map(move |point| (vm, point))
        })
    }

    /// Returns how many points there are.
    pub fn points(&self) -> usize {
        self.vms.iter().map(|vm| vm.points.len()).sum()
    }
}

/// Plans for all VMs of a catalog, or for the one with this identity.
pub fn plan_prune(
    catalog: &Catalog,
    rules: &VmRules,
    only: Option<&str>,
    now: Timestamp,
) -> Result<PrunePlan, UnknownTimeZone> {
    let mut by_vm: BTreeMap<(String, String), Vec<&CatalogPoint>> = BTreeMap::new();
    let names = catalog.vms();
    let names: BTreeMap<&str, &str> = names
        .iter()
        .map(|(identity, name)| (identity.as_str(), name.as_str()))
        .collect();
    for point in &catalog.points {
        let identity = point.summary.vm.identity.as_str();
        if only.is_none_or(|only| only == identity) {
            let name = names.get(identity).copied().unwrap_or_default();
            let key = (name.to_owned(), identity.to_owned());
            by_vm.entry(key).or_default().push(point);
        }
    }
    let vms = by_vm
        .into_iter()
        .map(|((name, identity), points)| plan_vm(name, identity, &points, rules, now));
    Ok(PrunePlan {
        vms: vms.collect::<Result<_, _>>()?,
    })
}

/// Plans for one VM, whose points are oldest first.
fn plan_vm(
    name: String,
    identity: String,
    points: &[&CatalogPoint],
    rules: &VmRules,
    now: Timestamp,
) -> Result<PlannedVm, UnknownTimeZone> {
    let rules = rules.of(&identity)?;
    let candidates: Vec<Candidate> = points.iter().map(|point| candidate(point)).collect();
    let decisions = decide(&candidates, &rules, now);
    let freed = freed_bytes_at_most(
        points
            .iter()
            .zip(&decisions)
            .map(|(point, decision)| (decision.is_kept(), point.summary.statistics.stored_bytes)),
    );
    let mut planned: Vec<PlannedPoint> = points
        .iter()
        .zip(decisions)
        .map(|(point, decision)| PlannedPoint {
            object: point.summary.object.clone(),
            time: point.summary.started,
            stored_bytes: point.summary.statistics.stored_bytes,
            decision,
        })
        .collect();
    planned.reverse();
    Ok(PlannedVm {
        identity,
        name,
        rules: rules.to_string(),
        points: planned,
        freed_bytes_at_most: freed,
    })
}

/// Says of a point what retention asks.
fn candidate(point: &CatalogPoint) -> Candidate {
    let holds = point.notes.holds.iter().map(|hold| Hold {
        name: hold.name.clone(),
        until: hold.until,
    });
    Candidate {
        id: point.summary.id.clone(),
        time: point.summary.started,
        written: point.written,
        pinned: point.notes.pinned,
        holds: holds.collect(),
        unknown_note: point.notes.unknown > 0,
        known_bad: point.notes.known_bad(),
    }
}
