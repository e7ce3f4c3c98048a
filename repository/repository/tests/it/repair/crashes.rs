//! A repair that dies at any step, and any request of it failing once.

use store_faults::{Fault, MemoryStore};

use crate::repair::Case;

/// Damages some of everything that a repair mends.
fn harm(store: &MemoryStore) {
    let packs = store.names("packs/");
    let size = |name: &String| store.bytes_of(name).unwrap().len();
    let largest = packs.iter().max_by_key(|name| size(name)).unwrap();
    let smallest = packs.iter().min_by_key(|name| size(name)).unwrap();
    assert!(store.tamper(largest, |bytes| bytes[5000] ^= 1));
    assert!(store.lose(smallest));
    let index = store.names("index/").remove(0);
    assert!(store.tamper(&index, |bytes| bytes.truncate(200)));
}

fn survives(fault: fn(usize) -> Fault, all_requests: bool, step_by: usize) {
    let case = Case::new();
    harm(&case.store);
    let before = case.readable();
    for step in (0..).step_by(step_by) {
        let case = case.fork();
        let other = Case {
            store: case.store.another_host(),
            points: case.points.clone(),
        };
        case.store.set_fault(fault(step), all_requests);
        let result = case.repair();
        let struck = case.store.steps() > step;
        let what = format!("step {step}");
        let after = other.readable();
        for (before, after) in before.iter().zip(&after) {
            let mut both = before.iter().zip(after);
            assert!(both.all(|(before, after)| !before || *after), "{what}");
        }
        assert!(result.is_ok() || struck, "{what}");
        other.repair().unwrap();
        other.heals(&before, &what);
        let last = other.repair().unwrap();
        assert!(last.after.is_good(), "{what}: {:?}", last.after);
        if !struck {
            assert!(step > 5, "only {step} steps: too few to mean anything");
            return;
        }
    }
}

#[test]
fn a_repair_may_die_at_any_write_or_removal() {
    survives(Fault::DieAt, false, 1);
}

#[test]
fn any_request_of_a_repair_may_fail_once() {
    survives(Fault::FailOnce, true, 3);
}
