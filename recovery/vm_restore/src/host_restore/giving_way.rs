//! The VM that gives way: it is taken from the host, and its disks are written over.

use std::collections::BTreeMap;

use block_io::ByteRanges;
use hyperv_host::{Finding, Severity, TargetVm, WriterRestore};

use super::disk_source::DiskContent;
use super::execution::Execution;
use super::existing_disk::{changed_ranges, files_of};
use super::file_users::FileUsers;
use super::host_path::join;
use super::in_place_disk::InPlaceDisk;
use super::making_vm::report_of;
use super::old_definition::keep;
use super::plan::{DiskMethod, PlannedDisk};
use super::taking_back::TRACKING;
use crate::error::Cause;

impl Execution<'_> {
    /// Takes the old VM from the host, unless a restore that died has done so. A copy of its
    /// definition is durable before. `writer`: the host's VSS writer takes it.
    pub(crate) fn take_away(
        &mut self,
        old: &TargetVm,
        writer: Option<&mut dyn WriterRestore>,
    ) -> Result<(), Cause> {
        if !self.old_is_there {
            return Ok(());
        }
        self.stop(old)?;
        self.look_again(old)?;
        if !self.file.session.leaving {
            self.step("keeping a copy of the old definition")?;
            let kept = keep(self.host, old, &join(&self.file.session.staging, "old")?)?;
            let mut stopped = old.clone();
            if self.stopped {
                stopped.state = hyperv_host::PowerState::Off;
            }
            let mut bases = BTreeMap::new();
            for (_, leaf) in old.disks.iter().filter(|_| old.checkpoints > 0) {
                let base = files_of(self.host, leaf).pop();
                bases.extend(base.map(|base| (leaf.clone(), base)));
            }
            self.file.note(|session| {
                session.kept = Some(kept);
                session.old = Some(stopped);
                session.bases = bases;
            })?;
        }
        self.note_ranges(old)?;
        self.step("taking the old VM from the host")?;
        self.file.note(|session| session.leaving = true)?;
        match writer {
            Some(writer) => writer.pre_restore(&self.heard)?,
            None => self.host.unregister(&old.identity, &self.heard)?,
        }
        Ok(())
    }

    /// Looks, now that the VM is off, whether it is as it was when this was planned: nothing has
    /// been changed yet.
    fn look_again(&self, old: &TargetVm) -> Result<(), Cause> {
        let target = self.host.target()?;
        let mut vms = target.vms.iter();
        let now = vms.find(|vm| vm.identity == old.identity);
        let is_same =
            |now: &&TargetVm| now.disks == old.disks && now.checkpoints == old.checkpoints;
        if now.filter(is_same).is_none() {
            let text = format!(
                "{:?} has other disks or checkpoints than when this was planned: ask for the \
                 restore again",
                old.name
            );
            return Err(text.into());
        }
        let users = FileUsers::of(self.host, &target.vms);
        let mut gives_way = self.plan.disks.iter();
        let gives_way = gives_way.by_ref().filter(|disk| disk.gives_way());
        for disk in gives_way {
            if let Some(user) = users.user_of(self.host, &disk.path, Some(&old.identity)) {
                return Err(format!("{} is used by {user:?} as well", disk.path).into());
            }
            if !disk.is_overwritten() {
                continue;
            }
            let local = self.host.local_path(&disk.path)?;
            self.in_place(disk, &local)?.must_fit()?;
        }
        Ok(())
    }

    /// Asks what changed now that the VM is off: once it is gone nobody can tell.
    fn note_ranges(&mut self, old: &TargetVm) -> Result<(), Cause> {
        let plan = self.plan;
        for disk in plan.disks.iter().filter(|disk| disk.is_overwritten()) {
            let DiskContent::Disk(number) = disk.content else {
                continue;
            };
            let mut streams = plan.source.disks();
            let stream = streams.find(|stream| stream.number == number);
            let (Some(stream), Some(slot)) = (stream, disk.slot) else {
                continue;
            };
            let ranges = changed_ranges(&plan.repository, self.host, old, slot, stream, true);
            let ranges = ranges.map(|ranges| {
                let ranges = ranges
                    .iter()
                    .map(|range| (range.start, range.end - range.start));
                ranges.collect::<Vec<_>>()
            });
            let path = disk.path.clone();
            self.file.note(|session| {
                // What a restore that died has written over, the host does not know to be changed.
                match ranges.filter(|_| !session.overwriting) {
                    Some(ranges) => session.ranges.insert(path, ranges),
                    None => session.ranges.remove(&path),
                };
            })?;
        }
        Ok(())
    }

    /// Writes over the disks that stay where they differ.
    pub(crate) fn write_over(&mut self, old: &TargetVm) -> Result<(), Cause> {
        let plan = self.plan;
        let mut pending = Vec::new();
        for disk in plan.disks.iter().filter(|disk| disk.is_overwritten()) {
            self.step(&format!("comparing {}", disk.path))?;
            pending.push((disk, self.differences(disk, old)?));
        }
        if pending.is_empty() {
            return Ok(());
        }
        self.file.note(|session| {
            session.overwriting = true;
            // What a try that died had ended says nothing of what is written from here on.
            session.overwritten = false;
        })?;
        for (disk, _) in &pending {
            // The host does not hear of ours.
            self.remove_files(&disk.path, &TRACKING)?;
        }
        for (disk, (ranges, mut report)) in pending {
            self.step(&format!("writing over {}", disk.path))?;
            let local = self.host.local_path(&disk.path)?;
            let in_place = self.in_place(disk, &local)?;
            report.written_bytes = in_place.write(&ranges, &self.heard)?;
            report.read_bytes = report.written_bytes;
            self.add(report);
        }
        self.file.note(|session| session.overwritten = true)?;
        Ok(())
    }

    fn in_place<'b>(
        &'b self,
        disk: &PlannedDisk,
        local: &'b std::path::Path,
    ) -> Result<InPlaceDisk<'b>, Cause> {
        let DiskContent::Disk(number) = disk.content else {
            return Err("only a disk can be written over".into());
        };
        let mut streams = self.plan.source.disks();
        let stream = streams.find(|stream| stream.number == number);
        Ok(InPlaceDisk {
            repository: &self.plan.repository,
            stream: stream.ok_or("the point does not have the disk")?,
            local,
        })
    }

    fn differences(
        &mut self,
        disk: &PlannedDisk,
        old: &TargetVm,
    ) -> Result<(ByteRanges, super::report::DiskReport), Cause> {
        let noted = self.file.session.ranges.get(&disk.path);
        let ranges: Option<ByteRanges> = noted.map(|ranges| {
            let ranges = ranges.iter();
            ranges
                .map(|(start, len)| *start..start.saturating_add(*len))
                .collect()
        });
        let local = self.host.local_path(&disk.path)?;
        let in_place = self.in_place(disk, &local)?;
        let was_tracked = ranges.is_some();
        let (found, done) = in_place.differences(ranges, &self.heard)?;
        let mut report = report_of(disk);
        report.compared_bytes = done.compared_bytes;
        report.method = if was_tracked && !done.tracking_was_wrong {
            let ranges = found.iter().count();
            DiskMethod::ChangedRanges { ranges }
        } else {
            DiskMethod::Compared
        };
        if done.tracking_was_wrong {
            let text = format!(
                "the host called ranges of {} of {:?} unchanged that had changed: the whole disk \
                 was compared",
                disk.path, old.name
            );
            self.warn(Finding::new("DISK-TRACKING-WRONG", Severity::Warn, text));
        }
        Ok((found, report))
    }
}
