//! VMs that give way: what is written over, and what is counted.

use hyperv_host::PowerState;
use vm_restore::{Destroyed, DiskMethod, HostRestoreRequest, RestoreKind, StartPolicy};

use crate::host_double::Fault;
use crate::world::{CHUNK, VM, World, path_of, slot};

pub(crate) fn in_place(world: &World) -> HostRestoreRequest {
    HostRestoreRequest {
        in_place: true,
        ..world.request()
    }
}

pub(crate) fn tell_changes(world: &World) {
    let mut changes = world.host.changes.lock().unwrap();
    let web = [(5, 3), (3 * CHUNK - 1, 2), ((2 << 20) + 100, 11)];
    let web = web.into_iter().map(|(start, len)| start..start + len);
    changes.insert(path_of(0), web.collect());
    changes.insert(path_of(1), std::iter::once(0..1000).collect());
}

#[test]
fn only_what_the_host_calls_changed_is_written() {
    let world = World::new();
    let [web, data] = world.guest_goes_on();
    tell_changes(&world);
    let plan = world.plan(&in_place(&world));
    assert_eq!(plan.kind, RestoreKind::InPlace);
    assert!(plan.needs_confirmation());
    assert!(plan.write_is_exact);
    assert_eq!(plan.write_bytes, (web + data) * CHUNK);
    let told: Vec<_> = plan.destroyed.iter().collect();
    assert!(
        matches!(told[0], Destroyed::Vm { name, .. } if name == "web"),
        "{told:?}"
    );
    assert_eq!(told.len(), 3);
    let report = plan.execute(&world.host, &()).unwrap();
    assert_eq!(report.written_bytes, plan.write_bytes);
    // Some of the rest was tried.
    let tried: u64 = crate::world::DISK_BYTES.iter().sum();
    assert!(report.compared_bytes > 0 && report.compared_bytes < tried);
    assert_eq!(report.identity, VM);
    assert!(matches!(
        report.disks[0].method,
        DiskMethod::ChangedRanges { ranges: 3 }
    ));
    world.check_content(VM);
    world.check_nothing_left();
}

#[test]
fn without_tracking_each_disk_is_read_once_and_written_where_it_differs() {
    let world = World::new();
    let [web, data] = world.guest_goes_on();
    let plan = world.plan(&in_place(&world));
    assert!(!plan.write_is_exact);
    let report = plan.execute(&world.host, &()).unwrap();
    assert_eq!(report.written_bytes, (web + data) * CHUNK);
    assert!(report.written_bytes <= plan.write_bytes);
    let most: u64 = crate::world::DISK_BYTES.iter().sum();
    assert!(report.compared_bytes <= most, "{report:?}");
    assert_eq!(report.disks[0].method, DiskMethod::Compared);
    world.check_content(VM);
    // Once more there is nothing to do.
    let report = world.run(&in_place(&world)).unwrap();
    assert_eq!(report.written_bytes, 0);
    world.check_nothing_left();
}

#[test]
fn a_host_that_is_wrong_about_what_changed_is_not_believed() {
    let world = World::new();
    let [web, data] = world.guest_goes_on();
    let nothing = block_io::ByteRanges::new();
    let mut changes = world.host.changes.lock().unwrap();
    changes.insert(path_of(0), nothing.clone());
    changes.insert(path_of(1), nothing);
    drop(changes);
    let report = world.run(&in_place(&world)).unwrap();
    assert_eq!(report.written_bytes, (web + data) * CHUNK);
    let found = report
        .findings
        .iter()
        .filter(|finding| finding.id == "DISK-TRACKING-WRONG");
    assert_eq!(found.count(), 2);
    world.check_content(VM);
}

#[test]
fn a_disk_that_does_not_fit_is_written_anew_and_the_old_one_goes() {
    let world = World::new();
    // The disk was made larger meanwhile.
    let local = world.host.local(&path_of(0));
    std::fs::remove_file(&local).unwrap();
    crate::world::make_vhdx(&local, &[7; 64 << 20], 1, disk_image::ImageFormat::Vhdx);
    std::fs::write(local.with_extension("vhdx.rct"), b"tracking").unwrap();
    let plan = world.plan(&in_place(&world));
    let methods: Vec<DiskMethod> = plan.disks.iter().map(|disk| disk.method).collect();
    assert_eq!(methods, [DiskMethod::NewFile, DiskMethod::Compared]);
    assert!(
        plan.destroyed
            .contains(&Destroyed::File { path: path_of(0) })
    );
    let report = plan.execute(&world.host, &()).unwrap();
    assert_eq!(report.removed, [path_of(0)]);
    assert!(!local.exists());
    assert!(!local.with_extension("vhdx.rct").exists());
    world.check_content(VM);
    world.check_nothing_left();
}

#[test]
fn a_disk_that_is_another_one_stays_where_it_is() {
    let world = World::new();
    let local = world.host.local(&path_of(0));
    std::fs::remove_file(&local).unwrap();
    crate::world::make_vhdx(&local, &[7; 1 << 20], 99, disk_image::ImageFormat::Vhdx);
    let another = std::fs::read(&local).unwrap();
    let plan = world.plan(&in_place(&world));
    let stays = |finding: &&hyperv_host::Finding| finding.id == "POINT-DISK-STAYS";
    assert!(plan.findings.iter().find(stays).is_some(), "{plan:?}");
    let report = plan.execute(&world.host, &()).unwrap();
    assert_eq!(report.removed, Vec::<String>::new());
    assert!(std::fs::read(&local).unwrap() == another);
    world.check_content(VM);
    world.check_nothing_left();
}

/// Adds a VM that is off, with one disk.
pub(crate) fn add_vm(world: &World, id: &str, disk: &str) {
    let template = world.host.vm(VM).unwrap();
    let vm = crate::host_double::DoubleVm {
        name: "other".to_owned(),
        disks: [(slot(0), disk.to_owned())].into(),
        ..template
    };
    world.host.put_vm(id, vm);
}

#[test]
fn what_another_vm_is_built_upon_is_neither_written_over_nor_removed() {
    const OTHER: &str = "11112222-0000-0000-0000-00000000000f";
    let world = World::new();
    world.guest_goes_on();
    let base = world.host.local(&path_of(0));
    let child = base.with_file_name("child.vhdx");
    let options = disk_image::DifferencingOptions::default();
    let image = disk_image::create_differencing(&child, &base, &options).unwrap();
    block_io::NewImage::finish(Box::new(image)).unwrap();
    let path = path_of(0).replace("web.vhdx", "child.vhdx");
    add_vm(&world, OTHER, &path);
    let before = std::fs::read(&base).unwrap();
    let plan = world.plan(&in_place(&world));
    assert_eq!(plan.block().unwrap().id, "POINT-DISK-IN-USE");
    let full = HostRestoreRequest {
        full: true,
        ..in_place(&world)
    };
    let report = world.run(&full).unwrap();
    assert!(!report.removed.contains(&path_of(0)), "{report:?}");
    assert!(std::fs::read(&base).unwrap() == before);
    world.check_content(VM);
}

#[test]
fn a_running_vm_gives_way_only_where_it_may_be_turned_off() {
    let world = World::new();
    world
        .host
        .change_vm(VM, |vm| vm.state = PowerState::Running);
    let mut request = in_place(&world);
    assert_eq!(world.plan(&request).block().unwrap().id, "POINT-VM-RUNNING");
    request.stop_running = true;
    let plan = world.plan(&request);
    assert!(plan.steps.iter().any(|step| step.name == "stop"));
    plan.execute(&world.host, &()).unwrap();
    world.check_content(VM);
}

/// Restores a VM in place that is in `before`; returns the last step of the plan, and what the VM
/// does afterwards.
fn power_after(before: PowerState, start: StartPolicy) -> (&'static str, PowerState) {
    let world = World::new();
    world.host.change_vm(VM, |vm| vm.state = before);
    let request = HostRestoreRequest {
        stop_running: true,
        start,
        ..in_place(&world)
    };
    let plan = world.plan(&request);
    let last = plan.steps.last().unwrap().name;
    let report = plan.execute(&world.host, &()).unwrap();
    let state = world.host.vm(VM).unwrap().state;
    assert_eq!(report.started, state == PowerState::Running);
    assert_eq!(plan.starts, report.started);
    world.check_content(VM);
    world.check_nothing_left();
    (last, state)
}

#[test]
fn a_vm_runs_after_a_restore_as_it_did_before_unless_something_else_is_asked() {
    use PowerState::{Off, Running};
    use StartPolicy::{AsBefore, Start, StayOff};
    for (before, start, after) in [
        (Running, AsBefore, Running),
        (Running, StayOff, Off),
        (Off, AsBefore, Off),
        (Off, Start, Running),
    ] {
        let last = if after == Running { "start" } else { "import" };
        assert_eq!(
            power_after(before, start),
            (last, after),
            "{before:?} {start:?}"
        );
    }
}

#[test]
fn a_vm_that_does_not_start_is_restored_all_the_same() {
    let world = World::new();
    world
        .host
        .change_vm(VM, |vm| vm.state = PowerState::Running);
    let request = HostRestoreRequest {
        stop_running: true,
        ..in_place(&world)
    };
    let plan = world.plan(&request);
    // Off, taken away, made again, and started.
    world.host.fail_at(Some((4, Fault::Fail)));
    let report = plan.execute(&world.host, &()).unwrap();
    let found = report.findings.iter().map(|finding| &*finding.id);
    assert_eq!(found.collect::<Vec<_>>(), ["POINT-NOT-STARTED"]);
    assert!(!report.started);
    assert_eq!(world.host.vm(VM).unwrap().state, PowerState::Off);
    world.check_content(VM);
    world.check_nothing_left();
}

#[test]
fn the_old_vm_is_set_aside() {
    let world = World::new();
    world.guest_goes_on();
    let held = crate::world::read_disk(&world.host.local(&path_of(0)));
    let request = HostRestoreRequest {
        keep_old: true,
        ..in_place(&world)
    };
    let plan = world.plan(&request);
    assert_eq!(plan.kind, RestoreKind::Beside);
    assert!(!plan.needs_confirmation());
    let report = plan.execute(&world.host, &()).unwrap();
    assert_ne!(report.identity, VM);
    assert_eq!(report.name, "web");
    let old = world.host.vm(VM).unwrap();
    assert!(
        old.name.starts_with("web (before restore 2"),
        "{}",
        old.name
    );
    assert_eq!(old.disks[&slot(0)], path_of(0));
    assert_eq!(
        crate::world::read_disk(&world.host.local(&path_of(0))),
        held
    );
    world.check_content(&report.identity);
    world.check_nothing_left();
}

#[test]
fn part_of_the_disks_leaves_the_others_as_they_are() {
    let world = World::new();
    world.guest_goes_on();
    let held = crate::world::read_disk(&world.host.local(&path_of(0)));
    let request = HostRestoreRequest {
        disks: Some(vec![1]),
        ..in_place(&world)
    };
    let report = world.run(&request).unwrap();
    assert_eq!(report.written_bytes, CHUNK);
    let vm = world.host.vm(VM).unwrap();
    assert_eq!(vm.disks[&slot(0)], path_of(0));
    assert_eq!(
        crate::world::read_disk(&world.host.local(&path_of(0))),
        held
    );
    let data = crate::world::read_disk(&world.host.local(&path_of(1)));
    assert!(data == world.content[1]);
}
