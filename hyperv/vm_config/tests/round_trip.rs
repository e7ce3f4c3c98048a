//! What is written is read back equal.

use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;
use vm_config::{
    Checkpoint, ControllerKind, Disk, DiskSlot, Memory, NetworkAdapter, Node, Tree, Value,
    VmConfiguration, read_vmcx, read_xml, write_vmcx, write_xml,
};

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,20}", "[a-zäöü\u{1f600}\r\n\t<&>\"']{0,12}"]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        text().prop_map(Value::Text),
        vec(any::<u8>(), 0..3000).prop_map(Value::Bytes),
        any::<bool>().prop_map(Value::Bool),
    ]
}

fn node(value: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Node> {
    let leaf = value.boxed();
    let name = "[a-z_][a-z0-9_-]{0,9}";
    (name, leaf.clone())
        .prop_map(|(name, value)| Node::new(name, value))
        .prop_recursive(5, 60, 8, move |inner| {
            (name, vec(inner, 0..8)).prop_map(|(name, children)| Node::branch(name, children))
        })
}

fn slots() -> impl Strategy<Value = Vec<Disk>> {
    let kind = prop_oneof![
        Just(ControllerKind::Ide),
        Just(ControllerKind::Scsi),
        Just(ControllerKind::Other)
    ];
    let place = (kind, 0_u32..4, 0_u32..64);
    proptest::collection::btree_map(place, (text(), any::<bool>()), 0..6).prop_map(|disks| {
        disks
            .into_iter()
            .map(|((kind, controller, slot), (path, pass_through))| Disk {
                slot: DiskSlot {
                    kind,
                    controller,
                    slot,
                },
                path: if pass_through {
                    String::new()
                } else {
                    format!("C:\\{path}.vhdx")
                },
                pass_through,
            })
            .collect()
    })
}

fn configuration() -> impl Strategy<Value = VmConfiguration> {
    let vlan = proptest::option::of(1_u16..4095);
    let adapter = (text(), text(), any::<bool>(), text(), vlan).prop_map(
        |(name, mac_address, mac_is_static, switch_name, vlan)| NetworkAdapter {
            name,
            mac_address,
            mac_is_static,
            switch_name,
            vlan,
            addresses: None,
        },
    );
    let checkpoint = (any::<u128>(), text()).prop_map(|(id, name)| Checkpoint {
        id: Uuid::from_u128(id),
        name,
    });
    let memory = (
        0_u64..1 << 40,
        any::<bool>(),
        0_u64..1 << 40,
        0_u64..1 << 40,
    )
        .prop_map(|(startup_mib, dynamic, minimum_mib, maximum_mib)| Memory {
            startup_mib,
            dynamic,
            minimum_mib,
            maximum_mib,
        });
    let first = (
        text(),
        any::<u128>(),
        1_u32..3,
        0_u32..300,
        any::<u8>(),
        text(),
    );
    let second = (any::<u32>(), memory, slots(), vec(adapter, 0..4));
    let third = (
        vec(checkpoint, 0..4),
        proptest::option::of("[a-z]{1,9}"),
        any::<bool>(),
        proptest::option::of((1_u128..).prop_map(Uuid::from_u128)),
    );
    (first, second, third).prop_map(|(first, second, third)| VmConfiguration {
        name: first.0,
        id: Uuid::from_u128(first.1),
        generation: first.2,
        version: format!("{}.{}", first.3, first.4),
        notes: first.5,
        processors: second.0,
        memory: second.1,
        disks: second.2,
        network_adapters: second.3,
        checkpoints: third.0,
        guest_state_file: third.1,
        secure_boot: third.2,
        secure_boot_template: third.3,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_tree_comes_back_from_a_container(
        children in vec(node(prop_oneof![
            value(),
            any::<u64>().prop_map(Value::Unsigned),
            any::<u64>().prop_map(Value::Double),
        ]), 0..6)
    ) {
        let tree = Tree { children };
        prop_assert_eq!(read_vmcx("t", &write_vmcx(&tree).unwrap()).unwrap(), tree);
    }

    #[test]
    fn a_tree_comes_back_from_xml(children in vec(node(value()), 0..6)) {
        let tree = Tree { children: vec![Node::branch("configuration", children)] };
        prop_assert_eq!(read_xml("t", &write_xml(&tree).unwrap()).unwrap(), tree);
    }

    #[test]
    fn a_configuration_comes_back_from_both(vm in configuration()) {
        let tree = vm.to_tree();
        for bytes in [write_vmcx(&tree).unwrap(), write_xml(&tree).unwrap()] {
            prop_assert_eq!(&VmConfiguration::from_bytes("t", &bytes).unwrap(), &vm);
        }
    }
}

#[test]
fn a_tree_of_many_key_tables_comes_back() {
    // More than 226 key tables and file objects, so that object tables chain.
    let children = (0..6000_i64)
        .map(|number| match number % 20 {
            0 => Node::new(
                "bytes",
                Value::Bytes(vec![u8::try_from(number % 251).unwrap(); 2048]),
            ),
            _ => Node::text("text", "x".repeat(usize::try_from(number % 120).unwrap())),
        })
        .collect();
    let tree = Tree { children };
    let bytes = write_vmcx(&tree).unwrap();
    assert!(bytes.len() > 227 * 4096);
    assert_eq!(read_vmcx("t", &bytes).unwrap(), tree);
}

#[test]
fn what_a_format_cannot_hold_is_refused() {
    let long = Tree {
        children: vec![Node::integer("n".repeat(255), 1)],
    };
    assert!(write_vmcx(&long).is_err());
    let mut deep = Node::integer("n", 1);
    for _ in 0..64 {
        deep = Node::branch("n", vec![deep]);
    }
    let deep = Tree {
        children: vec![Node::branch("configuration", vec![deep])],
    };
    assert!(write_vmcx(&deep).is_err());
    assert!(write_xml(&deep).is_err());
    for leaf in [
        Node::text("n", "\u{1}"),
        Node::new("n", Value::Double(0)),
        Node::integer("1n", 1),
    ] {
        let tree = Tree {
            children: vec![Node::branch("configuration", vec![leaf])],
        };
        assert!(write_xml(&tree).is_err());
    }
}
