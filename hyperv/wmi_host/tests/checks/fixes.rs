//! Cures that are safe: planned, done, and the finding is gone.

use hyperv_host::HostErrorKind;
use hyperv_sim::{Component, ComponentKind, DiskSpec, Guest, Profile, VmSpec};
use vm_config::{ControllerKind, DiskSlot};
use wmi_host::plan_fixes;

use crate::stage::{Stage, vm};

#[test]
fn integration_services_are_switched_on() {
    for (kind, id) in [
        (ComponentKind::Vss, "VM-IC-BACKUP"),
        (ComponentKind::KeyValueExchange, "VM-DATA-EXCHANGE"),
    ] {
        let stage = Stage::new(Profile::Server2022);
        let own = stage.sim.add_vm(&vm("one")).unwrap();
        let other = stage
            .sim
            .add_vm(&vm("other").with_guest(Guest::LinuxWithDaemon))
            .unwrap();
        let off = Component {
            enabled: false,
            status: 2,
        };
        stage.sim.set_component(own, kind, off).unwrap();
        assert!(stage.ids().contains(id), "{id}");
        let untouched = stage.sim.vm(other).unwrap();

        let plans = plan_fixes(&stage.host, id).unwrap();
        assert_eq!(plans.len(), 1);
        assert!(plans[0].is_possible && plans[0].vm == "one", "{plans:?}");
        assert!(stage.ids().contains(id), "a plan changes nothing");
        plans[0].apply(&stage.host).unwrap();
        assert!(!stage.ids().contains(id), "{id}");
        assert!(plan_fixes(&stage.host, id).unwrap().is_empty());
        assert_eq!(stage.sim.vm(other).unwrap(), untouched);
    }
}

#[test]
fn a_scsi_controller_is_added_to_a_vm_that_is_off_and_to_no_other() {
    let stage = Stage::new(Profile::Server2012R2);
    let ide = DiskSlot {
        kind: ControllerKind::Ide,
        controller: 0,
        slot: 0,
    };
    let spec = |name: &str, running| VmSpec {
        running,
        scsi_controllers: 0,
        ..VmSpec::new(name)
            .with_generation(1)
            .with_disk(DiskSpec::empty(4 << 20).at(ide))
    };
    let off = stage.sim.add_vm(&spec("off", false)).unwrap();
    let running = stage.sim.add_vm(&spec("running", true)).unwrap();
    assert!(stage.ids().contains("VM-NO-SCSI"));
    let mut plans = plan_fixes(&stage.host, "VM-NO-SCSI").unwrap();
    plans.sort_by(|one, other| one.vm.cmp(&other.vm));
    let [for_off, for_running] = &plans[..] else {
        panic!("{plans:?}");
    };
    for_off.apply(&stage.host).unwrap();
    for_off.apply(&stage.host).unwrap();
    assert_eq!(stage.sim.vm(off).unwrap().scsi_controllers.len(), 1, "once");
    let error = for_running.apply(&stage.host).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Blocked);
    assert!(error.to_string().contains("shut it down"), "{error}");
    assert!(stage.sim.vm(running).unwrap().scsi_controllers.is_empty());
}

#[test]
fn nothing_is_planned_about_what_cannot_be_undone() {
    let stage = Stage::new(Profile::Server2022);
    let old = VmSpec {
        version: Some("5.0".to_owned()),
        ..vm("old")
    };
    stage.sim.add_vm(&old).unwrap();
    assert!(stage.ids().contains("VM-OLD-VERSION"));
    for id in [
        "VM-OLD-VERSION",
        "VM-OLD-CHECKPOINTS",
        "HOST-SHADOW-STORAGE",
        "nonsense",
    ] {
        assert!(plan_fixes(&stage.host, id).unwrap().is_empty(), "{id}");
    }
}
