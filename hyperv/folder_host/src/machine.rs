//! A VM with a configuration: its disks, found and opened.

use std::collections::HashSet;
use std::path::PathBuf;

use block_io::{BlockDevice as _, DiskError};
use disk_image::{DiskImage, OpenOptions, PathLookup, WindowsPath};
use hyperv_host::{DiskEntry, DiskKind, Finding, LeftOut, Severity, VmEntry};
use uuid::Uuid;
use vm_config::{Disk, DiskSlot, VmConfiguration};

use crate::catalog::{Catalog, ConfigFile};
use crate::chain_files::chain_files;
use crate::checkpoint::checkpoints_of;
use crate::diagnosis::{ambiguous, finding, missing, of_disk};

/// A VM with a configuration.
pub(crate) struct Machine<'a> {
    pub(crate) config: &'a ConfigFile,
    pub(crate) entry: VmEntry,
    /// As in `entry.disks`, which says of each what is known.
    pub(crate) disks: Vec<OpenedDisk>,
    /// Disks that no file holds.
    pub(crate) left_out: Vec<LeftOut>,
    /// Checkpoints that belong to the VM.
    pub(crate) checkpoints: Vec<&'a ConfigFile>,
    /// Files that the VM's disks are made of, links resolved.
    pub(crate) files: HashSet<PathBuf>,
}

/// A disk of a VM.
pub(crate) struct OpenedDisk {
    /// As the configuration names it.
    pub(crate) configured_path: String,
    pub(crate) image: Result<DiskImage, DiskError>,
}

impl<'a> Machine<'a> {
    /// Finds and opens the disks of a configuration.
    pub(crate) fn open(catalog: &'a Catalog, config: &'a ConfigFile) -> Self {
        let vm = &config.reading.configuration;
        let mut machine = Self {
            config,
            entry: empty_entry(vm),
            disks: Vec::new(),
            left_out: Vec::new(),
            checkpoints: Vec::new(),
            files: HashSet::new(),
        };
        for notice in &config.reading.notices {
            machine.entry.findings.push(finding(
                "VM-DRIVE-UNKNOWN",
                Severity::Warn,
                format!("{}: {}", notice.key, notice.text),
                "check whether the drive holds data that matters: it is not backed up",
            ));
        }
        for disk in &vm.disks {
            if disk.pass_through {
                machine.entry.findings.push(pass_through(disk));
                let out = left_out(Some(disk.slot), "", "pass-through");
                machine.left_out.push(out);
            } else {
                machine.add(catalog, disk);
            }
        }
        machine.checkpoints = checkpoints_of(catalog, vm, &machine.files);
        // Some hosts list checkpoints whose configurations lie elsewhere.
        machine.entry.checkpoints = machine.checkpoints.len().max(vm.checkpoints.len());
        machine
    }

    fn add(&mut self, catalog: &Catalog, disk: &Disk) {
        let (path, image, problem) = match catalog.index.find(&WindowsPath::parse(&disk.path)) {
            Ok(path) => {
                let image = disk_image::open(&path, &OpenOptions::below(&catalog.root));
                let problem = image.as_ref().err().map(of_disk);
                self.files.extend(chain_files(&path, &image, &catalog.root));
                (path.display().to_string(), image, problem)
            }
            Err(PathLookup::Missing) => {
                let (error, problem) = missing(&disk.path, &catalog.root);
                (disk.path.clone(), Err(error), Some(problem))
            }
            Err(PathLookup::Ambiguous(candidates)) => {
                let (error, problem) = ambiguous(&disk.path, &candidates);
                (disk.path.clone(), Err(error), Some(problem))
            }
        };
        self.entry.findings.extend(problem);
        let opened = image.as_ref().ok();
        self.entry.disks.push(DiskEntry {
            number: u32::try_from(self.entry.disks.len()).unwrap_or(u32::MAX),
            slot: Some(disk.slot),
            path,
            kind: DiskKind::Virtual,
            size_bytes: opened.map(DiskImage::size_bytes),
            chain_files: opened.map_or(0, |image| image.chain().len()),
        });
        self.disks.push(OpenedDisk {
            configured_path: disk.path.clone(),
            image,
        });
    }
}

/// Makes the entry of a VM whose configuration cannot be read.
pub(crate) fn unreadable_entry(id: Uuid, problem: Finding) -> VmEntry {
    VmEntry {
        identity: identity(id),
        name: identity(id),
        state: None,
        node: None,
        generation: None,
        version: None,
        disks: Vec::new(),
        checkpoints: 0,
        findings: vec![problem],
    }
}

/// Returns the identity of a VM that has a GUID.
pub(crate) fn identity(id: Uuid) -> String {
    id.hyphenated().to_string()
}

fn empty_entry(vm: &VmConfiguration) -> VmEntry {
    VmEntry {
        identity: identity(vm.id),
        name: vm.name.clone(),
        state: None,
        node: None,
        generation: Some(vm.generation),
        version: Some(vm.version.clone()),
        disks: Vec::new(),
        checkpoints: 0,
        findings: Vec::new(),
    }
}

/// Makes the record of a disk that is not in the point.
pub(crate) fn left_out(slot: Option<DiskSlot>, path: &str, reason: &str) -> LeftOut {
    LeftOut {
        slot,
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

fn pass_through(disk: &Disk) -> Finding {
    finding(
        "VM-PASS-THROUGH",
        Severity::Warn,
        format!(
            "the disk at {:?} {}:{} is a physical disk of the host, which no file holds: it is \
             not backed up",
            disk.slot.kind, disk.slot.controller, disk.slot.slot
        ),
        "back this disk up from inside the VM, or move its data to a virtual disk",
    )
}
