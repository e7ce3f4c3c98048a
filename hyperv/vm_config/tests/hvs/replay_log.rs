//! The replay log is applied in memory, whole or not at all.

use crate::container::{Entry, FILE_OBJECT, KEY_TABLE, LOG, PAGE, container, seal, write_log};
use vm_config::{ConfigErrorKind, Node, read_vmcx};

fn old() -> Vec<u8> {
    container(&[Entry::integer("n", 0, 1, 1)])
}

/// The key table that a log brings.
fn new_table() -> Vec<u8> {
    let entries = [Entry::integer("n", 0, 1, 2), Entry::integer("m", 0, 2, 3)];
    container(&entries)[KEY_TABLE..FILE_OBJECT].to_vec()
}

#[test]
fn a_committed_write_is_seen() {
    let mut bytes = old();
    let table = new_table();
    let (first, second) = table.split_at(1000);
    write_log(
        &mut bytes,
        &[(KEY_TABLE, first), (KEY_TABLE + 1000, second)],
    );
    let tree = read_vmcx("t", &bytes).unwrap();
    assert_eq!(
        tree.children,
        [Node::integer("n", 2), Node::integer("m", 3)]
    );
}

#[test]
fn later_writes_win() {
    let mut bytes = old();
    let table = new_table();
    let junk = vec![0xff; PAGE];
    write_log(&mut bytes, &[(KEY_TABLE, &junk), (KEY_TABLE, &table)]);
    assert_eq!(read_vmcx("t", &bytes).unwrap().children.len(), 2);
}

#[test]
fn what_a_closed_file_left_in_its_log_is_ignored() {
    let mut bytes = old();
    let table = new_table();
    write_log(&mut bytes, &[(KEY_TABLE, &table)]);
    bytes[LOG + 8..LOG + 12].fill(0);
    seal(&mut bytes[LOG..LOG + 34], 4);
    assert_eq!(
        read_vmcx("t", &bytes).unwrap().children,
        [Node::integer("n", 1)]
    );
}

#[test]
fn a_log_that_is_missing_or_blank_is_empty() {
    let mut bytes = old();
    bytes[LOG..LOG + 34].fill(0);
    assert!(read_vmcx("t", &bytes).is_ok());
    bytes.truncate(LOG + 20);
    assert!(read_vmcx("t", &bytes).is_ok());
}

#[test]
fn one_wrong_checksum_refuses_the_whole_log() {
    let table = new_table();
    let entry = LOG + 34 + 28;
    for (what, at, expected) in [
        ("entry", entry, entry + 20),
        ("data", LOG + PAGE + PAGE + 5, LOG + PAGE + PAGE),
        ("truncated data", 0, LOG + PAGE + PAGE),
    ] {
        let mut bytes = old();
        write_log(&mut bytes, &[(KEY_TABLE, &table), (KEY_TABLE, &table)]);
        if at == 0 {
            bytes.pop();
        } else {
            bytes[at] ^= 1;
        }
        let error = read_vmcx("t", &bytes).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Corrupt, "{what}");
        assert_eq!(error.offset(), Some(expected as u64), "{what}: {error}");
    }
}

#[test]
fn writes_out_of_bounds_are_refused() {
    for target in [0, 0x1000, (64 << 20) - 1] {
        let mut bytes = old();
        write_log(&mut bytes, &[(target, &[1, 2, 3])]);
        let error = read_vmcx("t", &bytes).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Corrupt);
        assert_eq!(error.offset(), Some(LOG as u64 + 34));
    }
}

#[test]
fn more_entries_than_the_log_has_room_for_are_refused() {
    let mut bytes = old();
    bytes[LOG + 8..LOG + 12].copy_from_slice(&146_u32.to_le_bytes());
    seal(&mut bytes[LOG..LOG + 34], 4);
    let error = read_vmcx("t", &bytes).unwrap_err();
    assert_eq!(error.offset(), Some(LOG as u64 + 8));
}

#[test]
fn an_edited_file_has_its_log_applied_and_emptied() {
    let tree = vm_config::Tree {
        children: vec![Node::branch("configuration", vec![])],
    };
    let mut bytes = container(&[Entry::node("configuration", 0, 1)]);
    let renamed = container(&[Entry::node("CONFIGURATION", 0, 1)]);
    write_log(&mut bytes, &[(KEY_TABLE, &renamed[KEY_TABLE..FILE_OBJECT])]);
    let closed = vm_config::with_disk_paths(&bytes, &[]).unwrap();
    assert_eq!(closed[LOG + 8..LOG + 12], [0; 4]);
    assert_eq!(
        closed[KEY_TABLE..FILE_OBJECT],
        renamed[KEY_TABLE..FILE_OBJECT]
    );
    assert_eq!(closed[LOG + 34..], bytes[LOG + 34..], "stale entries stay");
    let read = read_vmcx("t", &closed).unwrap();
    assert_eq!(read.children[0].name, "CONFIGURATION");
    assert_ne!(read, tree);
    // Nothing is left to apply.
    assert_eq!(vm_config::with_disk_paths(&closed, &[]).unwrap(), closed);
}
