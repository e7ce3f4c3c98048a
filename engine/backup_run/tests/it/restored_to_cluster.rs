//! A role of a simulated cluster is restored, by a program that dies at each of its steps.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use backup_run::{BackupOptions, Outcome, back_up};
use block_io::BlockDevice as _;
use hyperv_host::{HypervHost as _, RestoreHost};
use hyperv_sim::{
    ClusterEventKind, ClusterOptions, LedgerKind, Profile, SimClock, SimCluster, SimHost, SimPaths,
    SimSession,
};
use repository::Repository;
use tempfile::TempDir;
use uuid::Uuid;
use vm_restore::{
    HostRestoreObserver, HostRestorePlan, HostRestoreRequest, RestoreKind, plan_host_restore,
};
use wmi_host::{ClusterHost, NodeConnector, WmiHost, WmiHostOptions};

use crate::on_simulated_host::{CHUNK, DISK_BYTES, full_disk, spec};
use crate::quiet::Quiet;
use crate::repository_in_folder::repository;
use crate::restored_properties::properties;

/// More steps than a restore has.
const MOST: usize = 60;

/// A cluster of two nodes with a role on the second, a point of it, and what its guest wrote since.
struct Scene {
    folder: TempDir,
    sim: Arc<SimCluster>,
    repository: Repository,
    vm: Uuid,
    disk: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = ClusterOptions::of_nodes(2, Profile::Server2022);
        let sim = SimCluster::create(&folder.path().join("cluster"), options).unwrap();
        // A VM that moves needs its switch on each node.
        for (_, node) in sim.nodes() {
            let switch = hyperv_sim::VirtualSwitch::private("External");
            node.add_switch(switch).unwrap();
        }
        let disk = full_disk(90);
        let vm = sim.add_vm("HV2", &spec("SQL01", &disk)).unwrap();
        let scene = Self {
            sim: Arc::new(sim),
            repository: repository(&folder.path().join("repository")),
            folder,
            vm,
            disk,
        };
        let host = scene.connect();
        let vms = host.inventory().unwrap().vms;
        let options = BackupOptions::default();
        let report = back_up(&host, &scene.repository, &vms, &options, &Quiet).unwrap();
        assert_eq!(report.outcome, Outcome::Success, "{report:?}");
        scene.sim.settle().unwrap();
        let at = (7 * CHUNK) as u64;
        let node = scene.sim.node("HV2").unwrap();
        node.write(vm, 0, at, &[9; 512]).unwrap();
        scene
    }

    /// Starts a program anew, which knows nothing but what is on disk.
    fn connect(&self) -> ClusterHost {
        let sim = Arc::clone(&self.sim);
        let journal = self.folder.path().join("journal");
        let connector: NodeConnector = Box::new(move |node| {
            let host = sim.node(node).unwrap();
            Ok(connect_node(host, journal.clone()))
        });
        ClusterHost::connect(connector("HV1").unwrap(), connector).unwrap()
    }

    fn request(&self) -> HostRestoreRequest {
        HostRestoreRequest {
            in_place: true,
            stop_running: true,
            run: "test-restore".to_owned(),
            session_folder: self.folder.path().join("sessions"),
            ..HostRestoreRequest::default()
        }
    }

    fn plan(&self, host: &dyn RestoreHost, request: &HostRestoreRequest) -> HostRestorePlan {
        let mut points = self.repository.points_of(&self.vm.to_string()).unwrap();
        let point = points.pop().unwrap();
        plan_host_restore(&self.repository, &point, host, request).unwrap()
    }

    /// Runs a restore that dies at a step; `false`: it came to its end before.
    fn dies(&self, request: &HostRestoreRequest, at: usize) -> bool {
        let host = self.connect();
        let plan = self.plan(&host, request);
        let steps = DiesAt {
            at,
            told: AtomicUsize::new(0),
        };
        std::panic::set_hook(Box::new(|_| {}));
        let died = catch_unwind(AssertUnwindSafe(|| plan.execute(&host, &steps))).is_err();
        drop(std::panic::take_hook());
        died
    }

    fn owner(&self) -> Arc<SimHost> {
        let owner = self.sim.owner(self.vm).unwrap();
        self.sim.node(&owner).unwrap()
    }

    /// The role is whole, on its owner, as it was; and nothing of the restore is left.
    fn check(&self, what: &str) {
        self.sim.settle().unwrap();
        let owner = self.owner();
        let vm = owner.vm(self.vm).unwrap();
        assert!(vm.is_clustered, "{what}: it is no role any more");
        let mut bytes = vec![0; DISK_BYTES];
        let disk = owner.open_disk(self.vm, 0).unwrap();
        disk.read_at(0, &mut bytes).unwrap();
        assert!(bytes == self.disk, "{what}: its disk differs");
        let mut nodes = self.sim.nodes();
        assert!(nodes.all(|(_, node)| node.planned_vms().unwrap().is_empty()));
        let count = self
            .sim
            .nodes()
            .filter(|(_, node)| node.vm(self.vm).is_ok());
        assert_eq!(count.count(), 1, "{what}: it is there once");
        let ledger = self.sim.ledger().unwrap();
        for kind in [LedgerKind::File, LedgerKind::ConfigurationFile] {
            let mut left = ledger.of_kind(kind);
            let left = left.find(|(name, _)| name.contains("lifeboat-restore"));
            assert_eq!(left, None, "{what}");
        }
        assert_eq!(self.sim.surprises().unwrap(), [], "{what}");
        for folder in ["sessions", "journal"] {
            let files = std::fs::read_dir(self.folder.path().join(folder));
            for file in files.into_iter().flatten().flatten() {
                let name = file.file_name().into_string().unwrap();
                assert!(!name.ends_with(".json"), "{what}: {folder}/{name} is left");
            }
        }
    }
}

fn connect_node(host: Arc<SimHost>, journal: std::path::PathBuf) -> WmiHost {
    let session = Arc::new(SimSession::new(Arc::clone(&host)).unwrap());
    let options = WmiHostOptions {
        journal: Some(journal),
        ..WmiHostOptions::default()
    };
    let clock = Arc::new(SimClock::new(Arc::clone(&host)));
    let bytes = Arc::new(SimPaths::new(host));
    WmiHost::connect(session, clock, Some(bytes), options).unwrap()
}

/// Fails to live beyond a step.
struct DiesAt {
    at: usize,
    told: AtomicUsize,
}

impl HostRestoreObserver for DiesAt {
    fn step(&self, _: &str, _: &str) {
        let told = self.told.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(told != self.at, "the program dies");
    }
}

#[test]
fn a_role_is_offline_while_its_vm_gives_way_and_is_back_on_its_owner() {
    let scene = Scene::new();
    let host = scene.connect();
    let was = properties(&scene.owner().vm(scene.vm).unwrap());
    let plan = scene.plan(&host, &scene.request());
    assert!(plan.block().is_none(), "{:?}", plan.findings);
    let report = plan.execute(&host, &()).unwrap();
    assert_eq!(report.kind, RestoreKind::InPlace);
    assert_eq!(report.written_bytes, CHUNK as u64);
    assert_eq!(scene.sim.owner(scene.vm).unwrap(), "HV2");
    assert_eq!(properties(&scene.owner().vm(scene.vm).unwrap()), was);
    let events = scene.sim.events().unwrap();
    let offline = |kind: &ClusterEventKind| *kind == ClusterEventKind::TakenOffline;
    assert!(
        events.iter().any(|event| offline(&event.kind)),
        "{events:?}"
    );
    scene.check("without trouble");
}

#[test]
fn a_program_that_dies_at_any_step_is_followed_by_one_that_ends_it() {
    let anew = |request: HostRestoreRequest| HostRestoreRequest {
        full: true,
        ..request
    };
    let mut died = 0;
    for (name, full) in [("in place", false), ("in place, anew", true)] {
        for at in 1..MOST {
            let scene = Scene::new();
            let request = match full {
                true => anew(scene.request()),
                false => scene.request(),
            };
            if !scene.dies(&request, at) {
                break;
            }
            died += 1;
            let what = format!("{name}, step {at}");
            // Now and then the second one dies as well.
            if at % 4 == 0 && !scene.dies(&request, at / 2) {
                scene.check(&what);
                continue;
            }
            let host = scene.connect();
            let plan = scene.plan(&host, &request);
            let done = plan.execute(&host, &());
            done.unwrap_or_else(|failure| panic!("{what}: {failure:?} {:?}", failure.error));
            scene.check(&what);
        }
    }
    assert!(died > 20, "it died {died} times alone");
}

#[test]
fn a_node_that_does_not_answer_is_an_error_and_nothing_is_touched() {
    let scene = Scene::new();
    let host = scene.connect();
    scene.sim.set_reachable("HV1", false).unwrap();
    let before = scene.sim.ledger().unwrap();
    let mut points = scene.repository.points_of(&scene.vm.to_string()).unwrap();
    let point = points.pop().unwrap();
    let planned = plan_host_restore(&scene.repository, &point, &host, &scene.request());
    let error = planned.err().unwrap();
    let mut causes = vec![error.to_string()];
    let mut cause = std::error::Error::source(&error);
    while let Some(own) = cause {
        causes.push(own.to_string());
        cause = own.source();
    }
    assert!(causes.iter().any(|text| text.contains("HV1")), "{causes:?}");
    assert_eq!(scene.sim.ledger().unwrap(), before);
    scene.sim.set_reachable("HV1", true).unwrap();
    let plan = scene.plan(&scene.connect(), &scene.request());
    assert!(plan.block().is_none(), "{:?}", plan.findings);
}
