//! Chains where a host has them, on several drives.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use block_io::{BlockDevice as _, DiskErrorKind};
use disk_image::{
    DifferencingOptions, DiskImage, DriveMap, HostPaths, ImageFormat, OpenOptions, check, open,
};

use crate::folder::{Folder, read_all};

/// A host with two drives, and what lies outside of both.
struct TwoDrives {
    folder: Folder,
    options: OpenOptions,
}

impl TwoDrives {
    fn new() -> Self {
        let folder = Folder::new();
        for drive in ["c", "d"] {
            fs::create_dir_all(folder.path().join(drive)).unwrap();
        }
        let map = DriveMap::new()
            .with("C:\\", &folder.path().join("c"))
            .and_then(|map| map.with("D:\\", &folder.path().join("d")))
            .unwrap();
        Self {
            folder,
            options: OpenOptions::on_host(Arc::new(map)),
        }
    }

    fn child(&self, name: &str, parent: &Path, absolute: &str) -> PathBuf {
        let options = DifferencingOptions {
            absolute_path: Some(absolute.to_owned()),
            ..DifferencingOptions::default()
        };
        self.folder.child_with(name, parent, 0, 3, &options)
    }

    fn open(&self, leaf: &Path) -> Result<DiskImage, DiskErrorKind> {
        open(leaf, &self.options).map_err(|error| error.kind())
    }
}

#[test]
fn a_chain_goes_over_drives_whatever_the_case() {
    let host = TwoDrives::new();
    let base = host.folder.base("d/Disks/Base.vhdx", ImageFormat::Vhdx, 1);
    let middle = host.child("c/vms/mid.avhdx", &base, "d:\\disks\\BASE.vhdx");
    let leaf = host.child("d/leaf.avhdx", &middle, "C:\\VMs\\x\\..\\MID.avhdx");
    let image = host.open(&leaf).unwrap();
    let paths: Vec<_> = image.chain().iter().map(|file| file.path.clone()).collect();
    assert_eq!(paths, [leaf.clone(), middle, base]);
    assert_eq!(read_all(&image)[0], 3);
    assert_eq!(image.size_bytes(), crate::folder::SIZE);
    assert_eq!(check(&leaf, &host.options).unwrap().worst(), None);
    // The bounds of one file are its folder: nothing of this is known there.
    assert!(open(&leaf, &OpenOptions::default()).is_err());
}

#[test]
fn relative_paths_and_names_beside_the_child_hold_as_in_a_folder() {
    let host = TwoDrives::new();
    let base = host.folder.base("c/base/base.vhdx", ImageFormat::Vhdx, 1);
    let leaf = host.child("c/vm/leaf.avhdx", &base, "X:\\gone\\base.vhdx");
    assert!(host.open(&leaf).is_ok());
    let beside = leaf.with_file_name("base.vhdx");
    fs::rename(&base, &beside).unwrap();
    assert!(host.open(&leaf).is_ok());
    // Elsewhere on the drive: a host's path says where, and no drive is searched.
    fs::rename(beside, host.folder.at("c/gone/base.vhdx")).unwrap();
    assert_eq!(host.open(&leaf).err(), Some(DiskErrorKind::ParentMissing));
}

#[test]
fn nothing_outside_the_drives_is_opened() {
    for path in [
        "C:\\..\\base.vhdx",
        "C:\\vm\\..\\..\\base.vhdx",
        "\\\\.\\PhysicalDrive0",
        "\\\\?\\GLOBALROOT\\Device\\HarddiskVolume1\\base.vhdx",
        "\\\\evil\\share\\base.vhdx",
        "C:\\base.vhdx:stream",
        "/etc/passwd",
    ] {
        let host = TwoDrives::new();
        let base = host.folder.base("base.vhdx", ImageFormat::Vhdx, 1);
        let leaf = host.child("c/vm/leaf.avhdx", &base, path);
        // The relative path leads out too.
        assert_eq!(
            host.open(&leaf).err(),
            Some(DiskErrorKind::OutsideRoot),
            "{path}"
        );
    }
}

/// A host whose answers are wrong.
#[derive(Debug)]
struct Liar {
    root: PathBuf,
    answer: PathBuf,
}

impl HostPaths for Liar {
    fn locate(&self, _: &str) -> Option<PathBuf> {
        Some(self.answer.clone())
    }

    fn roots(&self) -> Vec<PathBuf> {
        vec![self.root.clone(), PathBuf::from("/no/such/drive")]
    }
}

#[test]
fn what_a_host_answers_is_looked_at_again() {
    let folder = Folder::new();
    let base = folder.base("outside/base.vhdx", ImageFormat::Vhdx, 1);
    let leaf = folder.child("c/leaf.avhdx", &base, 0, 3);
    let options = OpenOptions::on_host(Arc::new(Liar {
        root: folder.path().join("c"),
        answer: base,
    }));
    let kind = open(&leaf, &options).err().unwrap().kind();
    assert_eq!(kind, DiskErrorKind::OutsideRoot);
    // A host of which nothing can be reached.
    let gone = OpenOptions::on_host(Arc::new(Liar {
        root: folder.path().join("none"),
        answer: leaf.clone(),
    }));
    let kind = open(&leaf, &gone).err().unwrap().kind();
    assert_eq!(kind, DiskErrorKind::NotFound);
}
