//! Carries a plan out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use block_io::{DiskError, DiskErrorKind};
use hyperv_host::{
    Finding, PowerState, RestoreHost, Severity, StepObserver, TargetVm, WriterRestore,
};
use vm_config::DiskSlot;

use super::heard::Heard;
use super::host_path::{join, same};
use super::plan::{HostRestorePlan, RestoreKind, RestoreMethod};
use super::report::{HostRestoreFailure, HostRestoreObserver, HostRestoreReport};
use super::session::{RestoreSession, SessionFile};
use super::taking_back::STAGING;
use super::write_rate::WriteRate;
use crate::RestoreError;
use crate::error::Cause;

/// A VM that is restored and did not start.
const NOT_STARTED: &str = "POINT-NOT-STARTED";

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
    /// What was written as new files, and how long that took.
    pub(crate) new_files: (u64, Duration),
    /// The restored VM is not as it was asked for: it is not started.
    pub(crate) is_otherwise: bool,
    /// The restored VM may need the files that were set aside, or somebody who mends it: they stay.
    pub(crate) keeps_old: bool,
    /// What was begun with the host's VSS writer, and did not come to its end.
    pub(crate) writer: Option<Box<dyn WriterRestore + 'a>>,
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
            return Err(nothing_done(RestoreError::Blocked(Box::new(
                finding.clone(),
            ))));
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
            .map(|disk| (disk.content.key(), disk.made_as().to_owned()))
            .collect();
        let staging = join(
            &plan.configuration_folder,
            &format!("{STAGING}{}", plan.run),
        )?;
        let mut notes = Vec::new();
        let session = match plan.session.clone() {
            Some(session) if plan.kind == RestoreKind::Finish => session,
            Some(session) => RestoreSession {
                files,
                remove: plan.remove.clone(),
                ran: plan.ran,
                ..session
            },
            None => {
                notes.extend(plan.other.iter().flat_map(left_by));
                RestoreSession {
                    version: 1,
                    host: plan.session_host.clone(),
                    run: plan.run.clone(),
                    point: plan.point.clone(),
                    checkpoint: plan.checkpoint.clone(),
                    kind: plan.kind,
                    old: plan.old.clone(),
                    ran: plan.ran,
                    staging,
                    files,
                    made: BTreeSet::new(),
                    folders: Vec::new(),
                    kept: None,
                    leaving: false,
                    overwriting: false,
                    overwritten: false,
                    ranges: BTreeMap::new(),
                    imported: None,
                    remove: plan.remove.clone(),
                    bases: BTreeMap::new(),
                    through_writer: plan.method == RestoreMethod::Writer,
                    swaps: Vec::new(),
                    swapped: false,
                    wanted: Vec::new(),
                    as_asked: false,
                }
            }
        };
        let file = SessionFile::begin(
            &plan.request.session_folder,
            &plan.source.vm.identity,
            plan.session.as_ref().or(plan.other.as_ref()),
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
                started: false,
                findings: Vec::new(),
                notes,
            },
            file,
            old_is_there: plan.old_is_there,
            stopped: false,
            renamed: false,
            attached: Vec::new(),
            new_files: (0, Duration::ZERO),
            is_otherwise: false,
            keeps_old: false,
            writer: None,
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
            _ if self.plan.method == RestoreMethod::Writer => self.make_vm_through_writer()?,
            _ => self.make_vm()?,
        }
        let (bytes, took) = self.new_files;
        let folder = &self.plan.request.session_folder;
        WriteRate::note(folder, &self.plan.session_host, bytes, took);
        self.start_at_the_end();
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

    /// Ends a restore that died after its VM was made.
    fn take_over(&mut self) -> Result<(), Cause> {
        let session = &self.file.session;
        let target = self.host.target()?;
        let is_it = |vm: &&TargetVm| {
            let mut files = session.files.values();
            session.imported.as_deref() == Some(&*vm.identity)
                || session.swapped && vm.identity == self.plan.source.vm.identity
                || files.any(|file| vm.disks.iter().any(|(_, disk)| same(disk, file)))
        };
        let vm = target.vms.iter().find(is_it);
        let vm = vm.ok_or("what the restore that died had made was not whole, and was removed")?;
        self.report.identity.clone_from(&vm.identity);
        self.report.name.clone_from(&vm.name);
        let note = "a restore of this point that died had made the VM already: ask for it again if \
                    it is to come back once more";
        self.report.notes.push(note.to_owned());
        let identity = self.report.identity.clone();
        self.look_at_it_now(&identity);
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

    /// Starts the VM where the plan says so. All is restored by now, so a VM that does not start is
    /// no reason to take anything back. The session ends after it: a restore that dies here leaves
    /// a VM that the same restore, asked for again, starts.
    fn start_at_the_end(&mut self) {
        if !self.plan.starts || self.is_otherwise {
            return;
        }
        match self.power_on() {
            Ok(()) => self.report.started = true,
            Err(cause) => {
                let text = format!(
                    "{:?} is restored, and did not start: {cause}",
                    self.report.name
                );
                let finding = Finding::new(NOT_STARTED, Severity::Warn, text);
                self.warn(finding.cure("see why the host refuses, then start it by hand"));
            }
        }
    }

    fn power_on(&self) -> Result<(), Cause> {
        self.step("starting the VM")?;
        let vm = &self.report.identity;
        self.host.set_power(vm, PowerState::Running, &self.heard)?;
        Ok(())
    }

    pub(crate) fn warn(&mut self, finding: Finding) {
        self.report.findings.push(finding);
    }
}

/// Says what another restore that died may have left: nobody knows any more whether it is of use, so
/// all of it stays.
fn left_by(other: &RestoreSession) -> Vec<String> {
    let planned = other.files.values().chain(&other.remove);
    let swapped = other.swaps.iter().map(|swap| &swap.old);
    let paths = planned.chain(swapped).chain([&other.staging]);
    paths
        .map(|path| {
            format!(
                "a restore of point {} that died may have left {path}",
                other.point
            )
        })
        .collect()
}
