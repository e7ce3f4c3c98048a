//! VMs with checkpoints: backed up through the writer of one simulated host, and restored to it or
//! to another one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use backup_run::{BackupOptions, Outcome};
use block_io::BlockDevice as _;
use hyperv_host::{BackupMode, Identity, RestoreHost as _};
use hyperv_sim::{Consistency, DiskSpec, PowerState, SnapshotKind, SnapshotSettings, Vm};
use uuid::Uuid;
use vm_restore::{Destination, HostRestoreRequest, RestoreKind};

use crate::on_simulated_host::{CHUNK, DISK_BYTES, Stage, full_disk, spec};
use crate::restored_properties::{another, properties};
use crate::restored_to_host::{check_nothing_left, request, restore};

/// A host with a VM of two disks and four checkpoints, which goes on from the third-newest:
///
/// ```text
///   first ─┬─ second ─┬─ third
///          │          └─ (now)
///          └─ aside
/// ```
struct Tree {
    stage: Stage,
    vm: Uuid,
    /// What both disks hold at each checkpoint, by its name, and now.
    content: BTreeMap<&'static str, [Vec<u8>; 2]>,
}

const NOW: &str = "now";

impl Tree {
    fn new() -> Self {
        let stage = Stage::new().with_vss();
        let spec = spec("SQL01", &full_disk(60)).with_disk(DiskSpec::empty(DISK_BYTES as u64));
        let vm = stage.sim.add_vm(&spec).unwrap();
        let mut tree = Self {
            stage,
            vm,
            content: BTreeMap::new(),
        };
        let sim = &tree.stage.sim;
        let standard = SnapshotSettings::standard;
        // Without memory, as applications in the guest were asked to be consistent.
        let production = SnapshotSettings {
            kind: SnapshotKind::Production,
            consistency: Consistency::Application,
            ..standard("second")
        };
        let mut ids = BTreeMap::new();
        for (number, name, settings, from) in [
            (1, "first", standard("first"), None),
            (2, "second", production, None),
            (3, "third", standard("third"), None),
            (4, "aside", standard("aside"), Some("first")),
        ] {
            if let Some(from) = from {
                go_back(sim, vm, ids[from]);
            }
            write(&tree.stage, vm, number);
            tree.content.insert(name, contents(&tree.stage, vm));
            ids.insert(name, sim.make_checkpoint(vm, &settings).unwrap());
            sim.advance(std::time::Duration::from_secs(3600)).unwrap();
        }
        go_back(sim, vm, ids["second"]);
        write(&tree.stage, vm, 5);
        tree.content.insert(NOW, contents(&tree.stage, vm));
        tree
    }

    fn back_up(&self) -> backup_run::RunReport {
        back_up(&self.stage, BackupMode::AllCheckpoints)
    }

    /// Checks a VM on some host: the shape of its tree, and what is at each place of it.
    fn check(&self, stage: &Stage, id: Uuid) {
        let (was, is) = (
            self.stage.sim.vm(self.vm).unwrap(),
            stage.sim.vm(id).unwrap(),
        );
        assert_eq!(shape(&is), shape(&was));
        assert_eq!(properties(&is), properties(&was));
        assert!(
            contents(stage, id) == self.content[NOW],
            "it is not as it was"
        );
        for snapshot in &is.snapshots {
            let disks = snapshot.disks.iter().map(|disk| read(stage, &disk.path));
            let wanted = &self.content[&*snapshot.name];
            assert!(disks.collect::<Vec<_>>() == wanted, "{}", snapshot.name);
        }
        // Hyper-V finds them as well.
        for (name, wanted) in &self.content {
            let named = is.snapshots.iter().find(|own| own.name == *name);
            if let Some(named) = named {
                stage.sim.apply_checkpoint(named.id).unwrap();
                stage.sim.settle().unwrap();
                assert!(contents(stage, id) == *wanted, "{name}, applied");
            }
        }
    }
}

fn go_back(sim: &hyperv_sim::SimHost, vm: Uuid, to: Uuid) {
    sim.apply_checkpoint(to).unwrap();
    sim.settle().unwrap();
    sim.start(vm).unwrap();
}

/// The guest writes to places of its own on both disks, and over what it wrote before.
fn write(stage: &Stage, vm: Uuid, number: u8) {
    for disk in [0, 1] {
        let at = usize::from(number) * 3 * CHUNK + disk * 512;
        stage
            .sim
            .write(vm, disk, at as u64, &[number; 4096])
            .unwrap();
        stage.sim.write(vm, disk, 512, &[number; 1024]).unwrap();
    }
}

pub(crate) fn read(stage: &Stage, path: &str) -> Vec<u8> {
    let mut bytes = vec![0; DISK_BYTES];
    let image = stage.sim.open_image(path).unwrap();
    image.read_at(0, &mut bytes).unwrap();
    bytes
}

fn contents(stage: &Stage, vm: Uuid) -> [Vec<u8>; 2] {
    let disks = stage.sim.vm(vm).unwrap().disks;
    [read(stage, &disks[0].path), read(stage, &disks[1].path)]
}

/// Returns each checkpoint's parent, kind, slots and whether it holds memory; `now` is where the VM
/// goes on.
fn shape(vm: &Vm) -> BTreeMap<String, String> {
    let name = |id: Option<Uuid>| {
        let parent = id.and_then(|id| vm.snapshot(id));
        parent.map_or("none", |parent| &*parent.name)
    };
    let all = vm.snapshots.iter().map(|own| {
        let slots: Vec<_> = own.disks.iter().map(|disk| disk.slot).collect();
        let kind = (own.kind, own.has_memory, own.created, own.consistency);
        let text = format!("{} {kind:?} {slots:?}", name(own.parent));
        (own.name.clone(), text)
    });
    let now = (NOW.to_owned(), name(vm.current_parent).to_owned());
    all.chain([now]).collect()
}

pub(crate) fn back_up(stage: &Stage, mode: BackupMode) -> backup_run::RunReport {
    let mut options = BackupOptions::default();
    options.request.mode = mode;
    let vms = hyperv_host::HypervHost::inventory(&stage.host).unwrap().vms;
    let report = backup_run::back_up(
        &stage.host,
        &stage.repository,
        &vms,
        &options,
        &crate::quiet::Quiet,
    );
    stage.sim.settle().unwrap();
    report.unwrap()
}

/// The memory of a VM and of its checkpoints, by the file's name: what a restore brings back byte
/// for byte.
pub(crate) fn memory(stage: &Stage, vm: Uuid) -> BTreeMap<String, Vec<u8>> {
    let vm = stage.sim.vm(vm).unwrap();
    let mut found = BTreeMap::new();
    let files = vm.snapshots.iter().filter(|own| own.has_memory);
    let files = files.map(|own| (own.name.clone(), own.config_file.clone()));
    let is_saved = vm.power == PowerState::Saved;
    let own = is_saved.then(|| (NOW.to_owned(), vm.config_file.clone()));
    for (name, file) in files.chain(own) {
        let file = file.replace(".vmcx", ".VMRS");
        let path = format!("{}\\{file}", vm.config_root);
        let bytes = fs::read(stage.host.local_path(&path).unwrap()).unwrap();
        found.insert(name, bytes);
    }
    found
}

fn images(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            images(&path, found);
        } else if path
            .extension()
            .is_some_and(|end| end == "vhdx" || end == "avhdx")
        {
            found.insert(path);
        }
    }
}

/// The next backup of a restored VM reads all, and stores nothing.
fn check_next_backup(tree: &Tree, stage: Stage, vm: Uuid, mode: BackupMode) {
    let stage = Stage {
        repository: tree.stage.repository.clone(),
        ..stage
    };
    let report = back_up(&stage, mode);
    let items = report.items.iter();
    let mut items = items.filter(|item| item.identity == vm.to_string());
    let item = items.next().unwrap();
    assert_ne!(item.outcome, Outcome::Failed, "{item:?}");
    assert!(item.point.is_some(), "{item:?}");
    // Images are always read whole; of disks it is said why.
    assert!(
        item.disks.iter().all(|disk| disk.full.is_some()),
        "{item:?}"
    );
    let disks = item.disks.iter().map(|disk| disk.statistics);
    let all = disks.chain(item.images.iter().map(|image| image.statistics));
    let new: Vec<u64> = all.map(|statistics| statistics.new_bytes).collect();
    let wanted = if mode == BackupMode::AllCheckpoints {
        7
    } else {
        2
    };
    assert!(new.len() >= wanted, "{item:?}");
    // An image that is written to has another GUID in its header; a chunk that two images have parts
    // of was in none of them.
    let most = 5 * CHUNK as u64;
    assert!(new.iter().all(|bytes| *bytes <= most), "{new:?} are new");
}

#[test]
fn a_tree_of_three_levels_comes_back_on_another_host_on_its_right_leaf() {
    let tree = Tree::new();
    tree.back_up();
    let second = another().with_vss();
    let memory_was = memory(&tree.stage, tree.vm);
    assert_eq!(memory_was.len(), 3);
    let request = HostRestoreRequest {
        destination: Destination::Folder(r"C:\Restored\SQL01".to_owned()),
        ..request(&second)
    };
    let report = restore(&tree.stage, &second, tree.vm, &request).unwrap();
    assert_eq!(report.kind, RestoreKind::NewVm);
    assert_eq!(report.identity, tree.vm.to_string());
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
    assert!(memory(&second, tree.vm) == memory_was, "memory differs");
    check_nothing_left(&second);
    tree.check(&second, tree.vm);
}

#[test]
fn the_next_backup_of_a_restored_tree_is_full_and_stores_nothing() {
    for mode in [BackupMode::AllCheckpoints, BackupMode::Standard] {
        let tree = Tree::new();
        tree.back_up();
        let second = another().with_vss();
        restore(&tree.stage, &second, tree.vm, &request(&second)).unwrap();
        second.sim.start(tree.vm).unwrap();
        check_next_backup(&tree, second, tree.vm, mode);
    }
}

#[test]
fn in_place_the_tree_of_then_takes_the_place_of_that_of_now() {
    let tree = Tree::new();
    tree.back_up();
    let stage = &tree.stage;
    let was = stage.sim.vm(tree.vm).unwrap();
    let memory_was = memory(stage, tree.vm);
    // Somebody removes a checkpoint, makes another one, and goes on.
    let third = was.snapshots.iter().find(|own| own.name == "third");
    stage.sim.delete_checkpoint(third.unwrap().id).unwrap();
    stage.sim.checkpoint(tree.vm, "later").unwrap();
    write(stage, tree.vm, 9);
    stage.sim.settle().unwrap();
    let request = HostRestoreRequest {
        in_place: true,
        stop_running: true,
        ..request(stage)
    };
    let report = restore(stage, stage, tree.vm, &request).unwrap();
    assert_eq!(report.kind, RestoreKind::InPlace);
    let is = stage.sim.vm(tree.vm).unwrap();
    assert_eq!(shape(&is), shape(&was));
    assert_eq!(properties(&is), properties(&was));
    assert!(contents(stage, tree.vm) == tree.content[NOW], "it differs");
    assert!(memory(stage, tree.vm) == memory_was, "memory differs");
    check_nothing_left(stage);
    // Of the old tree no file is left.
    let local = |path: &String| stage.host.local_path(path).unwrap();
    let own: BTreeSet<PathBuf> = is.files.keys().map(local).collect();
    let mut there = BTreeSet::new();
    for (_, drive) in stage.sim.drives().unwrap() {
        images(&drive, &mut there);
    }
    assert_eq!(there, own);
}

#[test]
fn flattened_a_tree_is_a_vm_of_one_file_for_each_disk() {
    for identity in [Identity::Keep, Identity::New] {
        let tree = Tree::new();
        tree.back_up();
        let second = another().with_vss();
        let request = HostRestoreRequest {
            flatten: true,
            identity,
            ..request(&second)
        };
        let report = restore(&tree.stage, &second, tree.vm, &request).unwrap();
        let vm = Uuid::parse_str(&report.identity).unwrap();
        let is = second.sim.vm(vm).unwrap();
        assert!(is.snapshots.is_empty() && is.current_parent.is_none());
        assert_eq!(
            properties(&is),
            properties(&tree.stage.sim.vm(tree.vm).unwrap())
        );
        for disk in &is.disks {
            let chain = second.sim.open_image(&disk.path).unwrap();
            assert_eq!(chain.chain().len(), 1, "{}", disk.path);
        }
        assert!(contents(&second, vm) == tree.content[NOW], "{identity:?}");
        check_nothing_left(&second);
        second.sim.start(vm).unwrap();
        check_next_backup(&tree, second, vm, BackupMode::Standard);
    }
}
