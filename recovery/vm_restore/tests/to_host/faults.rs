//! Restores that fail or die at every step.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hyperv_host::{Identity, PowerState};
use vm_restore::{HostRestoreRequest, RestorePart, Through};

use crate::host_double::Fault;
use crate::world::{Steps, VM, World};

/// More steps and calls than any restore has.
pub(crate) const MOST: usize = 40;

type Ask = fn(&World) -> HostRestoreRequest;

const KINDS: [(&str, Ask); 6] = [
    ("beside", |world| HostRestoreRequest {
        identity: Identity::New,
        ..world.request()
    }),
    ("keep old", |world| HostRestoreRequest {
        in_place: true,
        keep_old: true,
        ..world.request()
    }),
    ("in place", |world| HostRestoreRequest {
        in_place: true,
        stop_running: true,
        ..world.request()
    }),
    ("in place, anew", |world| HostRestoreRequest {
        in_place: true,
        stop_running: true,
        full: true,
        ..world.request()
    }),
    ("attach", |world| HostRestoreRequest {
        part: RestorePart::Disks {
            attach_to: VM.to_owned(),
            slot: None,
        },
        ..world.request()
    }),
    ("through the writer", |world| HostRestoreRequest {
        in_place: true,
        stop_running: true,
        through: Through::Writer,
        ..world.request()
    }),
];

fn world() -> World {
    let world = World::new();
    world.guest_goes_on();
    world
        .host
        .change_vm(VM, |vm| vm.state = PowerState::Running);
    world
}

#[test]
fn what_fails_leaves_the_host_as_it_was() {
    for (name, ask) in KINDS {
        for call in 1..MOST {
            let world = world();
            let before = world.host.ledger();
            let plan = world.plan(&ask(&world));
            world.host.fail_at(Some((call, Fault::Fail)));
            let result = plan.execute(&world.host, &());
            let Err(failure) = result else {
                assert!(call > 1, "{name}: no call was made");
                break;
            };
            assert!(!failure.can_go_on, "{name} {call}: {failure:?}");
            let after = world.host.ledger();
            if failure
                .left
                .iter()
                .any(|left| left.contains("hold what the point has"))
            {
                // Its disks were written over before: it is the VM that it was, with them.
                assert_eq!(world.host.vm(VM).unwrap().state, PowerState::Off);
                world.check_content(VM);
            } else {
                assert_eq!(after, before, "{name} {call}: {failure:?}");
            }
            world.check_nothing_left();
        }
    }
}

#[test]
fn what_is_cancelled_leaves_the_host_as_it_was() {
    for (name, ask) in KINDS {
        for at in 1..MOST {
            let world = world();
            let before = world.host.ledger();
            let steps = Steps {
                cancel_at: Some(at),
                ..Steps::default()
            };
            let plan = world.plan(&ask(&world));
            let Err(failure) = plan.execute(&world.host, &steps) else {
                break;
            };
            if failure.can_go_on {
                world.run(&ask(&world)).unwrap();
                world.check_content(VM);
            } else if failure.left.is_empty() {
                assert_eq!(world.host.ledger(), before, "{name} {at}: {failure:?}");
            }
            world.check_nothing_left();
        }
    }
}

/// Runs a restore that dies at a place; `false`: it came to its end before.
pub(crate) fn dies(
    world: &World,
    request: &HostRestoreRequest,
    place: (usize, Option<Fault>),
) -> bool {
    let plan = world.plan(request);
    let (at, fault) = place;
    world.host.fail_at(fault.map(|fault| (at, fault)));
    let steps = Steps {
        die_at: fault.is_none().then_some(at),
        ..Steps::default()
    };
    std::panic::set_hook(Box::new(|_| {}));
    let died = catch_unwind(AssertUnwindSafe(|| plan.execute(&world.host, &steps))).is_err();
    drop(std::panic::take_hook());
    world.host.fail_at(None);
    died
}

#[test]
fn what_dies_at_any_step_is_ended_by_the_same_restore() {
    for (name, ask) in KINDS {
        // Dying before a call is dying at the step before it.
        for fault in [None, Some(Fault::DieAfter)] {
            for at in 1..MOST {
                let world = world();
                if !dies(&world, &ask(&world), (at, fault)) {
                    assert!(at > 1, "{name} {fault:?}: it never dies");
                    break;
                }
                // Sometimes at another step again.
                let again = at.div_ceil(2);
                if at % 3 == 0 && !dies(&world, &ask(&world), (again, fault)) {
                    world.check_nothing_left();
                    continue;
                }
                let report = world.run(&ask(&world));
                let report = report.unwrap_or_else(|error| {
                    panic!("{name} {fault:?} {at}: {error:?} {:?}", error.error)
                });
                let vms = world.host.vms();
                let expected = if name == "beside" || name == "keep old" {
                    2
                } else {
                    1
                };
                assert_eq!(vms.len(), expected, "{name} {fault:?} {at}: {vms:?}");
                if name != "attach" {
                    world.check_content(&report.identity);
                    // One that gave way ran, also where the restore died with it off.
                    let runs = vms[&report.identity].state == PowerState::Running;
                    assert_eq!(runs, expected == 1, "{name} {fault:?} {at}");
                } else {
                    assert_eq!(vms[VM].disks.len(), 4, "{fault:?} {at}");
                }
                world.check_nothing_left();
            }
        }
    }
}

/// A world in which a restore in place died while the VM was away.
pub(crate) fn world_of_the_dead() -> World {
    for at in 1..MOST {
        let world = world();
        let request = KINDS[2].1(&world);
        assert!(dies(&world, &request, (at, None)), "it never leaves");
        if world.host.vm(VM).is_none() {
            return world;
        }
    }
    panic!("no restore takes the VM away");
}

#[test]
fn what_died_with_the_vm_away_stands_in_the_way_of_any_other_restore() {
    let world = world_of_the_dead();
    let before = world.host.ledger();
    let mut other = world.point.clone();
    other.id = repository::RestorePoint::new_id().unwrap();
    for (name, ask) in KINDS {
        let request = ask(&world);
        let plan = vm_restore::plan_host_restore(&world.repository, &other, &world.host, &request);
        let plan = plan.unwrap();
        let died = |finding: &&hyperv_host::Finding| finding.id == "POINT-RESTORE-DIED";
        assert!(plan.findings.iter().find(died).is_some(), "{name}");
        plan.execute(&world.host, &()).unwrap_err();
        assert_eq!(world.host.ledger(), before, "{name}");
    }
    // The same one goes on.
    world.run(&KINDS[2].1(&world)).unwrap();
    world.check_content(VM);
    world.check_nothing_left();
}

#[test]
fn what_died_on_one_host_is_nothing_to_another() {
    let world = world_of_the_dead();
    let here = world.host.facts.lock().unwrap().computer.clone();
    "HV2".clone_into(&mut world.host.facts.lock().unwrap().computer);
    let plan = world.plan(&KINDS[0].1(&world));
    assert!(!plan.resumes && plan.block().is_none(), "{plan:?}");
    plan.execute(&world.host, &()).unwrap();
    world.host.facts.lock().unwrap().computer = here;
    let plan = world.plan(&KINDS[2].1(&world));
    assert!(plan.resumes);
    plan.execute(&world.host, &()).unwrap();
    world.check_content(VM);
}

#[test]
fn a_file_that_came_meanwhile_is_neither_used_nor_removed() {
    let world = World::new();
    let plan = world.plan(&KINDS[0].1(&world));
    let path = world.host.local(&plan.disks[0].path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, b"somebody else's").unwrap();
    plan.execute(&world.host, &()).unwrap_err();
    assert_eq!(std::fs::read(&path).unwrap(), b"somebody else's");
}

#[test]
fn two_plans_of_one_vm_are_not_both_carried_out() {
    let world = world();
    let first = world.plan(&KINDS[2].1(&world));
    assert!(dies(&world, &KINDS[2].1(&world), (3, None)));
    let failure = first.execute(&world.host, &()).unwrap_err();
    assert!(
        failure.error.to_string().contains("cannot restore"),
        "{failure:?}"
    );
    world.run(&KINDS[2].1(&world)).unwrap();
    world.check_content(VM);
}
