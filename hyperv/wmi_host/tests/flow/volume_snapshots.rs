//! Backups through the host's VSS writer: what is read, and what the writer is asked.

use block_io::BlockDevice as _;
use hyperv_host::{BackupMethod, BackupMode, Consistency, FullReason, HypervHost as _};
use hyperv_sim::{DiskContent, DiskSpec, Guest, GuestPlan, GuestWrite, Profile, TraceKind, VmSpec};
use uuid::Uuid;
use wmi_host::{find_residue, fix_residue};

use crate::images::{content, write_images};
use crate::run::{Steps, back_up, request};
use crate::stage::{DISK_BYTES, Stage};

/// Returns what happened since the trace was cleared, by name, merges left out.
pub(crate) fn events(stage: &Stage) -> Vec<String> {
    let trace = stage.sim.trace().unwrap();
    let names = trace.iter().map(|event| event.kind.name().to_owned());
    names.filter(|name| name != "merged").collect()
}

/// The guest's application repairs something in its snapshot, and the guest goes on writing.
fn plan_guest(stage: &Stage, vm: Uuid) -> Vec<u8> {
    let write = |offset, byte| GuestWrite {
        disk: 0,
        offset,
        bytes: vec![byte; 4096],
    };
    let plan = GuestPlan {
        recovery: vec![write(8192, 0xAA)],
        meanwhile: vec![write(16_384, 0xBB)],
        ..GuestPlan::default()
    };
    stage.sim.plan_guest(vm, plan).unwrap();
    let mut content = stage.content(vm, 0);
    content[8192..12_288].fill(0xAA);
    content
}

#[test]
fn a_2012_r2_host_gives_what_the_guest_recovered_to_and_is_left_as_it_was() {
    let stage = Stage::new(Profile::Server2012R2);
    let vm = stage.add_two_disks("vm");
    let recovered = plan_guest(&stage, vm);
    let before = stage.ledger();
    stage.sim.clear_trace().unwrap();
    let (_, host) = stage.connect();
    let entry = stage.entry(vm);
    let mut frozen = host
        .begin_backup(&entry, &request("1"), None, &Steps::default())
        .unwrap();
    let source = frozen.source();
    assert_eq!(source.method, BackupMethod::VssOnline);
    assert_eq!(source.consistency.level, Consistency::Application);
    assert_eq!(source.interruption, None);
    let stages: Vec<&str> = source.stages.iter().map(|own| own.name.as_str()).collect();
    let expected = [
        "gather",
        "prepare",
        "volume-snapshot",
        "post-snapshot",
        "checkpoint-merged",
    ];
    assert_eq!(stages, expected);
    let disk = &source.disks[0];
    let mut bytes = vec![0; usize::try_from(disk.device.size_bytes()).unwrap()];
    disk.device.read_at(0, &mut bytes).unwrap();
    assert!(bytes == recovered, "what the guest recovered to is read");
    assert_eq!(
        disk.changes,
        hyperv_host::DiskChanges::Everything(FullReason::NotTracked)
    );
    let shadows = stage.sim.dir().join("shadows");
    let shadows = shadows.canonicalize().unwrap();
    for file in source.disks.iter().flat_map(|disk| &disk.chain) {
        assert!(
            file.starts_with(shadows.to_str().unwrap()),
            "{file} is live"
        );
    }
    assert_eq!(source.files.len(), 1);
    let sealed = frozen.seal().unwrap();
    assert_eq!(sealed.cursors, [None, None]);
    assert_eq!(frozen.commit(), []);
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
    let events = events(&stage);
    let expected = [
        "backup-begun",
        "identify",
        "prepare-for-backup",
        "prepare-for-snapshot",
        "guest-asked",
        "guest-snapshot",
        "checkpoint-created",
        "freeze",
        "volume-snapshot",
        "thaw",
        "auto-recovery",
        "post-snapshot",
        "checkpoint-removed",
        "backup-complete",
        "snapshot-deleted",
    ];
    assert_eq!(events, expected);
}

#[test]
fn each_version_freezes_a_vm_without_its_guest() {
    for (profile, guest, method) in [
        (
            Profile::Server2012R2,
            Guest::Linux,
            BackupMethod::VssOffline,
        ),
        (Profile::Server2012R2, Guest::None, BackupMethod::VssOffline),
        (Profile::Server2012, Guest::Windows, BackupMethod::VssOnline),
    ] {
        let stage = Stage::new(profile);
        let spec = VmSpec::new("vm").with_guest(guest);
        let vm = stage.add(&spec.with_disk(DiskSpec::empty(DISK_BYTES)));
        let before = stage.ledger();
        let (_, host) = stage.connect();
        let point = back_up(&stage, &host, vm, &request("1"), None).unwrap();
        let plan = host.plan(&stage.entry(vm), &request("2"), None).unwrap();
        assert_eq!(plan.method, method, "{profile} {guest:?}");
        assert_eq!(point.consistency.level, plan.consistency.level);
        assert_eq!(stage.differences(&before), [], "{profile} {guest:?}");
    }
}

/// A VM with `A ◄── B` and `A ◄── C`, and what its disk held at each.
struct Tree {
    stage: Stage,
    vm: Uuid,
    contents: Vec<(String, Vec<u8>)>,
}

fn tree(profile: Profile) -> Tree {
    let stage = Stage::new(profile);
    let vm = stage.add_two_disks("vm");
    let mut contents = Vec::new();
    let mut checkpoint = |name: &str, seed| {
        stage.write(vm, seed);
        let id = stage.sim.checkpoint(vm, name).unwrap();
        contents.push((id.to_string(), stage.content(vm, 0)));
        stage.sim.settle().unwrap();
        id
    };
    let first = checkpoint("A", 11);
    checkpoint("B", 12);
    stage.sim.apply_checkpoint(first).unwrap();
    stage.sim.settle().unwrap();
    stage.sim.start(vm).unwrap();
    for disk in 0..2 {
        let image = stage.sim.open_disk(vm, disk).unwrap();
        let mut bytes = vec![0; usize::try_from(image.size_bytes()).unwrap()];
        image.read_at(0, &mut bytes).unwrap();
        drop(image);
        stage.set_content(vm, disk, bytes);
    }
    let id = {
        stage.write(vm, 13);
        let id = stage.sim.checkpoint(vm, "C").unwrap();
        stage.sim.settle().unwrap();
        id
    };
    contents.push((id.to_string(), stage.content(vm, 0)));
    stage.write(vm, 14);
    Tree {
        stage,
        vm,
        contents,
    }
}

#[test]
fn all_checkpoints_come_as_they_are_on_every_version() {
    for profile in Profile::SINCE_2012_R2 {
        let Tree {
            stage,
            vm,
            contents,
        } = tree(profile);
        let recovers = profile == Profile::Server2012R2;
        let active = if recovers {
            plan_guest(&stage, vm)
        } else {
            stage.content(vm, 0)
        };
        let before = stage.ledger();
        let (_, host) = stage.connect();
        let mut request = request("1");
        request.mode = BackupMode::AllCheckpoints;
        let entry = stage.entry(vm);
        let frozen = host.begin_backup(&entry, &request, None, &Steps::default());
        let mut frozen = frozen.unwrap_or_else(|error| panic!("{profile}: {error}"));
        let source = frozen.source();
        assert!(source.disks.is_empty());
        let tree = source.tree.as_ref().unwrap();
        let folder = tempfile::tempdir().unwrap();
        write_images(source, folder.path());
        for (node, (id, bytes)) in tree.checkpoints.iter().zip(&contents) {
            assert_eq!(node.id, *id, "{profile}");
            let found = content(folder.path(), &node.disks[0].image);
            assert!(found == *bytes, "{profile}: checkpoint {}", node.name);
            assert!(node.memory_bytes.is_some(), "{profile}: {}", node.name);
        }
        let parents: Vec<_> = tree
            .checkpoints
            .iter()
            .map(|node| node.parent.as_deref())
            .collect();
        let root = Some(contents[0].0.as_str());
        assert_eq!(parents, [None, root, root], "{profile}");
        assert_eq!(tree.current.as_deref(), Some(contents[2].0.as_str()));
        let found = content(folder.path(), &tree.active[0].image);
        assert!(found == active, "{profile}: the active leaf");
        let configuration = source.configuration.as_ref().unwrap();
        for (disk, configured) in tree.active.iter().zip(&configuration.disks) {
            assert_eq!(disk.configured_path, configured.path, "{profile}");
        }
        // Parents come before their children, and nobody meets the writer's own names.
        let mut known = Vec::new();
        for image in &source.images {
            let parent = image.parent.as_ref();
            assert!(parent.is_none_or(|parent| known.contains(parent)));
            assert!(!image.relative_path.contains("AutoRecovery"), "{image:?}");
            assert!(!image.configured_path.contains("AutoRecovery"), "{image:?}");
            known.push(image.relative_path.clone());
        }
        let files: Vec<&str> = source
            .files
            .iter()
            .map(|file| file.relative_path.as_str())
            .collect();
        let snapshots = files.iter().filter(|path| path.starts_with("Snapshots/"));
        assert!(snapshots.count() >= 6, "{profile}: {files:?}");
        frozen.seal().unwrap();
        assert_eq!(frozen.commit(), [], "{profile}");
        assert_eq!(stage.differences(&before), [], "{profile}");
    }
}

#[test]
fn a_writer_that_fails_is_tried_again_and_one_that_fails_for_good_is_not() {
    for (fault, tries, works) in [
        ("vss:PrepareSnapshot first=2 writer=0x800423F3", 3, true),
        ("vss:GuestSnapshot first=1 writer=0x800423F2", 2, true),
        ("vss:PostSnapshot first=1 component=0x800423F3", 2, true),
        ("vss:PrepareSnapshot writer=0x800423F4", 1, false),
        ("vss:StartSet first=3 code=2147754774", 1, true),
    ] {
        let stage = Stage::new(Profile::Server2012R2);
        let vm = stage.add_two_disks("vm");
        let before = stage.ledger();
        stage.sim.clear_trace().unwrap();
        stage.sim.plan_fault(fault.parse().unwrap()).unwrap();
        let (_, host) = stage.connect();
        let point = back_up(&stage, &host, vm, &request("1"), None);
        assert_eq!(point.is_ok(), works, "{fault}: {:?}", point.err());
        let prepared = |kind: &TraceKind| *kind == TraceKind::PrepareForSnapshot;
        let trace = stage.sim.trace().unwrap();
        let count = trace.iter().filter(|event| prepared(&event.kind)).count();
        assert_eq!(count, tries, "{fault}");
        stage.sim.clear_faults().unwrap();
        assert_eq!(stage.differences(&before), [], "{fault}");
        assert_eq!(stage.journal_entries(), 0, "{fault}");
    }
}

#[test]
fn what_the_writer_leaves_for_a_dead_requester_is_removed_and_others_files_are_not() {
    let stage = Stage::new(Profile::Server2012R2);
    let vm = stage.add_two_disks("vm");
    let before = stage.ledger();
    let leaves = |behavior: &mut hyperv_sim::Behavior| behavior.leaves_auto_recovery_files = true;
    stage.sim.change_behavior(leaves).unwrap();
    let (_, host) = stage.connect();
    let entry = stage.entry(vm);
    let frozen = host
        .begin_backup(&entry, &request("1"), None, &Steps::default())
        .unwrap();
    let file = auto_recovery_file(&stage, vm);
    stage.sim.vss_requester_dies().unwrap();
    assert!(file.exists(), "the writer has left it");
    frozen.abandon();
    assert!(!file.exists(), "it was made for us");
    assert_eq!(stage.differences(&before), []);
    // Another program's is told, and stays.
    std::fs::write(&file, "not ours").unwrap();
    let error = back_up(&stage, &host, vm, &request("2"), None).unwrap_err();
    assert!(
        error.to_string().contains("VM-AUTORECOVERY-LEFT"),
        "{error}"
    );
    let found = find_residue(&host).unwrap();
    let ids: Vec<&str> = found.iter().map(|own| own.finding.id.as_str()).collect();
    assert_eq!(ids, ["RESIDUE-AUTORECOVERY"]);
    assert_eq!(fix_residue(&host).unwrap().len(), 1);
    assert!(file.exists());
    std::fs::remove_file(&file).unwrap();
    back_up(&stage, &host, vm, &request("3"), None).unwrap();
    assert_eq!(stage.differences(&before), []);
}

fn auto_recovery_file(stage: &Stage, vm: Uuid) -> std::path::PathBuf {
    let disk = stage.sim.vm(vm).unwrap().disks[0].path.clone();
    let paths = hyperv_sim::SimPaths::new(std::sync::Arc::clone(&stage.sim));
    let disk = disk_image::HostPaths::locate(&paths, &disk).unwrap();
    let stem = disk.file_stem().unwrap().to_string_lossy().into_owned();
    disk.with_file_name(format!("{stem}-AutoRecovery.avhdx"))
}

#[test]
fn a_merge_that_does_not_end_is_told_and_nothing_is_stacked_upon_it() {
    let stage = Stage::new(Profile::Server2012R2);
    let vm = stage.add_two_disks("vm");
    let before = stage.ledger();
    stage
        .sim
        .plan_fault("any first=1 merge=hang".parse().unwrap())
        .unwrap();
    let (_, host) = stage.connect();
    let point = back_up(&stage, &host, vm, &request("1"), None).unwrap();
    assert!(
        point.ids().contains(&"VM-MERGE-RUNNING"),
        "{:?}",
        point.ids()
    );
    assert_eq!(stage.journal_entries(), 1);
    let found = find_residue(&host).unwrap();
    let ids: Vec<&str> = found.iter().map(|own| own.finding.id.as_str()).collect();
    assert_eq!(ids, ["VM-MERGE-RUNNING"]);
    let error = back_up(&stage, &host, vm, &request("2"), None).unwrap_err();
    assert_eq!(error.kind(), hyperv_host::HostErrorKind::Busy, "{error}");
    stage.sim.clear_faults().unwrap();
    stage.sim.spoil_merges(vm, None).unwrap();
    stage.sim.crash_host(false).unwrap();
    stage.sim.start(vm).unwrap();
    stage.sim.settle().unwrap();
    back_up(&stage, &host, vm, &request("3"), None).unwrap();
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn all_volumes_of_a_vm_are_snapped_at_one_moment() {
    let stage = Stage::new(Profile::Server2012R2);
    stage.sim.add_volume("D:\\", 1 << 40).unwrap();
    let base = stage.add(&VmSpec::new("base").with_disk(DiskSpec::empty(DISK_BYTES)));
    stage.sim.stop(base).unwrap();
    let path = stage.sim.vm(base).unwrap().disks[0].path.clone();
    let mut spec = VmSpec::new("clone").with_disk(DiskSpec::new(DiskContent::ChildOf(path)));
    spec.folder = Some("D:\\VMs\\clone".to_owned());
    let vm = stage.add(&spec);
    let before = stage.ledger();
    for mode in [BackupMode::Standard, BackupMode::AllCheckpoints] {
        stage.sim.clear_trace().unwrap();
        let (_, host) = stage.connect();
        let mut request = request("1");
        request.mode = mode;
        let entry = stage.entry(vm);
        let mut frozen = host
            .begin_backup(&entry, &request, None, &Steps::default())
            .unwrap();
        let trace = stage.sim.trace().unwrap();
        let snapped = |kind: &TraceKind| matches!(kind, TraceKind::VolumeSnapshot { .. });
        let count = trace.iter().filter(|event| snapped(&event.kind)).count();
        assert_eq!(count, 2, "the parent's volume, too");
        frozen.seal().unwrap();
        frozen.commit();
        assert_eq!(stage.differences(&before), []);
    }
}

#[test]
fn a_stopped_run_leaves_nothing_whenever_it_is_stopped() {
    struct StopsAt(std::sync::atomic::AtomicUsize);
    impl hyperv_host::StepObserver for StopsAt {
        fn step(&self, _text: &str) {}

        fn cancelled(&self) -> bool {
            let left = self.0.load(std::sync::atomic::Ordering::Relaxed);
            self.0
                .store(left.saturating_sub(1), std::sync::atomic::Ordering::Relaxed);
            left == 0
        }
    }
    let stage = Stage::new(Profile::Server2012R2);
    let vm = stage.add_two_disks("vm");
    let before = stage.ledger();
    let (_, host) = stage.connect();
    let mut stopped = 0;
    for calls in 0..12 {
        let observer = StopsAt(calls.into());
        let entry = stage.entry(vm);
        match host.begin_backup(&entry, &request("1"), None, &observer) {
            Ok(frozen) => drop(frozen.abandon()),
            Err(error) => {
                assert_eq!(
                    error.kind(),
                    hyperv_host::HostErrorKind::Cancelled,
                    "{error}"
                );
                stopped += 1;
            }
        }
        assert_eq!(stage.differences(&before), [], "after {calls} questions");
        assert_eq!(stage.journal_entries(), 0);
    }
    assert!(stopped >= 3, "{stopped}");
}
