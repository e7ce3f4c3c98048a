//! The image files of a whole checkpoint tree.

use std::fs::File;

use hyperv_host::{
    BackupMode, BackupRequest, CheckpointTree, FrozenVm, HostError, HypervHost as _, Severity,
    StepObserver,
};
use uuid::Uuid;
use vm_config::Checkpoint;

use crate::fixture::{Folder, ids, vm};

struct Quiet;

impl StepObserver for Quiet {
    fn step(&self, _: &str) {}
    fn cancelled(&self) -> bool {
        false
    }
}

fn all() -> BackupRequest {
    BackupRequest {
        mode: BackupMode::AllCheckpoints,
        ..BackupRequest::default()
    }
}

fn begin(folder: &Folder, request: &BackupRequest) -> Result<Box<dyn FrozenVm>, HostError> {
    let entry = folder.only_vm();
    folder.host().begin_backup(&entry, request, None, &Quiet)
}

/// A VM with a checkpoint A from which B and C derive; the VM goes on from C.
fn branched(disks: &str) -> Folder {
    let folder = Folder::new();
    let at = |name: &str| format!("web/{disks}{name}");
    folder.base(&at("os.vhdx"), 1);
    folder.child(&at("os_b.avhdx"), &at("os.vhdx"), 2);
    folder.child(&at("os_c.avhdx"), &at("os.vhdx"), 3);
    folder.child(&at("os_run.avhdx"), &at("os_c.avhdx"), 4);
    let path = |name: &str| format!("C:\\VMs\\{}", at(name).replace('/', "\\"));
    let mut machine = vm(1, "web", &[&path("os_run.avhdx")]);
    let listed = [(10, "A"), (11, "B"), (12, "C")];
    machine.checkpoints = listed
        .iter()
        .map(|(id, name)| Checkpoint {
            id: Uuid::from_u128(*id),
            name: format!("checkpoint {name}"),
        })
        .collect();
    let own = Uuid::from_u128(1);
    folder.vmcx(&format!("web/Virtual Machines/{own}.vmcx"), &machine);
    for (id, name) in [(11, "os_b.avhdx"), (12, "os_c.avhdx"), (10, "os.vhdx")] {
        let file = format!("web/Snapshots/{}", Uuid::from_u128(id));
        folder.vmcx(&format!("{file}.vmcx"), &vm(id, "web", &[&path(name)]));
        folder.write(&format!("{file}.vmrs"), b"state");
    }
    // C was made while the VM ran.
    let memory = folder.path(&format!("web/Snapshots/{}.vmrs", Uuid::from_u128(12)));
    File::create(memory).unwrap().set_len(20 << 20).unwrap();
    folder
}

/// Says of each checkpoint, and of the VM, what it derives from and which image it is.
fn shape(tree: &CheckpointTree) -> Vec<String> {
    let name = |id: &Option<String>| {
        let node = tree
            .checkpoints
            .iter()
            .find(|node| Some(&node.id) == id.as_ref());
        node.map_or("nothing".to_owned(), |node| node.name.clone())
    };
    let mut lines: Vec<String> = tree
        .checkpoints
        .iter()
        .map(|node| {
            format!(
                "{} of {}: {}",
                node.name,
                name(&node.parent),
                node.disks[0].image
            )
        })
        .collect();
    lines.push(format!(
        "VM of {}: {}",
        name(&tree.current),
        tree.active[0].image
    ));
    lines
}

#[test]
fn the_tree_is_told_by_the_disks_and_holds_every_file_once() {
    let folder = branched("Virtual Hard Disks/");
    let frozen = begin(&folder, &all()).unwrap();
    let source = frozen.source();
    assert!(source.disks.is_empty());
    let tree = source.tree.as_ref().unwrap();
    assert_eq!(
        shape(tree),
        [
            "checkpoint A of nothing: Virtual Hard Disks/os.vhdx",
            "checkpoint B of checkpoint A: Virtual Hard Disks/os_b.avhdx",
            "checkpoint C of checkpoint A: Virtual Hard Disks/os_c.avhdx",
            "VM of checkpoint C: Virtual Hard Disks/os_run.avhdx",
        ]
    );
    let memory: Vec<_> = tree
        .checkpoints
        .iter()
        .map(|node| node.memory_bytes)
        .collect();
    assert_eq!(memory, [None, None, Some(20 << 20)]);
    let images: Vec<_> = source
        .images
        .iter()
        .map(|image| {
            let size_bytes = image.file.size_bytes().unwrap();
            let on_disk = folder.path(&format!("web/{}", image.relative_path));
            assert_eq!(size_bytes, on_disk.metadata().unwrap().len());
            (image.relative_path.as_str(), image.parent.as_deref())
        })
        .collect();
    let (base, c) = (
        "Virtual Hard Disks/os.vhdx",
        "Virtual Hard Disks/os_c.avhdx",
    );
    assert_eq!(images.len(), 4);
    assert_eq!(images[0], (base, None));
    assert!(images.contains(&("Virtual Hard Disks/os_b.avhdx", Some(base))));
    assert!(images.contains(&("Virtual Hard Disks/os_run.avhdx", Some(c))));
    for (at, (_, parent)) in images.iter().enumerate() {
        let before = |parent: &str| images[..at].iter().any(|(name, _)| *name == parent);
        assert!(parent.is_none_or(before), "parents come first: {images:?}");
    }
    // The configuration, three of checkpoints and their three state files.
    assert_eq!(source.files.len(), 7);
    assert_eq!(source.images[0].disk_id, source.images[3].disk_id);
    let plan = folder.host().plan(&folder.only_vm(), &all(), None).unwrap();
    assert_eq!(plan.disks.len(), 4);
    assert_eq!(ids(&plan.findings), [""; 0]);
}

#[test]
fn images_beside_the_folder_of_the_vm_keep_their_ways_to_each_other() {
    let folder = branched("../storage/deep/");
    let frozen = begin(&folder, &all()).unwrap();
    let names: Vec<_> = frozen
        .source()
        .images
        .iter()
        .map(|i| i.relative_path.clone())
        .collect();
    assert!(
        names.contains(&"Virtual Hard Disks/os.vhdx".to_owned()),
        "{names:?}"
    );
}

#[test]
fn a_file_of_another_branch_that_changes_while_it_is_read_is_noticed() {
    for name in ["os_b.avhdx", "os_run.avhdx"] {
        let folder = branched("Virtual Hard Disks/");
        let mut frozen = begin(&folder, &all()).unwrap();
        let path = folder.path(&format!("web/Virtual Hard Disks/{name}"));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend([0; 512]);
        std::fs::write(&path, bytes).unwrap();
        let error = frozen.seal().unwrap_err();
        let kind = error.disk_error().unwrap().kind();
        assert_eq!(kind, block_io::DiskErrorKind::Changed, "{name}");
    }
}

#[test]
fn a_checkpoint_whose_disk_is_gone_stands_in_the_way_of_the_tree_alone() {
    let folder = branched("Virtual Hard Disks/");
    std::fs::remove_file(folder.path("web/Virtual Hard Disks/os_b.avhdx")).unwrap();
    assert!(begin(&folder, &all()).is_err());
    let host = folder.host();
    let plan = host.plan(&folder.only_vm(), &all(), None).unwrap();
    assert_eq!(ids(&plan.findings), ["VM-CHECKPOINT-INCOMPLETE"]);
    assert_eq!(plan.findings[0].severity, Severity::Block);
    begin(&folder, &BackupRequest::default()).unwrap();
}

#[test]
fn a_checkpoint_that_is_listed_and_has_no_file_is_told() {
    let folder = branched("Virtual Hard Disks/");
    let file = format!("web/Snapshots/{}.vmcx", Uuid::from_u128(11));
    std::fs::remove_file(folder.path(&file)).unwrap();
    // Without it the disk that nobody names would be a VM of its own.
    std::fs::remove_file(folder.path("web/Virtual Hard Disks/os_b.avhdx")).unwrap();
    let frozen = begin(&folder, &all()).unwrap();
    assert_eq!(ids(&frozen.source().findings), ["VM-CHECKPOINT-MISSING"]);
    let tree = frozen.source().tree.as_ref().unwrap();
    assert_eq!(tree.checkpoints.len(), 2);
}

#[test]
fn an_excluded_disk_is_in_no_checkpoint_either() {
    let folder = branched("Virtual Hard Disks/");
    let slot = folder.only_vm().disks[0].slot.unwrap();
    let request = BackupRequest {
        exclude: vec![slot],
        ..all()
    };
    let frozen = begin(&folder, &request).unwrap();
    assert!(frozen.source().images.is_empty());
    assert_eq!(frozen.source().left_out.len(), 1);
}

#[test]
fn a_chain_without_a_configuration_is_a_tree_without_checkpoints() {
    let folder = Folder::new();
    folder.base("os.vhdx", 1);
    folder.child("os_1.avhdx", "os.vhdx", 2);
    let frozen = begin(&folder, &all()).unwrap();
    let tree = frozen.source().tree.as_ref().unwrap();
    assert!(tree.checkpoints.is_empty() && tree.current.is_none());
    assert_eq!(tree.active[0].image, "Virtual Hard Disks/os_1.avhdx");
    assert_eq!(frozen.source().images.len(), 2);
}
