//! VMs that go into a point through the host's VSS writer, and back through it.

use backup_run::{BackupOptions, Outcome};
use block_io::BlockDevice as _;
use hyperv_host::{BackupMode, RestoreHost};
use hyperv_sim::{Ledger, LedgerDifference, LedgerKind, PowerState, Profile};
use vm_restore::{
    HostRestoreFailure, HostRestorePlan, HostRestoreReport, HostRestoreRequest, RestoreKind,
    RestoreMethod, StartPolicy, Through, plan_host_restore,
};
use wmi_host::find_residue;

use crate::through_vss::{DISK_BYTES, Scene, options};

/// Hosts and modes whose points go through the writer. A point of the latest state alone has its
/// disks flat, and the definition that the writer froze names the checkpoint that it made itself.
const KINDS: [(Profile, BackupMode); 2] = [
    (Profile::Server2012R2, BackupMode::AllCheckpoints),
    (Profile::Server2022, BackupMode::AllCheckpoints),
];

impl Scene {
    fn target(&self) -> &dyn RestoreHost {
        hyperv_host::HypervHost::as_restore_host(&self.host).unwrap()
    }

    fn request(&self) -> HostRestoreRequest {
        HostRestoreRequest {
            run: "test-restore".to_owned(),
            through: Through::Writer,
            start: StartPolicy::StayOff,
            session_folder: self.folder.path().join("sessions"),
            ..HostRestoreRequest::default()
        }
    }

    fn over_the_old(&self) -> HostRestoreRequest {
        HostRestoreRequest {
            in_place: true,
            stop_running: true,
            ..self.request()
        }
    }

    fn plan(&self, request: &HostRestoreRequest) -> HostRestorePlan {
        plan_host_restore(&self.repository, &self.point(), self.target(), request).unwrap()
    }

    fn restore(
        &self,
        request: &HostRestoreRequest,
    ) -> Result<HostRestoreReport, Box<HostRestoreFailure>> {
        let plan = self.plan(request);
        assert!(plan.block().is_none(), "{:?}", plan.findings);
        assert_eq!(plan.method, RestoreMethod::Writer);
        plan.execute(self.target(), &()).map_err(Box::new)
    }

    fn content(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(DISK_BYTES).unwrap()];
        let disk = self.sim.open_disk(self.vm, 0).unwrap();
        disk.read_at(0, &mut bytes).unwrap();
        bytes
    }

    fn ledger(&self) -> Ledger {
        self.sim.settle().unwrap();
        self.sim.ledger().unwrap()
    }

    /// What is there that was not, and the other way round. A VM that is registered anew has
    /// controllers with ids of their own.
    fn left_behind(&self, before: &Ledger) -> Vec<LedgerDifference> {
        let mut left = Ledger::left_behind(before, &self.ledger());
        left.retain(|own| own.kind != LedgerKind::DiskPath);
        left
    }

    fn remove(&self) {
        if self.sim.vm(self.vm).unwrap().power != PowerState::Off {
            self.sim.stop(self.vm).unwrap();
        }
        self.sim.remove_vm(self.vm, true).unwrap();
        self.sim.settle().unwrap();
    }

    fn check_nothing_left(&self) {
        let mut residue = find_residue(&self.host).unwrap();
        // The checkpoint that the writer made for the backup is gone, and its file is a part of the
        // chain still: no checkpoint says so.
        residue.retain(|own| own.finding.id != "RESIDUE-AVHDX");
        assert!(residue.is_empty(), "{residue:?}");
        let ledger = format!("{:?}", self.ledger());
        assert!(!ledger.contains("lifeboat-"), "{ledger}");
        let journal = std::fs::read_dir(self.folder.path().join("journal")).unwrap();
        let mut entries = journal.map(|file| file.unwrap().file_name().into_string().unwrap());
        assert!(!entries.any(|name| name.ends_with(".json")));
    }
}

/// A VM that was backed up; returns what its disk held then.
fn backed_up(profile: Profile, mode: BackupMode) -> (Scene, Vec<u8>) {
    let scene = Scene::new(profile);
    let mut content = vec![0; usize::try_from(DISK_BYTES).unwrap()];
    scene.write(&mut content, 1);
    if mode == BackupMode::AllCheckpoints {
        scene.sim.checkpoint(scene.vm, "A").unwrap();
        scene.sim.settle().unwrap();
    }
    scene.write(&mut content, 2);
    let report = scene.run(&options(mode));
    assert_eq!(report.items[0].outcome, Outcome::Success, "{report:?}");
    assert!(scene.point().writer.is_some());
    (scene, content)
}

#[test]
fn a_vm_that_was_removed_comes_back_and_its_next_backup_says_why_it_is_full() {
    for (profile, mode) in KINDS {
        let (scene, content) = backed_up(profile, mode);
        let before = scene.sim.vm(scene.vm).unwrap();
        scene.remove();
        scene.sim.clear_trace().unwrap();
        let report = scene.restore(&scene.request()).unwrap();
        assert_eq!(report.kind, RestoreKind::NewVm, "{profile}");
        assert_eq!(report.identity, scene.vm.to_string());
        let trace = scene.sim.trace().unwrap();
        let names: Vec<&str> = trace.iter().map(|own| own.kind.name()).collect();
        let place = |name: &str| names.iter().position(|own| *own == name).unwrap();
        assert!(place("pre-restore") < place("post-restore"), "{names:?}");
        let after = scene.sim.vm(scene.vm).unwrap();
        assert_eq!(after.power, PowerState::Off);
        assert_eq!(
            (
                after.name,
                after.generation,
                after.processors,
                after.version
            ),
            (
                before.name,
                before.generation,
                before.processors,
                before.version
            )
        );
        // The running file is the one that the writer made for the backup.
        let slots = |disks: Vec<hyperv_sim::VmDisk>| {
            disks.into_iter().map(|disk| disk.slot).collect::<Vec<_>>()
        };
        assert_eq!(slots(after.disks), slots(before.disks), "{profile}");
        let names = |own: &[hyperv_sim::Snapshot]| {
            own.iter().map(|own| own.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(
            names(&after.snapshots),
            names(&before.snapshots),
            "{profile}"
        );
        assert!(scene.content() == content, "{profile}");
        scene.check_nothing_left();
        scene.sim.start(scene.vm).unwrap();
        let report = scene.run(&options(mode));
        let item = &report.items[0];
        // The chain is as long as the writer's own checkpoint made it, and the host is told so.
        let is_made = matches!(item.outcome, Outcome::Success | Outcome::Warning);
        assert!(is_made, "{profile}: {item:?}");
        // Nothing of it is new to the repository but what a start and a checkpoint write.
        let new: u64 = item
            .disks
            .iter()
            .map(|disk| disk.statistics.new_bytes)
            .sum();
        assert!(new < DISK_BYTES / 8, "{new} {item:?}");
    }
}

#[test]
fn a_vm_that_is_there_gives_way_once_that_is_confirmed() {
    for (profile, mode) in KINDS {
        let (scene, content) = backed_up(profile, mode);
        scene.write(&mut vec![0; 4 << 20], 9);
        let plan = scene.plan(&scene.request());
        assert_eq!(plan.block().map(|own| &*own.id), Some("POINT-SAME-VM"));
        assert!(scene.plan(&scene.over_the_old()).needs_confirmation());
        let report = scene.restore(&scene.over_the_old()).unwrap();
        assert_eq!(report.kind, RestoreKind::InPlace, "{profile}");
        assert!(!report.removed.is_empty());
        assert!(scene.content() == content, "{profile}");
        assert_eq!(scene.sim.vm(scene.vm).unwrap().power, PowerState::Off);
        scene.check_nothing_left();
    }
}

/// What goes wrong with the service and its writer.
const FAULTS: [&str; 7] = [
    "vss:BeginRestore nth=1 code=0x80042311",
    "vss:Select nth=1 code=0x80042308",
    "vss:PreRestore nth=1 code=0x800423F4",
    "vss:PreRestore nth=1 writer=0x800423F4",
    "vss:SetRestored nth=1 code=0x80042308",
    "vss:PostRestore nth=1 code=0x800423F4",
    "vss:PostRestore nth=1 writer=0x800423F4",
];

#[test]
fn whatever_the_writer_fails_at_the_old_vm_is_there_as_it_was() {
    for (profile, mode) in KINDS {
        for fault in FAULTS {
            let (scene, content) = backed_up(profile, mode);
            let mut now = content.clone();
            scene.write(&mut now, 9);
            let before = scene.ledger();
            scene.sim.plan_fault(fault.parse().unwrap()).unwrap();
            let failure = scene.restore(&scene.over_the_old()).unwrap_err();
            scene.sim.clear_faults().unwrap();
            assert!(!failure.can_go_on, "{profile} {fault}: {failure:?}");
            assert!(scene.content() == now, "{profile} {fault}: {failure:?}");
            let left = scene.left_behind(&before);
            assert!(left.is_empty(), "{profile} {fault}: {left:?} {failure:?}");
            scene.check_nothing_left();
            scene.restore(&scene.over_the_old()).unwrap();
            assert!(scene.content() == content, "{profile} {fault}");
        }
    }
}

#[test]
fn whatever_the_writer_fails_at_a_vm_that_is_gone_leaves_nothing() {
    for fault in FAULTS {
        let (scene, content) = backed_up(Profile::Server2012R2, BackupMode::AllCheckpoints);
        scene.remove();
        let before = scene.ledger();
        scene.sim.plan_fault(fault.parse().unwrap()).unwrap();
        let failure = scene.restore(&scene.request()).unwrap_err();
        scene.sim.clear_faults().unwrap();
        assert!(!failure.can_go_on, "{fault}: {failure:?}");
        let left = scene.left_behind(&before);
        assert!(left.is_empty(), "{fault}: {left:?} {failure:?}");
        scene.check_nothing_left();
        scene.restore(&scene.request()).unwrap();
        assert!(scene.content() == content, "{fault}");
    }
}

#[test]
fn what_was_done_although_the_answer_was_lost_is_undone_or_ended() {
    let faults = [
        "vss:PreRestore nth=1 code=0x800423F4 after",
        "vss:PreRestore nth=1 requester=dies",
        "vss:PostRestore nth=1 code=0x800423F4 after",
        "vss:PostRestore nth=1 requester=dies",
        "vss:WriterStatuses nth=1 code=0x80042302",
    ];
    for fault in faults {
        let (scene, content) = backed_up(Profile::Server2012R2, BackupMode::AllCheckpoints);
        let mut now = content.clone();
        scene.write(&mut now, 9);
        let before = scene.ledger();
        scene.sim.plan_fault(fault.parse().unwrap()).unwrap();
        let failure = scene.restore(&scene.over_the_old()).unwrap_err();
        scene.sim.clear_faults().unwrap();
        if failure.can_go_on {
            let report = scene.restore(&scene.over_the_old()).unwrap();
            // One that died before the VM was made makes it; else there is only an end to come to.
            if fault.contains("PostRestore") && !fault.contains("dies") {
                assert_eq!(report.kind, RestoreKind::Finish, "{fault}");
            }
            assert!(scene.content() == content, "{fault}");
        } else {
            let left = scene.left_behind(&before);
            assert!(left.is_empty(), "{fault}: {left:?} {failure:?}");
            assert!(scene.content() == now, "{fault}");
        }
        scene.check_nothing_left();
    }
}

#[test]
fn a_point_that_has_disks_of_checkpoints_as_one_file_is_for_an_import() {
    let scene = Scene::new(Profile::Server2012R2);
    scene.sim.checkpoint(scene.vm, "A").unwrap();
    scene.sim.settle().unwrap();
    scene.run(&BackupOptions::default());
    scene.remove();
    let plan = scene.plan(&scene.request());
    let block = plan.block().unwrap();
    assert_eq!(block.id, "POINT-WRITER-CHAIN", "{block:?}");
    let import = HostRestoreRequest {
        through: Through::Auto,
        ..scene.request()
    };
    let plan = scene.plan(&import);
    assert_eq!(plan.method, RestoreMethod::Import);
    plan.execute(scene.target(), &()).unwrap();
    assert!(scene.sim.vm(scene.vm).is_ok());
}
