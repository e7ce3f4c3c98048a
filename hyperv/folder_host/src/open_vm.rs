//! A VM of a folder that is open for reading.

use block_io::{DiskError, DiskErrorKind, FileStamp, ImageFile};
use hyperv_host::{Finding, FrozenVm, HostError, HostErrorKind, Sealed, VmSource};

/// A VM whose files are read as they lie. Nothing holds them still, so they are looked at again.
pub(crate) struct OpenVm {
    source: VmSource,
    /// What the kept files looked like before they were read.
    stamps: Vec<Option<FileStamp>>,
}

impl OpenVm {
    pub(crate) fn new(source: VmSource) -> Result<Self, HostError> {
        let stamps = source.files.iter().map(|file| stamp(&*file.file));
        Ok(Self {
            stamps: stamps.collect::<Result<_, DiskError>>().map_err(of_disk)?,
            source,
        })
    }
}

impl FrozenVm for OpenVm {
    fn source(&self) -> &VmSource {
        &self.source
    }

    fn check_bearable(&self) -> Result<(), HostError> {
        Ok(())
    }

    fn seal(&mut self) -> Result<Sealed, HostError> {
        for disk in &self.source.disks {
            (disk.check_unchanged)().map_err(of_disk)?;
        }
        // At the end like the disks: together they are the VM at one time.
        for (file, before) in self.source.files.iter().zip(&self.stamps) {
            check_unchanged(&*file.file, *before).map_err(of_disk)?;
        }
        Ok(Sealed {
            cursors: vec![None; self.source.disks.len()],
            findings: Vec::new(),
        })
    }

    fn commit(self: Box<Self>) -> Vec<Finding> {
        Vec::new()
    }

    fn abandon(self: Box<Self>) -> Vec<Finding> {
        Vec::new()
    }
}

fn of_disk(error: DiskError) -> HostError {
    HostError::new(HostErrorKind::Disk, error.to_string()).caused_by(error)
}

fn stamp(file: &dyn ImageFile) -> Result<Option<FileStamp>, DiskError> {
    file.stamp()
        .map_err(|error| DiskError::io(file.name(), "cannot look at this file", error))
}

fn check_unchanged(file: &dyn ImageFile, before: Option<FileStamp>) -> Result<(), DiskError> {
    if stamp(file)? == before {
        return Ok(());
    }
    let what = "the file changed while the VM was read";
    Err(DiskError::new(DiskErrorKind::Changed, what)
        .in_file(file.name())
        .hint("run the backup again while nobody writes to the VM's files"))
}
