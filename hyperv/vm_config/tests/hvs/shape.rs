//! What real containers contain and our writer never makes, and what must be refused.

use crate::container::{
    Entry, FILE_OBJECT, KEY_TABLE, LOG, OBJECT_TABLE, container, seal, write_header,
};
use vm_config::{ConfigErrorKind, Node, Value, read_vmcx};

fn kind_at(bytes: &[u8]) -> (ConfigErrorKind, Option<u64>) {
    let error = read_vmcx("t.vmcx", bytes).unwrap_err();
    assert_eq!(error.file(), Some("t.vmcx"));
    (error.kind(), error.offset())
}

#[test]
fn a_child_that_is_stored_before_its_parent_is_found() {
    let child = Entry::integer("child", 0, 1, 5);
    let parent_at = 10 + u32::try_from(child.len()).unwrap();
    let bytes = container(&[
        Entry::integer("child", parent_at, 1, 5),
        Entry::node("parent", 0, 1),
    ]);
    let tree = read_vmcx("t", &bytes).unwrap();
    assert_eq!(
        tree.children,
        [Node::branch("parent", vec![Node::integer("child", 5)])]
    );
}

#[test]
fn siblings_of_one_name_are_all_kept_in_insertion_order() {
    let bytes = container(&[
        Entry::node("metrics", 0, 1),
        Entry::integer("metric", 10, 3, 30),
        Entry::integer("metric", 10, 1, 10),
        Entry::integer("metric", 10, 2, 20),
    ]);
    let tree = read_vmcx("t", &bytes).unwrap();
    let values: Vec<_> = tree.children[0]
        .children()
        .iter()
        .map(|node| node.value.clone())
        .collect();
    assert_eq!(
        values,
        [Value::Integer(10), Value::Integer(20), Value::Integer(30)]
    );
}

#[test]
fn slack_is_not_part_of_the_value() {
    let mut data = 4_u32.to_le_bytes().to_vec();
    data.extend([b'O', 0, b'K', 0]);
    let mut entry = Entry::new(6, "text", 0, 1, data);
    entry.slack = 13;
    let tree = read_vmcx("t", &container(&[entry, Entry::integer("next", 0, 2, 1)])).unwrap();
    assert_eq!(
        tree.children,
        [Node::text("text", "OK"), Node::integer("next", 1)]
    );
}

#[test]
fn a_long_value_comes_from_its_file_object() {
    let mut data = 4000_u32.to_le_bytes().to_vec();
    data.extend((FILE_OBJECT as u64).to_le_bytes());
    let mut entry = Entry::new(7, "bytes", 0, 1, data);
    entry.flags = 1;
    let tree = read_vmcx("t", &container(&[entry])).unwrap();
    assert_eq!(tree.children[0].value, Value::Bytes(vec![0x5a; 4000]));
}

#[test]
fn every_type_is_read() {
    let bytes = container(&[
        Entry::integer("i", 0, 1, -2),
        Entry::new(4, "u", 0, 2, u64::MAX.to_le_bytes().to_vec()),
        Entry::new(5, "d", 0, 3, 1.5_f64.to_le_bytes().to_vec()),
        Entry::new(8, "b", 0, 4, vec![1, 0, 0, 0]),
        Entry::new(7, "a", 0, 5, vec![2, 0, 0, 0, 8, 9]),
    ]);
    let values: Vec<_> = read_vmcx("t", &bytes)
        .unwrap()
        .children
        .into_iter()
        .map(|node| node.value)
        .collect();
    assert_eq!(
        values,
        [
            Value::Integer(-2),
            Value::Unsigned(u64::MAX),
            Value::Double(1.5_f64.to_bits()),
            Value::Bool(true),
            Value::Bytes(vec![8, 9]),
        ]
    );
}

#[test]
fn one_damaged_header_does_no_harm_and_two_do() {
    let mut bytes = container(&[Entry::integer("n", 0, 1, 1)]);
    bytes[0x1004] ^= 1;
    assert!(read_vmcx("t", &bytes).is_ok());
    bytes[9] ^= 1;
    assert_eq!(kind_at(&bytes), (ConfigErrorKind::Corrupt, Some(4)));
}

#[test]
fn the_header_with_the_greater_sequence_counts() {
    let mut bytes = container(&[Entry::integer("n", 0, 1, 1)]);
    // The older header knows another version; only the newer one may be asked.
    bytes[10..14].copy_from_slice(&0x0500_u32.to_le_bytes());
    seal(&mut bytes[..46], 4);
    assert!(read_vmcx("t", &bytes).is_ok());
    write_header(&mut bytes, 0x1000, 6);
    assert_eq!(kind_at(&bytes).0, ConfigErrorKind::Unsupported);
}

#[test]
fn parents_that_form_a_loop_are_refused() {
    let first = Entry::node("a", 0, 1);
    let second_at = 10 + u32::try_from(first.len()).unwrap();
    let bytes = container(&[Entry::node("a", second_at, 1), Entry::node("b", 10, 1)]);
    assert_eq!(
        kind_at(&bytes),
        (ConfigErrorKind::Corrupt, Some(KEY_TABLE as u64 + 10))
    );
}

#[test]
fn a_parent_that_is_missing_or_is_a_value_is_refused() {
    for parent in [11, 10] {
        let bytes = container(&[
            Entry::integer("value", 0, 1, 1),
            Entry::integer("child", parent, 1, 1),
        ]);
        let at = KEY_TABLE + 10 + Entry::integer("value", 0, 1, 1).len();
        assert_eq!(kind_at(&bytes), (ConfigErrorKind::Corrupt, Some(at as u64)));
    }
}

#[test]
fn a_tree_that_is_too_deep_is_refused() {
    let mut entries = vec![Entry::node("n", 0, 1)];
    let len = u32::try_from(entries[0].len()).unwrap();
    for depth in 0..80 {
        entries.push(Entry::node("n", 10 + depth * len, 1));
    }
    assert_eq!(
        kind_at(&container(&entries)).0,
        ConfigErrorKind::Unsupported
    );
}

#[test]
fn values_that_overlap_are_refused_before_they_are_copied() {
    let entries: Vec<_> = (0..30)
        .map(|sequence| {
            let mut data = 4096_u32.to_le_bytes().to_vec();
            data.extend((FILE_OBJECT as u64).to_le_bytes());
            let mut entry = Entry::new(7, "bytes", 0, sequence, data);
            entry.flags = 1;
            entry
        })
        .collect();
    assert_eq!(kind_at(&container(&entries)).0, ConfigErrorKind::Corrupt);
}

#[test]
fn object_tables_that_form_a_loop_are_refused() {
    let mut bytes = container(&[]);
    let slot = OBJECT_TABLE + 8 + 226 * 18;
    bytes[slot] = 1;
    bytes[slot + 5..slot + 13].copy_from_slice(&(OBJECT_TABLE as u64).to_le_bytes());
    seal(&mut bytes[slot..slot + 18], 1);
    assert_eq!(
        kind_at(&bytes),
        (ConfigErrorKind::Corrupt, Some(OBJECT_TABLE as u64))
    );
}

/// Each row breaks one thing: where, what to write there, and where the error must point.
#[test]
fn each_damage_is_refused_at_its_place() {
    let entry = KEY_TABLE + 10;
    let rows: &[(&str, usize, &[u8], usize)] = &[
        ("object table signature", OBJECT_TABLE, &[9], OBJECT_TABLE),
        (
            "object count",
            OBJECT_TABLE + 4,
            &[0xff; 4],
            OBJECT_TABLE + 4,
        ),
        ("used slot", OBJECT_TABLE + 8 + 5, &[1], OBJECT_TABLE + 9),
        (
            "empty slot",
            OBJECT_TABLE + 8 + 100 * 18 + 5,
            &[1],
            OBJECT_TABLE + 9 + 100 * 18,
        ),
        ("key table signature", KEY_TABLE, &[3], KEY_TABLE),
        ("key table header", KEY_TABLE + 4, &[9], KEY_TABLE + 6),
        ("entry size zero", entry + 2, &[0; 4], entry + 2),
        ("entry size too large", entry + 2, &[0xff; 4], entry + 2),
        (
            "entry too small for its data",
            entry + 2,
            &[24, 0, 0, 0],
            entry,
        ),
        ("entry type", entry, &[2], entry),
        ("entry checksum", entry + 12, &[0xee], entry + 12),
        ("entry value", entry + 23, &[0xee], entry + 12),
        ("log signature", LOG, &[9], LOG),
        ("log header", LOG + 20, &[9], LOG + 4),
    ];
    for (what, at, bytes, expected) in rows {
        let mut file = container(&[Entry::integer("n", 0, 1, 1)]);
        file[*at..at + bytes.len()].copy_from_slice(bytes);
        assert_eq!(
            kind_at(&file),
            (ConfigErrorKind::Corrupt, Some(*expected as u64)),
            "{what}"
        );
    }
}

#[test]
fn a_truncated_container_is_refused_at_every_length() {
    let bytes = container(&[Entry::integer("n", 0, 1, 1)]);
    // The file object that nobody uses and the log may be missing.
    for len in (0..FILE_OBJECT).step_by(97) {
        assert!(read_vmcx("t", &bytes[..len]).is_err(), "{len} bytes");
    }
    assert!(read_vmcx("t", &bytes[..LOG]).is_ok());
}
