//! What a plan says before anything is touched: each finding where it applies, and not where it
//! does not.

use std::collections::BTreeSet;
use std::path::Path;

use hyperv_host::{HostSettings, Identity, NodeSettings, PowerState, Severity};
use repository::{LeftOutDisk, RestorePoint, Stream, StreamRole};
use vm_restore::{Destination, HostRestoreRequest, RestorePart};

use crate::checkpoints::{BASE, tree_world};
use crate::faults::world_of_the_dead;
use crate::host_double::DoubleVm;
use crate::in_place::{add_vm, in_place};
use crate::world::{VM, World, make_vhdx, new_repository, path_of, point_of, slot};

/// A host, a point, and what is asked.
type Case = fn() -> (World, HostRestoreRequest);

struct Row {
    id: &'static str,
    severity: Severity,
    /// Where it applies.
    with: Case,
    /// Where it does not, and as little as may be is otherwise.
    without: Case,
}

const fn row(id: &'static str, severity: Severity, with: Case, without: Case) -> Row {
    Row {
        id,
        severity,
        with,
        without,
    }
}

/// Findings of a VM that is made.
const MADE: [Row; 14] = [
    row(
        "POINT-VERSION",
        Severity::Block,
        || {
            empty(|world| {
                world.host.facts.lock().unwrap().versions = vec!["8.0".to_owned()];
            })
        },
        || empty(|_| {}),
    ),
    row(
        "POINT-NO-CONFIGURATION",
        Severity::Block,
        || empty(|world| without_definition(&mut world.point)),
        || empty(|_| {}),
    ),
    row(
        "POINT-NO-CONFIGURATION",
        Severity::Block,
        || {
            as_new_vm(|world| {
                without_definition(&mut world.point);
                world.point.configuration = None;
            })
        },
        || as_new_vm(|world| without_definition(&mut world.point)),
    ),
    row(
        "POINT-SAME-VM",
        Severity::Block,
        || there(|_, _| {}),
        || there(|_, request| request.identity = Identity::New),
    ),
    row(
        "POINT-SAME-NAME",
        Severity::Warn,
        || there(|_, request| request.identity = Identity::New),
        || {
            there(|_, request| {
                request.identity = Identity::New;
                request.name = Some("web 2".to_owned());
            })
        },
    ),
    row(
        "POINT-RESOURCES",
        Severity::Warn,
        || empty(|world| world.host.facts.lock().unwrap().logical_processors = 1),
        || empty(|world| world.host.facts.lock().unwrap().logical_processors = 2),
    ),
    row(
        "POINT-RESOURCES",
        Severity::Warn,
        || empty(|world| free_memory(world, 511)),
        || empty(|world| free_memory(world, 512)),
    ),
    row(
        "POINT-SWITCH-MISSING",
        Severity::Warn,
        || empty(|world| world.host.facts.lock().unwrap().switches.clear()),
        || empty(|_| {}),
    ),
    row(
        "POINT-FILE-NAME",
        Severity::Block,
        || empty(|world| first_disk(&mut world.point).name = "nul.vhdx".to_owned()),
        || empty(|world| first_disk(&mut world.point).name = "null.vhdx".to_owned()),
    ),
    row(
        "POINT-FILE-NAME",
        Severity::Block,
        || tree(|point| add_image(point, &BASE.to_uppercase())),
        || tree(|point| add_image(point, "Virtual Hard Disks/another.vhdx")),
    ),
    row(
        "POINT-PLACE-UNREACHABLE",
        Severity::Block,
        || empty_to(r"Q:\VMs"),
        || empty_to(r"C:\VMs"),
    ),
    row(
        "POINT-NO-ROOM",
        Severity::Block,
        || empty(|world| world.host.facts.lock().unwrap().volumes[0].free_bytes = 1 << 20),
        || empty(|_| {}),
    ),
    row(
        "POINT-NO-DISK",
        Severity::Block,
        || there_with_disks(vec![2]),
        || there_with_disks(vec![1]),
    ),
    row(
        "POINT-CLUSTERED",
        Severity::Info,
        || empty(|world| world.host.facts.lock().unwrap().is_cluster = true),
        || empty(|_| {}),
    ),
];

/// Findings of what the point says.
const OF_POINT: [Row; 13] = [
    row(
        "POINT-PROCESSOR",
        Severity::Warn,
        || with_processor("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz"),
        || with_processor(PROCESSOR),
    ),
    row(
        "POINT-PROCESSOR",
        Severity::Block,
        || with_processor("AMD EPYC 7763 64-Core Processor"),
        || with_processor(PROCESSOR),
    ),
    row(
        "POINT-AS-NEW-LOSES",
        Severity::Warn,
        || as_new_vm(|_| {}),
        || empty(|_| {}),
    ),
    row(
        "POINT-CHECKPOINT-SETTINGS",
        Severity::Info,
        || at_checkpoint(Some("before the update")),
        || at_checkpoint(None),
    ),
    row(
        "POINT-MEMORY",
        Severity::Warn,
        || with_memory("HV9", false),
        || with_memory("HV1", false),
    ),
    row(
        "POINT-MEMORY",
        Severity::Warn,
        || with_memory("HV1", true),
        || as_new_vm(|_| {}),
    ),
    row(
        "POINT-VTPM",
        Severity::Info,
        || guest_state("HV9"),
        || guest_state("hv1.TEST"),
    ),
    row(
        "POINT-REACTIVATION",
        Severity::Info,
        || windows("HV9", None),
        || windows("HV1", None),
    ),
    row(
        "POINT-DOMAIN-CONTROLLER",
        Severity::Info,
        || windows("HV1", None),
        || empty(|_| {}),
    ),
    row(
        "POINT-LEFT-OUT",
        Severity::Warn,
        || empty(|world| world.point.left_out.push(left_out())),
        || empty(|_| {}),
    ),
    row(
        "POINT-BOOT-DISK",
        Severity::Warn,
        || windows("HV1", Some(vec![1])),
        || windows("HV1", Some(vec![0])),
    ),
    row(
        "POINT-CHECKPOINT-DISKS",
        Severity::Warn,
        || tree(|point| point.left_out.push(left_out())),
        || tree(|_| {}),
    ),
    row(
        "POINT-CHECKPOINT-DISKS",
        Severity::Warn,
        || tree(|point| another_base(point, "Virtual Hard Disks/gone.vhdx")),
        || tree(|point| another_base(point, BASE)),
    ),
];

/// Findings of the VM that is there.
const OF_OLD: [Row; 15] = [
    row(
        "POINT-BRANCH-STAYS",
        Severity::Info,
        || branches(&["web_1.avhdx", "web_2.avhdx"]),
        || branches(&["web_1.avhdx"]),
    ),
    row(
        "POINT-VM-RUNNING",
        Severity::Block,
        || in_the_way(|vm| vm.state = PowerState::Running),
        || in_the_way(|_| {}),
    ),
    row(
        "POINT-VM-RUNNING",
        Severity::Warn,
        || in_the_way(|vm| vm.state = PowerState::Saved),
        || in_the_way(|_| {}),
    ),
    row(
        "POINT-VM-RUNNING",
        Severity::Block,
        || {
            part(RestorePart::Configuration, |vm| {
                vm.state = PowerState::Saved
            })
        },
        || part(RestorePart::Configuration, |_| {}),
    ),
    row(
        "POINT-VM-RUNNING",
        Severity::Block,
        || part(RestorePart::Network, |vm| vm.state = PowerState::Saved),
        || part(RestorePart::Network, |_| {}),
    ),
    row(
        "POINT-VM-RUNNING",
        Severity::Warn,
        || kept_old(|vm| vm.state = PowerState::Running),
        || kept_old(|_| {}),
    ),
    row(
        "POINT-REPLICA",
        Severity::Warn,
        || in_the_way(|vm| vm.is_replicated = true),
        || in_the_way(|_| {}),
    ),
    row(
        "POINT-REPLICA",
        Severity::Warn,
        || part(RestorePart::Network, |vm| vm.is_replicated = true),
        || part(RestorePart::Network, |_| {}),
    ),
    row(
        "POINT-CLUSTERED",
        Severity::Info,
        || in_the_way(|vm| vm.is_clustered = true),
        || in_the_way(|_| {}),
    ),
    row(
        "POINT-CHECKPOINTS-GO",
        Severity::Block,
        || part(RestorePart::Configuration, add_checkpoint),
        || part(RestorePart::Configuration, |_| {}),
    ),
    row(
        "POINT-DISK-STAYS",
        Severity::Warn,
        || in_the_way(|vm| drop(vm.disks.insert(slot(7), path_of(0).replace("web.", "new.")))),
        || in_the_way(|_| {}),
    ),
    row(
        "POINT-DISK-STAYS",
        Severity::Warn,
        || another_disk(99),
        || another_disk(1),
    ),
    row(
        "POINT-DISK-IN-USE",
        Severity::Block,
        || used_by_another(&path_of(0)),
        || used_by_another(r"C:\Elsewhere\web.vhdx"),
    ),
    row(
        "POINT-NO-TARGET-VM",
        Severity::Block,
        || attach_to("web 3"),
        || attach_to("WEB"),
    ),
    row(
        "POINT-RESTORE-DIED",
        Severity::Block,
        || died(true),
        || died(false),
    ),
];

/// What is told once the restore is done: see `in_place`.
const REPORTED: [&str; 1] = ["POINT-NOT-STARTED"];

fn rows() -> impl Iterator<Item = &'static Row> {
    MADE.iter().chain(&OF_POINT).chain(&OF_OLD)
}

fn there(change: impl Fn(&mut World, &mut HostRestoreRequest)) -> (World, HostRestoreRequest) {
    let mut world = World::new();
    let mut request = world.request();
    change(&mut world, &mut request);
    (world, request)
}

/// The host has no VM.
fn empty(change: impl Fn(&mut World)) -> (World, HostRestoreRequest) {
    there(|world, _| {
        world.host.forget_all();
        change(world);
    })
}

fn empty_to(folder: &str) -> (World, HostRestoreRequest) {
    let (world, mut request) = empty(|_| {});
    request.destination = Destination::Folder(folder.to_owned());
    (world, request)
}

fn there_with_disks(numbers: Vec<u32>) -> (World, HostRestoreRequest) {
    let (world, mut request) = empty(|_| {});
    request.disks = Some(numbers);
    (world, request)
}

fn as_new_vm(change: impl Fn(&mut World)) -> (World, HostRestoreRequest) {
    let (world, mut request) = empty(change);
    request.as_new_vm = true;
    request.keep_memory = Some(true);
    (world, request)
}

fn without_definition(point: &mut RestorePoint) {
    point
        .streams
        .retain(|stream| stream.role != StreamRole::Configuration);
}

fn first_disk(point: &mut RestorePoint) -> &mut Stream {
    let mut streams = point.streams.iter_mut();
    streams
        .find(|stream| stream.role == StreamRole::Disk)
        .unwrap()
}

fn free_memory(world: &World, mib: u64) {
    world.host.facts.lock().unwrap().free_memory_bytes = Some(mib << 20);
}

fn with_memory(host: &str, as_new: bool) -> (World, HostRestoreRequest) {
    let (mut world, mut request) = empty(|_| {});
    host.clone_into(&mut world.point.host);
    let file = Stream::of_file(StreamRole::RuntimeState, "x.vmrs", r"C:\x.vmrs", 4096);
    world.point.streams.push(file);
    request.keep_memory = Some(true);
    request.as_new_vm = as_new;
    (world, request)
}

const PROCESSOR: &str = "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz";

/// Memory that was saved on one processor goes to another.
fn with_processor(of_target: &str) -> (World, HostRestoreRequest) {
    let (mut world, request) = with_memory("HV1", false);
    let node = NodeSettings {
        computer: "HV1".to_owned(),
        processor: PROCESSOR.to_owned(),
        ..NodeSettings::default()
    };
    let settings = HostSettings::new("HV1", world.point.started, vec![node]);
    world.point.host_settings = Some(serde_json::to_value(settings).unwrap());
    world.host.facts.lock().unwrap().processor = Some(of_target.to_owned());
    (world, request)
}

fn at_checkpoint(name: Option<&str>) -> (World, HostRestoreRequest) {
    let (world, mut request) = tree(|_| {});
    request.checkpoint = name.map(str::to_owned);
    (world, request)
}

/// The VM that gives way goes on from the first of these files, above its base.
fn branches(leaves: &[&str]) -> (World, HostRestoreRequest) {
    let (world, request) = in_the_way(|_| {});
    let base = world.host.local(&path_of(0));
    for leaf in leaves {
        let options = disk_image::DifferencingOptions::default();
        let leaf = base.with_file_name(leaf);
        let leaf = disk_image::create_differencing(&leaf, &base, &options).unwrap();
        block_io::NewImage::finish(Box::new(leaf)).unwrap();
    }
    world.host.change_vm(VM, |vm| {
        add_checkpoint(vm);
        let leaf = path_of(0).replace("web.vhdx", leaves[0]);
        vm.disks.insert(slot(0), leaf);
    });
    (world, request)
}

fn guest_state(host: &str) -> (World, HostRestoreRequest) {
    let (mut world, request) = empty(|_| {});
    host.clone_into(&mut world.point.host);
    let file = Stream::of_file(StreamRole::GuestState, "x.vmgs", r"C:\x.vmgs", 4096);
    world.point.streams.push(file);
    (world, request)
}

/// A guest whose first disk starts and has a volume of Windows, backed up on `host`.
fn windows(host: &str, disks: Option<Vec<u32>>) -> (World, HostRestoreRequest) {
    let mut system = vec![0; 4 << 20];
    system[510..512].copy_from_slice(&[0x55, 0xAA]);
    // An active partition of type 7, from sector 2048, 2048 sectors.
    system[446..451].copy_from_slice(&[0x80, 0, 0, 0, 7]);
    system[454..462].copy_from_slice(&[0, 8, 0, 0, 0, 8, 0, 0]);
    let volume = 1 << 20;
    system[volume + 3..volume + 11].copy_from_slice(b"NTFS    ");
    system[volume + 510..volume + 512].copy_from_slice(&[0x55, 0xAA]);
    let (mut world, mut request) = empty(|_| {});
    world.repository = new_repository(&world.folder.path().join("windows"));
    let run = world.repository.begin_run(1).unwrap();
    world.point = point_of(&run, &[system, vec![0; 1 << 20]]);
    run.publish(&world.point).unwrap();
    host.clone_into(&mut world.point.host);
    request.disks = disks;
    (world, request)
}

fn left_out() -> LeftOutDisk {
    LeftOutDisk {
        slot: Some(serde_json::to_value(slot(3)).unwrap()),
        path: r"\\.\PhysicalDrive3".to_owned(),
        reason: "pass-through".to_owned(),
    }
}

fn tree(change: impl Fn(&mut RestorePoint)) -> (World, HostRestoreRequest) {
    let (mut world, _) = tree_world();
    world.host.forget_all();
    change(&mut world.point);
    let request = world.request();
    (world, request)
}

fn add_image(point: &mut RestorePoint, name: &str) {
    let mut image = point.images[0].clone();
    name.clone_into(&mut image.name);
    point.images.push(image);
}

/// The checkpoint names another image for its disk.
fn another_base(point: &mut RestorePoint, image: &str) {
    let tree = point.checkpoints.as_mut().unwrap();
    tree["checkpoints"][0]["disks"][0]["image"] = image.into();
}

/// The VM gives way.
fn in_the_way(change: impl Fn(&mut DoubleVm)) -> (World, HostRestoreRequest) {
    let world = World::new();
    world.host.change_vm(VM, change);
    let request = in_place(&world);
    (world, request)
}

fn kept_old(change: impl Fn(&mut DoubleVm)) -> (World, HostRestoreRequest) {
    let (world, mut request) = in_the_way(change);
    request.keep_old = true;
    (world, request)
}

fn part(part: RestorePart, change: impl Fn(&mut DoubleVm)) -> (World, HostRestoreRequest) {
    let (world, mut request) = in_the_way(change);
    request.part = part;
    (world, request)
}

fn add_checkpoint(vm: &mut DoubleVm) {
    vm.checkpoints.insert("one".to_owned(), vm.disks.clone());
}

fn attach_to(name: &str) -> (World, HostRestoreRequest) {
    let attach_to = name.to_owned();
    part(
        RestorePart::Disks {
            attach_to,
            slot: None,
        },
        |_| {},
    )
}

/// Another disk, or a larger one of the same identity, is where the point's was.
fn another_disk(identity: u128) -> (World, HostRestoreRequest) {
    let (world, request) = in_the_way(|_| {});
    let local = world.host.local(&path_of(0));
    std::fs::remove_file(&local).unwrap();
    make_vhdx(
        &local,
        &[7; 1 << 20],
        identity,
        disk_image::ImageFormat::Vhdx,
    );
    (world, request)
}

fn used_by_another(path: &str) -> (World, HostRestoreRequest) {
    let (world, request) = in_the_way(|_| {});
    add_vm(&world, "11112222-0000-0000-0000-00000000000f", path);
    (world, request)
}

/// A restore of another point died when the VM was away, or of this one.
fn died(of_another: bool) -> (World, HostRestoreRequest) {
    let mut world = world_of_the_dead();
    if of_another {
        world.point.id = RestorePoint::new_id().unwrap();
    }
    let request = HostRestoreRequest {
        stop_running: true,
        ..in_place(&world)
    };
    (world, request)
}

fn found(case: Case) -> (World, HostRestoreRequest, Vec<hyperv_host::Finding>) {
    let (world, request) = case();
    let findings = world.plan(&request).findings;
    (world, request, findings)
}

#[test]
fn each_finding_is_told_where_it_applies_and_nowhere_else() {
    for (number, row) in rows().enumerate() {
        let name = format!("row {number}, {}", row.id);
        let (world, request, told) = found(row.with);
        let own = told.iter().find(|finding| finding.id == row.id);
        let own = own.unwrap_or_else(|| panic!("{name} is not told: {told:?}"));
        assert_eq!(own.severity, row.severity, "{name}: {own:?}");
        assert!(own.cure.is_some(), "{name} has no cure");
        if row.severity == Severity::Block {
            let before = world.host.ledger();
            world.run(&request).unwrap_err();
            assert_eq!(world.host.ledger(), before, "{name} was not heeded");
        }
        let (_, _, told) = found(row.without);
        let own = told
            .iter()
            .find(|finding| finding.id == row.id && finding.severity == row.severity);
        assert_eq!(own, None, "{name} is told where it does not apply");
    }
}

#[test]
fn there_is_a_row_for_each_finding_that_the_source_names() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/host_restore");
    let mut named = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let ids = text.split('"').filter(|part| part.starts_with("POINT-"));
        named.extend(ids.map(str::to_owned));
    }
    let rows = rows().map(|row| row.id).chain(REPORTED);
    let rows: BTreeSet<String> = rows.map(str::to_owned).collect();
    assert_eq!(rows, named);
}
