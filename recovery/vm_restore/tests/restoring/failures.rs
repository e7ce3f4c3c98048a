//! What a restore that fails leaves.

use std::error::Error;
use std::fs;

use block_io::{DiskError, DiskErrorKind};
use disk_image::ImageFormat;
use repository::{RepositoryError, RepositoryErrorKind};
use vm_restore::{RestoreError, plan_vm_restore, restore_disk};

use crate::saved_vm::{SavedVm, names};

/// Returns the error and its causes, outermost first.
fn chain(error: &RestoreError) -> Vec<&(dyn Error + 'static)> {
    let error: &(dyn Error + 'static) = error;
    std::iter::successors(Some(error), |&error| error.source()).collect()
}

fn disk_kind(error: &RestoreError) -> Option<DiskErrorKind> {
    let mut causes = chain(error).into_iter();
    causes.find_map(|cause| Some(cause.downcast_ref::<DiskError>()?.kind()))
}

fn assert_nothing_is_said_twice(error: &RestoreError) {
    let said: Vec<String> = chain(error).iter().map(ToString::to_string).collect();
    for pair in said.windows(2) {
        assert!(!pair[0].contains(&pair[1]), "{said:?}");
    }
}

#[test]
fn a_file_that_exists_is_found_before_anything_is_made() {
    let saved = SavedVm::new();
    let target = saved.target();
    for taken in ["Virtual Machines/7.vmcx", "lifeboat-restore.json"] {
        let taken_path = target.join(taken);
        fs::create_dir_all(taken_path.parent().unwrap()).unwrap();
        fs::write(&taken_path, b"mine").unwrap();
        let error = plan_vm_restore(&saved.repository, &saved.point, &target)
            .err()
            .unwrap();
        assert_eq!(disk_kind(&error), Some(DiskErrorKind::Exists));
        assert!(error.to_string().contains("cannot restore web"), "{error}");
        assert_nothing_is_said_twice(&error);
        assert_eq!(names(&target), [taken]);
        assert_eq!(fs::read(&taken_path).unwrap(), b"mine");
        fs::remove_file(&taken_path).unwrap();
    }
}

#[test]
fn a_failure_near_the_end_removes_what_was_made_and_nothing_else() {
    let saved = SavedVm::new();
    let target = saved.target();
    let plan = plan_vm_restore(&saved.repository, &saved.point, &target).unwrap();
    // Somebody works in the folder between plan and execution.
    let foreign = target.join("Virtual Hard Disks/foreign.vhdx");
    let taken = target.join("Virtual Machines/7.vmcx");
    for path in [&foreign, &taken] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"mine").unwrap();
    }
    let error = plan.execute(&()).unwrap_err();
    assert_eq!(disk_kind(&error), Some(DiskErrorKind::Exists));
    assert_eq!(
        names(&target),
        ["Virtual Hard Disks/foreign.vhdx", "Virtual Machines/7.vmcx"]
    );
    for path in [&foreign, &taken] {
        assert_eq!(fs::read(path).unwrap(), b"mine");
    }
    assert!(!target.join("Checkpoint files").exists());
}

#[test]
fn a_damaged_point_leaves_no_folder() {
    let saved = SavedVm::new();
    let target = saved.target();
    let plan = plan_vm_restore(&saved.repository, &saved.point, &target).unwrap();
    saved.damage_disks();
    let error = plan.execute(&()).unwrap_err();
    let damaged = chain(&error).into_iter().any(|cause| {
        cause
            .downcast_ref::<RepositoryError>()
            .is_some_and(|error| error.kind() == RepositoryErrorKind::Damaged)
    });
    assert!(damaged, "{:?}", chain(&error));
    assert_nothing_is_said_twice(&error);
    assert!(!target.parent().unwrap().exists());
}

#[test]
fn a_disk_that_cannot_be_restored_is_named() {
    let saved = SavedVm::new();
    let out = saved.target().with_file_name("one.raw");
    let restore = |number| {
        let format = ImageFormat::Raw;
        restore_disk(&saved.repository, &saved.point, number, &out, format, &()).unwrap_err()
    };
    let error = restore(1);
    assert_eq!(disk_kind(&error), Some(DiskErrorKind::NotFound));
    assert!(error.to_string().contains("disk 1"), "{error}");
    assert!(matches!(
        restore(2),
        RestoreError::NoSuchDisk {
            number: 2,
            disks: 2
        }
    ));
}
