//! Hosts and points of which a plan has something to say.

use hyperv_host::{HostSettings, NodeSettings};
use repository::{LeftOutDisk, RestorePoint, Stream, StreamRole};
use vm_restore::{Destination, HostRestoreRequest, RestorePart};

use crate::checkpoints::tree_world;
use crate::faults::world_of_the_dead;
use crate::host_double::DoubleVm;
use crate::in_place::{add_vm, in_place};
use crate::world::{VM, World, make_vhdx, new_repository, path_of, point_of, slot};

pub(crate) fn there(
    change: impl Fn(&mut World, &mut HostRestoreRequest),
) -> (World, HostRestoreRequest) {
    let mut world = World::new();
    let mut request = world.request();
    change(&mut world, &mut request);
    (world, request)
}

/// The host has no VM.
pub(crate) fn empty(change: impl Fn(&mut World)) -> (World, HostRestoreRequest) {
    there(|world, _| {
        world.host.forget_all();
        change(world);
    })
}

pub(crate) fn empty_to(folder: &str) -> (World, HostRestoreRequest) {
    let (world, mut request) = empty(|_| {});
    request.destination = Destination::Folder(folder.to_owned());
    (world, request)
}

pub(crate) fn there_with_disks(numbers: Vec<u32>) -> (World, HostRestoreRequest) {
    let (world, mut request) = empty(|_| {});
    request.disks = Some(numbers);
    (world, request)
}

pub(crate) fn as_new_vm(change: impl Fn(&mut World)) -> (World, HostRestoreRequest) {
    let (world, mut request) = empty(change);
    request.as_new_vm = true;
    request.keep_memory = Some(true);
    (world, request)
}

pub(crate) fn without_definition(point: &mut RestorePoint) {
    point
        .streams
        .retain(|stream| stream.role != StreamRole::Configuration);
}

pub(crate) fn first_disk(point: &mut RestorePoint) -> &mut Stream {
    let mut streams = point.streams.iter_mut();
    streams
        .find(|stream| stream.role == StreamRole::Disk)
        .unwrap()
}

pub(crate) fn free_memory(world: &World, mib: u64) {
    world.host.facts.lock().unwrap().free_memory_bytes = Some(mib << 20);
}

pub(crate) fn with_memory(host: &str, as_new: bool) -> (World, HostRestoreRequest) {
    let (mut world, mut request) = empty(|_| {});
    host.clone_into(&mut world.point.host);
    let file = Stream::of_file(StreamRole::RuntimeState, "x.vmrs", r"C:\x.vmrs", 4096);
    world.point.streams.push(file);
    request.keep_memory = Some(true);
    request.as_new_vm = as_new;
    (world, request)
}

pub(crate) const PROCESSOR: &str = "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz";

/// Memory that was saved on one processor goes to another.
pub(crate) fn with_processor(of_target: &str) -> (World, HostRestoreRequest) {
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

pub(crate) fn at_checkpoint(name: Option<&str>) -> (World, HostRestoreRequest) {
    let (world, mut request) = tree(|_| {});
    request.checkpoint = name.map(str::to_owned);
    (world, request)
}

/// The VM that gives way goes on from the first of these files, above its base.
pub(crate) fn branches(leaves: &[&str]) -> (World, HostRestoreRequest) {
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

pub(crate) fn guest_state(host: &str) -> (World, HostRestoreRequest) {
    let (mut world, request) = empty(|_| {});
    host.clone_into(&mut world.point.host);
    let file = Stream::of_file(StreamRole::GuestState, "x.vmgs", r"C:\x.vmgs", 4096);
    world.point.streams.push(file);
    (world, request)
}

/// A guest whose first disk starts and has a volume of Windows, backed up on `host`.
pub(crate) fn windows(host: &str, disks: Option<Vec<u32>>) -> (World, HostRestoreRequest) {
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

pub(crate) fn left_out() -> LeftOutDisk {
    LeftOutDisk {
        slot: Some(serde_json::to_value(slot(3)).unwrap()),
        path: r"\\.\PhysicalDrive3".to_owned(),
        reason: "pass-through".to_owned(),
    }
}

pub(crate) fn tree(change: impl Fn(&mut RestorePoint)) -> (World, HostRestoreRequest) {
    let (mut world, _) = tree_world();
    world.host.forget_all();
    change(&mut world.point);
    let request = world.request();
    (world, request)
}

pub(crate) fn add_image(point: &mut RestorePoint, name: &str) {
    let mut image = point.images[0].clone();
    name.clone_into(&mut image.name);
    point.images.push(image);
}

/// The checkpoint names another image for its disk.
pub(crate) fn another_base(point: &mut RestorePoint, image: &str) {
    let tree = point.checkpoints.as_mut().unwrap();
    tree["checkpoints"][0]["disks"][0]["image"] = image.into();
}

/// The VM gives way.
pub(crate) fn in_the_way(change: impl Fn(&mut DoubleVm)) -> (World, HostRestoreRequest) {
    let world = World::new();
    world.host.change_vm(VM, change);
    let request = in_place(&world);
    (world, request)
}

pub(crate) fn kept_old(change: impl Fn(&mut DoubleVm)) -> (World, HostRestoreRequest) {
    let (world, mut request) = in_the_way(change);
    request.keep_old = true;
    (world, request)
}

pub(crate) fn part(
    part: RestorePart,
    change: impl Fn(&mut DoubleVm),
) -> (World, HostRestoreRequest) {
    let (world, mut request) = in_the_way(change);
    request.part = part;
    (world, request)
}

pub(crate) fn add_checkpoint(vm: &mut DoubleVm) {
    vm.checkpoints.insert("one".to_owned(), vm.disks.clone());
}

pub(crate) fn attach_to(name: &str) -> (World, HostRestoreRequest) {
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
pub(crate) fn another_disk(identity: u128) -> (World, HostRestoreRequest) {
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

pub(crate) fn used_by_another(path: &str) -> (World, HostRestoreRequest) {
    let (world, request) = in_the_way(|_| {});
    add_vm(&world, "11112222-0000-0000-0000-00000000000f", path);
    (world, request)
}

/// A restore of another point died when the VM was away, or of this one.
pub(crate) fn died(of_another: bool) -> (World, HostRestoreRequest) {
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
