//! Parts of a point, and many points at once.

use hyperv_host::PowerState;
use vm_restore::{
    HostRestoreRequest, NewestPoints, RestorePart, VmFilter, plan_all_latest, restore_all_latest,
};

use crate::world::{VM, World, configuration, path_of, read_disk, slot};

fn part(world: &World, part: RestorePart) -> HostRestoreRequest {
    HostRestoreRequest {
        part,
        ..world.request()
    }
}

#[test]
fn a_disk_is_attached_beside_what_a_vm_has() {
    let world = World::new();
    let attach = RestorePart::Disks {
        attach_to: "WEB".to_owned(),
        slot: Some(slot(9)),
    };
    let mut request = part(&world, attach);
    request.disks = Some(vec![0]);
    let plan = world.plan(&request);
    assert!(!plan.needs_confirmation());
    let report = plan.execute(&world.host, &()).unwrap();
    assert_eq!(report.disks.len(), 1);
    let vm = world.host.vm(VM).unwrap();
    assert_eq!(vm.disks.len(), 3);
    let path = world.host.local(&vm.disks[&slot(9)]);
    assert!(read_disk(&path) == world.content[0]);
    // Two disks of one identity would be one to Windows.
    let options = disk_image::OpenOptions::default();
    let id = |path| disk_image::open(path, &options).unwrap().disk_id();
    assert_ne!(id(&path), id(&world.host.local(&path_of(0))));
    world.check_nothing_left();
}

#[test]
fn the_configuration_comes_back_and_the_disks_are_not_touched() {
    let world = World::new();
    world.guest_goes_on();
    let held = read_disk(&world.host.local(&path_of(0)));
    world.host.change_vm(VM, |vm| {
        vm.configuration.processors = 7;
        vm.name = "odd".to_owned();
        vm.state = PowerState::Running;
    });
    let mut request = part(&world, RestorePart::Configuration);
    request.stop_running = true;
    let plan = world.plan(&request);
    assert!(plan.needs_confirmation());
    assert_eq!(plan.write_bytes, 0);
    plan.execute(&world.host, &()).unwrap();
    let vm = world.host.vm(VM).unwrap();
    assert_eq!((vm.configuration, &*vm.name), (configuration(), "web"));
    assert_eq!(vm.state, PowerState::Running, "as it was");
    assert_eq!(vm.disks[&slot(0)], path_of(0));
    assert!(read_disk(&world.host.local(&path_of(0))) == held);
    world.check_nothing_left();
}

#[test]
fn the_network_comes_back_and_a_vm_that_ran_runs_again() {
    let world = World::new();
    world.host.change_vm(VM, |vm| {
        vm.state = PowerState::Running;
        vm.adapters.clear();
    });
    let mut request = part(&world, RestorePart::Network);
    assert_eq!(world.plan(&request).block().unwrap().id, "POINT-VM-RUNNING");
    request.stop_running = true;
    world.run(&request).unwrap();
    let vm = world.host.vm(VM).unwrap();
    assert_eq!(vm.adapters[0].switch.as_deref(), Some("LAN"));
    assert_eq!(vm.state, PowerState::Running);
    world.check_nothing_left();
}

#[test]
fn a_part_for_a_vm_that_is_not_there_blocks() {
    let world = World::new();
    world.host.forget_all();
    for asked in [
        RestorePart::Network,
        RestorePart::Configuration,
        RestorePart::Disks {
            attach_to: "web".to_owned(),
            slot: None,
        },
    ] {
        let plan = world.plan(&part(&world, asked));
        assert_eq!(plan.block().unwrap().id, "POINT-NO-TARGET-VM");
    }
}

#[test]
fn the_newest_point_of_each_vm_comes_back() {
    let world = World::new();
    world.host.forget_all();
    let request = world.request();
    let catalog = world.repository.catalog().unwrap();
    let newest = NewestPoints::choose(&catalog, &VmFilter::default());
    let restore_all = || {
        let plans = plan_all_latest(&world.repository, &world.host, &newest, &request).unwrap();
        restore_all_latest(&world.host, plans, 4, &())
    };
    let outcomes = restore_all();
    assert_eq!(outcomes.len(), 1);
    assert!(outcomes[0].result.is_ok(), "{outcomes:?}");
    world.check_content(VM);
    // It is there now, so another try says why it does nothing.
    let outcomes = restore_all();
    let failure = outcomes[0].result.as_ref().unwrap_err();
    assert!(
        failure.to_string().starts_with("POINT-SAME-VM"),
        "{failure}"
    );
}
