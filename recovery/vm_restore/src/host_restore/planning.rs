//! Plans a restore to a host. Nothing is touched.

use std::collections::HashSet;

use hyperv_host::{
    AdapterOrder, CheckpointTree, Finding, HostError, RestoreHost, Severity, TargetHost, TargetVm,
};
use jiff::Timestamp;
use repository::{Repository, RestorePoint, StreamRole};
use vm_config::VmConfiguration;

use super::file_users::FileUsers;
use super::findings::Facts;
use super::guest_disk::guest_disks;
use super::host_path::parent;
use super::network::adapters;
use super::placing::Placing;
use super::plan::{DiskMethod, HostRestorePlan, PlannedDisk, RestoreKind, RestoreMethod};
use super::request::{HostRestoreRequest, RestorePart};
use super::session::{RestoreSession, read_session, session_host};
use super::situation::{Situation, as_it_can_be};
use super::space::space;
use super::steps::{destroyed, steps};
use super::write_rate::WriteRate;
use super::writer_plan::method_of;
use crate::error::Cause;
use crate::new_files::read_configuration;
use crate::{RestoreError, checkpoint_tree};

/// What stands between the name of a VM that is set aside and the time of that.
const SET_ASIDE: &str = " (before restore ";

/// Plans to restore a point, or a part of it, to a host. The host is asked, and nothing is touched.
///
/// What stands in the way is a finding of the plan, not an error.
///
/// # Errors
///
/// `Failed`, whose cause says what of the host, the repository or the session cannot be read.
pub fn plan_host_restore(
    repository: &Repository,
    point: &RestorePoint,
    host: &dyn RestoreHost,
    request: &HostRestoreRequest,
) -> Result<HostRestorePlan, RestoreError> {
    let seen = HostSeen::look(host).map_err(|error| cannot_plan(point, host, error.into()))?;
    plan_on(repository, point, (host, &seen), request)
}

fn cannot_plan(point: &RestorePoint, host: &dyn RestoreHost, cause: Cause) -> RestoreError {
    let (vm, host) = (&point.vm.name, host.name());
    RestoreError::new(format!("cannot plan to restore {vm} to {host}"), cause)
}

/// What a host has and bears, and whose its files are: read once, also for many plans.
pub(super) struct HostSeen {
    pub(super) target: TargetHost,
    users: FileUsers,
}

impl HostSeen {
    pub(super) fn look(host: &dyn RestoreHost) -> Result<Self, HostError> {
        let target = host.target()?;
        let users = FileUsers::of(host, &target.vms);
        Ok(Self { target, users })
    }
}

/// Plans with what was seen of the host.
pub(super) fn plan_on(
    repository: &Repository,
    point: &RestorePoint,
    (host, seen): (&dyn RestoreHost, &HostSeen),
    request: &HostRestoreRequest,
) -> Result<HostRestorePlan, RestoreError> {
    let failed = |cause: Cause| cannot_plan(point, host, cause);
    let target = &seen.target;
    let session_host = session_host(host.name(), target);
    let session = read_session(&request.session_folder, &session_host, &point.vm.identity)
        .map_err(|error| failed(error.into()))?;
    let request = as_it_can_be(request);
    let planning = Planning {
        repository,
        point,
        host,
        target,
        request: &request,
        session: session.as_ref(),
        session_host,
        users: &seen.users,
        tree: checkpoint_tree(point)?,
    };
    planning.plan()
}

pub(super) struct Planning<'a> {
    repository: &'a Repository,
    pub(super) point: &'a RestorePoint,
    pub(super) host: &'a dyn RestoreHost,
    target: &'a TargetHost,
    pub(super) request: &'a HostRestoreRequest,
    session: Option<&'a RestoreSession>,
    pub(super) session_host: String,
    pub(super) users: &'a FileUsers,
    tree: Option<CheckpointTree>,
}

impl Planning<'_> {
    fn plan(&self) -> Result<HostRestorePlan, RestoreError> {
        let method = method_of(self.host, self.request);
        let through_writer = method == RestoreMethod::Writer;
        let (point, request) = (self.point, self.request);
        let seen = Situation::of(point, self.target, request, self.session, through_writer);
        let (kind, old, is_there) = (seen.kind, seen.old, seen.there.is_some());
        let tree = self.tree.as_ref();
        let whole_tree = self.whole_tree(kind);
        let mut placing = Placing {
            repository: self.repository,
            point: self.point,
            host: self.host,
            target: self.target,
            request: self.request,
            kind,
            old,
            old_is_there: is_there,
            session: seen.session,
            tree,
            users: self.users,
            findings: Vec::new(),
            taken: HashSet::new(),
        };
        let mut disks = match (kind, whole_tree) {
            (RestoreKind::Network | RestoreKind::Finish, _) => Vec::new(),
            (RestoreKind::Configuration, _) => kept_disks(old),
            _ if through_writer => {
                placing.writer_disks(whole_tree, self.users, self.run(seen.session))?
            }
            (_, Some(tree)) => placing.images(tree)?,
            (_, None) => placing.flat_disks()?,
        };
        if kind == RestoreKind::Disks {
            beside_the_vm(&mut disks);
        }
        let name = self.name();
        let mut configuration_folder = placing.configuration_folder(&name);
        let writer = (through_writer && kind != RestoreKind::Finish)
            .then(|| placing.writer(&disks, self.is_same_host()))
            .flatten();
        if let Some(root) = writer.as_ref().and_then(|own| parent(&own.machines)) {
            root.clone_into(&mut configuration_folder);
        }
        let configuration = self.configuration();
        let mut findings = placing.findings;
        let (orders, found) = self.judge(&seen, configuration.as_ref(), whole_tree);
        findings.extend(found);
        let extra = self.definition_bytes(kind);
        let (needs, short) = space(&disks, (&configuration_folder, extra), self.target);
        findings.extend(short);
        findings.extend(seen.other.and_then(|other| self.died(other)));
        findings.extend(self.in_use(old, &disks));
        let (remove, stay) = self.old_files(&seen, &disks, whole_tree);
        findings.extend(stay);
        let mut plan = HostRestorePlan {
            run: self.run(seen.session).to_owned(),
            point: self.point.id.clone(),
            taken: self.point.started,
            checkpoint: self.request.checkpoint.clone(),
            vm: self.point.vm.name.clone(),
            host: self.host.name().to_owned(),
            kind,
            method,
            name,
            old_name: old.filter(|_| kind == RestoreKind::Beside).map(set_aside),
            identity: self.request.identity,
            configuration_folder,
            steps: Vec::new(),
            destroyed: Vec::new(),
            write_bytes: disks.iter().map(|disk| disk.write_bytes).sum(),
            write_is_exact: disks.iter().all(|disk| disk.is_exact),
            runs_still: seen.runs_still() && disks.iter().any(PlannedDisk::is_overwritten),
            disks,
            rate: WriteRate::known(&self.request.session_folder, &self.session_host),
            space: needs,
            adapters: by_name(orders),
            keep_memory: self.keeps_memory(kind),
            starts: seen.starts(self.request),
            findings,
            resumes: seen.session.is_some(),
            repository: self.repository.clone(),
            source: self.point.clone(),
            request: self.request.clone(),
            old: old.cloned(),
            remove,
            session_host: self.session_host.clone(),
            session: seen.session.cloned(),
            other: seen.other.cloned(),
            tree: whole_tree.cloned(),
            configuration,
            old_is_there: is_there,
            ran: seen.ran(),
            writer,
        };
        plan.destroyed = destroyed(&plan);
        plan.steps = steps(&plan);
        Ok(plan)
    }

    /// Returns the checkpoint tree where all of it comes back.
    fn whole_tree(&self, kind: RestoreKind) -> Option<&CheckpointTree> {
        let takes_all = matches!(
            kind,
            RestoreKind::NewVm | RestoreKind::Beside | RestoreKind::InPlace
        );
        let tree = self.tree.as_ref();
        tree.filter(|_| takes_all && !self.request.flatten)
    }

    fn keeps_memory(&self, kind: RestoreKind) -> bool {
        let has_none = matches!(
            kind,
            RestoreKind::FromConfiguration | RestoreKind::Configuration
        );
        self.request.keep_memory == Some(true) && !has_none
    }

    /// Returns the files that go once all is done, and what stays all the same.
    fn old_files(
        &self,
        seen: &Situation<'_>,
        disks: &[PlannedDisk],
        tree: Option<&CheckpointTree>,
    ) -> (Vec<String>, Vec<Finding>) {
        match (seen.kind, seen.old) {
            (RestoreKind::InPlace, Some(old)) => {
                let (remove, mut stay) = self.removed(old, disks, tree);
                stay.extend(self.other_branches(old, &remove));
                (remove, stay)
            }
            (RestoreKind::Finish, _) => {
                let remove = seen.session.map(|session| session.remove.clone());
                (remove.unwrap_or_default(), Vec::new())
            }
            _ => (Vec::new(), Vec::new()),
        }
    }

    /// Returns how network adapters come back, and what is to be said of all.
    fn judge(
        &self,
        seen: &Situation<'_>,
        configuration: Option<&VmConfiguration>,
        tree: Option<&CheckpointTree>,
    ) -> (Vec<AdapterOrder>, Vec<Finding>) {
        let (mut orders, mut findings) = (Vec::new(), Vec::new());
        if seen.kind == RestoreKind::Finish {
            return (orders, findings);
        }
        if let Some(configuration) = configuration.filter(|_| seen.kind != RestoreKind::Disks) {
            (orders, findings) = adapters(configuration, self.target, self.request);
        }
        let guest = guest_disks(self.repository, self.point);
        let facts = Facts {
            point: self.point,
            target: self.target,
            request: self.request,
            kind: seen.kind,
            configuration,
            old: seen.old,
            old_is_there: seen.there.is_some(),
            guest: &guest,
            tree,
            same_host: self.is_same_host(),
        };
        findings.extend(facts.findings());
        findings.extend(self.missing_vm(seen.old, seen.kind));
        findings.extend(self.wrong_disks());
        (orders, findings)
    }

    fn run<'b>(&'b self, session: Option<&'b RestoreSession>) -> &'b str {
        session.map_or(&self.request.run, |session| &session.run)
    }

    fn is_same_host(&self) -> bool {
        let of_point = self.point.host.to_lowercase();
        of_point == self.target.computer.to_lowercase()
            || of_point == self.host.name().to_lowercase()
    }

    fn name(&self) -> String {
        let asked = self.request.name.clone();
        asked.unwrap_or_else(|| self.point.vm.name.clone())
    }

    fn configuration(&self) -> Option<VmConfiguration> {
        let typed = self.point.configuration.clone();
        let typed = typed.and_then(|typed| serde_json::from_value(typed).ok());
        typed.or_else(|| {
            let mut files = self.point.files();
            let file = files.find(|file| file.role == StreamRole::Configuration)?;
            let bytes = read_configuration(self.repository, file).ok()?;
            VmConfiguration::from_bytes(&file.name, &bytes).ok()
        })
    }

    fn definition_bytes(&self, kind: RestoreKind) -> u64 {
        let stages = !matches!(
            kind,
            RestoreKind::FromConfiguration
                | RestoreKind::Disks
                | RestoreKind::Network
                | RestoreKind::Finish
        );
        let files = self.point.files().filter(|_| stages);
        files.map(|file| file.size_bytes).sum()
    }

    fn missing_vm(&self, old: Option<&TargetVm>, kind: RestoreKind) -> Option<Finding> {
        let needs = matches!(
            kind,
            RestoreKind::Disks | RestoreKind::Configuration | RestoreKind::Network
        );
        if !needs || old.is_some() {
            return None;
        }
        let wanted = match &self.request.part {
            RestorePart::Disks { attach_to, .. } => attach_to,
            _ => &self.point.vm.name,
        };
        let text = format!("{} has no one VM {wanted:?}", self.target.computer);
        Some(
            Finding::new("POINT-NO-TARGET-VM", Severity::Block, text)
                .cure("name a VM of the host by its GUID, or restore the whole VM"),
        )
    }

    fn wrong_disks(&self) -> Vec<Finding> {
        // Of a tree that cannot be understood no disk can be named.
        let count = crate::disk_count(self.point).unwrap_or(0);
        let asked = self.request.disks.iter().flatten();
        let wrong =
            asked.filter(|number| usize::try_from(**number).is_ok_and(|number| number >= count));
        wrong
            .map(|number| {
                let text = format!("the point has no disk {number}; it has {count}");
                Finding::new("POINT-NO-DISK", Severity::Block, text)
                    .cure("`lifeboat point show` lists its disks")
            })
            .collect()
    }
}

/// Returns the name that a VM which is set aside gets.
fn set_aside(old: &TargetVm) -> String {
    // An earlier restore may have given it such a name.
    let name = old.name.split(SET_ASIDE).next().unwrap_or(&old.name);
    let now = Timestamp::now().strftime("%Y-%m-%d %H:%M");
    format!("{name}{SET_ASIDE}{now})")
}

/// The disks of a VM that gets another configuration.
fn kept_disks(old: Option<&TargetVm>) -> Vec<PlannedDisk> {
    let disks = old.iter().flat_map(|old| &old.disks);
    let disks = (0..).zip(disks).map(|(number, (slot, path))| PlannedDisk {
        number,
        slot: Some(*slot),
        path: path.clone(),
        method: DiskMethod::Kept,
        size_bytes: 0,
        write_bytes: 0,
        is_exact: true,
        grow_bytes: 0,
        content: super::disk_source::DiskContent::Nothing,
        beside: None,
    });
    disks.collect()
}

/// Disks for another VM have no place of their own there yet.
fn beside_the_vm(disks: &mut [PlannedDisk]) {
    for disk in disks {
        disk.slot = None;
    }
}

/// Adapters without a name get one, since hosts tell them apart by it.
fn by_name(mut orders: Vec<AdapterOrder>) -> Vec<AdapterOrder> {
    for order in &mut orders {
        if order.name.is_empty() {
            "Network Adapter".clone_into(&mut order.name);
        }
    }
    orders
}
