//! What a restore makes.

use std::fs;

use block_io::BlockDevice as _;
use disk_image::{ImageFormat, OpenOptions, open};
use vm_config::VmConfiguration;
use vm_restore::{plan_vm_restore, restore_disk};

use crate::saved_vm::{DISK_BYTES, SavedVm, configuration, disk_bytes, names, slot};

fn read_disk(path: &std::path::Path) -> Vec<u8> {
    let disk = open(path, &OpenOptions::default()).unwrap();
    let mut bytes = vec![0; DISK_BYTES];
    disk.read_at(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_vm_comes_back_whole_and_its_configuration_names_what_was_made() {
    let saved = SavedVm::new();
    let target = saved.target();
    let plan = plan_vm_restore(&saved.repository, &saved.point, &target).unwrap();
    assert!(!target.exists(), "a plan makes nothing");
    let report = plan.execute(&()).unwrap();
    // The paths fit, so all that is left to say is that the checkpoint does not come back.
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
    assert!(
        report.notes[0].contains("1 checkpoint"),
        "{:?}",
        report.notes
    );
    assert_eq!(
        names(&target),
        [
            "Checkpoint files/Snapshots/8.vmcx",
            "Virtual Hard Disks/4-data.vhdx",
            "Virtual Hard Disks/data.vhdx",
            "Virtual Machines/7.vmcx",
            "Virtual Machines/7.vmrs",
            "lifeboat-restore.json",
        ]
    );
    assert_eq!(report.files.len(), 6);
    let disks = target.join("Virtual Hard Disks");
    assert!(read_disk(&disks.join("data.vhdx")) == disk_bytes(0));
    assert!(read_disk(&disks.join("4-data.vhdx")) == disk_bytes(1));
    let machines = target.join("Virtual Machines");
    assert_eq!(fs::read(machines.join("7.vmrs")).unwrap(), b"");
    let checkpoint = target.join("Checkpoint files/Snapshots/8.vmcx");
    assert_eq!(fs::read(checkpoint).unwrap(), b"checkpoint");

    let bytes = fs::read(machines.join("7.vmcx")).unwrap();
    let mut expected = configuration();
    expected.disks[0].path = r"C:\first\data.vhdx".to_owned();
    expected.disks[1].path = r"D:\second\4-data.vhdx".to_owned();
    let read = VmConfiguration::from_bytes("7.vmcx", &bytes).unwrap();
    assert_eq!(read, expected);

    let note = fs::read(target.join("lifeboat-restore.json")).unwrap();
    let note: serde_json::Value = serde_json::from_slice(&note).unwrap();
    assert_eq!(note["vm"], "web");
    assert_eq!(
        note["files"][0]["slot"],
        serde_json::to_value(slot(0)).unwrap()
    );
}

#[test]
fn a_configuration_without_bytes_comes_back_so() {
    let mut saved = SavedVm::new();
    let empty = saved.point.streams[1].clone();
    saved.point.streams[0].size_bytes = 0;
    saved.point.streams[0].root = empty.root;
    // Disks keep the names that they have, so that nothing is to be changed in it.
    saved.point.streams.truncate(1);
    let plan = plan_vm_restore(&saved.repository, &saved.point, &saved.target()).unwrap();
    plan.execute(&()).unwrap();
    let made = saved.target().join("Virtual Machines/7.vmcx");
    assert_eq!(fs::read(made).unwrap(), b"");
}

#[test]
fn names_that_collide_again_are_told_apart() {
    let mut saved = SavedVm::new();
    // The name that the disk behind it would get.
    saved.point.streams[3].name = "4-DATA.vhdx".to_owned();
    let mut third = saved.point.streams[4].clone();
    third.name = "data.vhdx".to_owned();
    saved.point.streams.insert(3, third);
    saved.point.streams[4].name = "5-DATA.vhdx".to_owned();
    let plan = plan_vm_restore(&saved.repository, &saved.point, &saved.target()).unwrap();
    let disks: Vec<_> = plan.files[..3]
        .iter()
        .map(|file| file.path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(disks, ["data.vhdx", "5-DATA.vhdx", "5-5-data.vhdx"]);
}

#[test]
fn a_disk_comes_back_alone() {
    let saved = SavedVm::new();
    let out = saved.target().with_file_name("one.raw");
    fs::create_dir_all(out.parent().unwrap()).unwrap();
    let format = ImageFormat::Raw;
    restore_disk(&saved.repository, &saved.point, 1, &out, format, &()).unwrap();
    assert!(fs::read(&out).unwrap() == disk_bytes(1));
}
