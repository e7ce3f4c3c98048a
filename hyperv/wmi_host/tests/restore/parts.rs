//! Parts of a restore: a disk, a name, networks, switches.

use hyperv_host::{AdapterOrder, HostErrorKind, RestoreHost as _, SwitchKind, SwitchSettings};
use hyperv_sim::{PowerState, Profile};
use vm_config::{ControllerKind, DiskSlot};

use crate::backup::{copy_files, placed, plug_in, spec};
use crate::run::Steps;
use crate::stage::Stage;

fn scsi(slot: u32) -> DiskSlot {
    DiskSlot {
        kind: ControllerKind::Scsi,
        controller: 0,
        slot,
    }
}

#[test]
fn a_disk_is_attached_to_a_running_vm_and_taken_off_again() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add(&spec("web"));
    let id = vm.to_string();
    let (_, host) = stage.connect();
    stage.sim.stop(vm).unwrap();
    let copied = copy_files(&stage, &host, vm);
    stage.sim.start(vm).unwrap();
    let path = placed(&copied.vm.disks[0].path);
    let before = stage.ledger();
    let slot = host.attach_disk(&id, None, &path).unwrap();
    let now = stage.sim.vm(vm).unwrap();
    assert_eq!(
        now.disks.iter().find(|own| own.slot == slot).unwrap().path,
        path
    );
    let twice = host.attach_disk(&id, None, &path).unwrap_err();
    assert_eq!(twice.kind(), HostErrorKind::Blocked, "{twice}");
    let taken = host
        .attach_disk(&id, Some(scsi(0)), r"C:\other.vhdx")
        .unwrap_err();
    assert_eq!(taken.kind(), HostErrorKind::Blocked, "{taken}");
    host.detach_disk(&id, slot).unwrap();
    assert_eq!(stage.differences(&before), []);
    let gone = host.detach_disk(&id, slot).unwrap_err();
    assert_eq!(gone.kind(), HostErrorKind::Blocked, "{gone}");
}

#[test]
fn ide_disks_come_and_go_only_while_the_vm_is_off() {
    let stage = Stage::new(Profile::Server2022);
    let mut spec = spec("old").with_generation(1);
    spec.scsi_controllers = 0;
    let vm = stage.add(&spec);
    let id = vm.to_string();
    let (_, host) = stage.connect();
    let error = host.attach_disk(&id, None, r"C:\x.vhdx").unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Blocked, "{error}");
    let disk = stage.sim.vm(vm).unwrap().disks[1].clone();
    let error = host.detach_disk(&id, disk.slot).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Blocked, "{error}");
    stage.sim.stop(vm).unwrap();
    host.detach_disk(&id, disk.slot).unwrap();
    assert_eq!(host.attach_disk(&id, None, &disk.path).unwrap(), disk.slot);
}

#[test]
fn a_vm_gets_another_name_and_other_networks() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add(&spec("web"));
    plug_in(&stage, vm, "Production");
    let id = vm.to_string();
    let (_, host) = stage.connect();
    host.rename(&id, "web (old)").unwrap();
    assert_eq!(stage.sim.vm(vm).unwrap().name, "web (old)");
    let lab = SwitchSettings {
        name: "Lab".to_owned(),
        id: String::new(),
        kind: SwitchKind::Internal { vlan: Some(4) },
        notes: "for tests".to_owned(),
    };
    assert_eq!(host.create_switch(&lab).unwrap(), []);
    let switches = host.target().unwrap().switches;
    let made = switches.iter().find(|own| own.name == "Lab").unwrap();
    assert_eq!((&made.kind, &made.notes), (&lab.kind, &lab.notes));
    let error = host.create_switch(&lab).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Blocked, "{error}");
    let order = |name: &str, switch: Option<&str>, vlan| AdapterOrder {
        name: name.to_owned(),
        switch: switch.map(str::to_owned),
        mac_address: Some("00155D010203".to_owned()),
        mac_is_static: true,
        vlan,
    };
    let orders = [
        order("first", Some("Lab"), Some(7)),
        AdapterOrder {
            mac_address: None,
            mac_is_static: false,
            ..order("second", None, None)
        },
    ];
    let error = host.set_adapters(&id, &orders).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Blocked, "{error}");
    stage.sim.stop(vm).unwrap();
    assert_eq!(host.set_adapters(&id, &orders).unwrap(), []);
    let now = stage.sim.vm(vm).unwrap();
    let told: Vec<_> = now
        .network_adapters
        .iter()
        .map(|own| (own.name.as_str(), own.switch_name.as_str()))
        .collect();
    assert_eq!(told, [("first", "Lab"), ("second", "")]);
    // Once more: nothing is added, and the VLAN goes.
    let orders = [order("first", Some("Lab"), None)];
    assert_eq!(host.set_adapters(&id, &orders).unwrap(), []);
    assert_eq!(stage.sim.vm(vm).unwrap().network_adapters.len(), 2);
}

#[test]
fn an_external_switch_leads_to_an_adapter_that_the_host_has() {
    let stage = Stage::new(Profile::Server2022);
    let (_, host) = stage.connect();
    let switch = |adapter: &str| SwitchSettings {
        name: "Outside".to_owned(),
        id: String::new(),
        kind: SwitchKind::External {
            adapter: adapter.to_owned(),
            shared_with_host: true,
            vlan: Some(4),
        },
        notes: String::new(),
    };
    let error = host.create_switch(&switch("none")).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Blocked, "{error}");
    assert!(host.target().unwrap().switches.is_empty());
}

#[test]
fn power_goes_where_it_is_asked_to() {
    use hyperv_host::PowerState as Wanted;
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add(&spec("web"));
    let id = vm.to_string();
    let (_, host) = stage.connect();
    for (wanted, was, is) in [
        (Wanted::Saved, Wanted::Running, PowerState::Saved),
        (Wanted::Off, Wanted::Saved, PowerState::Off),
        (Wanted::Off, Wanted::Off, PowerState::Off),
        (Wanted::Running, Wanted::Off, PowerState::Running),
        (Wanted::Off, Wanted::Running, PowerState::Off),
    ] {
        assert_eq!(host.set_power(&id, wanted, &Steps::default()).unwrap(), was);
        assert_eq!(stage.sim.vm(vm).unwrap().power, is);
    }
}

#[test]
fn a_path_that_is_not_there_yet_has_its_place_and_none_outside() {
    let stage = Stage::new(Profile::Server2022);
    let (_, host) = stage.connect();
    let path = host.local_path(r"C:\New\a.vhdx").unwrap();
    assert!(path.ends_with("New/a.vhdx"), "{}", path.display());
    for path in [r"Q:\a.vhdx", r"C:\..\..\a", "a.vhdx", r"\\nas\x\a"] {
        let error = host.local_path(path).unwrap_err();
        assert_eq!(error.kind(), HostErrorKind::Blocked, "{path}");
    }
}
