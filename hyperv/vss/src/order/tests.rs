//! Each call in each phase: what is legal goes on, all else is refused and changes nothing.

use super::*;
use VssStep as S;

const STEPS: [S; 15] = [
    S::Providers,
    S::VolumeOf,
    S::Begin,
    S::Writers,
    S::AddComponent,
    S::StartSet,
    S::AddVolume,
    S::Prepare,
    S::Snapshot,
    S::WriterStatuses,
    S::Snapshots,
    S::SetSucceeded,
    S::Document,
    S::Complete,
    S::DeleteSet,
];

/// The whole table, written down apart from the code: a phase, and for each call from `writers` on
/// where its success leads; `.` is refused, `=` stays.
///
/// Letters: D described, I in set, V with volumes, P prepared, S snapped, C completed, E ended.
const WITH_WRITERS: [(Phase, &str); 10] = [
    //                   writers
    //                   |add_component
    //                   ||start_set
    //                   |||add_volume
    //                   ||||prepare
    //                   |||||snapshot
    //                   ||||||writer_statuses
    //                   |||||||snapshots
    //                   ||||||||set_succeeded
    //                   |||||||||document
    //                   ||||||||||complete
    //                   |||||||||||delete_set
    (Phase::Begun, "D..........."),
    (Phase::Described, ".=I...=....."),
    (Phase::InSet, ".=.V..=....."),
    (Phase::WithVolumes, ".=.VP.=....."),
    (Phase::Prepared, ".....S=....."),
    (Phase::Snapped, "......====C."),
    (Phase::Completed, "......==.=.E"),
    (Phase::Ended, "............"),
    (Phase::Failed, "......=....."),
    (Phase::Aborted, "............"),
];

/// The same for a backup without writers.
const WITHOUT_WRITERS: [(Phase, &str); 10] = [
    (Phase::Begun, "D.I........."),
    (Phase::Described, "..I...=....."),
    (Phase::InSet, "...V..=....."),
    (Phase::WithVolumes, "...VP.=....."),
    (Phase::Prepared, ".....S=....."),
    (Phase::Snapped, "......==.=C."),
    (Phase::Completed, "......==.=.E"),
    (Phase::Ended, "............"),
    (Phase::Failed, "......=....."),
    (Phase::Aborted, "............"),
];

fn phase_of(letter: char, now: Phase) -> Phase {
    match letter {
        '=' => now,
        'D' => Phase::Described,
        'I' => Phase::InSet,
        'V' => Phase::WithVolumes,
        'P' => Phase::Prepared,
        'S' => Phase::Snapped,
        'C' => Phase::Completed,
        'E' => Phase::Ended,
        other => panic!("{other} is no phase"),
    }
}

fn call(order: &mut Order, step: S) -> Result<(), VssError> {
    order.enter(step)?;
    order.leave(step, Ok(()))
}

fn fail(order: &mut Order, step: S) {
    order.enter(step).unwrap();
    let error = VssError::new(VssErrorKind::Other, step, "as planned");
    assert_eq!(order.leave(step, Err::<(), _>(error.clone())), Err(error));
}

/// Brings a backup to a phase by calls alone.
fn reach(kind: SnapshotKind, phase: Phase) -> Order {
    let path = [
        (Phase::Begun, S::Writers),
        (Phase::Described, S::StartSet),
        (Phase::InSet, S::AddVolume),
        (Phase::WithVolumes, S::Prepare),
        (Phase::Prepared, S::Snapshot),
        (Phase::Snapped, S::Complete),
        (Phase::Completed, S::DeleteSet),
    ];
    let mut order = Order::new(kind);
    match phase {
        Phase::Failed => {
            order = reach(kind, Phase::Prepared);
            fail(&mut order, S::Snapshot);
        }
        Phase::Aborted => assert!(order.abort()),
        _ => {
            for (before, step) in path {
                if order.phase() == phase {
                    break;
                }
                assert_eq!(order.phase(), before);
                call(&mut order, step).unwrap();
            }
        }
    }
    assert_eq!(order.phase(), phase);
    order
}

#[test]
fn every_call_in_every_phase_is_made_or_refused_as_the_table_says() {
    let mut refused = 0;
    for (kind, table) in [
        (SnapshotKind::Backup, WITH_WRITERS),
        (SnapshotKind::WithoutWriters, WITHOUT_WRITERS),
    ] {
        assert_eq!(table.map(|(phase, _)| phase), Phase::ALL);
        for (phase, row) in table {
            let letters = "...".chars().chain(row.chars());
            for (step, letter) in STEPS.into_iter().zip(letters) {
                let mut order = reach(kind, phase);
                let result = call(&mut order, step);
                if letter == '.' {
                    refused += 1;
                    let error = result.expect_err("this call is out of order");
                    assert_eq!(error.kind(), VssErrorKind::BadState);
                    assert_eq!(error.step(), step);
                    assert_eq!(order.phase(), phase, "{step} was refused");
                    names_what_was_expected(&error, row, phase);
                } else {
                    result.unwrap_or_else(|error| panic!("{error}"));
                    assert_eq!(
                        order.phase(),
                        phase_of(letter, phase),
                        "{step} in {phase:?}"
                    );
                }
            }
        }
    }
    // 2 kinds, 10 phases, 15 calls: 300, of which 43 are legal.
    assert_eq!(refused, 300 - 43);
}

fn names_what_was_expected(error: &VssError, row: &str, phase: Phase) {
    let text = error.to_string();
    let (_, expected) = text.split_once("expected").expect("says what was expected");
    let (_, expected) = expected.split_once(": ").unwrap();
    let mut legal: Vec<&str> = STEPS[3..]
        .iter()
        .zip(row.chars())
        .filter(|(_, letter)| *letter != '.')
        .map(|(step, _)| step.call())
        .collect();
    if matches!(phase, Phase::Ended | Phase::Aborted) {
        legal.push("nothing");
    } else {
        legal.push("abort");
    }
    assert_eq!(expected, legal.join(", "), "{text}");
}

#[test]
fn what_fails_and_can_be_tried_again_stays_where_it_was() {
    for (phase, step) in [
        (Phase::Described, S::AddComponent),
        (Phase::Described, S::StartSet),
        (Phase::InSet, S::AddVolume),
        (Phase::WithVolumes, S::AddVolume),
        (Phase::Prepared, S::WriterStatuses),
        (Phase::Snapped, S::Snapshots),
        (Phase::Snapped, S::SetSucceeded),
        (Phase::Snapped, S::Document),
        (Phase::Completed, S::DeleteSet),
    ] {
        let mut order = reach(SnapshotKind::Backup, phase);
        fail(&mut order, step);
        assert_eq!(order.phase(), phase, "{step}");
        call(&mut order, step).unwrap();
    }
}

#[test]
fn what_fails_for_good_leaves_writers_to_be_looked_at_and_the_abort() {
    for (phase, step) in [
        (Phase::Begun, S::Writers),
        (Phase::WithVolumes, S::Prepare),
        (Phase::Prepared, S::Snapshot),
        (Phase::Snapped, S::Complete),
    ] {
        let mut order = reach(SnapshotKind::Backup, phase);
        fail(&mut order, step);
        assert_eq!(order.phase(), Phase::Failed, "{step}");
        call(&mut order, S::WriterStatuses).unwrap();
        assert!(order.abort());
    }
}

#[test]
fn abort_comes_at_any_time_and_again() {
    for phase in Phase::ALL {
        let mut order = reach(SnapshotKind::Backup, phase);
        let is_over = matches!(phase, Phase::Ended | Phase::Aborted);
        assert_eq!(order.abort(), !is_over, "{phase:?}");
        assert!(!order.abort(), "{phase:?}");
    }
}
