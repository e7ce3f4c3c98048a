//! Runs through the VSS writer of the simulated host: trees and saved VMs, into a point and back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup_run::{BackupOptions, Outcome, RunReport, back_up, plan_backup};
use block_io::BlockDevice;
use hyperv_host::{BackupMode, HypervHost as _, Severity};
use hyperv_sim::{
    DiskSpec, PowerState, Profile, SimClock, SimHost, SimOptions, SimPaths, SimSession, SimVss,
    VmSpec,
};
use repository::{Repository, RestorePoint};
use tempfile::TempDir;
use uuid::Uuid;
use vm_config::VmConfiguration;
use vm_restore::{check_tree, checkpoint_tree, open_disk, plan_vm_restore};
use wmi_host::{WmiHost, WmiHostOptions};

use crate::quiet::Quiet;
use crate::repository_in_folder::repository;

pub(crate) const DISK_BYTES: u64 = 4 << 20;

pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) sim: Arc<SimHost>,
    pub(crate) host: WmiHost,
    pub(crate) repository: Repository,
    pub(crate) vm: Uuid,
}

impl Scene {
    pub(crate) fn new(profile: Profile) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SimOptions {
            profile,
            ..SimOptions::default()
        };
        let sim = Arc::new(SimHost::create(&folder.path().join("host"), options).unwrap());
        let session = Arc::new(SimSession::new(Arc::clone(&sim)).unwrap());
        let options = WmiHostOptions {
            journal: Some(folder.path().join("journal")),
            ..WmiHostOptions::default()
        };
        let clock = Arc::new(SimClock::new(Arc::clone(&sim)));
        let bytes = Some(Arc::new(SimPaths::new(Arc::clone(&sim))) as _);
        let host = WmiHost::connect(session, clock, bytes, options).unwrap();
        let host = host.with_vss(Arc::new(SimVss::new(Arc::clone(&sim))));
        let vm = sim
            .add_vm(&VmSpec::new("web").with_disk(DiskSpec::empty(DISK_BYTES)))
            .unwrap();
        let repository = repository(&folder.path().join("repository"));
        Self {
            folder,
            sim,
            host,
            repository,
            vm,
        }
    }

    /// Lets the guest write, and returns what its disk holds then.
    pub(crate) fn write(&self, content: &mut [u8], seed: u8) -> Vec<u8> {
        let at = usize::from(seed) * 65_536;
        content[at..at + 4096].fill(seed);
        self.sim
            .write(self.vm, 0, at as u64, &[seed; 4096])
            .unwrap();
        content.to_vec()
    }

    pub(crate) fn run(&self, options: &BackupOptions) -> RunReport {
        let vms = self.host.inventory().unwrap().vms;
        let report = back_up(&self.host, &self.repository, &vms, options, &Quiet).unwrap();
        self.sim.settle().unwrap();
        report
    }

    pub(crate) fn point(&self) -> RestorePoint {
        let points = self.repository.points_of(&self.vm.to_string());
        points.unwrap().pop().unwrap()
    }
}

pub(crate) fn options(mode: BackupMode) -> BackupOptions {
    let mut options = BackupOptions::default();
    options.request.mode = mode;
    options
}

fn read_all(device: &dyn BlockDevice) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(device.size_bytes()).unwrap()];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn a_branched_tree_goes_through_the_writer_into_a_point_and_back() {
    for profile in [Profile::Server2012R2, Profile::Server2022] {
        let scene = Scene::new(profile);
        let mut content = vec![0; usize::try_from(DISK_BYTES).unwrap()];
        let mut expected = vec![("A", scene.write(&mut content, 1))];
        let first = scene.sim.checkpoint(scene.vm, "A").unwrap();
        expected.push(("B", scene.write(&mut content, 2)));
        scene.sim.checkpoint(scene.vm, "B").unwrap();
        scene.sim.apply_checkpoint(first).unwrap();
        scene.sim.settle().unwrap();
        scene.sim.start(scene.vm).unwrap();
        content = read_all(&scene.sim.open_disk(scene.vm, 0).unwrap());
        expected.push(("C", scene.write(&mut content, 3)));
        scene.sim.checkpoint(scene.vm, "C").unwrap();
        let now = scene.write(&mut content, 4);

        let report = scene.run(&options(BackupMode::AllCheckpoints));
        let item = &report.items[0];
        assert!(item.point.is_some(), "{profile}: {item:?}");
        assert_eq!(item.method.as_deref(), Some("vss-online"), "{profile}");
        let stages: Vec<&str> = item.stages.iter().map(|stage| &*stage.name).collect();
        assert!(stages.contains(&"volume-snapshot"), "{profile}: {stages:?}");
        let point = scene.point();
        assert_eq!((point.version, point.stages.len()), (2, stages.len()));
        assert_eq!(point.interruption_ms, None);

        assert!(check_tree(&scene.repository, &point).is_empty());
        let at = |checkpoint| open_disk(&scene.repository, &point, 0, checkpoint).unwrap();
        let flat = |checkpoint| read_all(&*at(checkpoint).device);
        for (name, bytes) in &expected {
            assert!(flat(Some(*name)) == *bytes, "{profile}: checkpoint {name}");
        }
        let latest = flat(None);
        if profile != Profile::Server2012R2 {
            // There the guest's own recovery may write to the disk that is kept.
            assert!(latest == now, "{profile}");
        }

        let target = scene.folder.path().join("restored");
        let plan = plan_vm_restore(&scene.repository, &point, &target).unwrap();
        let done = plan.execute(&()).unwrap();
        assert_eq!(done.notes.len(), 1, "{profile}: {:?}", done.notes);
        assert!(done.lost_parents.is_empty(), "{profile}: {done:?}");
        let restored = files(&target);
        for path in &restored {
            let name = path.to_str().unwrap().to_lowercase();
            assert!(!name.contains("autorecovery"), "{profile}: {name}");
        }
        let tree = plan.checkpoints.as_ref().unwrap();
        let kept = checkpoint_tree(&point).unwrap().unwrap();
        let shape = |tree: &hyperv_host::CheckpointTree| -> Vec<_> {
            let nodes = tree.checkpoints.iter();
            let nodes = nodes.map(|node| (node.id.clone(), node.name.clone(), node.parent.clone()));
            nodes.collect()
        };
        assert_eq!(shape(tree), shape(&kept));
        // The configuration names the file that the VM goes on with.
        let is_vm = |path: &&PathBuf| {
            let is_configuration = path.extension().is_some_and(|e| e == "vmcx" || e == "xml");
            is_configuration && path.parent().unwrap().ends_with("Virtual Machines")
        };
        let path = restored.iter().find(is_vm).unwrap();
        let vm = VmConfiguration::from_bytes("vm", &std::fs::read(path).unwrap()).unwrap();
        let leaf = tree.active[0].image.rsplit('/').next().unwrap();
        assert_eq!(
            vm.disks[0].path.rsplit('\\').next().unwrap(),
            leaf,
            "{profile}"
        );
        let image = target.join(&tree.active[0].image);
        let image = disk_image::open(&image, &disk_image::OpenOptions::below(&target)).unwrap();
        assert!(read_all(&image) == latest, "{profile}");
    }
}

#[test]
fn a_vm_is_saved_only_where_it_is_named_and_the_point_says_for_how_long() {
    let scene = Scene::new(Profile::Server2022);
    // Nothing else freezes a VM of this host.
    let fault = "CreateSnapshot code=32768".parse().unwrap();
    scene.sim.plan_fault(fault).unwrap();
    let report = scene.run(&options(BackupMode::Standard));
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(
        scene
            .repository
            .points_of(&scene.vm.to_string())
            .unwrap()
            .is_empty()
    );

    let mut allowed = options(BackupMode::Standard);
    allowed.allow_saved = vec!["WEB".to_owned()];
    let vms = scene.host.inventory().unwrap().vms;
    let planned = plan_backup(&scene.host, Some(&scene.repository), &vms, &allowed).unwrap();
    let blocks = planned[0].plan.findings.iter();
    assert!(
        blocks
            .clone()
            .all(|finding| finding.severity < Severity::Block)
    );
    let report = scene.run(&allowed);
    let item = &report.items[0];
    assert_eq!(item.outcome, Outcome::Warning, "{item:?}");
    assert_eq!(item.method.as_deref(), Some("saved-state"));
    let seconds = item.interruption_seconds.unwrap();
    assert!(seconds > 0.0);
    let told = item
        .warnings
        .iter()
        .filter(|text| text.starts_with("VM-INTERRUPTED"));
    let told: Vec<_> = told.collect();
    assert_eq!(told.len(), 1, "{:?}", item.warnings);
    assert!(told[0].contains("00:00:00"), "{told:?}");
    assert!(scene.point().interruption_ms.unwrap() > 0);
    let power = scene.sim.vm(scene.vm).unwrap().power;
    assert_eq!(power, PowerState::Running);
}
