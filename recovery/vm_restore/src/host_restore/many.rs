//! The newest points of many VMs, to one host.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use hyperv_host::{Finding, RestoreHost, Severity};
use repository::{PointSummary, Repository};

use super::host_path::part_of_name;
use super::plan::{HostRestorePlan, SpaceNeed};
use super::planning::{HostSeen, plan_host_restore, plan_on};
use super::report::{HostRestoreFailure, HostRestoreObserver, HostRestoreReport};
use super::request::{Destination, HostRestoreRequest};
use super::space::no_room;
use crate::{NewestPoints, RestoreError};

/// The most VMs that are restored at once.
const AT_ONCE_MAX: usize = 16;

/// One VM of many, before anything was done.
#[derive(Debug)]
pub struct VmPlan {
    /// Its identity in its points.
    pub identity: String,
    /// Its name.
    pub name: String,
    /// Id of the point.
    pub point: String,
    /// What will be done, or why that cannot be told.
    pub plan: Result<HostRestorePlan, RestoreError>,
}

/// What became of one VM.
#[derive(Debug)]
pub struct VmOutcome {
    /// Its identity in its points.
    pub identity: String,
    /// Its name.
    pub name: String,
    /// Id of the point.
    pub point: String,
    /// What was done, or why it was not.
    pub result: Result<HostRestoreReport, HostRestoreFailure>,
}

/// What the plans of VMs before have taken: no two VMs get the same file or the same room.
#[derive(Default)]
struct Taken {
    bytes: BTreeMap<String, u64>,
}

impl Taken {
    /// Counts a plan in, if it fits beside the others; else says so in the plan.
    fn add(&mut self, plan: &mut HostRestorePlan) {
        if plan.block().is_some() {
            return;
        }
        let together = plan.space.iter().map(|need| SpaceNeed {
            needed_bytes: self
                .bytes
                .get(&need.mount)
                .map_or(need.needed_bytes, |taken| {
                    taken.saturating_add(need.needed_bytes)
                }),
            ..need.clone()
        });
        let together: Vec<SpaceNeed> = together.collect();
        let mut short = together
            .iter()
            .filter(|need| need.needed_bytes > need.free_bytes);
        if let Some(need) = short.next() {
            let what = "this VM and those before it take";
            plan.findings.push(no_room(what, need));
            return;
        }
        for need in together {
            self.bytes.insert(need.mount, need.needed_bytes);
        }
    }
}

/// Plans to restore the newest point of each chosen VM. The host is asked once, and nothing is
/// touched. Each is asked for as [`NewestPoints::request`] says.
///
/// # Errors
///
/// `Failed` where the host cannot be asked. What concerns one VM is in its plan.
pub fn plan_all_latest(
    repository: &Repository,
    host: &dyn RestoreHost,
    newest: &NewestPoints<'_>,
    request: &HostRestoreRequest,
) -> Result<Vec<VmPlan>, RestoreError> {
    let seen = HostSeen::look(host).map_err(|error| {
        let what = format!("cannot plan restores to {}", host.name());
        RestoreError::new(what, error.into())
    })?;
    let mut taken = Taken::default();
    let plans = newest.chosen().iter().map(|summary| {
        let request = newest.request(summary, request);
        let point = repository.point_of(summary).map_err(|error| {
            let what = format!("cannot read point {} of {}", summary.id, summary.vm.name);
            RestoreError::new(what, error.into())
        });
        let plan = point.and_then(|point| plan_on(repository, &point, (host, &seen), &request));
        VmPlan {
            identity: summary.vm.identity.clone(),
            name: summary.vm.name.clone(),
            point: summary.id.clone(),
            plan: plan.map(|mut plan| {
                unconfirmed(&mut plan);
                taken.add(&mut plan);
                plan
            }),
        }
    });
    Ok(plans.collect())
}

/// Nobody confirms what many restores at once destroy, so one that destroys something is asked for
/// on its own.
fn unconfirmed(plan: &mut HostRestorePlan) {
    if !plan.needs_confirmation() || plan.block().is_some() {
        return;
    }
    let text = format!(
        "the restore of {:?} destroys what is there now, which is not done among many",
        plan.vm
    );
    let cure = "look at it, and confirm it, alone: `lifeboat restore vm POINT --to HOST`";
    let finding = Finding::new("POINT-NEEDS-CONFIRMATION", Severity::Block, text);
    plan.findings.push(finding.cure(cure));
}

/// Carries plans out, up to `at_once` at a time; one that fails does not keep the others from
/// theirs.
pub fn restore_all_latest(
    host: &dyn RestoreHost,
    plans: Vec<VmPlan>,
    at_once: usize,
    observer: &dyn HostRestoreObserver,
) -> Vec<VmOutcome> {
    let threads = at_once.clamp(1, AT_ONCE_MAX).min(plans.len());
    let meets = meeting(&plans);
    let plans: Vec<Mutex<Option<VmPlan>>> = plans
        .into_iter()
        .map(|plan| Mutex::new(Some(plan)))
        .collect();
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(slot) = plans.get(at) else {
                        return;
                    };
                    let plan = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                    let Some(plan) = plan else { continue };
                    let outcome = restore_one(host, plan, meets.contains(&at), observer);
                    let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    outcomes.push((at, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(at, _)| *at);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Returns the places of plans which make a file that one before them makes as well.
fn meeting(plans: &[VmPlan]) -> HashSet<usize> {
    let mut paths = HashSet::new();
    let mut meets = HashSet::new();
    for (at, plan) in plans.iter().enumerate() {
        let disks = plan.plan.iter().flat_map(|plan| &plan.disks);
        for disk in disks.filter(|disk| disk.is_new()) {
            if !paths.insert(disk.path.to_lowercase()) {
                meets.insert(at);
            }
        }
    }
    meets
}

fn restore_one(
    host: &dyn RestoreHost,
    vm: VmPlan,
    meets_another: bool,
    observer: &dyn HostRestoreObserver,
) -> VmOutcome {
    let nothing_done = |error| HostRestoreFailure {
        error,
        undone: Vec::new(),
        left: Vec::new(),
        can_go_on: false,
    };
    let result = match vm.plan {
        _ if observer.cancelled() => {
            let what = format!("{} was not restored", vm.name);
            Err(nothing_done(RestoreError::new(what, "cancelled".into())))
        }
        Err(error) => Err(nothing_done(error)),
        // What was free when all were planned another one has by now.
        Ok(plan) if meets_another => {
            let anew = plan_host_restore(&plan.repository, &plan.source, host, &plan.request);
            anew.map_err(nothing_done)
                .and_then(|plan| plan.execute(host, observer))
        }
        Ok(plan) => plan.execute(host, observer),
    };
    VmOutcome {
        identity: vm.identity,
        name: vm.name,
        point: vm.point,
        result,
    }
}

impl NewestPoints<'_> {
    /// Returns what is asked for one of the VMs where `request` is asked for all: a folder of the
    /// host gets one for each VM in it.
    pub fn request(
        &self,
        summary: &PointSummary,
        request: &HostRestoreRequest,
    ) -> HostRestoreRequest {
        let mut request = request.clone();
        // What the host has of one VM must not be taken for what it has of another.
        request.run = format!("{}-{}", request.run, part_of_name(&summary.vm.identity));
        if let Destination::Folder(folder) = &mut request.destination {
            let name = self.folder_name(&summary.vm.identity);
            *folder = format!("{}\\{name}", folder.trim_end_matches('\\'));
        }
        request
    }

    /// Returns the name of a VM's folder among those of all VMs of the repository: the VM's own,
    /// with the beginning of its identity where another one has that already.
    fn folder_name(&self, identity: &str) -> String {
        let mut taken = HashSet::new();
        for summary in &self.all {
            let own = &summary.vm;
            let id = part_of_name(&own.identity);
            let name = part_of_name(&own.name);
            let beginning: String = id.chars().take(8).collect();
            // The last one is nobody else's, and a host does not tell names apart by case.
            let names = [
                name.clone(),
                format!("{name} ({beginning})"),
                format!("{name} ({id})"),
            ];
            let mut free = names
                .into_iter()
                .filter(|name| !taken.contains(&name.to_lowercase()));
            let name = free.next().unwrap_or(id);
            if own.identity == identity {
                return name;
            }
            taken.insert(name.to_lowercase());
        }
        part_of_name(identity)
    }
}
