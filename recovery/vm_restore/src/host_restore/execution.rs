//! Carries a plan out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use block_io::{DiskError, DiskErrorKind};
use disk_image::CopyObserver;
use hyperv_host::{
    Finding, ImportOrder, NewVmOrder, PlacedDisk, PowerState, RestoreHost, RestoredVm,
    StepObserver, TargetVm,
};
use repository::StreamObserver;
use vm_config::DiskSlot;

use super::disk_source::DiskContent;
use super::host_path::{join, same};
use super::plan::{HostRestorePlan, PlannedDisk, RestoreKind};
use super::report::{DiskReport, HostRestoreFailure, HostRestoreObserver, HostRestoreReport};
use super::session::{RestoreSession, SessionFile};
use super::staging::{StagedDefinition, stage};
use crate::RestoreError;
use crate::error::Cause;
use crate::image_names::ImageNames;
use crate::new_files::make_folder;
use crate::vm_restore::lost_parents;

/// A plan that is being carried out.
pub(crate) struct Execution<'a> {
    pub(crate) plan: &'a HostRestorePlan,
    pub(crate) host: &'a dyn RestoreHost,
    pub(crate) heard: Heard<'a>,
    pub(crate) file: SessionFile,
    pub(crate) report: HostRestoreReport,
    /// The VM that was there is on the host.
    pub(crate) old_is_there: bool,
    /// A VM was turned off.
    pub(crate) stopped: bool,
    /// The VM that was there has another name now.
    pub(crate) renamed: bool,
    /// Disks that were attached.
    pub(crate) attached: Vec<DiskSlot>,
}

/// Tells one observer what disks, repository and host tell.
#[derive(Clone, Copy)]
pub(crate) struct Heard<'a> {
    pub(crate) vm: &'a str,
    pub(crate) observer: &'a dyn HostRestoreObserver,
}

impl CopyObserver for Heard<'_> {
    fn advanced(&self, bytes: u64) {
        self.observer.advanced(self.vm, bytes);
    }
    fn cancelled(&self) -> bool {
        self.observer.cancelled()
    }
}

impl StreamObserver for Heard<'_> {
    fn advanced(&self, bytes: u64, _: u64) {
        self.observer.advanced(self.vm, bytes);
    }
    fn cancelled(&self) -> bool {
        self.observer.cancelled()
    }
}

impl StepObserver for Heard<'_> {
    fn step(&self, text: &str) {
        self.observer.step(self.vm, text);
    }
    fn cancelled(&self) -> bool {
        self.observer.cancelled()
    }
}

impl HostRestorePlan {
    /// Carries the plan out. Whatever fails, what was made is removed and what was changed is given
    /// back, but for disks that were being written over: then the same restore, asked for again,
    /// goes on.
    ///
    /// # Errors
    ///
    /// `Blocked` where a finding stands in the way: nothing was done then.
    pub fn execute(
        &self,
        host: &dyn RestoreHost,
        observer: &dyn HostRestoreObserver,
    ) -> Result<HostRestoreReport, HostRestoreFailure> {
        let nothing_done = |error| HostRestoreFailure {
            error,
            undone: Vec::new(),
            left: Vec::new(),
            can_go_on: self.session.is_some(),
        };
        if let Some(finding) = self.block() {
            return Err(nothing_done(RestoreError::Blocked(finding.clone())));
        }
        let begun = Execution::begin(self, host, observer);
        let mut execution =
            begun.map_err(|cause| nothing_done(RestoreError::new(self.failed_at(), cause)))?;
        match execution.run() {
            Ok(()) => Ok(execution.report),
            Err(cause) => Err(execution.roll_back(RestoreError::new(self.failed_at(), cause))),
        }
    }

    fn failed_at(&self) -> String {
        format!("cannot restore {} to {}", self.vm, self.host)
    }
}

impl<'a> Execution<'a> {
    /// Writes down what is about to be done.
    fn begin(
        plan: &'a HostRestorePlan,
        host: &'a dyn RestoreHost,
        observer: &'a dyn HostRestoreObserver,
    ) -> Result<Self, Cause> {
        let new = plan.disks.iter().filter(|disk| disk.is_new());
        let files: BTreeMap<String, String> = new
            .map(|disk| (disk.content.key(), disk.path.clone()))
            .collect();
        let staging = join(
            &plan.configuration_folder,
            &format!("lifeboat-restore-{}", plan.run),
        )?;
        let earlier = plan.session.clone();
        let mut notes = Vec::new();
        let session = match earlier {
            Some(session) if session.point == plan.point && session.kind == plan.kind => {
                RestoreSession { files, ..session }
            }
            Some(session) if plan.kind == RestoreKind::Finish => session,
            earlier => {
                let stale = earlier.as_ref();
                if let Some(stale) = stale {
                    clear(stale, host, &mut notes)?;
                }
                RestoreSession {
                    version: 1,
                    run: plan.run.clone(),
                    point: plan.point.clone(),
                    kind: plan.kind,
                    old: plan.old.clone(),
                    staging: stale.map_or(staging, |stale| stale.staging.clone()),
                    files,
                    folders: Vec::new(),
                    kept: stale.and_then(|stale| stale.kept.clone()),
                    leaving: stale.is_some_and(|stale| stale.leaving) && !plan.old_is_there,
                    overwriting: false,
                    overwritten: false,
                    ranges: BTreeMap::new(),
                    imported: None,
                    remove: plan.remove.clone(),
                }
            }
        };
        let file = SessionFile::begin(
            &plan.request.session_folder,
            &plan.source.vm.identity,
            session,
        )?;
        let old = plan.old.as_ref();
        Ok(Self {
            plan,
            host,
            heard: Heard {
                vm: &plan.vm,
                observer,
            },
            report: HostRestoreReport {
                kind: plan.kind,
                point: plan.point.clone(),
                host: plan.host.clone(),
                identity: old.map_or_else(String::new, |old| old.identity.clone()),
                name: plan.name.clone(),
                disks: Vec::new(),
                compared_bytes: 0,
                written_bytes: 0,
                removed: Vec::new(),
                resumed: plan.resumes,
                findings: Vec::new(),
                notes,
            },
            file,
            old_is_there: plan.old_is_there,
            stopped: false,
            renamed: false,
            attached: Vec::new(),
        })
    }

    fn run(&mut self) -> Result<(), Cause> {
        let left = self.host.settle_restores()?;
        self.report.findings.extend(left);
        if self.plan.resumes {
            // What the dead restore had half made is gone now.
            self.old_is_there = self.is_old_there()?;
        }
        match self.plan.kind {
            RestoreKind::Finish => self.take_over()?,
            RestoreKind::Network => self.set_network()?,
            RestoreKind::Disks => self.attach_disks()?,
            _ => self.make_vm()?,
        }
        self.put_in_order();
        Ok(())
    }

    pub(crate) fn step(&self, text: &str) -> Result<(), Cause> {
        self.heard.step(text);
        if StepObserver::cancelled(&self.heard) {
            return Err(DiskError::new(DiskErrorKind::Cancelled, "cancelled").into());
        }
        Ok(())
    }

    /// Makes the files that are new. What a restore that died has finished is not made again.
    pub(crate) fn make_disks(&mut self) -> Result<(), Cause> {
        let plan = self.plan;
        let disks = plan.disks.iter().filter(|disk| disk.is_new());
        for disk in disks {
            self.step(&format!("writing {}", disk.path))?;
            let local = self.host.local_path(&disk.path)?;
            let mut made = Vec::new();
            let folder = local.parent().unwrap_or(&local);
            make_folder(folder, &mut made)?;
            if !made.is_empty() {
                self.file.note(|session| session.folders.extend(made))?;
            }
            let mut report = report_of(disk);
            let is_done = plan.resumes && local.symlink_metadata().is_ok();
            if is_done {
                CopyObserver::advanced(&self.heard, disk.size_bytes);
            } else {
                let anew = plan.kind == RestoreKind::Disks;
                let content: DiskContent = disk.content;
                let copy =
                    content.write(&plan.repository, &plan.source, &local, anew, &self.heard)?;
                report.read_bytes = copy.bytes_read;
                report.written_bytes = copy.bytes_written;
            }
            self.add(report);
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, report: DiskReport) {
        self.report.compared_bytes += report.compared_bytes;
        self.report.written_bytes += report.written_bytes;
        self.report.disks.push(report);
    }

    fn make_vm(&mut self) -> Result<(), Cause> {
        let plan = self.plan;
        self.make_disks()?;
        let staged = match plan.kind {
            RestoreKind::FromConfiguration => None,
            _ => {
                self.step("putting the definition files in place")?;
                let folder = self.point_folder()?;
                let (repository, point) = (&plan.repository, &plan.source);
                Some(stage(
                    repository,
                    point,
                    self.host,
                    &folder,
                    plan.tree.is_some(),
                )?)
            }
        };
        if let (RestoreKind::Beside, Some(old), Some(name)) = (plan.kind, &plan.old, &plan.old_name)
        {
            self.step("setting the old VM aside")?;
            self.renamed = true;
            self.host.rename(&old.identity, name)?;
        }
        if let (RestoreKind::InPlace | RestoreKind::Configuration, Some(old)) =
            (plan.kind, &plan.old)
        {
            self.take_away(old)?;
            self.write_over(old)?;
        }
        self.step("making the VM")?;
        let made = self.import(staged)?;
        self.report.identity.clone_from(&made.identity);
        self.report.name.clone_from(&made.name);
        self.report.findings.extend(made.findings);
        // The VM is there: from here on nothing is given back.
        let noted = self
            .file
            .note(|session| session.imported = Some(made.identity.clone()));
        if let Err(error) = noted {
            self.report.notes.push(error.to_string());
        }
        if let Some(tree) = &plan.tree {
            self.look_at_parents(tree);
        }
        Ok(())
    }

    fn point_folder(&self) -> Result<String, DiskError> {
        join(&self.file.session.staging, "point")
    }

    fn import(&self, staged: Option<StagedDefinition>) -> Result<RestoredVm, Cause> {
        let plan = self.plan;
        let disks = self.placed();
        let Some(staged) = staged else {
            let configuration = plan.configuration.clone();
            let order = NewVmOrder {
                configuration: configuration
                    .ok_or("the point does not say what the VM is made of")?,
                name: plan.name.clone(),
                configuration_folder: plan.configuration_folder.clone(),
                disks,
                adapters: plan.adapters.clone(),
                run: plan.run.clone(),
            };
            return Ok(self.host.create(&order, &self.heard)?);
        };
        let order = ImportOrder {
            definition: staged.definition,
            checkpoint_folder: staged.checkpoint_folder,
            identity: plan.identity,
            name: Some(plan.name.clone()),
            configuration_folder: plan.configuration_folder.clone(),
            disks,
            adapters: plan.adapters.clone(),
            keep_memory: plan.keep_memory,
            run: plan.run.clone(),
        };
        Ok(self.host.import(&order, &self.heard)?)
    }

    /// Says which disk is where, in the VM and in its checkpoints.
    fn placed(&self) -> Vec<PlacedDisk> {
        let plan = self.plan;
        let of_vm = plan.disks.iter().filter_map(|disk| {
            Some(PlacedDisk {
                checkpoint: None,
                slot: disk.slot?,
                path: disk.path.clone(),
            })
        });
        let mut placed: Vec<PlacedDisk> = of_vm.collect();
        let nodes = plan.tree.iter().flat_map(|tree| &tree.checkpoints);
        for node in nodes {
            for disk in &node.disks {
                let at = plan
                    .source
                    .images
                    .iter()
                    .position(|image| image.name == disk.image);
                let content = at.map(DiskContent::Image);
                let mut disks = plan.disks.iter();
                let file = disks.find(|file| Some(file.content) == content);
                if let (Some(file), Some(slot)) = (file, disk.slot) {
                    placed.push(PlacedDisk {
                        checkpoint: Some(node.id.clone()),
                        slot,
                        path: file.path.clone(),
                    });
                }
            }
        }
        placed
    }

    /// Says which images do not find their parents in their new place.
    fn look_at_parents(&mut self, tree: &hyperv_host::CheckpointTree) {
        let names = ImageNames::of(&self.plan.source);
        let mut disks = self.plan.disks.iter();
        let root = disks.find_map(|disk| {
            let DiskContent::Image(at) = disk.content else {
                return None;
            };
            let name = names.get(&self.plan.source.images.get(at)?.name);
            let depth = name.split('/').count();
            let local: PathBuf = self.host.local_path(&disk.path).ok()?;
            local.ancestors().nth(depth).map(PathBuf::from)
        });
        if let Some(root) = root {
            self.report
                .notes
                .extend(lost_parents(&root, &names.renamed(tree)));
        }
    }

    /// Ends a restore that died after its VM was made.
    fn take_over(&mut self) -> Result<(), Cause> {
        let session = &self.file.session;
        let target = self.host.target()?;
        let is_it = |vm: &&TargetVm| {
            let mut files = session.files.values();
            session.imported.as_deref() == Some(&*vm.identity)
                || files.any(|file| vm.disks.iter().any(|(_, disk)| same(disk, file)))
        };
        let vm = target.vms.iter().find(is_it);
        let vm = vm.ok_or("what the restore that died had made was not whole, and was removed")?;
        self.report.identity.clone_from(&vm.identity);
        self.report.name.clone_from(&vm.name);
        Ok(())
    }

    fn is_old_there(&self) -> Result<bool, Cause> {
        let Some(old) = &self.plan.old else {
            return Ok(false);
        };
        let target = self.host.target()?;
        Ok(target.vms.iter().any(|vm| vm.identity == old.identity))
    }

    /// Turns a VM off that has to be.
    pub(crate) fn stop(&mut self, vm: &TargetVm) -> Result<(), Cause> {
        if matches!(vm.state, PowerState::Off | PowerState::Saved) {
            return Ok(());
        }
        self.step("turning the VM off")?;
        self.stopped = true;
        self.host
            .set_power(&vm.identity, PowerState::Off, &self.heard)?;
        Ok(())
    }

    pub(crate) fn warn(&mut self, finding: Finding) {
        self.report.findings.push(finding);
    }
}

pub(crate) fn report_of(disk: &PlannedDisk) -> DiskReport {
    DiskReport {
        number: disk.number,
        path: disk.path.clone(),
        method: disk.method,
        size_bytes: disk.size_bytes,
        compared_bytes: 0,
        read_bytes: 0,
        written_bytes: 0,
    }
}

/// Removes what a restore of something else has made and not used. What of the old VM it was about
/// to remove stays, and is told.
fn clear(
    stale: &RestoreSession,
    host: &dyn RestoreHost,
    notes: &mut Vec<String>,
) -> Result<(), Cause> {
    let vms = host.target()?.vms;
    let is_used = |path: &str| {
        vms.iter()
            .any(|vm| vm.disks.iter().any(|(_, disk)| same(disk, path)))
    };
    for path in stale.files.values().filter(|path| !is_used(path)) {
        let local = host.local_path(path)?;
        if local.symlink_metadata().is_ok() {
            std::fs::remove_file(&local)
                .map_err(|error| DiskError::io(path, "cannot remove this file", error))?;
        }
    }
    let stays = stale.remove.iter().filter(|_| stale.imported.is_some());
    notes.extend(stays.map(|path| format!("a restore that died has left {path}")));
    Ok(())
}
