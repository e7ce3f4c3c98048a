//! What is left on a host.

use hyperv_sim::{Ledger, LedgerKind};

use crate::fixture::Fixture;

fn kinds(before: &Ledger, after: &Ledger) -> Vec<LedgerKind> {
    let mut kinds: Vec<LedgerKind> = Ledger::difference(before, after)
        .iter()
        .map(|difference| difference.kind)
        .collect();
    kinds.dedup();
    kinds
}

#[test]
fn a_checkpoint_that_comes_and_goes_leaves_tracking_files_and_the_next_one_nothing() {
    let test = Fixture::new();
    let vm = test.vm();
    let start = test.host.ledger().unwrap();
    let snapshot = test.recovery(vm);
    let during = test.host.ledger().unwrap();
    assert_eq!(
        kinds(&start, &during),
        [
            LedgerKind::Snapshot,
            LedgerKind::DiskPath,
            LedgerKind::CheckpointFile,
            LedgerKind::TrackingFile,
            LedgerKind::ConfigurationFile,
        ]
    );
    test.host.delete_checkpoint(snapshot).unwrap();
    assert!(kinds(&start, &test.host.ledger().unwrap()).contains(&LedgerKind::Merge));
    test.host.settle().unwrap();
    let first = test.host.ledger().unwrap();
    assert_eq!(kinds(&start, &first), [LedgerKind::TrackingFile]);
    let snapshot = test.recovery(vm);
    test.host.delete_checkpoint(snapshot).unwrap();
    test.host.settle().unwrap();
    assert_eq!(first, test.host.ledger().unwrap());
}

#[test]
fn a_conversion_leaves_a_reference_point() {
    let test = Fixture::new();
    let vm = test.vm();
    let (first, _) = test.reference_point(vm);
    let before = test.host.ledger().unwrap();
    let (second, _) = test.reference_point(vm);
    test.host.delete_reference_point(first).unwrap();
    let after = test.host.ledger().unwrap();
    let lines: Vec<String> = Ledger::difference(&before, &after)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    test.host.delete_reference_point(second).unwrap();
    assert_eq!(
        kinds(&before, &test.host.ledger().unwrap()),
        [LedgerKind::ReferencePoint]
    );
}

#[test]
fn a_ledger_survives_being_written_down() {
    let test = Fixture::new();
    test.vm();
    let ledger = test.host.ledger().unwrap();
    let text = serde_json::to_string(&ledger).unwrap();
    assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger);
}
