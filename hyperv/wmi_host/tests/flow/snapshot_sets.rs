//! Sets of volume snapshots: one for many VMs, or one each, and VMs that fail in one.

use hyperv_host::{BackupRequest, HypervHost as _, SnapshotSets, VmEntry};
use hyperv_sim::{DiskSpec, Profile, TraceKind, VmSpec};
use uuid::Uuid;

use crate::run::{Point, Steps, back_up, request};
use crate::stage::{DISK_BYTES, Stage};

const VMS: usize = 4;

struct Run {
    stage: Stage,
    vms: Vec<Uuid>,
    request: BackupRequest,
}

impl Run {
    fn new(sets: SnapshotSets) -> Self {
        let stage = Stage::new(Profile::Server2012R2);
        let spec = |number: usize| VmSpec::new(format!("vm{number}"));
        let vms = (0..VMS).map(|number| {
            let disk = DiskSpec::empty(DISK_BYTES / 4);
            stage.add(&spec(number).with_disk(disk))
        });
        let vms = vms.collect();
        let mut request = request("run");
        request.snapshot_sets = sets;
        stage.sim.clear_trace().unwrap();
        Self {
            stage,
            vms,
            request,
        }
    }

    /// Backs all of them up as a run does.
    fn play(&self) -> Vec<Result<Point, hyperv_host::HostError>> {
        let (_, host) = self.stage.connect();
        let entries: Vec<VmEntry> = self.vms.iter().map(|vm| self.stage.entry(*vm)).collect();
        let run: Vec<_> = entries
            .iter()
            .map(|own| (own, self.request.clone()))
            .collect();
        host.announce(&run);
        let points = self.vms.iter();
        let points = points.map(|vm| back_up(&self.stage, &host, *vm, &self.request, None));
        points.collect()
    }

    fn count(&self, wanted: fn(&TraceKind) -> bool) -> usize {
        let trace = self.stage.sim.trace().unwrap();
        trace.iter().filter(|event| wanted(&event.kind)).count()
    }

    fn volume_snapshots(&self) -> usize {
        self.count(|kind| matches!(kind, TraceKind::VolumeSnapshot { .. }))
    }
}

#[test]
fn one_set_serves_all_vms_of_a_run_or_each_gets_its_own() {
    for (sets, expected) in [(SnapshotSets::Shared, 1), (SnapshotSets::PerVm, VMS)] {
        let run = Run::new(sets);
        let before = run.stage.ledger();
        for point in run.play() {
            point.unwrap();
        }
        assert_eq!(run.volume_snapshots(), expected, "{sets:?}");
        assert_eq!(run.stage.differences(&before), []);
        assert_eq!(run.stage.journal_entries(), 0);
        let complete = run.count(|kind| *kind == TraceKind::BackupComplete);
        assert_eq!(complete, expected);
    }
}

#[test]
fn a_vm_that_fails_in_the_set_is_taken_out_and_the_others_go_on() {
    let partially = |behavior: &mut hyperv_sim::Behavior| behavior.vss_fails_partially = true;
    for (fault, works, partial) in [
        (
            "vss:PrepareSnapshot vm=vm2 first=1 component=0x800423F3",
            true,
            true,
        ),
        (
            "vss:PrepareSnapshot vm=vm2 every component=0x800423F4",
            false,
            true,
        ),
        (
            "vss:GuestSnapshot vm=vm2 every component=0x800423F4",
            false,
            false,
        ),
        (
            "vss:AutoRecovery vm=vm2 every component=0x800423F4",
            false,
            false,
        ),
    ] {
        let run = Run::new(SnapshotSets::Shared);
        if partial {
            run.stage.sim.change_behavior(partially).unwrap();
        }
        let before = run.stage.ledger();
        run.stage.sim.plan_fault(fault.parse().unwrap()).unwrap();
        let points = run.play();
        for (number, point) in points.iter().enumerate() {
            let expected = works || number != 2;
            assert_eq!(point.is_ok(), expected, "{fault}: vm{number}: {point:?}");
        }
        if let Ok(point) = &points[2] {
            assert!(
                point.ids().contains(&"VM-OWN-SNAPSHOT"),
                "{:?}",
                point.ids()
            );
        }
        run.stage.sim.clear_faults().unwrap();
        assert_eq!(run.stage.differences(&before), [], "{fault}");
        assert_eq!(run.stage.journal_entries(), 0, "{fault}");
    }
}

#[test]
fn vms_that_never_begin_leave_nothing() {
    let run = Run::new(SnapshotSets::Shared);
    let before = run.stage.ledger();
    let (_, host) = run.stage.connect();
    let entries: Vec<VmEntry> = run.vms.iter().map(|vm| run.stage.entry(*vm)).collect();
    let announced: Vec<_> = entries
        .iter()
        .map(|own| (own, run.request.clone()))
        .collect();
    host.announce(&announced);
    back_up(&run.stage, &host, run.vms[0], &run.request, None).unwrap();
    assert_eq!(run.stage.journal_entries(), VMS - 1);
    // A run without VMs ends the last one.
    host.announce(&[]);
    assert_eq!(run.stage.journal_entries(), 0);
    assert_eq!(run.stage.differences(&before), []);
}

#[test]
fn many_vms_on_four_volumes_need_four_snapshots() {
    const MANY: usize = 24;
    let stage = Stage::new(Profile::Server2012R2);
    let drives = ["C:\\", "D:\\", "E:\\", "F:\\"];
    for drive in &drives[1..] {
        stage.sim.add_volume(drive, 1 << 40).unwrap();
    }
    let vms = (0..MANY).map(|number| {
        let mut spec = VmSpec::new(format!("vm{number}")).with_disk(DiskSpec::empty(1 << 20));
        spec.folder = Some(format!("{}VMs\\vm{number}", drives[number % drives.len()]));
        stage.add(&spec)
    });
    let vms = vms.collect();
    stage.sim.clear_trace().unwrap();
    let run = Run {
        stage,
        vms,
        request: request("run"),
    };
    let before = run.stage.ledger();
    let began = run.stage.sim.now().unwrap();
    for point in run.play() {
        point.unwrap();
    }
    assert_eq!(run.volume_snapshots(), drives.len());
    let took = run.stage.sim.now().unwrap().duration_since(began);
    assert!(took.as_secs() < 300, "{took:?} on the host's clock");
    assert_eq!(run.stage.differences(&before), []);
}

#[test]
fn vms_that_begin_at_the_same_time_share_one_set() {
    let run = Run::new(SnapshotSets::Shared);
    let before = run.stage.ledger();
    let (_, host) = run.stage.connect();
    let entries: Vec<VmEntry> = run.vms.iter().map(|vm| run.stage.entry(*vm)).collect();
    let announced: Vec<_> = entries
        .iter()
        .map(|own| (own, run.request.clone()))
        .collect();
    host.announce(&announced);
    std::thread::scope(|scope| {
        for entry in &entries {
            let (host, request) = (&host, &run.request);
            scope.spawn(move || {
                let begun = host.begin_backup(entry, request, None, &Steps::default());
                let mut frozen = begun.unwrap();
                frozen.seal().unwrap();
                assert_eq!(frozen.commit(), []);
            });
        }
    });
    assert_eq!(run.volume_snapshots(), 1);
    assert_eq!(run.stage.differences(&before), []);
    assert_eq!(run.stage.journal_entries(), 0);
}

#[test]
fn a_first_vm_that_cannot_be_backed_up_leaves_the_others_their_common_set() {
    let run = Run::new(SnapshotSets::Shared);
    run.stage.sim.stop(run.vms[0]).unwrap();
    run.stage.sim.clear_trace().unwrap();
    let (_, host) = run.stage.connect();
    let entries: Vec<VmEntry> = run.vms.iter().map(|vm| run.stage.entry(*vm)).collect();
    let mut demanding = run.request.clone();
    demanding.require = Some(hyperv_host::Consistency::Application);
    demanding.on_missed = hyperv_host::OnMissed::Fail;
    let requests = [&demanding, &run.request, &run.request, &run.request];
    let announced: Vec<_> = entries
        .iter()
        .zip(requests)
        .map(|(own, request)| (own, request.clone()))
        .collect();
    host.announce(&announced);
    for (vm, request) in run.vms.iter().zip(requests) {
        let point = back_up(&run.stage, &host, *vm, request, None);
        assert_eq!(point.is_ok(), request.require.is_none(), "{point:?}");
    }
    assert_eq!(run.volume_snapshots(), 1);
}

#[test]
fn a_vm_that_waits_for_the_set_of_its_run_can_be_stopped() {
    struct Waits<'a> {
        host: &'a wmi_host::WmiHost,
        other: &'a VmEntry,
        request: &'a BackupRequest,
        was_stopped: std::sync::atomic::AtomicBool,
    }
    impl hyperv_host::StepObserver for Waits<'_> {
        fn step(&self, text: &str) {
            if !text.starts_with("making volume snapshots") {
                return;
            }
            // Another thread asks while this one makes the set.
            std::thread::scope(|scope| {
                let asks = scope.spawn(|| {
                    let steps = Steps::default();
                    steps
                        .cancelled
                        .store(true, std::sync::atomic::Ordering::Relaxed);
                    let begun = self
                        .host
                        .begin_backup(self.other, self.request, None, &steps);
                    let error = begun.err().unwrap();
                    assert_eq!(error.kind(), hyperv_host::HostErrorKind::Cancelled);
                });
                asks.join().unwrap();
            });
            self.was_stopped
                .store(true, std::sync::atomic::Ordering::Relaxed);
        }

        fn cancelled(&self) -> bool {
            false
        }
    }
    let run = Run::new(SnapshotSets::Shared);
    let (_, host) = run.stage.connect();
    let entries: Vec<VmEntry> = run.vms.iter().map(|vm| run.stage.entry(*vm)).collect();
    let announced: Vec<_> = entries
        .iter()
        .map(|own| (own, run.request.clone()))
        .collect();
    host.announce(&announced);
    let observer = Waits {
        host: &host,
        other: &entries[1],
        request: &run.request,
        was_stopped: false.into(),
    };
    let begun = host.begin_backup(&entries[0], &run.request, None, &observer);
    assert_eq!(begun.unwrap().abandon(), []);
    assert!(
        observer
            .was_stopped
            .load(std::sync::atomic::Ordering::Relaxed)
    );
}

#[test]
fn replication_of_all_vms_goes_on_as_soon_as_their_set_is_made() {
    let mut run = Run::new(SnapshotSets::Shared);
    run.request.pause_replication = true;
    for vm in &run.vms {
        let mut replication = hyperv_sim::Replication::default();
        (replication.mode, replication.state, replication.health) = (1, 3, 1);
        run.stage.sim.set_replication(*vm, replication).unwrap();
    }
    let (_, host) = run.stage.connect();
    let entries: Vec<VmEntry> = run.vms.iter().map(|vm| run.stage.entry(*vm)).collect();
    let announced: Vec<_> = entries
        .iter()
        .map(|own| (own, run.request.clone()))
        .collect();
    host.announce(&announced);
    let begun = host.begin_backup(&entries[0], &run.request, None, &Steps::default());
    let frozen = begun.unwrap();
    let paused = run.count(|kind| *kind == TraceKind::ReplicationPaused);
    let resumed = run.count(|kind| *kind == TraceKind::ReplicationResumed);
    assert_eq!((paused, resumed), (VMS, VMS));
    frozen.abandon();
}
