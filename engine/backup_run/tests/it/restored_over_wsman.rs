//! Restores to a host that is asked over WS-Man, by HTTP, with a way to its bytes beside that.

use std::sync::Arc;

use hyperv_sim::SimClock;
use vm_restore::{Destination, DiskMethod, HostRestoreRequest, RestoreKind, plan_host_restore};
use wmi_host::{WmiHost, WmiHostOptions};

use crate::on_simulated_host::{Asked, CHUNK, Stage, from_afar, full_disk, spec};
use crate::restored_properties::properties;
use crate::restored_to_host::{check_nothing_left, content, newest_point, request, restore};

fn far() -> Stage {
    Stage::of(Stage::other_options(), Asked::OverWsman)
}

#[test]
fn a_vm_comes_back_on_a_host_over_the_network() {
    let (first, second) = (Stage::new(), far());
    let disk = full_disk(80);
    let vm = first
        .sim
        .add_vm(&spec("SQL01 <ü> & \"co\"", &disk))
        .unwrap();
    first.run();
    let request = HostRestoreRequest {
        destination: Destination::Folder(r"C:\Restored\SQL01".to_owned()),
        map_switch: vec![("External".to_owned(), "LAN".to_owned())],
        ..request(&second)
    };
    let lan = hyperv_sim::VirtualSwitch::private("LAN");
    second.sim.add_switch(lan).unwrap();
    second.session.reset_call_count();
    let report = restore(&first, &second, vm, &request).unwrap();
    assert!(second.session.call_count().calls() > 20, "it was asked");
    assert_eq!(report.identity, vm.to_string());
    let (mut was, is) = (first.sim.vm(vm).unwrap(), second.sim.vm(vm).unwrap());
    "LAN".clone_into(&mut was.network_adapters[0].switch_name);
    assert_eq!(properties(&is), properties(&was));
    assert!(content(&second.sim, vm) == disk);
    check_nothing_left(&second);
}

#[test]
fn in_place_only_what_differs_is_written_over_the_network() {
    let stage = far();
    let disk = full_disk(81);
    let vm = stage.sim.add_vm(&spec("SQL01", &disk)).unwrap();
    stage.run();
    let was = stage.sim.vm(vm).unwrap();
    for chunk in [2, 30, 31] {
        let at = (chunk * CHUNK) as u64;
        stage.sim.write(vm, 0, at, &[9; 512]).unwrap();
    }
    let request = HostRestoreRequest {
        in_place: true,
        stop_running: true,
        ..request(&stage)
    };
    let report = restore(&stage, &stage, vm, &request).unwrap();
    assert_eq!(report.kind, RestoreKind::InPlace);
    let method = report.disks[0].method;
    assert!(
        matches!(method, DiskMethod::ChangedRanges { .. }),
        "{method:?}"
    );
    assert_eq!(report.written_bytes, 3 * CHUNK as u64);
    assert_eq!(properties(&stage.sim.vm(vm).unwrap()), properties(&was));
    assert!(content(&stage.sim, vm) == disk);
    check_nothing_left(&stage);
}

#[test]
fn without_a_way_to_its_bytes_nothing_is_asked_of_the_host() {
    let (first, second) = (Stage::new(), far());
    let vm = first.sim.add_vm(&spec("SQL01", &full_disk(82))).unwrap();
    first.run();
    let (session, _server) = from_afar(&second.session);
    let clock = Arc::new(SimClock::new(Arc::clone(&second.sim)));
    let options = WmiHostOptions {
        journal: Some(second.folder.path().join("journal")),
        ..WmiHostOptions::default()
    };
    let host = WmiHost::connect(session, clock, None, options).unwrap();
    let before = second.sim.ledger().unwrap();
    let point = newest_point(&first, vm);
    let plan = plan_host_restore(&first.repository, &point, &host, &request(&second)).unwrap();
    assert_eq!(plan.block().unwrap().id, "POINT-PLACE-UNREACHABLE");
    plan.execute(&host, &()).unwrap_err();
    assert_eq!(second.sim.ledger().unwrap(), before);
}
