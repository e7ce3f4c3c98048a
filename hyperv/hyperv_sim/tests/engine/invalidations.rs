//! When tracking ids stop being good, and what a host says then.

use hyperv_sim::DiskContent;

use crate::fixture::{Fixture, MIB};

const UNKNOWN: u32 = 0xC03A_0030;

#[test]
fn changes_are_told_in_blocks_from_a_reference_point() {
    let test = Fixture::new();
    let vm = test.vm();
    let (_, id) = test.reference_point(vm);
    assert!(id.starts_with("rctX:") && id.ends_with(":00000001"), "{id}");
    test.host.write(vm, 0, 100_000, &[1; 10]).unwrap();
    test.host.write(vm, 0, 8 * MIB - 1, &[1]).unwrap();
    let changes = test.changes_since(vm, &id).unwrap();
    assert_eq!(changes.processed_bytes, 8 * MIB);
    assert_eq!(
        changes.ranges,
        vec![98_304..131_072, 8 * MIB - 32_768..8 * MIB]
    );
}

#[test]
fn an_answer_may_cover_less_than_was_asked_for() {
    let test = Fixture::new();
    let vm = test.vm();
    let (_, id) = test.reference_point(vm);
    for number in 0..5 {
        test.host.write(vm, 0, number * MIB, &[1; 512]).unwrap();
    }
    test.host
        .change_behavior(|behavior| behavior.ranges_per_answer = 2)
        .unwrap();
    let snapshot = test.recovery(vm);
    let path = test.frozen(vm, snapshot).to_lowercase();
    let (mut offset, mut count) = (0, 0);
    while offset < 8 * MIB {
        let answer = test
            .host
            .changes(&path, &id, offset, 8 * MIB - offset)
            .unwrap();
        assert!(answer.processed_bytes > 0);
        count += answer.ranges.len();
        offset += answer.processed_bytes;
    }
    assert_eq!(count, 5);
}

#[test]
fn ids_that_cannot_be_answered_say_why() {
    let test = Fixture::new();
    let vm = test.vm();
    let path = test.host.vm(vm).unwrap().disks[0].path.clone();
    let ask = |id: &str| test.host.changes(&path, id, 0, MIB).unwrap_err().code();
    let some = "rctX:5bfde23b:ce75:4303:b54f:6c18394f105c:00000001";
    assert_eq!(ask(some), 0xC03A_002A);
    let (point, id) = test.reference_point(vm);
    assert_eq!(ask(some), UNKNOWN);
    assert_eq!(ask("rctX:nonsense"), 0xC03A_0029);
    assert!(test.host.changes(&path, &id, 0, MIB).is_ok());
    test.host.damage_tracking(vm, 0).unwrap();
    assert_eq!(ask(&id), 0xC03A_0024);
    let missing = test
        .host
        .changes("C:\\nowhere.vhdx", &id, 0, MIB)
        .unwrap_err();
    assert_eq!(missing.kind(), hyperv_sim::SimErrorKind::NotFound);
    // An id whose reference point is gone is forgotten with the next checkpoint.
    let (_, later) = test.reference_point(vm);
    test.host.delete_reference_point(point).unwrap();
    assert!(test.changes_since(vm, &later).is_ok());
}

#[test]
fn what_happens_to_a_disk_past_its_guest_makes_its_ids_unknown() {
    type Event = fn(&Fixture, uuid::Uuid);
    let events: [(&str, Event); 7] = [
        ("replaced", |test, vm| {
            let content = DiskContent::Empty {
                size_bytes: 8 * MIB,
            };
            test.host.replace_disk(vm, 0, content).unwrap();
        }),
        ("resized", |test, vm| {
            test.host.resize_disk(vm, 0, 16 * MIB).unwrap();
        }),
        ("edited", |test, vm| {
            test.host.edit_offline(vm, 0, 0, &[1; 512]).unwrap();
        }),
        ("edited, then written", |test, vm| {
            test.host.edit_offline(vm, 0, 0, &[1; 512]).unwrap();
            test.host.write(vm, 0, MIB, &[1; 512]).unwrap();
        }),
        ("moved", |test, vm| {
            test.host.migrate_storage(vm, "C:\\Elsewhere").unwrap();
        }),
        ("crashed without .mrt", |test, _| {
            test.host.crash_host(true).unwrap();
        }),
        ("applied", |test, vm| {
            let snapshot = test.host.checkpoint(vm, "back to here").unwrap();
            test.host.apply_checkpoint(snapshot).unwrap();
            test.host.delete_checkpoint(snapshot).unwrap();
            test.host.settle().unwrap();
        }),
    ];
    for (name, event) in events {
        let test = Fixture::new();
        let vm = test.vm();
        let (_, id) = test.reference_point(vm);
        event(&test, vm);
        let error = test.changes_since(vm, &id).unwrap_err();
        assert_eq!(error.code(), UNKNOWN, "{name}");
        // Tracking goes on with ids of its own.
        let (_, fresh) = test.reference_point(vm);
        assert!(test.changes_since(vm, &fresh).is_ok(), "{name}");
    }
}

#[test]
fn a_file_changed_offline_is_noticed_when_it_is_asked_about() {
    let test = Fixture::new();
    let vm = test.vm();
    let (_, id) = test.reference_point(vm);
    test.host.edit_offline(vm, 0, 0, &[1; 512]).unwrap();
    let path = test.host.vm(vm).unwrap().disks[0].path.clone();
    let error = test.host.changes(&path, &id, 0, MIB).unwrap_err();
    assert_eq!(error.code(), 0xC03A_0022);
}

#[test]
fn a_crash_tells_more_and_never_less() {
    let test = Fixture::new();
    let vm = test.vm();
    let (_, id) = test.reference_point(vm);
    test.host.write(vm, 0, 3 * MIB + 5, &[1; 10]).unwrap();
    test.host.crash_host(false).unwrap();
    let changes = test.changes_since(vm, &id).unwrap();
    assert_eq!(changes.ranges, vec![3 * MIB..5 * MIB]);
}

#[test]
fn a_lie_hides_a_change() {
    let test = Fixture::new();
    let vm = test.vm();
    let (_, id) = test.reference_point(vm);
    test.host.write(vm, 0, 0, &[1; 512]).unwrap();
    test.host.write(vm, 0, MIB, &[1; 512]).unwrap();
    test.host.lie(vm, 0, 0..32_768).unwrap();
    let changes = test.changes_since(vm, &id).unwrap();
    assert_eq!(changes.ranges, vec![MIB..MIB + 32_768]);
}
