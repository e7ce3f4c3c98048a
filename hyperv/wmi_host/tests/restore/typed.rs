//! A VM is made of a typed configuration.

use hyperv_host::{AdapterOrder, HostErrorKind, NewVmOrder, PlacedDisk, RestoreHost as _};
use hyperv_sim::{PowerState, Profile};
use uuid::Uuid;
use vm_config::VmConfiguration;
use wmi_host::WmiHost;

use crate::backup::{RESTORED, copy_files, ids, local, made, plug_in, spec};
use crate::run::Steps;
use crate::stage::Stage;

fn order(stage: &Stage, host: &WmiHost, generation: u32) -> NewVmOrder {
    let vm = stage.add(&spec("web").with_generation(generation));
    plug_in(stage, vm, "Production");
    stage.sim.stop(vm).unwrap();
    let copied = copy_files(stage, host, vm);
    let path = local(host, &copied.order.definition);
    let bytes = std::fs::read(path).unwrap();
    let mut configuration = VmConfiguration::from_bytes("web.vmcx", &bytes).unwrap();
    configuration.notes = "of old".to_owned();
    configuration.processors = 3;
    configuration.memory.startup_mib = 1536;
    // That of Linux guests.
    configuration.secure_boot_template = (generation == 2).then(|| Uuid::from_u128(0x272E_7447));
    NewVmOrder {
        configuration,
        name: "web made".to_owned(),
        configuration_folder: RESTORED.to_owned(),
        disks: copied.order.disks,
        adapters: vec![AdapterOrder {
            vlan: Some(12),
            ..copied.order.adapters[0].clone()
        }],
        run: "restore-2".to_owned(),
    }
}

#[test]
fn a_vm_is_made_of_either_generation() {
    for generation in [1, 2] {
        let stage = Stage::new(Profile::Server2022);
        let (_, host) = stage.connect();
        let order = order(&stage, &host, generation);
        let restored = host.create(&order, &Steps::default()).unwrap();
        assert!(ids(&restored).is_empty(), "{:?}", restored.findings);
        let vm = made(&stage, &restored);
        assert_eq!(vm.name, "web made");
        assert_eq!((vm.generation, vm.processors), (generation, 3));
        assert_eq!(vm.memory.startup_mib, 1536);
        assert_eq!(vm.notes, "of old");
        let template = order.configuration.secure_boot_template;
        assert_eq!(vm.secure_boot_template, template);
        assert_eq!(vm.config_root, RESTORED);
        assert_eq!(vm.power, PowerState::Off);
        let disks = vm.disks.iter().map(|disk| PlacedDisk {
            checkpoint: None,
            slot: disk.slot,
            path: disk.path.clone(),
        });
        assert_eq!(disks.collect::<Vec<_>>(), order.disks);
        let adapter = &vm.network_adapters[0];
        assert_eq!(adapter.switch_name, "Production");
        assert_eq!(adapter.mac_address, "00155D010203");
        assert!(adapter.mac_is_static);
        assert_eq!(stage.journal_entries(), 0);
        stage.sim.start(vm.id).unwrap();
    }
}

#[test]
fn a_vm_that_cannot_be_made_as_ordered_is_not_left() {
    let stage = Stage::new(Profile::Server2022);
    let (_, host) = stage.connect();
    let mut order = order(&stage, &host, 2);
    order.disks[1].path = r"C:\Restored\none.vhdx".to_owned();
    let before = stage.ledger();
    let error = host.create(&order, &Steps::default()).unwrap_err();
    assert_ne!(error.kind(), HostErrorKind::Cancelled);
    assert_eq!(stage.differences(&before), [], "{error}");
    assert_eq!(stage.journal_entries(), 0);
}
