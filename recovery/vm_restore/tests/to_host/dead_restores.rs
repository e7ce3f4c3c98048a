//! What a restore that fails or dies leaves is not taken for what it was to make.

use hyperv_host::PowerState;
use vm_restore::{
    HostRestoreRequest, NewestPoints, RestoreKind, VmFilter, plan_all_latest, plan_host_restore,
};

use crate::faults::{MOST, dies};
use crate::host_double::Fault;
use crate::in_place::in_place;
use crate::world::{Steps, VM, World, path_of};

/// The VM's second disk is lost, and its settings still name it.
fn world_with_a_lost_disk() -> World {
    let world = World::new();
    world.guest_goes_on();
    std::fs::remove_file(world.host.local(&path_of(1))).unwrap();
    world
}

fn anew(world: &World) -> HostRestoreRequest {
    HostRestoreRequest {
        full: true,
        ..in_place(world)
    }
}

#[test]
fn a_lost_disk_that_the_old_vm_names_is_no_proof_that_the_vm_was_made() {
    for ask in [in_place, anew] {
        let plan = world_with_a_lost_disk();
        let plan = plan.plan(&ask(&plan));
        assert!(
            plan.disks
                .iter()
                .all(|disk| disk.path != path_of(1)
                    || disk.method != vm_restore::DiskMethod::NewFile)
        );
        for fault in [None, Some(Fault::DieAfter)] {
            for at in 1..MOST {
                let world = world_with_a_lost_disk();
                if !dies(&world, &ask(&world), (at, fault)) {
                    break;
                }
                world.run(&ask(&world)).unwrap();
                world.check_content(VM);
                world.check_nothing_left();
            }
        }
    }
}

#[test]
fn a_restore_that_fails_while_disks_are_written_is_done_by_the_next() {
    for ask in [in_place, anew] {
        for cancel_at in 1..MOST {
            let world = world_with_a_lost_disk();
            let steps = Steps {
                cancel_at: Some(cancel_at),
                ..Steps::default()
            };
            let Err(failure) = world.plan(&ask(&world)).execute(&world.host, &steps) else {
                break;
            };
            let is_made = |left: &String| left.contains("the VM is made");
            if world.host.vm(VM).is_some() {
                assert!(
                    !failure.left.iter().any(is_made),
                    "{cancel_at}: {failure:?}"
                );
            }
            let plan = world.plan(&ask(&world));
            assert_ne!(plan.kind, RestoreKind::Finish, "{cancel_at}");
            plan.execute(&world.host, &()).unwrap();
            world.check_content(VM);
            world.check_nothing_left();
        }
    }
}

#[test]
fn a_half_written_vm_stays_away_also_where_a_first_try_had_written_all() {
    let ended = "making the VM";
    let mut tried = 0;
    for cancel_at in 1..MOST {
        let world = World::new();
        world.guest_goes_on();
        let first = Steps::default();
        let shadow = World::new();
        shadow.guest_goes_on();
        shadow
            .plan(&in_place(&shadow))
            .execute(&shadow.host, &first)
            .unwrap();
        let told = first.told.lock().unwrap();
        let at = told.iter().position(|text| text == ended).unwrap() + 1;
        assert!(dies(&world, &in_place(&world), (at, None)));
        assert!(world.host.vm(VM).is_none());
        // Somebody wrote to them since.
        world.guest_goes_on();
        let steps = Steps {
            cancel_at: Some(cancel_at),
            ..Steps::default()
        };
        let Err(failure) = world.plan(&in_place(&world)).execute(&world.host, &steps) else {
            break;
        };
        let told = steps.told.lock().unwrap();
        if told.iter().any(|text| text.starts_with("writing over"))
            && !told.iter().any(|text| text == ended)
        {
            tried += 1;
            assert!(failure.can_go_on, "{cancel_at}: {failure:?}");
            assert!(world.host.vm(VM).is_none(), "{cancel_at}: {failure:?}");
        }
        world.run(&in_place(&world)).unwrap();
        world.check_content(VM);
    }
    assert!(tried > 0, "no try was cancelled while it wrote");
}

#[test]
fn what_gave_way_to_a_restore_without_an_end_stands_in_the_way_of_another_checkpoint() {
    let world = World::new();
    world.host.change_vm(VM, |vm| vm.state = PowerState::Off);
    // The VM is made and the old files are still to go: the last step that is told.
    let steps = Steps::default();
    let shadow = World::new();
    shadow
        .plan(&anew(&shadow))
        .execute(&shadow.host, &steps)
        .unwrap();
    let told = steps.told.lock().unwrap();
    let removing = |text: &String| text.starts_with("removing");
    let at = told.iter().position(removing).unwrap() + 1;
    assert!(dies(&world, &anew(&world), (at, None)));
    assert_eq!(world.plan(&anew(&world)).kind, RestoreKind::Finish);
    // Among many nobody confirms what goes.
    let catalog = world.repository.catalog().unwrap();
    let newest = NewestPoints::choose(&catalog, &VmFilter::default());
    let plans = plan_all_latest(&world.repository, &world.host, &newest, &world.request()).unwrap();
    let plan = plans[0].plan.as_ref().unwrap();
    assert_eq!(plan.block().unwrap().id, "POINT-NEEDS-CONFIRMATION");
    let request = HostRestoreRequest {
        checkpoint: None,
        ..anew(&world)
    };
    let file = world.folder.path().join("sessions");
    let mut changed = 0;
    crate::host_double::files(&file, &mut |path| {
        if path.extension().is_some_and(|end| end == "json") {
            let text = std::fs::read_to_string(path).unwrap();
            let mut session: serde_json::Value = serde_json::from_str(&text).unwrap();
            session["checkpoint"] = "another".into();
            if session.get("imported").is_some() {
                std::fs::write(path, session.to_string()).unwrap();
                changed += 1;
            }
        }
    });
    assert_eq!(changed, 1);
    let plan = plan_host_restore(&world.repository, &world.point, &world.host, &request).unwrap();
    assert_ne!(plan.kind, RestoreKind::Finish);
    assert_eq!(plan.block().unwrap().id, "POINT-RESTORE-DIED");
}
