//! What a restore for another hypervisor makes.

use std::fs;

use disk_image::{CopyObserver, ImageFormat, OpenOptions, open};
use vm_restore::{DomainOrder, ElsewhereOrder, RestoreError, plan_elsewhere};

use crate::saved_vm::{DISK_BYTES, SavedVm, disk_bytes, names};

fn order(format: ImageFormat, domain: bool) -> ElsewhereOrder {
    ElsewhereOrder {
        format,
        domain: domain.then(DomainOrder::default),
    }
}

fn cause(error: &RestoreError) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(String::new, ToString::to_string)
}

#[test]
fn disks_come_back_flat_and_the_domain_names_them() {
    let saved = SavedVm::new();
    let target = saved.target();
    let order = order(ImageFormat::Raw, true);
    let plan = plan_elsewhere(&saved.repository, &saved.point, &target, &order).unwrap();
    assert!(!target.exists(), "a plan makes nothing");
    let mut expected: Vec<String> = plan
        .files()
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    expected.sort();
    let report = plan.execute(&()).unwrap();
    assert_eq!(names(&target), expected);
    assert_eq!(report.files.len(), expected.len());
    let domain = plan.domain.as_ref().unwrap();
    let xml = fs::read_to_string(&domain.xml).unwrap();
    for (number, disk) in (0..).zip(&plan.disks) {
        assert!(xml.contains(&disk.path.display().to_string()), "{xml}");
        let image = open(&disk.path, &OpenOptions::default()).unwrap();
        let mut bytes = vec![0; DISK_BYTES];
        block_io::BlockDevice::read_at(&image, 0, &mut bytes).unwrap();
        assert!(bytes == disk_bytes(number), "disk {number}");
    }
    let note = fs::read_to_string(&domain.note).unwrap();
    assert!(
        note.contains("virsh define") && note.contains("POINT-DISK-BUS"),
        "{note}"
    );
    // Nothing is replaced.
    let again = plan_elsewhere(&saved.repository, &saved.point, &target, &order);
    assert!(again.err().unwrap().to_string().contains("cannot restore"));
}

#[test]
fn what_libvirt_cannot_take_is_refused_before_anything_is_made() {
    let saved = SavedVm::new();
    let target = saved.target();
    let vhdx = order(ImageFormat::Vhdx, true);
    let error = plan_elsewhere(&saved.repository, &saved.point, &target, &vhdx).err();
    assert!(cause(&error.unwrap()).contains("no VHDX"));
    let mut bare = saved.point.clone();
    bare.configuration = None;
    let qcow2 = order(ImageFormat::Qcow2, true);
    let error = plan_elsewhere(&saved.repository, &bare, &target, &qcow2).err();
    assert!(cause(&error.unwrap()).contains("no configuration"));
    // The disks alone need none.
    let plain = order(ImageFormat::Vhdx, false);
    let plan = plan_elsewhere(&saved.repository, &bare, &target, &plain).unwrap();
    plan.execute(&()).unwrap();
    assert_eq!(names(&target).len(), plan.disks.len() + 1);
}

#[test]
fn what_a_failed_restore_made_is_removed() {
    struct Stop;
    impl CopyObserver for Stop {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let saved = SavedVm::new();
    let target = saved.target();
    let order = order(ImageFormat::Qcow2, true);
    let plan = plan_elsewhere(&saved.repository, &saved.point, &target, &order).unwrap();
    plan.execute(&Stop).unwrap_err();
    assert!(!target.exists());
}
