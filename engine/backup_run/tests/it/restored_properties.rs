//! What a restore brings back of a VM, property by property: those that are typed, and all keys of
//! its definition file.

use std::collections::BTreeMap;
use std::sync::Arc;

use block_io::{BlockDevice as _, MemoryDisk};
use hyperv_host::{Identity, RestoreHost as _};
use hyperv_sim::{
    Component, ComponentKind, DiskContent, DiskKind, DiskSpec, OtherKey, OtherValue, SimHost,
    VirtualSwitch, Vm, VmDisk, VmSpec,
};
use uuid::Uuid;
use vm_config::{ControllerKind, DiskSlot, Memory, NetworkAdapter, Node, Value, read_vmcx};
use vm_restore::{Destination, HostRestoreRequest};

use crate::on_simulated_host::{DISK_BYTES, Stage, full_disk};
use crate::restored_to_host::{check_nothing_left, request, restore};

/// Returns what of a VM comes back, by name. Whoever gives the simulated VM another property says
/// here whether a restore brings it back; without that this does not compile.
pub(crate) fn properties(vm: &Vm) -> BTreeMap<&'static str, String> {
    let Vm {
        name,
        generation,
        version,
        notes,
        guest,
        components,
        processors,
        memory,
        network_adapters,
        disks,
        scsi_controllers,
        empty_drives,
        has_tpm,
        secure_boot,
        secure_boot_template,
        other_keys,
        user_snapshot_type,
        automatic_snapshots,
        // A new one is asked for where the old VM stays.
        id: _,
        // Where its files are is what a restore is asked for.
        config_root: _,
        config_file: _,
        data_roots: _,
        files: _,
        // Those come back with points that have them: see `restored_trees`.
        snapshots: _,
        current_parent: _,
        // The host's own doings, of the time since the VM was made there.
        created: _,
        power: _,
        last_applied: _,
        reference_points: _,
        replication: _,
        replication_plan: _,
        is_clustered: _,
        health_state: _,
        last_backup: _,
        jobs: _,
        merge_fault: _,
        merges_enabled: _,
        started: _,
        // GUIDs of ports and switches are the host's; names are compared with the adapters.
        ports: _,
        // What the guest tells and does, which is on its disks.
        told: _,
        guest_plan: _,
    } = vm;
    let Memory {
        startup_mib,
        dynamic,
        minimum_mib,
        maximum_mib,
    } = memory;
    // The unique id of a VHD ties its children to it; one that is written anew has another.
    let id = |disk: &VmDisk| (disk.kind != DiskKind::Vhd).then_some(disk.disk_id);
    let disks: Vec<_> = disks
        .iter()
        .map(|disk| (disk.slot, disk.kind, disk.size_bytes, id(disk)))
        .collect();
    let mut other_keys: Vec<_> = other_keys.iter().map(|key| format!("{key:?}")).collect();
    other_keys.sort_unstable();
    let adapters: Vec<_> = network_adapters.iter().map(adapter).collect();
    BTreeMap::from([
        ("name", name.clone()),
        ("generation", generation.to_string()),
        ("version", version.clone()),
        ("notes", notes.clone()),
        ("operating system", format!("{guest:?}")),
        ("integration services", format!("{components:?}")),
        ("processors", processors.to_string()),
        ("startup memory", startup_mib.to_string()),
        ("dynamic memory", dynamic.to_string()),
        ("least memory", minimum_mib.to_string()),
        ("most memory", maximum_mib.to_string()),
        ("network adapters", format!("{adapters:?}")),
        ("disks", format!("{disks:?}")),
        ("SCSI controllers", scsi_controllers.len().to_string()),
        ("empty drives", format!("{empty_drives:?}")),
        ("virtual TPM", has_tpm.to_string()),
        ("Secure Boot", secure_boot.to_string()),
        ("its template", format!("{secure_boot_template:?}")),
        ("checkpoint type", user_snapshot_type.to_string()),
        ("automatic checkpoints", automatic_snapshots.to_string()),
        ("other keys", other_keys.join("\n")),
    ])
}

/// Returns what of an adapter comes back: name, MAC address, switch and VLAN. The guest sets its own
/// addresses: points record them, and no host takes them.
fn adapter(adapter: &NetworkAdapter) -> NetworkAdapter {
    NetworkAdapter {
        addresses: None,
        ..adapter.clone()
    }
}

/// Keys of a definition file that may have another value after a restore, and why.
const MAY_DIFFER: [(&str, &str); 3] = [
    ("/simulation/", "what the simulated host notes for itself"),
    (".vhdx", "disks have places of their own"),
    (".vmgs", "guest state has a place of its own"),
];

/// Returns all keys of a VM's definition file, but for those that may differ.
fn definition(stage: &Stage, vm: Uuid) -> BTreeMap<String, String> {
    let vm = stage.sim.vm(vm).unwrap();
    let path = format!("{}\\{}", vm.config_root, vm.config_file);
    let local = stage.host.local_path(&path).unwrap();
    let tree = read_vmcx("definition", &std::fs::read(local).unwrap()).unwrap();
    let mut keys = BTreeMap::new();
    for node in &tree.children {
        collect(node, "", &mut keys);
    }
    keys.retain(|key, value| {
        let line = format!("{key}={value}").to_lowercase();
        !MAY_DIFFER.iter().any(|(part, _)| line.contains(part))
    });
    keys
}

fn collect(node: &Node, above: &str, keys: &mut BTreeMap<String, String>) {
    let mut path = format!("{above}/{}", node.name);
    while keys.contains_key(&path) {
        path.push('+');
    }
    let value = match &node.value {
        Value::Branch(_) => String::new(),
        value => format!("{value:?}"),
    };
    keys.insert(path.clone(), value);
    for child in node.children() {
        collect(child, &path, keys);
    }
}

const FIRMWARE: &str = "_ac6b8dc1-3257-4a70-b1b2-a9c9215659ad_";
const IDE: &str = "_83f8638b-8dca-4152-9eda-2ca8b33039b4_";

/// What people set of a VM that no configuration of ours types: names as real definition files have
/// them.
fn set_by_people() -> Vec<OtherKey> {
    let text = |path: &str, text: &str| OtherKey::text(path, text);
    let number = |path: &str, number| OtherKey::integer(path, number);
    let firmware = |name: &str| format!("{FIRMWARE}/{name}");
    vec![
        number("global_settings/power/host_startup/action", 1),
        number("global_settings/power/host_startup/delay", 120),
        number("global_settings/power/host_shutdown/action", 2),
        text("global_settings/owner/sid", "S-1-5-32-544"),
        number("global_settings/snapshots/user_type", 5),
        number("settings/memory/bank/priority", 8000),
        number("settings/memory/bank/target_memory_buffer", 35),
        number("settings/processors/limit", 50_000),
        number("settings/processors/reservation", 10_000),
        number("settings/processors/weight", 250),
        OtherKey {
            path: "settings/processors/nested_virtualization/enabled".to_owned(),
            value: OtherValue::Bool(true),
        },
        OtherKey {
            path: "properties/creation_time".to_owned(),
            value: OtherValue::Bytes(vec![1, 2, 3, 4, 5, 6, 7, 8]),
        },
        text(&firmware("bios_serial_number"), "7766-5544-3322"),
        text(&firmware("boot/device0"), "network"),
        text(&firmware("boot/device1"), "disk"),
        number(&firmware("pause_after_boot_failure"), 1),
        text("a_key_of_a_later_version/that_nobody_knows", "yet"),
    ]
}

/// A VM of which nothing is as it would be without a word, and what its disks hold.
fn unusual(stage: &Stage, generation: u32) -> (Uuid, Vec<Vec<u8>>) {
    let contents: Vec<Vec<u8>> = (40..43).map(full_disk).collect();
    let disk = |number: usize| {
        let device = MemoryDisk::new(contents[number].clone());
        DiskSpec::new(DiskContent::Device(Arc::new(device)))
    };
    let at = |controller, slot| DiskSlot {
        kind: ControllerKind::Scsi,
        controller,
        slot,
    };
    let mut spec = VmSpec::new("SQL01")
        .with_generation(generation)
        .with_disk(disk(0))
        .with_disk(disk(1).at(at(0, 9)))
        .with_disk(disk(2).at(at(2, 5)));
    spec.notes = "the shop's\r\nnumbers".to_owned();
    spec.has_tpm = generation == 2;
    let vm = stage.sim.add_vm(&spec).unwrap();
    stage.sim.change_vm(vm, make_unusual).unwrap();
    (vm, contents)
}

fn make_unusual(vm: &mut Vm) {
    vm.processors = 7;
    vm.memory = Memory {
        startup_mib: 1536,
        dynamic: true,
        minimum_mib: 768,
        maximum_mib: 8192,
    };
    vm.secure_boot = false;
    vm.secure_boot_template = (vm.generation == 2).then(|| Uuid::from_u128(0x272E_7447));
    vm.user_snapshot_type = 5;
    vm.automatic_snapshots = true;
    let adapter = |name: &str, mac: &str, switch: &str, vlan| NetworkAdapter {
        name: name.to_owned(),
        mac_address: mac.to_owned(),
        mac_is_static: mac.starts_with("02"),
        switch_name: switch.to_owned(),
        vlan,
        addresses: None,
    };
    vm.network_adapters = vec![
        adapter("Servers", "020000ABCDEF", "LAN", Some(42)),
        adapter("Backup", "00155D010203", "External", None),
        adapter("Spare", "020000000007", "", Some(4094)),
    ];
    let off = Component {
        enabled: false,
        status: 12,
    };
    vm.components.insert(ComponentKind::KeyValueExchange, off);
    vm.other_keys = set_by_people();
    if vm.generation == 1 {
        let drive = format!("{IDE}/controller1/drive0");
        vm.other_keys.extend([
            OtherKey::text(format!("{drive}/type"), "ISO"),
            OtherKey::text(format!("{drive}/pathname"), r"C:\ISO\drivers.iso"),
        ]);
    }
}

fn contents(sim: &SimHost, vm: Uuid) -> Vec<Vec<u8>> {
    let disks = 0..sim.vm(vm).unwrap().disks.len();
    disks
        .map(|disk| {
            let mut bytes = vec![0; DISK_BYTES];
            sim.open_disk(vm, disk)
                .unwrap()
                .read_at(0, &mut bytes)
                .unwrap();
            bytes
        })
        .collect()
}

/// A second host with the switches that the VMs of these tests are connected to.
pub(crate) fn another() -> Stage {
    with_switches(Stage::another())
}

pub(crate) fn with_switches(stage: Stage) -> Stage {
    for name in ["LAN", "External"] {
        drop(stage.sim.add_switch(VirtualSwitch::private(name)));
    }
    stage
}

#[test]
fn each_property_of_an_unusual_vm_comes_back_on_another_host() {
    for generation in [1, 2] {
        let (first, second) = (with_switches(Stage::new()), another());
        let (vm, disks) = unusual(&first, generation);
        first.run();
        let request = HostRestoreRequest {
            destination: Destination::Folder(r"C:\Restored\SQL01".to_owned()),
            ..request(&second)
        };
        let report = restore(&first, &second, vm, &request).unwrap();
        // What is in the DVD drive of an old VM is a file of its host.
        let found = report.findings.iter().map(|finding| &*finding.id);
        let expected = ["VM-DVD-IMAGE"].into_iter().filter(|_| generation == 1);
        assert!(found.eq(expected), "{:?}", report.findings);
        let (was, is) = (first.sim.vm(vm).unwrap(), second.sim.vm(vm).unwrap());
        assert_eq!(properties(&is), properties(&was));
        assert_eq!(definition(&second, vm), definition(&first, vm));
        assert!(contents(&second.sim, vm) == disks, "its disks differ");
        check_nothing_left(&second);
    }
}

#[test]
fn each_property_comes_back_in_place_and_under_a_new_identity() {
    let stage = with_switches(Stage::new());
    let (vm, disks) = unusual(&stage, 2);
    stage.run();
    let was = stage.sim.vm(vm).unwrap();
    let keys = definition(&stage, vm);
    let beside = HostRestoreRequest {
        identity: Identity::New,
        ..request(&stage)
    };
    let report = restore(&stage, &stage, vm, &beside).unwrap();
    let copy = Uuid::parse_str(&report.identity).unwrap();
    assert_eq!(properties(&stage.sim.vm(copy).unwrap()), properties(&was));
    assert!(contents(&stage.sim, copy) == disks, "the copy's disks");

    // In the meantime somebody makes it an ordinary one.
    stage.sim.stop(vm).unwrap();
    stage
        .sim
        .change_vm(vm, |vm| {
            vm.processors = 1;
            vm.memory = Memory::default();
            vm.secure_boot = true;
            vm.secure_boot_template = None;
            vm.notes = String::new();
            vm.user_snapshot_type = 3;
            vm.network_adapters.truncate(1);
            vm.network_adapters[0].mac_address = "020000000001".to_owned();
            vm.network_adapters[0].vlan = None;
            vm.components.clear();
            vm.other_keys.clear();
        })
        .unwrap();
    let configuration = HostRestoreRequest {
        part: vm_restore::RestorePart::Configuration,
        ..request(&stage)
    };
    let in_place = HostRestoreRequest {
        in_place: true,
        ..request(&stage)
    };
    for request in [configuration, in_place] {
        restore(&stage, &stage, vm, &request).unwrap();
        assert_eq!(properties(&stage.sim.vm(vm).unwrap()), properties(&was));
        assert_eq!(definition(&stage, vm), keys);
        assert!(contents(&stage.sim, vm) == disks, "its disks differ");
        check_nothing_left(&stage);
    }
}

#[test]
fn disks_come_back_in_the_format_that_they_had() {
    let (first, second) = (Stage::new(), another());
    let content = full_disk(50);
    let device = Arc::new(MemoryDisk::new(content.clone()));
    let disk = DiskSpec::new(DiskContent::Device(device)).of_kind(DiskKind::Vhd);
    let mut spec = VmSpec::new("OLD01").with_generation(1).with_disk(disk);
    // A definition that is written here lists controllers with disks alone.
    spec.scsi_controllers = 0;
    let vm = first.sim.add_vm(&spec).unwrap();
    first.run();
    restore(&first, &second, vm, &request(&second)).unwrap();
    let (was, is) = (first.sim.vm(vm).unwrap(), second.sim.vm(vm).unwrap());
    assert_eq!(properties(&is), properties(&was));
    assert!(contents(&second.sim, vm) == [content], "its disk differs");
}
