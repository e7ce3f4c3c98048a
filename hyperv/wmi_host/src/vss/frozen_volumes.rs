//! A VM that is read from volume snapshots.

use std::time::Duration;

use block_io::{DiskError, DiskErrorKind, FileStamp};
use hyperv_host::{
    FileStamps, Finding, FrozenVm, HostError, ImageSource, Sealed, Severity, VmSource,
};

use super::held_vm::HeldVm;
use crate::backup::clean_up::MERGE_WAIT;
use crate::backup::let_go::let_go;
use crate::backup::room_watch::RoomWatch;
use crate::residue::Fate;

/// A VM that is read from volume snapshots.
pub(super) struct FrozenVolumes {
    held: HeldVm,
    source: VmSource,
    /// What the files looked like before they were read.
    files: FileStamps,
    images: Vec<Option<FileStamp>>,
    watch: RoomWatch,
}

impl FrozenVolumes {
    /// Puts it together.
    pub(super) fn new(held: HeldVm, source: VmSource) -> Result<Self, HostError> {
        let disks = held.vm.vm.disks.iter().filter(|disk| disk.is_freezable());
        let grows = disks.map(|disk| disk.path.clone()).collect();
        let now = held.vm.link.clock.now();
        Ok(Self {
            files: FileStamps::take(&source.files)?,
            images: stamps(&source.images)?,
            watch: RoomWatch::new(held.vm.request.room, now, grows),
            held,
            source,
        })
    }

    /// A snapshot does not change; what is read may still turn out not to be one.
    fn check_unchanged(&self) -> Result<(), HostError> {
        for disk in &self.source.disks {
            (disk.check_unchanged)().map_err(HostError::of_disk)?;
        }
        let now = stamps(&self.source.images)?;
        for ((image, before), now) in self.source.images.iter().zip(&self.images).zip(&now) {
            if before != now {
                let what = "the file changed while the VM was read";
                let error = DiskError::new(DiskErrorKind::Changed, what).in_file(image.file.name());
                return Err(HostError::of_disk(error));
            }
        }
        self.files.check(&self.source.files)
    }
}

fn stamps(images: &[ImageSource]) -> Result<Vec<Option<FileStamp>>, HostError> {
    let stamp = |image: &ImageSource| {
        image.file.stamp().map_err(|error| {
            let what = "cannot look at this file";
            HostError::of_disk(DiskError::io(image.file.name(), what, error))
        })
    };
    images.iter().map(stamp).collect()
}

fn no_record(why: &str) -> Finding {
    let text = format!("the point cannot go back through the host's VSS writer: {why}");
    Finding::new("HOST-VSS-DOCUMENT", Severity::Info, text)
        .cure("nothing: the VM is restored by an import")
}

impl FrozenVm for FrozenVolumes {
    fn source(&self) -> &VmSource {
        &self.source
    }

    fn check_bearable(&self) -> Result<(), HostError> {
        self.watch.check(&self.held.vm.link)
    }

    fn seal(&mut self) -> Result<Sealed, HostError> {
        self.check_unchanged()?;
        let_go(&mut self.source);
        let (writer, findings) = match self.held.set.record(self.held.vm.id()) {
            Ok(record) => (record, Vec::new()),
            Err(why) => (None, vec![no_record(&why)]),
        };
        Ok(Sealed {
            cursors: vec![None; self.source.disks.len()],
            writer,
            findings,
        })
    }

    fn commit(mut self: Box<Self>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(entry) = &mut self.held.vm.entry
            && let Err(error) = entry.change(|entry| entry.committed = true)
        {
            let text = format!("the journal could not be told that the point exists: {error}");
            findings.push(Finding::new("RESIDUE-JOURNAL", Severity::Info, text));
        }
        let_go(&mut self.source);
        findings.extend(self.held.end(Fate::Committed, MERGE_WAIT));
        findings
    }

    fn abandon(mut self: Box<Self>) -> Vec<Finding> {
        let_go(&mut self.source);
        self.held.end(Fate::Abandoned, MERGE_WAIT)
    }
}

impl Drop for FrozenVolumes {
    fn drop(&mut self) {
        let_go(&mut self.source);
        self.held.end(Fate::Abandoned, Duration::ZERO);
    }
}
