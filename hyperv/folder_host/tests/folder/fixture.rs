//! A folder that is filled with VMs and images.

use std::fs;
use std::path::{Path, PathBuf};

use block_io::NewImage as _;
use disk_image::{DifferencingOptions, ImageFormat, NewImageFile, NewImageOptions};
use folder_host::FolderHost;
use hyperv_host::{HypervHost, Inventory, VmEntry, VmSource};
use tempfile::TempDir;
use uuid::Uuid;
use vm_config::{ControllerKind, Disk, DiskSlot, Memory, VmConfiguration, write_vmcx, write_xml};

pub(crate) const DISK_BYTES: u64 = 4 << 20;

pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        let path = self.0.path().join(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub(crate) fn write(&self, below: &str, bytes: &[u8]) {
        fs::write(self.path(below), bytes).unwrap();
    }

    /// Makes a disk whose first 4 KiB are `fill`, in the format of its extension.
    pub(crate) fn base(&self, below: &str, fill: u8) {
        let path = self.path(below);
        let format = ImageFormat::from_extension(&path).unwrap();
        let options = NewImageOptions::new(format, DISK_BYTES);
        finish(disk_image::create(&path, &options).unwrap(), 0, fill);
    }

    /// Makes a child of the disk at `parent`, in whose second 4 KiB is `fill`.
    pub(crate) fn child(&self, below: &str, parent: &str, fill: u8) {
        let options = DifferencingOptions {
            absolute_path: Some(format!("C:\\VMs\\{}", parent.replace('/', "\\"))),
            ..DifferencingOptions::default()
        };
        let child =
            disk_image::create_differencing(&self.path(below), &self.path(parent), &options);
        finish(child.unwrap(), 4096, fill);
    }

    pub(crate) fn vmcx(&self, below: &str, vm: &VmConfiguration) {
        self.write(below, &write_vmcx(&vm.to_tree()).unwrap());
    }

    pub(crate) fn xml(&self, below: &str, vm: &VmConfiguration) {
        self.write(below, &write_xml(&vm.to_tree()).unwrap());
    }

    pub(crate) fn host(&self) -> FolderHost {
        FolderHost::open(self.0.path()).unwrap()
    }

    pub(crate) fn inventory(&self) -> Inventory {
        self.host().inventory().unwrap()
    }

    pub(crate) fn only_vm(&self) -> VmEntry {
        let mut vms = self.inventory().vms;
        assert_eq!(vms.len(), 1, "{vms:?}");
        vms.remove(0)
    }

    pub(crate) fn open_vm(&self, identity: &str) -> VmSource {
        self.host().open_vm(identity).unwrap()
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }
}

fn finish(image: NewImageFile, offset: u64, fill: u8) {
    image.write_at(offset, &[fill; 4096]).unwrap();
    Box::new(image).finish().unwrap();
}

/// Returns a VM with one disk on each of these paths, on one SCSI controller.
pub(crate) fn vm(id: u128, name: &str, disks: &[&str]) -> VmConfiguration {
    VmConfiguration {
        name: name.to_owned(),
        id: Uuid::from_u128(id),
        generation: 2,
        version: "9.0".to_owned(),
        notes: String::new(),
        processors: 2,
        memory: Memory::default(),
        disks: (0..)
            .zip(disks)
            .map(|(slot, path)| Disk {
                slot: DiskSlot {
                    kind: ControllerKind::Scsi,
                    controller: 0,
                    slot,
                },
                path: (*path).to_owned(),
                pass_through: false,
            })
            .collect(),
        network_adapters: Vec::new(),
        checkpoints: Vec::new(),
        guest_state_file: None,
        secure_boot: true,
        secure_boot_template: None,
    }
}

/// Returns the ids of the findings.
pub(crate) fn ids(findings: &[hyperv_host::Finding]) -> Vec<&str> {
    for finding in findings {
        assert!(finding.cure.is_some(), "{finding:?} has no cure");
        assert!(!finding.text.ends_with('.'), "{finding:?}");
    }
    findings.iter().map(|finding| finding.id.as_str()).collect()
}
