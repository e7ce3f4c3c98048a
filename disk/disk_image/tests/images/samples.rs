//! Files by Windows and others.

use std::fs;

use block_io::DiskErrorKind;
use disk_image::{ImageFormat, OpenOptions, open};

use crate::folder::Folder;
use disk_model::independent_tools::sample;

#[test]
fn a_checkpoint_without_its_parent_names_it() {
    for (name, leaf, parent) in [
        (
            "vhd/dfvfs-win10-fat-differential.vhd",
            "leaf.avhd",
            "{5fa21a55-f394-aa4d-9958-1951a67d5540}",
        ),
        (
            "vhdx/dissect-hyperv-checkpoint.avhdx.gz",
            "leaf.avhdx",
            "{ff34003b-11ed-4cf8-a166-b2be05e20b80}",
        ),
    ] {
        let folder = Folder::new();
        let Some(path) = sample(name) else { return };
        let leaf = folder.at(leaf);
        if name.ends_with(".gz") {
            let file = fs::File::create(&leaf).unwrap();
            let unpacked = std::process::Command::new("gzip")
                .arg("-dc")
                .arg(&path)
                .stdout(file)
                .status();
            if unpacked.is_err() {
                return disk_model::independent_tools::skip("gzip is not installed");
            }
        } else {
            fs::copy(&path, &leaf).unwrap();
        }
        let error = folder.open(&leaf).err().unwrap();
        assert_eq!(error.kind(), DiskErrorKind::ParentMissing);
        assert!(error.to_string().contains(parent), "{error}");
    }
}

#[test]
fn formats_are_told_by_content() {
    for (name, format) in [
        ("vhd/dfvfs-win10-ntfs-fixed.vhd", ImageFormat::VhdFixed),
        ("vhd/dfvfs-qemu-ext2.vhd", ImageFormat::Vhd),
        ("volumes/dfvfs-tsk_volume_system.raw", ImageFormat::Raw),
    ] {
        let Some(path) = sample(name) else { return };
        let image = open(&path, &OpenOptions::default()).unwrap();
        assert_eq!(image.format(), format, "{name}");
    }
    let Some(path) = sample("fs/dfvfs-ntfs-vss.qcow2") else {
        return;
    };
    let error = open(&path, &OpenOptions::default()).err().unwrap();
    assert_eq!(error.kind(), DiskErrorKind::Unsupported);
}
