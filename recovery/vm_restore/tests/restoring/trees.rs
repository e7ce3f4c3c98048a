//! Points that hold a checkpoint tree, and points that say they do.

use hyperv_host::{CheckpointNode, CheckpointTree, TreeDisk};
use repository::{RestorePoint, Stream, StreamRole};
use vm_restore::{RestoreError, check_tree, disk_count, open_disk, plan_vm_restore};

use crate::saved_vm::{SavedVm, slot};

const PATH: &str = r"C:\VMs\web\disks\";

fn image(name: &str, parent: Option<&str>) -> Stream {
    Stream {
        parent: parent.map(str::to_owned),
        format: Some("vhdx".to_owned()),
        ..Stream::of_file(StreamRole::Image, name, &format!("{PATH}{name}"), 0)
    }
}

fn disk(image: &str) -> TreeDisk {
    TreeDisk {
        slot: Some(slot(0)),
        configured_path: format!("{PATH}{}", image.rsplit('/').next().unwrap()),
        image: image.to_owned(),
    }
}

fn node(id: &str, name: &str, image: &str) -> CheckpointNode {
    CheckpointNode {
        id: id.to_owned(),
        name: name.to_owned(),
        parent: None,
        created: None,
        memory_bytes: None,
        disks: vec![disk(image)],
    }
}

/// A saved VM whose point holds these images; the VM runs on `leaf`.
fn with_images(images: Vec<Stream>, nodes: Vec<CheckpointNode>, leaf: &str) -> SavedVm {
    let mut saved = SavedVm::new();
    let point = &mut saved.point;
    point
        .streams
        .retain(|stream| stream.role != StreamRole::Disk);
    point.images = images;
    let tree = CheckpointTree {
        checkpoints: nodes,
        current: None,
        active: vec![disk(leaf)],
    };
    point.checkpoints = Some(serde_json::to_value(tree).unwrap());
    saved
}

fn why(saved: &SavedVm, point: &RestorePoint) -> String {
    let error = open_disk(&saved.repository, point, 0, None).err().unwrap();
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    format!("{error}: {}", cause.unwrap_or_default())
}

#[test]
fn a_chain_that_has_no_end_ends_the_restore() {
    let images = vec![image("a", Some("b")), image("b", Some("a"))];
    let saved = with_images(images, Vec::new(), "a");
    assert!(why(&saved, &saved.point).contains("returns to a"));
    let long = (0..300).map(|at| image(&at.to_string(), Some(&(at + 1).to_string())));
    let saved = with_images(long.collect(), Vec::new(), "0");
    assert!(why(&saved, &saved.point).contains("no end"));
}

#[test]
fn an_image_that_the_point_does_not_hold_is_named() {
    let saved = with_images(vec![image("a", Some("gone"))], Vec::new(), "a");
    assert!(why(&saved, &saved.point).contains("holds no image gone"));
    assert_eq!(check_tree(&saved.repository, &saved.point).len(), 1);
    // An image without a byte is none.
    let saved = with_images(vec![image("a.vhdx", None)], Vec::new(), "a.vhdx");
    assert!(why(&saved, &saved.point).contains("a.vhdx"));
}

#[test]
fn a_tree_that_cannot_be_understood_is_said_to_be_so() {
    let mut saved = with_images(Vec::new(), Vec::new(), "a");
    saved.point.checkpoints = Some(serde_json::json!({"checkpoints": 7}));
    let target = saved.target();
    let error = plan_vm_restore(&saved.repository, &saved.point, &target)
        .err()
        .unwrap();
    assert!(error.to_string().contains("checkpoint tree"), "{error}");
    assert!(disk_count(&saved.point).is_err());
}

#[test]
fn checkpoints_are_named_by_name_id_or_its_beginning() {
    let nodes = vec![
        node("11112222-0000-0000-0000-000000000000", "before", "a"),
        node("11113333-0000-0000-0000-000000000000", "Twice", "a"),
        node("44445555-0000-0000-0000-000000000000", "twice", "a"),
    ];
    let saved = with_images(Vec::new(), nodes, "a");
    let asked = |name: &str| open_disk(&saved.repository, &saved.point, 0, Some(name)).err();
    let found = |name: &str| matches!(asked(name), Some(RestoreError::Failed { .. }));
    for name in [
        "BEFORE",
        "11112222",
        "{44445555-0000-0000-0000-000000000000}",
    ] {
        assert!(
            found(name),
            "{name}: the image is missing, the checkpoint is not"
        );
    }
    for name in ["twice", "1111", "after", "44"] {
        let error = asked(name).unwrap();
        assert!(
            matches!(error, RestoreError::Checkpoint { .. }),
            "{name}: {error}"
        );
        assert!(
            error.to_string().contains("\"before\" (11112222"),
            "{error}"
        );
    }
    let flat = SavedVm::new();
    let error = open_disk(&flat.repository, &flat.point, 0, Some("before")).err();
    assert!(matches!(error, Some(RestoreError::Checkpoint { .. })));
}

#[test]
fn names_of_images_never_leave_the_folder_and_never_meet() {
    for name in ["../a.vhdx", "/a.vhdx", "C:\\a.vhdx", "NUL.vhdx"] {
        let saved = with_images(vec![image(name, None)], Vec::new(), name);
        assert!(plan_vm_restore(&saved.repository, &saved.point, &saved.target()).is_err());
    }
    let images = vec![image("disks/a.vhdx", None), image("disks/A.VHDX", None)];
    let saved = with_images(images, Vec::new(), "disks/a.vhdx");
    assert!(plan_vm_restore(&saved.repository, &saved.point, &saved.target()).is_err());
}

#[test]
fn what_vss_recovered_comes_back_under_a_name_of_its_own() {
    let images = vec![
        image("disks/web.vhdx", None),
        image("disks/web-AutoRecovery.avhdx", Some("disks/web.vhdx")),
        image("disks/AutoRecovery notes.vhdx", None),
    ];
    let saved = with_images(images, Vec::new(), "disks/web-AutoRecovery.avhdx");
    let plan = || plan_vm_restore(&saved.repository, &saved.point, &saved.target()).unwrap();
    let names: Vec<String> = plan()
        .files
        .iter()
        .filter(|file| file.role == StreamRole::Image)
        .map(|file| file.path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        (&*names[0], &*names[2]),
        ("web.vhdx", "AutoRecovery notes.vhdx")
    );
    let recovered = &names[1];
    let id = recovered
        .strip_prefix("web_")
        .unwrap()
        .strip_suffix(".avhdx")
        .unwrap();
    assert!(uuid::Uuid::parse_str(id).is_ok(), "{recovered}");
    let plan = plan();
    let configuration = plan.files.iter();
    let mut configuration = configuration.filter(|file| file.role == StreamRole::Configuration);
    let paths = &configuration.next().unwrap().disk_paths;
    assert_eq!(*paths, [(slot(0), format!("{PATH}{recovered}"))]);
    let tree = plan.checkpoints.unwrap();
    assert_eq!(tree.active[0].image, format!("disks/{recovered}"));
    assert_eq!(tree.active[0].configured_path, format!("{PATH}{recovered}"));
}
