//! Points of all checkpoints: the whole tree, or its latest state as one file.

use std::path::Path;

use block_io::NewImage as _;
use disk_image::{DifferencingOptions, ImageFormat, OpenOptions, create_differencing, open};
use hyperv_host::{CheckpointNode, CheckpointTree, TreeDisk};
use repository::{RestorePoint, Stream, StreamRole};
use vm_config::write_vmcx;
use vm_restore::{Destination, DiskMethod, HostRestoreRequest, plan_host_restore};

use crate::world::{
    DISK_BYTES, FOLDER, VM, World, bytes_of, configuration, make_vhdx, new_repository, path_of,
    point_with, read_disk, slot, store,
};

const CHECKPOINT: &str = "99998888-0000-0000-0000-000000000001";
pub(crate) const BASE: &str = "Virtual Hard Disks/web.vhdx";
const LEAF: &str = "Virtual Hard Disks/web_1.avhdx";

/// The files of a disk with one checkpoint; returns what the leaf holds.
fn make_chain(folder: &Path) -> Vec<u8> {
    let base = folder.join("web.vhdx");
    let mut bytes = bytes_of(3, DISK_BYTES[1]);
    make_vhdx(&base, &bytes, 1, ImageFormat::Vhdx);
    let options = DifferencingOptions {
        absolute_path: Some(path_of(0)),
        ..DifferencingOptions::default()
    };
    let leaf = create_differencing(&folder.join("web_1.avhdx"), &base, &options).unwrap();
    leaf.write_at(4096, &[9; 8192]).unwrap();
    bytes[4096..12288].fill(9);
    Box::new(leaf).finish().unwrap();
    bytes
}

fn disk(image: &str) -> TreeDisk {
    let name = image.rsplit('/').next().unwrap();
    TreeDisk {
        slot: Some(slot(0)),
        configured_path: format!(r"{FOLDER}\Virtual Hard Disks\{name}"),
        image: image.to_owned(),
    }
}

fn point(world: &World, folder: &Path) -> (repository::Repository, RestorePoint) {
    let repository = new_repository(&world.folder.path().join("trees"));
    let run = repository.begin_run(2).unwrap();
    let image = |name: &str, parent: Option<&str>| {
        let file = name.rsplit('/').next().unwrap();
        let bytes = std::fs::read(folder.join(file)).unwrap();
        Stream {
            parent: parent.map(str::to_owned),
            format: Some("vhdx".to_owned()),
            disk_id: Some(uuid::Uuid::from_u128(1).to_string()),
            source_path: disk(name).configured_path,
            ..store(&run, StreamRole::Image, name, bytes)
        }
    };
    let images = vec![image(BASE, None), image(LEAF, Some(BASE))];
    let definition = || write_vmcx(&configuration().to_tree()).unwrap();
    let vm = format!("Virtual Machines/{}.vmcx", VM.to_uppercase());
    let snapshot = format!("Snapshots/{}.vmcx", CHECKPOINT.to_uppercase());
    let mut point = point_with(vec![
        store(&run, StreamRole::Configuration, &vm, definition()),
        store(
            &run,
            StreamRole::CheckpointConfiguration,
            &snapshot,
            definition(),
        ),
    ]);
    let tree = CheckpointTree {
        checkpoints: vec![CheckpointNode {
            id: CHECKPOINT.to_owned(),
            name: "before the update".to_owned(),
            parent: None,
            created: None,
            memory_bytes: None,
            disks: vec![disk(BASE)],
        }],
        current: Some(CHECKPOINT.to_owned()),
        active: vec![disk(LEAF)],
    };
    point.images = images;
    point.checkpoints = Some(serde_json::to_value(tree).unwrap());
    point.version = RestorePoint::version_of(&point.images, point.checkpoints.as_ref());
    run.publish(&point).unwrap();
    let point = repository.points().unwrap().0.remove(0);
    (repository, point)
}

/// A host with nothing, and a point with a checkpoint; what its leaf holds.
pub(crate) fn tree_world() -> (World, Vec<u8>) {
    let mut world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let bytes = make_chain(folder.path());
    (world.repository, world.point) = point(&world, folder.path());
    (world, bytes)
}

#[test]
fn the_whole_tree_comes_back_on_its_right_leaf() {
    let (world, bytes) = tree_world();
    world.host.forget_all();
    let request = HostRestoreRequest {
        destination: Destination::Folder(r"C:\New\web".to_owned()),
        ..world.request()
    };
    let plan = world.plan(&request);
    assert!(plan.block().is_none(), "{:?}", plan.findings);
    assert!(
        plan.disks
            .iter()
            .all(|disk| disk.method == DiskMethod::Image)
    );
    let report = plan.execute(&world.host, &()).unwrap();
    let vm = world.host.vm(VM).unwrap();
    let leaf = &vm.disks[&slot(0)];
    assert_eq!(leaf, r"C:\New\web\Virtual Hard Disks\web_1.avhdx");
    let base = &vm.checkpoints[CHECKPOINT][&slot(0)];
    assert_eq!(base, r"C:\New\web\Virtual Hard Disks\web.vhdx");
    let image = open(&world.host.local(leaf), &OpenOptions::default()).unwrap();
    assert_eq!(image.chain().len(), 2);
    assert!(read_disk(&world.host.local(leaf)) == bytes);
    // The next backup is told of, and nothing of lost parents.
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
    world.check_nothing_left();
}

#[test]
fn flattened_it_is_one_file_without_checkpoints() {
    let (world, bytes) = tree_world();
    world.host.forget_all();
    let request = HostRestoreRequest {
        flatten: true,
        ..world.request()
    };
    world.run(&request).unwrap();
    let vm = world.host.vm(VM).unwrap();
    assert!(vm.checkpoints.is_empty());
    let path = &vm.disks[&slot(0)];
    assert!(path.ends_with(r"\web.vhdx"), "{path}");
    let image = open(&world.host.local(path), &OpenOptions::default()).unwrap();
    assert_eq!(image.chain().len(), 1);
    assert!(read_disk(&world.host.local(path)) == bytes);
    world.check_nothing_left();
}

#[test]
fn in_place_a_tree_comes_as_new_files_and_the_old_ones_go() {
    let (world, bytes) = tree_world();
    let request = HostRestoreRequest {
        in_place: true,
        ..world.request()
    };
    let plan = world.plan(&request);
    assert!(plan.needs_confirmation());
    let report = plan.execute(&world.host, &()).unwrap();
    assert_eq!(report.removed, [path_of(0)]);
    let vm = world.host.vm(VM).unwrap();
    let leaf = &vm.disks[&slot(0)];
    assert!(
        leaf.starts_with(r"C:\VMs\web\Restored 2026-01-01\"),
        "{leaf}"
    );
    assert!(read_disk(&world.host.local(leaf)) == bytes);
    assert!(!world.host.local(&path_of(0)).exists());
    // The point has no disk there: it stays.
    assert!(world.host.local(&path_of(1)).exists());
    world.check_nothing_left();
}

#[test]
fn at_a_checkpoint_its_disks_come_back_as_one_file_each() {
    let (world, _) = tree_world();
    world.host.forget_all();
    let request = HostRestoreRequest {
        checkpoint: Some("Before the update".to_owned()),
        ..world.request()
    };
    let plan = world.plan(&request);
    let said = |finding: &&hyperv_host::Finding| finding.id == "POINT-CHECKPOINT-SETTINGS";
    assert!(plan.findings.iter().find(said).is_some(), "{plan:?}");
    plan.execute(&world.host, &()).unwrap();
    let vm = world.host.vm(VM).unwrap();
    assert!(vm.checkpoints.is_empty());
    let path = &vm.disks[&slot(0)];
    let held = read_disk(&world.host.local(path));
    assert!(held == bytes_of(3, DISK_BYTES[1]), "what the base held");
    world.check_nothing_left();
    let request = HostRestoreRequest {
        checkpoint: Some("no such".to_owned()),
        ..request
    };
    let plan = plan_host_restore(&world.repository, &world.point, &world.host, &request);
    let text = plan.unwrap_err().to_string();
    assert!(text.contains("before the update"), "it lists them: {text}");
}

#[test]
fn files_of_other_branches_stay_and_the_plan_names_them() {
    let world = World::new();
    let base = world.host.local(&path_of(0));
    for leaf in ["web_1.avhdx", "web_2.avhdx"] {
        let options = DifferencingOptions::default();
        let leaf = create_differencing(&base.with_file_name(leaf), &base, &options).unwrap();
        Box::new(leaf).finish().unwrap();
    }
    let path = |name: &str| path_of(0).replace("web.vhdx", name);
    world.host.change_vm(VM, |vm| {
        vm.disks.insert(slot(0), path("web_1.avhdx"));
        let own = [(slot(0), path_of(0))].into();
        vm.checkpoints.insert(CHECKPOINT.to_owned(), own);
    });
    let request = HostRestoreRequest {
        in_place: true,
        ..world.request()
    };
    let plan = world.plan(&request);
    let stay = plan.findings.iter();
    let stay = stay.filter(|finding| finding.id == "POINT-BRANCH-STAYS");
    let texts: Vec<&str> = stay.map(|finding| &*finding.text).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].starts_with(&path("web_2.avhdx")), "{texts:?}");
}
