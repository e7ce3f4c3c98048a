//! What the keys of a file mean, and which of them are refused.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

use uuid::{Uuid, uuid};
use vm_config::{
    Checkpoint, ConfigErrorKind, ControllerKind, Disk, DiskSlot, Memory, NetworkAdapter, Node,
    Tree, Value, VmConfiguration, write_vmcx,
};

const SCSI: &str = "d422512d-2bf2-4752-809d-7b82b5fcb1b4";
const IDE: &str = "83f8638b-8dca-4152-9eda-2ca8b33039b4";

fn read(nodes: Vec<Node>) -> Result<vm_config::Reading, vm_config::ConfigError> {
    let tree = Tree {
        children: vec![Node::branch("configuration", nodes)],
    };
    VmConfiguration::read("t", &write_vmcx(&tree).unwrap())
}

fn properties(more: Vec<Node>) -> Node {
    let mut keys = vec![
        Node::text("global_id", "{EC04F346-DB96-4700-AF5B-77B3C56C38BD}"),
        Node::text("name", "m"),
    ];
    keys.extend(more);
    Node::branch("properties", keys)
}

fn device(number: u32, class: &str, instance: &str) -> Node {
    Node::branch(
        format!("vdev{number:03}"),
        vec![
            Node::text("device", class.to_uppercase()),
            Node::text("instance", instance.to_uppercase()),
        ],
    )
}

fn drive(number: u32, kind: &str, path: &str) -> Node {
    Node::branch(
        format!("drive{number}"),
        vec![Node::text("pathname", path), Node::text("type", kind)],
    )
}

fn controller(instance: &str, number: u32, drives: Vec<Node>) -> Node {
    Node::branch(
        format!("_{instance}_"),
        vec![Node::branch(format!("controller{number}"), drives)],
    )
}

#[test]
fn a_full_configuration_reads_as_written() {
    let slot = |kind, controller, slot| DiskSlot {
        kind,
        controller,
        slot,
    };
    let vm = VmConfiguration {
        name: "files & co".into(),
        id: uuid!("ec04f346-db96-4700-af5b-77b3c56c38bd"),
        generation: 1,
        version: "10.0".into(),
        notes: "two\r\nlines".into(),
        processors: 8,
        memory: Memory {
            startup_mib: 4096,
            dynamic: true,
            minimum_mib: 512,
            maximum_mib: 1 << 20,
        },
        disks: vec![
            Disk {
                slot: slot(ControllerKind::Ide, 1, 1),
                path: r"C:\a.vhd".into(),
                pass_through: false,
            },
            Disk {
                slot: slot(ControllerKind::Scsi, 0, 3),
                path: String::new(),
                pass_through: true,
            },
            Disk {
                slot: slot(ControllerKind::Scsi, 2, 0),
                path: r"\\server\share\b.avhdx".into(),
                pass_through: false,
            },
        ],
        network_adapters: vec![NetworkAdapter {
            name: "LAN".into(),
            mac_address: "00-15-5D-01-02-03".into(),
            mac_is_static: true,
            switch_name: "External".into(),
            vlan: Some(4094),
            addresses: None,
        }],
        checkpoints: vec![Checkpoint {
            id: Uuid::from_u128(7),
            name: "before".into(),
        }],
        guest_state_file: Some(r"C:\m.vmgs".into()),
        secure_boot: false,
        secure_boot_template: Some(Uuid::from_u128(9)),
    };
    let tree = vm.to_tree();
    assert_eq!(VmConfiguration::from_tree(&tree).unwrap(), vm);
    let text = |path: &str| tree.get(path).map(|node| node.value.clone());
    assert_eq!(
        text("configuration/properties/version"),
        Some(Value::Integer(0x0a00))
    );
    assert_eq!(
        text(&format!(
            "configuration/_{IDE}_/controller1/drive1/pathname"
        )),
        Some(Value::Text(r"C:\a.vhd".into()))
    );
    // One device for IDE, three for SCSI, one adapter, firmware and guest state.
    assert_eq!(text("configuration/manifest/size"), Some(Value::Integer(7)));
}

#[test]
fn scsi_controllers_count_in_the_order_of_the_manifest() {
    let (first, second) = (
        Uuid::from_u128(1).to_string(),
        Uuid::from_u128(2).to_string(),
    );
    let reading = read(vec![
        properties(vec![]),
        controller(&first, 0, vec![drive(5, "VHD", "first.vhdx")]),
        controller(&second, 0, vec![drive(0, "VHD", "second.vhdx")]),
        controller(
            IDE,
            1,
            vec![drive(0, "VHD", "ide.vhd"), drive(1, "ISO", "x.iso")],
        ),
        Node::branch(
            "manifest",
            vec![
                device(10, SCSI, &first),
                device(9, SCSI, &second),
                device(1, IDE, IDE),
            ],
        ),
    ])
    .unwrap();
    let disks: Vec<_> = reading
        .configuration
        .disks
        .iter()
        .map(|disk| (disk.path.as_str(), disk.slot.controller, disk.slot.slot))
        .collect();
    assert_eq!(
        disks,
        [
            ("ide.vhd", 1, 0),
            ("second.vhdx", 0, 0),
            ("first.vhdx", 1, 5)
        ]
    );
}

#[test]
fn what_is_in_a_drive_is_told_by_type_and_path() {
    let drives = [
        ("VHD", "a.vhdx"),
        ("VHD", ""),
        ("ISO", "a.iso"),
        ("VFD", ""),
        ("NONE", ""),
        ("", ""),
        ("PHYSICAL", ""),
        ("x", r"\\.\PHYSICALDRIVE2"),
        ("SHARED", "b.vhds"),
        ("TAPE", "c.tap"),
    ];
    let drives = (0..)
        .zip(drives)
        .map(|(n, (kind, path))| drive(n, kind, path));
    let reading = read(vec![
        properties(vec![]),
        controller(IDE, 0, drives.collect()),
    ])
    .unwrap();
    let disks: Vec<_> = reading
        .configuration
        .disks
        .iter()
        .map(|disk| (disk.slot.slot, disk.path.as_str(), disk.pass_through))
        .collect();
    assert_eq!(
        disks,
        [
            (0, "a.vhdx", false),
            (6, "", true),
            (7, "", true),
            (8, "b.vhds", false)
        ]
    );
    assert_eq!(reading.notices.len(), 1);
    assert!(reading.notices[0].key.ends_with("drive9"));
    assert!(reading.notices[0].text.contains("TAPE"));
}

#[test]
fn old_hosts_leave_keys_out() {
    let vm = read(vec![properties(vec![])]).unwrap().configuration;
    assert_eq!(
        (vm.generation, vm.version.as_str(), vm.processors),
        (1, "unknown", 1)
    );
    assert_eq!(
        (vm.disks, vm.guest_state_file, vm.secure_boot),
        (vec![], None, false)
    );
}

#[test]
fn keys_out_of_their_range_are_refused_by_name() {
    let big = "controller4096";
    let rows = [
        (
            properties(vec![Node::integer("subtype", 2)]),
            "properties/subtype",
        ),
        (
            properties(vec![Node::integer("version", -1)]),
            "properties/version",
        ),
        (
            properties(vec![Node::integer("notes", 1)]),
            "properties/notes",
        ),
        (controller(IDE, 4096, vec![]), big),
        (
            controller(IDE, 0, vec![drive(4096, "VHD", "x")]),
            "drive4096",
        ),
        (
            controller(IDE, 0, vec![drive(1, "VHD", "x"), drive(1, "VHD", "y")]),
            "manifest",
        ),
    ];
    for (node, field) in rows {
        let error = read(vec![node, properties(vec![])]).unwrap_err();
        assert!(error.field().ends_with(field), "{error}");
        assert_eq!(error.file(), Some("t"));
    }
}

#[test]
fn what_describes_no_vm_is_something_else() {
    for nodes in [vec![], vec![Node::branch("settings", vec![])]] {
        let error = read(nodes).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::NotAConfiguration);
    }
    let nameless = read(vec![Node::branch("properties", vec![])]).unwrap_err();
    assert_eq!(nameless.kind(), ConfigErrorKind::Corrupt);
    assert_eq!(nameless.field(), "configuration/properties/global_id");
}

#[test]
fn adapters_of_older_points_are_read() {
    let old = r#"{"name": "LAN", "mac_address": "00", "mac_is_static": true, "switch_name": "S"}"#;
    let adapter: NetworkAdapter = serde_json::from_str(old).unwrap();
    assert_eq!((adapter.vlan, adapter.addresses), (None, None));
}
