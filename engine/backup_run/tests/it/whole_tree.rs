//! Checkpoint trees of real images: from a folder into a repository and back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use backup_run::{BackupOptions, Outcome, RunEvent, RunObserver, RunReport, back_up};
use block_io::{BlockDevice, NewImage as _};
use disk_image::{DifferencingOptions, ImageFormat, NewImageOptions, OpenOptions};
use folder_host::FolderHost;
use hyperv_host::{BackupMode, HypervHost as _};
use repository::{
    Repository, RepositoryError, RepositoryErrorKind, RestorePoint, StreamRole, VerifyObserver,
};
use uuid::Uuid;
use vm_config::{
    Checkpoint, ControllerKind, Disk, DiskSlot, Memory, VmConfiguration, write_vmcx, write_xml,
};
use vm_restore::{check_tree, checkpoint_tree, disk_count, open_disk, plan_vm_restore};

use crate::quiet::Quiet;
use crate::repository_in_folder::repository;

const DISK_BYTES: u64 = 6 << 20;
const HOST_FOLDER: &str = r"C:\VMs\web\Virtual Hard Disks\";

struct Scene {
    folder: tempfile::TempDir,
    repository: Repository,
}

impl VerifyObserver for Quiet {
    fn advanced(&self, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// Bytes that no other seed makes.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

fn configuration(id: u128, name: &str, leaf: &str) -> VmConfiguration {
    VmConfiguration {
        name: name.to_owned(),
        id: Uuid::from_u128(id),
        generation: 2,
        version: "9.0".to_owned(),
        notes: String::new(),
        processors: 1,
        memory: Memory::default(),
        disks: vec![Disk {
            slot: DiskSlot {
                kind: ControllerKind::Scsi,
                controller: 0,
                slot: 0,
            },
            path: format!("{HOST_FOLDER}{leaf}"),
            pass_through: false,
        }],
        network_adapters: Vec::new(),
        checkpoints: Vec::new(),
        guest_state_file: None,
        secure_boot: false,
        secure_boot_template: None,
    }
}

impl Scene {
    /// A VM with checkpoint A, from which B and C derive; it goes on from C, on `leaf`.
    fn branched(leaf: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = repository(&folder.path().join("repository"));
        let scene = Self { folder, repository };
        scene.image("os.vhdx", None, 1);
        scene.image("os_b.avhdx", Some("os.vhdx"), 2);
        scene.image("os_c.avhdx", Some("os.vhdx"), 3);
        scene.image(leaf, Some("os_c.avhdx"), 4);
        let mut vm = configuration(1, "web", leaf);
        for (id, name, leaf) in [
            (10, "A", "os.vhdx"),
            (11, "B", "os_b.avhdx"),
            (12, "C", "os_c.avhdx"),
        ] {
            vm.checkpoints.push(Checkpoint {
                id: Uuid::from_u128(id),
                name: name.to_owned(),
            });
            let file = format!("Snapshots/{}.vmcx", Uuid::from_u128(id));
            scene.configuration(&file, &configuration(id, "web", leaf));
        }
        scene.configuration(
            &format!("Virtual Machines/{}.vmcx", Uuid::from_u128(1)),
            &vm,
        );
        scene
    }

    fn at(&self, below: &str) -> PathBuf {
        let path = self.folder.path().join("host/web").join(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn disk(&self, name: &str) -> PathBuf {
        self.at("Virtual Hard Disks").join(name)
    }

    /// Makes an image with `seed`'s noise somewhere of its own.
    fn image(&self, name: &str, parent: Option<&str>, seed: u64) {
        fs::create_dir_all(self.at("Virtual Hard Disks")).unwrap();
        let path = self.disk(name);
        let image = match parent {
            None => {
                let options = NewImageOptions::new(ImageFormat::Vhdx, DISK_BYTES);
                disk_image::create(&path, &options)
            }
            Some(parent) => {
                let options = DifferencingOptions {
                    absolute_path: Some(format!("{HOST_FOLDER}{parent}")),
                    ..DifferencingOptions::default()
                };
                disk_image::create_differencing(&path, &self.disk(parent), &options)
            }
        };
        let image = image.unwrap();
        image
            .write_at(seed * (1 << 20), &noise(seed, 200_192))
            .unwrap();
        image.write_at(0, &noise(seed + 100, 4096)).unwrap();
        Box::new(image).finish().unwrap();
    }

    /// Hosts of which VSS recovers disks have configurations in XML.
    fn configuration(&self, below: &str, vm: &VmConfiguration) {
        let bytes = if vm.disks[0].path.ends_with("-AutoRecovery.avhdx") {
            write_xml(&vm.to_tree())
        } else {
            write_vmcx(&vm.to_tree())
        };
        fs::write(self.at(below), bytes.unwrap()).unwrap();
    }

    fn back_up(&self, mode: BackupMode, observer: &dyn RunObserver) -> RunReport {
        let host = FolderHost::open(&self.folder.path().join("host")).unwrap();
        let vms = host.inventory().unwrap().vms;
        let mut options = BackupOptions::default();
        options.request.mode = mode;
        back_up(&host, &self.repository, &vms, &options, observer).unwrap()
    }

    fn points(&self) -> Vec<RestorePoint> {
        let id = Uuid::from_u128(1).to_string();
        let mut points = self.repository.points_of(&id).unwrap();
        points.sort_by_key(|point| point.finished);
        points
    }

    fn last_point(&self) -> RestorePoint {
        self.points().pop().unwrap()
    }

    fn restore(&self, name: &str) -> PathBuf {
        let target = self.folder.path().join(name);
        let plan = plan_vm_restore(&self.repository, &self.last_point(), &target).unwrap();
        assert!(!target.exists());
        let report = plan.execute(&()).unwrap();
        assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
        assert!(report.notes[0].contains("came back"), "{:?}", report.notes);
        assert!(report.lost_parents.is_empty(), "{report:?}");
        target
    }
}

/// Returns all files below a folder as (path below it, bytes), in order.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.push((name.replace('\\', "/"), fs::read(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

fn read_all(device: &dyn BlockDevice) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(device.size_bytes()).unwrap()];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Flattens an image with qemu-img, which never saw our code.
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
fn flattened_by_qemu(image: &Path, folder: &Path) -> Option<Vec<u8>> {
    let out = folder.join("flat.raw");
    let convert = Command::new("qemu-img")
        .args(["convert", "-f", "vhdx", "-O", "raw"])
        .args([image, &out])
        .output();
    let Ok(output) = convert else {
        assert!(
            std::env::var_os("LIFEBOAT_REQUIRE_TOOLS").is_none(),
            "qemu-img is not installed"
        );
        eprintln!("skipped: qemu-img is not installed");
        return None;
    };
    assert!(output.status.success(), "{output:?}");
    Some(fs::read(out).unwrap())
}

#[test]
fn a_branched_tree_comes_back_byte_for_byte_and_finds_its_parents() {
    let scene = Scene::branched("os_run.avhdx");
    let before = contents(&scene.at("."));
    let report = scene.back_up(BackupMode::AllCheckpoints, &Quiet);
    assert_eq!(report.outcome, Outcome::Success, "{report:?}");
    let item = &report.items[0];
    assert_eq!((item.images.len(), item.disks.len()), (4, 0));
    assert_eq!(item.method.as_deref(), Some("files"));
    let point = scene.last_point();
    assert_eq!(point.version, 2);
    assert_eq!(point.disks().count(), 0);
    let roles: Vec<_> = point.images.iter().map(|image| image.role).collect();
    assert_eq!(roles, [StreamRole::Image; 4]);
    let tree = checkpoint_tree(&point).unwrap().unwrap();
    let names: Vec<&str> = tree.checkpoints.iter().map(|node| &*node.name).collect();
    assert_eq!(names, ["A", "B", "C"]);

    let target = scene.restore("restored");
    let mut after = contents(&target);
    after.retain(|(name, _)| name != "lifeboat-restore.json");
    assert!(after == before, "the tree is as it was, to the byte");
    // On a machine that never saw the first folder.
    let options = OpenOptions::below(&target);
    for (leaf, files) in [("os_b.avhdx", 2), ("os_run.avhdx", 3)] {
        let image = disk_image::open(&target.join("Virtual Hard Disks").join(leaf), &options);
        assert_eq!(image.unwrap().chain().len(), files, "{leaf}");
    }
}

#[test]
fn any_leaf_of_the_tree_can_be_read_flat_and_is_what_qemu_makes_of_it() {
    let scene = Scene::branched("os_run.avhdx");
    scene.back_up(BackupMode::AllCheckpoints, &Quiet);
    let (repository, point) = (&scene.repository, &scene.last_point());
    assert_eq!(disk_count(point).unwrap(), 1);
    assert!(check_tree(repository, point).is_empty());
    let b = Uuid::from_u128(11).to_string();
    for (checkpoint, leaf) in [
        (None, "os_run.avhdx"),
        (Some("A"), "os.vhdx"),
        (Some(b.as_str()), "os_b.avhdx"),
        (Some("c"), "os_c.avhdx"),
    ] {
        let disk = open_disk(repository, point, 0, checkpoint).unwrap();
        let flat = read_all(&*disk.device);
        let out = scene.folder.path().join(format!("{leaf}.raw"));
        disk.restore(&out, ImageFormat::Raw, &()).unwrap();
        assert!(fs::read(&out).unwrap() == flat, "{leaf}");
        let ours = disk_image::open(&scene.disk(leaf), &OpenOptions::default());
        assert!(read_all(&ours.unwrap()) == flat, "{leaf}");
        // qemu-img follows no parent of a VHDX, so it is shown what each file holds flattened.
        let whole = scene.folder.path().join(format!("{leaf}.vhdx"));
        disk.restore(&whole, ImageFormat::Vhdx, &()).unwrap();
        if let Some(expected) = flattened_by_qemu(&whole, scene.folder.path()) {
            assert!(expected == flat, "{leaf}");
        }
    }
}

#[test]
fn modes_follow_each_other_in_any_order_and_every_point_restores_alone() {
    let scene = Scene::branched("os_run.avhdx");
    let modes = [
        BackupMode::Standard,
        BackupMode::AllCheckpoints,
        BackupMode::Tracked,
        BackupMode::AllCheckpoints,
        BackupMode::Standard,
    ];
    for mode in modes {
        let report = scene.back_up(mode, &Quiet);
        assert_eq!(report.outcome, Outcome::Success, "{report:?}");
    }
    let points = scene.points();
    // Each is compared with the last one of its own kind.
    let parent_of = |at: usize| points[at].parent.as_ref();
    assert_eq!(parent_of(0), None);
    assert_eq!(parent_of(1), None);
    assert_eq!(parent_of(2), Some(&points[0].id));
    assert_eq!(parent_of(3), Some(&points[1].id));
    assert_eq!(parent_of(4), Some(&points[2].id));
    let again = points[3].images.iter().map(|image| image.statistics);
    let stored: u64 = again.map(|statistics| statistics.new_bytes).sum();
    assert_eq!(stored, 0, "nothing has changed, so nothing is stored");
    let expected = disk_image::open(&scene.disk("os_run.avhdx"), &OpenOptions::default());
    let expected = read_all(&expected.unwrap());
    for point in &points {
        let disk = open_disk(&scene.repository, point, 0, None).unwrap();
        assert!(read_all(&*disk.device) == expected, "{:?}", point.method);
        let report = scene.repository.verify_point(point, &Quiet).unwrap();
        assert!(report.damage.is_empty());
        assert_eq!(report.streams, point.all_streams().count());
    }
}

#[test]
fn the_name_autorecovery_never_comes_back() {
    let scene = Scene::branched("os-AutoRecovery.avhdx");
    let leaf = disk_image::open(
        &scene.disk("os-AutoRecovery.avhdx"),
        &OpenOptions::default(),
    );
    let expected = read_all(&leaf.unwrap());
    scene.back_up(BackupMode::AllCheckpoints, &Quiet);
    let target = scene.restore("restored");
    let files = contents(&target);
    let recovered: Vec<&str> = files
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.starts_with("Virtual Hard Disks/os_") && name.len() > 50)
        .collect();
    assert_eq!(
        recovered.len(),
        1,
        "{files:?}",
        files = files.iter().map(|f| &f.0).collect::<Vec<_>>()
    );
    for (name, bytes) in &files {
        assert!(!name.to_lowercase().contains("autorecovery"), "{name}");
        if name == "lifeboat-restore.json" {
            assert!(!String::from_utf8_lossy(bytes).contains("AutoRecovery"));
        }
    }
    let vm = files
        .iter()
        .find(|(name, _)| name.starts_with("Virtual Machines/"));
    let vm = VmConfiguration::from_bytes("vm", &vm.unwrap().1).unwrap();
    let name = recovered[0].strip_prefix("Virtual Hard Disks/").unwrap();
    assert_eq!(vm.disks[0].path, format!("{HOST_FOLDER}{name}"));
    let image = disk_image::open(&target.join(recovered[0]), &OpenOptions::below(&target));
    assert!(read_all(&image.unwrap()) == expected);
}

/// Changes a byte in the middle of every pack.
fn damage(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damage(&path);
            continue;
        }
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
}

#[test]
fn damage_is_the_repositorys_also_below_a_chain_and_leaves_no_half_tree() {
    let scene = Scene::branched("os_run.avhdx");
    scene.back_up(BackupMode::AllCheckpoints, &Quiet);
    let point = scene.last_point();
    damage(&scene.folder.path().join("repository/packs"));
    let out = scene.folder.path().join("flat.vhdx");
    let restored = open_disk(&scene.repository, &point, 0, None)
        .and_then(|disk| disk.restore(&out, ImageFormat::Vhdx, &()));
    let error = restored.err().unwrap();
    let error: &(dyn std::error::Error + 'static) = &error;
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    let cause = causes.find_map(|cause| cause.downcast_ref::<RepositoryError>());
    assert_eq!(cause.unwrap().kind(), RepositoryErrorKind::Damaged);
    assert!(!out.exists());
    let target = scene.folder.path().join("restored");
    let plan = plan_vm_restore(&scene.repository, &point, &target).unwrap();
    assert!(plan.execute(&()).is_err());
    assert!(!target.exists(), "what was made is removed again");
    let report = scene.repository.verify_point(&point, &Quiet).unwrap();
    assert!(!report.damage.is_empty());
}

/// Writes to a file as soon as another one is read.
struct WritesMeanwhile {
    file: PathBuf,
    streams: AtomicU64,
}

impl RunObserver for WritesMeanwhile {
    fn event(&self, event: RunEvent<'_>) {
        let RunEvent::StreamStarted { .. } = event else {
            return;
        };
        if self.streams.fetch_add(1, Ordering::SeqCst) == 5 {
            let mut bytes = fs::read(&self.file).unwrap();
            bytes.extend([0; 512]);
            fs::write(&self.file, bytes).unwrap();
        }
    }
    fn cancelled(&self) -> bool {
        false
    }
}

#[test]
fn a_file_of_the_tree_that_changes_while_it_is_read_makes_no_point() {
    for name in ["os.vhdx", "os_b.avhdx", "os_run.avhdx"] {
        let scene = Scene::branched("os_run.avhdx");
        let observer = WritesMeanwhile {
            file: scene.disk(name),
            streams: AtomicU64::new(0),
        };
        let report = scene.back_up(BackupMode::AllCheckpoints, &observer);
        assert_eq!(report.outcome, Outcome::Failed, "{name}");
        let failure = report.items[0].failure.as_ref().unwrap();
        assert_eq!(
            failure.disk,
            Some(block_io::DiskErrorKind::Changed),
            "{failure:?}"
        );
        assert!(scene.points().is_empty());
    }
}

#[test]
fn an_image_that_only_an_absolute_path_leads_on_from_has_lost_its_parent() {
    let scene = Scene::branched("os_run.avhdx");
    // Its relative path leads nowhere from here. Backups look the absolute one up; a host that the
    // tree is restored to has nothing there, or something else.
    fs::create_dir_all(scene.disk("deep")).unwrap();
    fs::rename(scene.disk("os_b.avhdx"), scene.disk("deep/os_b.avhdx")).unwrap();
    let file = format!("Snapshots/{}.vmcx", Uuid::from_u128(11));
    scene.configuration(&file, &configuration(11, "web", r"deep\os_b.avhdx"));
    let report = scene.back_up(BackupMode::AllCheckpoints, &Quiet);
    assert!(report.items[0].point.is_some(), "{report:?}");
    let target = scene.folder.path().join("lost");
    let plan = plan_vm_restore(&scene.repository, &scene.last_point(), &target).unwrap();
    let report = plan.execute(&()).unwrap();
    assert_eq!(report.lost_parents.len(), 1, "{report:?}");
    assert!(report.lost_parents[0].contains("os_b.avhdx"), "{report:?}");
    assert!(report.lost_parents[0].contains("Set-VHD"), "{report:?}");
}
