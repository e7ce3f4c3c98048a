//! Plans a restore to a host. Nothing is touched.

use std::collections::HashSet;

use hyperv_host::{
    AdapterOrder, CheckpointTree, Finding, RestoreHost, Severity, TargetHost, TargetVm,
};
use jiff::Timestamp;
use repository::{Repository, RestorePoint, StreamRole};
use vm_config::{DiskSlot, VmConfiguration};

use super::existing_disk::{files_of, open_beside};
use super::file_users::FileUsers;
use super::findings::Facts;
use super::guest_disk::guest_disks;
use super::host_path::same;
use super::network::adapters;
use super::placing::Placing;
use super::plan::{DiskMethod, HostRestorePlan, PlannedDisk, RestoreKind};
use super::request::{HostRestoreRequest, RestorePart};
use super::session::{RestoreSession, read_session, session_file, session_host};
use super::situation::{Situation, as_it_can_be};
use super::space::space;
use super::steps::{destroyed, steps};
use crate::new_files::read_configuration;
use crate::point_disk::{disk_id_of, slot_of};
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
    let failed = |cause: crate::error::Cause| {
        let what = format!(
            "cannot plan to restore {} to {}",
            point.vm.name,
            host.name()
        );
        RestoreError::new(what, cause)
    };
    let target = host.target().map_err(|error| failed(error.into()))?;
    let session_host = session_host(host.name(), &target);
    let session = read_session(&request.session_folder, &session_host, &point.vm.identity)
        .map_err(|error| failed(error.into()))?;
    let request = as_it_can_be(request);
    let planning = Planning {
        repository,
        point,
        host,
        target: &target,
        request: &request,
        session: session.as_ref(),
        session_host,
        users: FileUsers::of(host, &target.vms),
        tree: checkpoint_tree(point)?,
    };
    planning.plan()
}

struct Planning<'a> {
    repository: &'a Repository,
    point: &'a RestorePoint,
    host: &'a dyn RestoreHost,
    target: &'a TargetHost,
    request: &'a HostRestoreRequest,
    session: Option<&'a RestoreSession>,
    session_host: String,
    users: FileUsers,
    tree: Option<CheckpointTree>,
}

impl Planning<'_> {
    fn plan(&self) -> Result<HostRestorePlan, RestoreError> {
        let seen = Situation::of(self.point, self.target, self.request, self.session);
        let (kind, old, is_there) = (seen.kind, seen.old, seen.there.is_some());
        let tree = self.tree.as_ref();
        let whole_tree = tree.filter(|_| {
            !self.request.flatten
                && matches!(
                    kind,
                    RestoreKind::NewVm | RestoreKind::Beside | RestoreKind::InPlace
                )
        });
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
            findings: Vec::new(),
            taken: HashSet::new(),
        };
        let mut disks = match (kind, whole_tree) {
            (RestoreKind::Network | RestoreKind::Finish, _) => Vec::new(),
            (RestoreKind::Configuration, _) => kept_disks(old),
            (_, Some(tree)) => placing.images(tree)?,
            (_, None) => placing.flat_disks()?,
        };
        if kind == RestoreKind::Disks {
            beside_the_vm(&mut disks);
        }
        let name = self.name();
        let configuration_folder = placing.configuration_folder(&name);
        let configuration = self.configuration();
        let mut findings = placing.findings;
        let (orders, found) = self.judge(&seen, configuration.as_ref(), whole_tree);
        findings.extend(found);
        let extra = self.definition_bytes(kind);
        let (needs, short) = space(&disks, (&configuration_folder, extra), self.target);
        findings.extend(short);
        findings.extend(seen.other.and_then(|other| self.died(other)));
        findings.extend(self.in_use(old, &disks));
        let remove = match (kind, old) {
            (RestoreKind::InPlace, Some(old)) => {
                let (remove, stay) = self.removed(old, &disks, whole_tree);
                findings.extend(stay);
                remove
            }
            (RestoreKind::Finish, _) => seen.session.map_or_else(Vec::new, |s| s.remove.clone()),
            _ => Vec::new(),
        };
        let keep_memory = self.request.keep_memory == Some(true)
            && !matches!(
                kind,
                RestoreKind::FromConfiguration | RestoreKind::Configuration
            );
        let mut plan = HostRestorePlan {
            run: seen
                .session
                .map_or_else(|| self.request.run.clone(), |s| s.run.clone()),
            point: self.point.id.clone(),
            taken: self.point.started,
            vm: self.point.vm.name.clone(),
            host: self.host.name().to_owned(),
            kind,
            name,
            old_name: old.filter(|_| kind == RestoreKind::Beside).map(set_aside),
            identity: self.request.identity,
            configuration_folder,
            steps: Vec::new(),
            destroyed: Vec::new(),
            write_bytes: disks.iter().map(|disk| disk.write_bytes).sum(),
            write_is_exact: disks.iter().all(|disk| disk.is_exact),
            disks,
            space: needs,
            adapters: by_name(orders),
            keep_memory,
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
        };
        plan.destroyed = destroyed(&plan);
        plan.steps = steps(&plan);
        Ok(plan)
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
        let count = crate::disk_count(self.point);
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

    /// Another restore that died with the VM away from its host has the only copy of the VM's
    /// definition, and knows how far its disks were written over.
    fn died(&self, other: &RestoreSession) -> Option<Finding> {
        if !other.leaving || other.imported.is_some() {
            return None;
        }
        let name = other
            .old
            .as_ref()
            .map_or(&*self.point.vm.name, |old| &*old.name);
        let file = session_file(
            &self.request.session_folder,
            &self.session_host,
            &self.point.vm.identity,
        );
        let text = format!(
            "a restore of {name:?} from point {} died when the VM was away from {}",
            other.point,
            self.host.name()
        );
        let cure = format!(
            "ask for that restore again: it goes on, or puts the VM back; or, once the VM and its \
             disks are in order, remove {}",
            file.display()
        );
        Some(Finding::new("POINT-RESTORE-DIED", Severity::Block, text).cure(cure))
    }

    /// Nothing is written over that another VM uses, as a disk or as the parent of one.
    fn in_use(&self, old: Option<&TargetVm>, disks: &[PlannedDisk]) -> Vec<Finding> {
        let except = old.map(|old| &*old.identity);
        let over = disks.iter().filter(|disk| disk.is_overwritten());
        over.filter_map(|disk| {
            let user = self.users.user_of(self.host, &disk.path, except)?;
            let text = format!(
                "{} is a disk of {user:?} as well, or what a disk of it is built upon",
                disk.path
            );
            let cure = "set the VM aside (`--in-place --keep-old`), or restore with a new identity \
                        (`--new-identity`)";
            Some(Finding::new("POINT-DISK-IN-USE", Severity::Block, text).cure(cure))
        })
        .collect()
    }

    /// Returns the files of the old VM that are not needed once the restored one is there, and what
    /// of its disks stays all the same: what another VM uses, and what is not the point's disk.
    fn removed(
        &self,
        old: &TargetVm,
        disks: &[PlannedDisk],
        tree: Option<&CheckpointTree>,
    ) -> (Vec<String>, Vec<Finding>) {
        let replaced = |slot| match tree {
            Some(tree) => tree.active.iter().any(|disk| disk.slot == Some(slot)),
            None => disks
                .iter()
                .any(|disk| disk.slot == Some(slot) && disk.method == DiskMethod::NewFile),
        };
        let (mut files, mut stay) = (Vec::new(), Vec::new());
        for (slot, leaf) in old.disks.iter().filter(|(slot, _)| replaced(*slot)) {
            let except = Some(&*old.identity);
            let own = files_of(self.host, leaf);
            let is_used = |path: &String| self.users.user_of(self.host, path, except).is_some();
            if own.iter().any(is_used) || !self.is_the_points(*slot, leaf, tree) {
                let text = format!(
                    "{leaf} is not the disk that the point has there, or another VM uses it: the \
                     file stays, and is no disk of the restored VM"
                );
                let cure = "attach it again, or remove it, once the VM is as it should be";
                let finding = Finding::new("POINT-DISK-STAYS", Severity::Warn, text);
                stay.push(finding.cure(cure));
                continue;
            }
            let own = own.into_iter();
            files.extend(own.filter(|path| !disks.iter().any(|disk| same(&disk.path, path))));
        }
        files.sort_unstable();
        files.dedup();
        (files, stay)
    }

    /// Says whether the old VM's disk at a slot is the disk that the point has there: by the virtual
    /// disk's own id, or where there is none to be read, by its path.
    fn is_the_points(&self, slot: DiskSlot, leaf: &str, tree: Option<&CheckpointTree>) -> bool {
        let mut active = tree.iter().flat_map(|tree| &tree.active);
        let stream = match active.find(|disk| disk.slot == Some(slot)) {
            Some(disk) => {
                let mut images = self.point.images.iter();
                images.find(|image| image.name == disk.image)
            }
            None => self
                .point
                .disks()
                .find(|stream| slot_of(stream) == Some(slot)),
        };
        let Some(stream) = stream else {
            return false;
        };
        let local = self.host.local_path(leaf).ok();
        let image = local.and_then(|local| open_beside(&local).ok());
        match (image.and_then(|image| image.disk_id()), disk_id_of(stream)) {
            (Some(there), Some(of_point)) => there == of_point,
            _ => same(leaf, &stream.source_path),
        }
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
