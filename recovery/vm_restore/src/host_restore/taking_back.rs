//! After a restore: what is not needed goes. After a failure: what was made goes, and what was
//! changed is given back.

use std::fs;

use hyperv_host::{PowerState, TargetVm};

use super::execution::Execution;
use super::file_users::{FileUsers, why_it_stays};
use super::host_path::{file_name, join};
use super::old_definition::order_to_bring_back;
use super::plan::RestoreKind;
use super::report::HostRestoreFailure;
use crate::RestoreError;
use crate::error::Cause;

/// What the name of the folder begins with in which a restore keeps what is there for a time.
pub(crate) const STAGING: &str = "lifeboat-restore-";

/// What Hyper-V keeps beside a disk: its records of what changed.
pub(crate) const TRACKING: [&str; 2] = [".rct", ".mrt"];

impl Execution<'_> {
    /// Removes what is not needed once the restore is done: nothing of that can fail it.
    pub(crate) fn put_in_order(&mut self) {
        let mut files = self.file.session.remove.clone();
        files.extend(self.set_aside());
        if self.keeps_old {
            files.clear();
        }
        // A checkpoint, or another VM, may have come to build upon one of them.
        let users = FileUsers::read(self.host);
        for path in files {
            if let Some(why) = why_it_stays(self.host, &users, &path) {
                self.report.notes.push(why);
                continue;
            }
            self.heard
                .observer
                .step(self.heard.vm, &format!("removing {path}"));
            match self.remove_files(&path, &["", TRACKING[0], TRACKING[1]]) {
                Ok(()) => self.report.removed.push(path),
                Err(error) => {
                    let note = format!("{path} could not be removed, and is not needed: {error}");
                    self.report.notes.push(note);
                }
            }
        }
        let mut left = Vec::new();
        match self.keeps_old {
            // The old VM's definition is in it.
            true => left.push(format!("{} stays", self.file.session.staging)),
            false => self.remove_staging(&mut left),
        }
        if let Err(error) = self.file.remove() {
            left.push(error.to_string());
        }
        self.report.notes.append(&mut left);
        if !matches!(self.plan.kind, RestoreKind::Network | RestoreKind::Disks) {
            let next = "the next backup of the VM reads its disks in full, because what a host \
                        tracked before a restore says nothing about them; almost nothing of that \
                        is stored again";
            self.report.notes.push(next.to_owned());
        }
    }

    /// Removes the files of a path with each of these at its end, where they are there.
    pub(crate) fn remove_files(&self, path: &str, ends: &[&str]) -> Result<(), Cause> {
        for suffix in ends {
            let local = self.host.local_path(&format!("{path}{suffix}"))?;
            match fs::remove_file(&local) {
                // A restore that died may have removed it.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
        Ok(())
    }

    fn remove_staging(&self, left: &mut Vec<String>) {
        let staging = &self.file.session.staging;
        // A session's text alone is no reason to remove a folder.
        if !file_name(staging).starts_with(STAGING) {
            left.push(format!("{staging} is no folder of a restore, and stays"));
            return;
        }
        let removed = self
            .host
            .local_path(staging)
            .map(|local| match fs::remove_dir_all(&local) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                result => result,
            });
        match removed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => left.push(format!("{staging} could not be removed: {error}")),
            Err(error) => left.push(format!("{staging} could not be removed: {error}")),
        }
    }

    /// Takes back what was done, as far as that can be.
    pub(crate) fn roll_back(&mut self, error: RestoreError) -> HostRestoreFailure {
        let mut failure = HostRestoreFailure {
            error,
            undone: Vec::new(),
            left: Vec::new(),
            can_go_on: false,
        };
        let session = &self.file.session;
        if self.plan.kind == RestoreKind::Finish || session.imported.is_some() || self.is_made() {
            let left = "the VM is made, and some of what the restore needed is left: run the same \
                        restore again, and it is put in order";
            failure.left.push(left.to_owned());
            failure.can_go_on = true;
            return failure;
        }
        if session.overwriting && !session.overwritten {
            let name = session.old.as_ref().map_or("", |old| &*old.name);
            failure.left.push(format!(
                "disks of {name:?} are partly written over, so it is not put back on the host: run \
                 the same restore again, and it goes on"
            ));
            failure.can_go_on = true;
            return failure;
        }
        if self
            .writer
            .as_ref()
            .is_some_and(|writer| writer.is_unsettled())
        {
            let left = "the host's VSS writer may still do what it was asked, so nothing is taken \
                        back and all files stay: see whether the VM is on the host, then run the \
                        same restore again, and it goes on";
            failure.left.push(left.to_owned());
            failure.can_go_on = true;
            return failure;
        }
        if let Err(cause) = self.swap_back() {
            failure.left.push(format!(
                "files could not be given their names again ({cause}): run the same restore again"
            ));
            failure.can_go_on = true;
            return failure;
        }
        self.detach(&mut failure);
        self.rename_back(&mut failure);
        let is_back =
            match self.bring_back(&mut failure) {
                Ok(is_back) => is_back,
                Err(cause) => {
                    failure.left.push(format!(
                    "the old VM could not be put back ({cause}): run the same restore again, or \
                     import {}",
                    self.file.session.kept.as_deref().unwrap_or("its definition")
                ));
                    failure.can_go_on = true;
                    return failure;
                }
            };
        self.start_again(is_back, &mut failure);
        let told = match self.writer.take() {
            Some(writer) => writer.give_up(),
            // A try that died has told the host what this one has taken back.
            None if self.file.session.through_writer => {
                self.host.settle_restores().unwrap_or_default()
            }
            None => Vec::new(),
        };
        let left = told.into_iter().map(|finding| finding.text);
        failure.left.extend(left);
        self.remove_made(&mut failure);
        self.remove_staging(&mut failure.left);
        if let Err(error) = self.file.remove() {
            failure.left.push(error.to_string());
        }
        failure
    }

    /// Says whether a VM has one of the new files for a disk, whatever the host answered. Where it
    /// does not answer, none of them is touched.
    fn is_made(&self) -> bool {
        let session = &self.file.session;
        if session.swapped {
            let identity = &self.plan.source.vm.identity;
            let target = self.host.target();
            return target.map_or(true, |target| {
                target.vms.iter().any(|vm| vm.identity == *identity)
            });
        }
        if self.plan.kind == RestoreKind::Disks || session.files.is_empty() {
            return false;
        }
        let Ok(target) = self.host.target() else {
            return true;
        };
        target.vms.iter().any(|vm| session.is_file_of(vm))
    }

    fn detach(&self, failure: &mut HostRestoreFailure) {
        let Some(vm) = self.plan.old.as_ref() else {
            return;
        };
        for slot in &self.attached {
            match self.host.detach_disk(&vm.identity, *slot) {
                Ok(()) => failure
                    .undone
                    .push(format!("a disk was taken from {:?} again", vm.name)),
                Err(error) => failure
                    .left
                    .push(format!("a disk of {:?}: {error}", vm.name)),
            }
        }
    }

    fn rename_back(&self, failure: &mut HostRestoreFailure) {
        let Some(vm) = self.plan.old.as_ref() else {
            return;
        };
        // As it was before the first try of this restore.
        let first = self.file.session.old.as_ref().unwrap_or(vm);
        let by_us = self.renamed || vm.name != first.name;
        if self.plan.kind != RestoreKind::Beside || !by_us {
            return;
        }
        match self.host.rename(&vm.identity, &first.name) {
            Ok(()) => failure
                .undone
                .push(format!("{:?} has its name again", first.name)),
            Err(error) => failure
                .left
                .push(format!("the name of {:?}: {error}", first.name)),
        }
    }

    /// Registers the old VM again where it was taken from the host. Returns whether its disks are
    /// as they were.
    fn bring_back(&self, failure: &mut HostRestoreFailure) -> Result<bool, Cause> {
        let session = &self.file.session;
        let Some(old) = session.old.as_ref().filter(|_| session.leaving) else {
            return Ok(true);
        };
        let is_there = |vms: &[TargetVm]| vms.iter().any(|vm| vm.identity == old.identity);
        if !is_there(&self.host.target()?.vms) {
            let kept = session
                .kept
                .as_deref()
                .ok_or("its definition was not kept")?;
            let folder = join(&session.staging, "old")?;
            let order = order_to_bring_back(self.host, session, old, (kept, &folder))?;
            let back = self.host.import(&order, &self.heard)?;
            let found = back.findings.into_iter();
            failure.left.extend(found.map(|finding| finding.text));
            failure
                .undone
                .push(format!("{:?} is on the host again", old.name));
        }
        if session.overwritten {
            failure.left.push(format!(
                "the disks of {:?} hold what the point has: they were written over already",
                old.name
            ));
        }
        Ok(!session.overwritten)
    }

    fn start_again(&self, is_as_it_was: bool, failure: &mut HostRestoreFailure) {
        let by_us = self.stopped || self.plan.resumes;
        let old = self.plan.old.as_ref();
        let Some(old) = old.filter(|_| by_us && self.plan.ran && is_as_it_was) else {
            return;
        };
        match self
            .host
            .set_power(&old.identity, PowerState::Running, &self.heard)
        {
            Ok(_) => failure.undone.push(format!("{:?} runs again", old.name)),
            Err(error) => failure
                .left
                .push(format!("{:?} does not run: {error}", old.name)),
        }
    }

    /// Names files that are where those of this restore go, and that it has not noted to be its own:
    /// one that died may have finished them, so they are told, and nobody's file is removed.
    fn tell_unclaimed(&self, failure: &mut HostRestoreFailure) {
        let session = &self.file.session;
        let files = session.files.values().filter(|_| self.plan.resumes);
        for path in files.filter(|path| !session.made.contains(*path)) {
            let local = self.host.local_path(path).ok();
            if local.is_some_and(|local| local.symlink_metadata().is_ok()) {
                failure.left.push(format!(
                    "{path} stays: the restore that died may have finished it, or it is somebody \
                     else's"
                ));
            }
        }
    }

    /// Removes the new files, and folders that were made for them and are empty.
    fn remove_made(&self, failure: &mut HostRestoreFailure) {
        let users = FileUsers::read(self.host);
        for path in &self.file.session.made {
            let Ok(local) = self.host.local_path(path) else {
                continue;
            };
            if let Some(why) = why_it_stays(self.host, &users, path) {
                failure.left.push(why);
                continue;
            }
            match fs::remove_file(&local) {
                Ok(()) => failure.undone.push(format!("{path} was removed")),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => failure
                    .left
                    .push(format!("{path} could not be removed: {error}")),
            }
        }
        self.tell_unclaimed(failure);
        // The staging folder may lie in one of them.
        self.remove_staging(&mut Vec::new());
        for folder in self.file.session.folders.iter().rev() {
            drop(fs::remove_dir(folder));
        }
    }
}
