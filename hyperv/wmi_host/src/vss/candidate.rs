//! A VM that is to be frozen by a set of volume snapshots.

use disk_image::WindowsPath;
use hyperv_host::{
    BackupMethod, BackupRequest, Finding, HostError, HostErrorKind, LeftOut, PowerState,
    PreviousBackup, StepObserver, VmEntry,
};
use uuid::Uuid;

use super::checkpoints::{Checkpoints, same_checkpoints};
use super::parent_paths::parent_paths;
use super::power::give_back;
use crate::backup::clean_up::{MERGE_WAIT, kept_points};
use crate::backup::link::Link;
use crate::backup::{Asked, Ready, with_what_is_left};
use crate::facts::VmFacts;
use crate::journal::OpenEntry;
use crate::plan::{Expected, Way, expected_through};
use crate::replication;
use crate::residue::{Fate, settle, undo};

/// A VM that is to be frozen by a set of volume snapshots.
pub(super) struct Candidate {
    pub(super) link: Link,
    /// What the inventory says of it.
    pub(super) listed: VmEntry,
    /// The VM right before.
    pub(super) vm: VmFacts,
    /// The checkpoints that people made of it.
    pub(super) checkpoints: Checkpoints,
    pub(super) request: BackupRequest,
    /// Who holds it still.
    pub(super) way: Way,
    pub(super) method: BackupMethod,
    /// The level to expect, and whether the guest is to take part.
    pub(super) expected: Expected,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) findings: Vec<Finding>,
    /// `None` once the run has ended.
    pub(super) entry: Option<OpenEntry>,
}

impl Candidate {
    /// Takes a VM that nothing stands in the way of. It is in the journal from now on.
    pub(super) fn of(
        asked: &Asked<'_>,
        ready: Ready,
        way: Way,
        previous: Option<&PreviousBackup>,
    ) -> Result<Self, HostError> {
        let checkpoints = Checkpoints::read(&ready.link, &ready.facts)?;
        let entry = ready.begin_entry(asked.request, previous)?;
        Ok(Self {
            checkpoints,
            listed: asked.vm.clone(),
            request: asked.request.clone(),
            way,
            method: ready.choice.method,
            expected: expected_through(&ready.facts, way, &asked.state.windows),
            left_out: ready.left_out,
            findings: ready.findings,
            entry: Some(entry),
            link: ready.link,
            vm: ready.facts,
        })
    }

    pub(super) fn id(&self) -> Uuid {
        self.vm.id
    }

    /// Returns the journal's entry.
    pub(super) fn entry(&mut self) -> Result<&mut OpenEntry, HostError> {
        let name = &self.vm.name;
        self.entry.as_mut().ok_or_else(|| {
            let text = format!("the run of the VM {name} has ended");
            HostError::new(HostErrorKind::Refused, text)
        })
    }

    /// Returns the files whose volumes are snapped, as the host names them: those of its disks, and
    /// of the disks of its checkpoints.
    pub(super) fn disk_paths(&self) -> Vec<String> {
        let checkpoints = self.checkpoints.iter().flat_map(|(_, disks)| disks);
        let disks = self.vm.disks.iter().chain(checkpoints);
        let disks = disks.filter(|disk| disk.is_freezable());
        disks.map(|disk| disk.path.clone()).collect()
    }

    /// As [`Candidate::disk_paths`], with the parents of all chains, as the host tells them, and with
    /// the folders of the checkpoints' own files.
    pub(super) fn file_paths(&self) -> (Vec<String>, Vec<String>) {
        let mut paths = self.disk_paths();
        let parents = paths.iter().flat_map(|path| parent_paths(&self.link, path));
        let absolute: Vec<String> = parents
            .filter(|path| WindowsPath::parse(path).is_absolute())
            .collect();
        paths.extend(absolute);
        paths.sort_by_key(|path| path.to_lowercase());
        paths.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
        let settings = self.checkpoints.iter().map(|(own, _)| &own.settings);
        let roots = settings.flat_map(|own| {
            let roots = [&own.configuration_root, &own.snapshot_root];
            roots.into_iter().flatten().cloned()
        });
        (paths, roots.collect())
    }

    /// Pauses the VM's replication where that is asked for.
    pub(super) fn pause_replication(
        &mut self,
        observer: &dyn StepObserver,
    ) -> Result<(), HostError> {
        if self.request.pause_replication
            && let Some(entry) = &mut self.entry
        {
            let finding = replication::pause(&self.link, &self.vm, entry, observer)?;
            self.findings.extend(finding);
        }
        Ok(())
    }

    /// Resumes the VM's replication. One that stays paused is in the journal: the run's end tries
    /// again, and tells.
    pub(super) fn resume_replication(&mut self) {
        if let Some(entry) = &mut self.entry {
            let _ = replication::resume(&self.link, entry);
        }
    }

    /// Gives the VM back what it was doing before it was saved for the run. What cannot be given
    /// back now is in the journal: the run's end tries again, and tells.
    pub(super) fn give_back_power(&mut self) -> Result<(), HostError> {
        if let Some(entry) = &mut self.entry {
            give_back(&self.link, &self.vm, entry)?;
        }
        Ok(())
    }

    /// Reads the VM anew.
    pub(super) fn read_again(&self) -> Result<VmFacts, HostError> {
        let now = self.link.vm(self.vm.id)?;
        let now = now.ok_or_else(|| {
            let text = format!("{}: the VM {} is gone", self.link.host(), self.vm.name);
            HostError::new(HostErrorKind::NoSuchVm, text)
        })?;
        Ok(VmFacts {
            clustered: self.vm.clustered,
            ..now
        })
    }

    /// Reads the VM anew right before it is frozen.
    ///
    /// # Errors
    ///
    /// `Busy` where its host is at work with it, or where its checkpoints or disks are not those
    /// that were planned with: another program makes a checkpoint, or a person does.
    pub(super) fn look_again(&mut self) -> Result<(), HostError> {
        let now = self.read_again()?;
        let leaves = |vm: &VmFacts| -> Vec<String> {
            let paths = vm.disks.iter().map(|disk| disk.path.to_lowercase());
            paths.collect()
        };
        let what = if let Some(operation) = now.operation {
            Some(format!("the host is {}", operation.text()))
        } else if now.state == PowerState::Other {
            Some(format!("it is {}", now.state_text))
        } else if !same_checkpoints(&self.vm, &now) || leaves(&self.vm) != leaves(&now) {
            Some("its checkpoints or disks changed since it was planned".to_owned())
        } else {
            None
        };
        if let Some(what) = what {
            let (host, name) = (self.link.host(), &self.vm.name);
            let text = format!("{host}: the VM {name} is busy: {what}");
            return Err(HostError::new(HostErrorKind::Busy, text)
                .hint("run the backup again when nobody else works on the VM"));
        }
        self.vm = now;
        Ok(())
    }

    /// Removes what a try that failed has left, and reads the VM anew for the next one.
    pub(super) fn begin_anew(&mut self) -> Result<(), HostError> {
        let Some(entry) = &mut self.entry else {
            return Ok(());
        };
        let settled = undo(&self.link, entry, Fate::Abandoned, MERGE_WAIT);
        if let Some(left) = settled.left.iter().find(|left| left.blocks) {
            return Err(HostError::blocked(&left.finding));
        }
        self.vm = self.read_again()?;
        self.checkpoints = Checkpoints::read(&self.link, &self.vm)?;
        Ok(())
    }

    /// Ends the run of a VM that could not be frozen. Returns the error, with what is left.
    pub(super) fn give_up(mut self, error: HostError) -> HostError {
        match self.entry.take() {
            None => error,
            Some(entry) => {
                let left = settle(&self.link, entry, Fate::Abandoned, MERGE_WAIT).left;
                with_what_is_left(error, &left)
            }
        }
    }
}

impl Candidate {
    /// Writes down which reference points nobody needs once the run's point exists.
    pub(super) fn note_obsolete(
        &mut self,
        previous: Option<&PreviousBackup>,
    ) -> Result<(), HostError> {
        let obsolete = kept_points(previous);
        if obsolete.is_empty() {
            return Ok(());
        }
        self.entry()?.change(|entry| entry.obsolete = obsolete)
    }
}
