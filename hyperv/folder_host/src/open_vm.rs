//! A VM of a folder that is open for reading.

use disk_image::DiskImage;
use hyperv_host::{FileStamps, Finding, FrozenVm, HostError, Sealed, VmSource};

/// A VM whose files are read as they lie. Nothing holds them still, so they are looked at again.
pub(crate) struct OpenVm {
    source: VmSource,
    /// The chains of a checkpoint tree.
    chains: Vec<DiskImage>,
    /// What the kept files looked like before they were read.
    stamps: FileStamps,
}

impl OpenVm {
    pub(crate) fn new(source: VmSource, chains: Vec<DiskImage>) -> Result<Self, HostError> {
        Ok(Self {
            stamps: FileStamps::take(&source.files)?,
            source,
            chains,
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
            (disk.check_unchanged)().map_err(HostError::of_disk)?;
        }
        for chain in &self.chains {
            chain.check_unchanged().map_err(HostError::of_disk)?;
        }
        // At the end like the disks: together they are the VM at one time.
        self.stamps.check(&self.source.files)?;
        Ok(Sealed {
            cursors: vec![None; self.source.disks.len()],
            writer: None,
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
