//! Restores through the host's own VSS writer.

use std::fs;

use hyperv_host::{Identity, PowerState, WriterWay};
use vm_restore::{
    Destination, Destroyed, HostRestoreRequest, RestoreKind, RestoreMethod, RestorePart, Through,
};

use crate::faults::{MOST, dies};
use crate::host_double::Fault;
use crate::world::{FOLDER, VM, World, bytes_of, configuration, make_vhdx, path_of};

fn request(world: &World) -> HostRestoreRequest {
    HostRestoreRequest {
        through: Through::Writer,
        ..world.request()
    }
}

fn over_the_old(world: &World) -> HostRestoreRequest {
    HostRestoreRequest {
        in_place: true,
        stop_running: true,
        ..request(world)
    }
}

/// A VM that ran on since its point was made.
fn going_on() -> World {
    let world = World::new();
    world.guest_goes_on();
    world
        .host
        .change_vm(VM, |vm| vm.state = PowerState::Running);
    world
}

/// A VM that somebody has removed with all its files.
fn removed() -> World {
    let world = World::new();
    world.host.forget_all();
    world
}

#[test]
fn a_vm_that_was_removed_is_taken_back_under_its_old_names() {
    let world = removed();
    let plan = world.plan(&request(&world));
    assert_eq!(plan.method, RestoreMethod::Writer);
    assert_eq!(plan.kind, RestoreKind::NewVm);
    assert!(plan.block().is_none(), "{:?}", plan.findings);
    assert!(!plan.needs_confirmation());
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name).collect();
    let expected = [
        "disk",
        "disk",
        "definition",
        "pre-restore",
        "place",
        "post-restore",
        "check",
    ];
    assert_eq!(names, expected);
    let report = plan.execute(&world.host, &()).unwrap();
    assert_eq!(report.identity, VM);
    let vm = world.host.vm(VM).unwrap();
    assert_eq!((vm.state, &*vm.folder), (PowerState::Off, FOLDER));
    let disks: Vec<String> = vm.disks.into_values().collect();
    assert_eq!(disks, [path_of(0), path_of(1)]);
    world.check_content(VM);
    world.check_nothing_left();
    assert!(report.notes.iter().any(|note| note.contains("in full")));
}

#[test]
fn a_vm_that_is_there_gives_way_once_that_is_confirmed() {
    let world = going_on();
    let plan = world.plan(&request(&world));
    assert_eq!(plan.block().unwrap().id, "POINT-SAME-VM");
    let plan = world.plan(&over_the_old(&world));
    assert!(plan.block().is_none(), "{:?}", plan.findings);
    assert!(plan.needs_confirmation());
    let content = |path: &str| Destroyed::Content {
        path: path.to_owned(),
    };
    assert!(plan.destroyed.contains(&content(&path_of(0))));
    assert!(plan.destroyed.contains(&content(&path_of(1))));
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name).collect();
    let expected = [
        "disk",
        "disk",
        "definition",
        "stop",
        "keep",
        "pre-restore",
        "place",
        "post-restore",
        "check",
        "start",
    ];
    assert_eq!(names, expected);
    let report = plan.execute(&world.host, &()).unwrap();
    world.check_content(VM);
    world.check_nothing_left();
    let vm = world.host.vm(VM).unwrap();
    assert_eq!(vm.state, PowerState::Running, "as it ran before");
    assert_eq!(
        vm.disks.into_values().collect::<Vec<_>>(),
        [path_of(0), path_of(1)]
    );
    assert_eq!(report.removed.len(), 2, "{:?}", report.removed);
}

#[test]
fn disks_that_a_removed_vm_has_left_give_way_as_well() {
    let world = World::new();
    world.guest_goes_on();
    let path = format!(r"{FOLDER}\Virtual Machines\{}.vmcx", VM.to_uppercase());
    fs::remove_file(world.host.local(&path)).unwrap();
    world.host.take(VM);
    let plan = world.plan(&request(&world));
    // A definition that comes now was not planned to give way, and stays.
    fs::write(world.host.local(&path), b"somebody's").unwrap();
    plan.execute(&world.host, &()).unwrap_err();
    assert_eq!(fs::read(world.host.local(&path)).unwrap(), b"somebody's");
    let plan = world.plan(&request(&world));
    assert!(plan.block().is_none(), "{:?}", plan.findings);
    assert!(plan.needs_confirmation());
    let is_it = |own: &Destroyed| matches!(own, Destroyed::Content { path: own } if own.eq_ignore_ascii_case(&path));
    assert!(plan.destroyed.iter().any(is_it), "{:?}", plan.destroyed);
    plan.execute(&world.host, &()).unwrap();
    world.check_content(VM);
    world.check_nothing_left();
}

#[test]
fn files_go_to_another_folder_where_that_is_asked_for() {
    let world = removed();
    let folder = r"C:\Elsewhere";
    let request = HostRestoreRequest {
        destination: Destination::Folder(folder.to_owned()),
        name: Some("web again".to_owned()),
        map_switch: vec![("LAN".to_owned(), "Lab".to_owned())],
        ..request(&world)
    };
    world.run(&request).unwrap();
    world.check_content(VM);
    world.check_nothing_left();
    let vm = world.host.vm(VM).unwrap();
    assert_eq!(vm.folder, folder);
    assert_eq!(vm.name, "web again");
    assert_eq!(vm.adapters[0].switch.as_deref(), Some("Lab"));
    for path in vm.disks.values() {
        assert!(
            path.starts_with(r"C:\Elsewhere\Virtual Hard Disks\"),
            "{path}"
        );
    }
}

#[test]
fn saved_memory_goes_unless_it_is_asked_for() {
    for keep in [false, true] {
        let world = removed();
        *world.host.registers_as.lock().unwrap() = PowerState::Saved;
        let request = HostRestoreRequest {
            keep_memory: keep.then_some(true),
            ..request(&world)
        };
        world.run(&request).unwrap();
        let expected = if keep {
            PowerState::Saved
        } else {
            PowerState::Off
        };
        assert_eq!(world.host.vm(VM).unwrap().state, expected);
    }
}

#[test]
fn an_import_is_the_way_unless_the_writer_is_the_only_one() {
    let world = removed();
    let method = |through, way| {
        *world.host.way.lock().unwrap() = way;
        let request = HostRestoreRequest {
            through,
            ..world.request()
        };
        world.plan(&request).method
    };
    let (import, writer) = (RestoreMethod::Import, RestoreMethod::Writer);
    let only = Some(WriterWay::OnlyWay);
    assert_eq!(method(Through::Auto, Some(WriterWay::Possible)), import);
    assert_eq!(method(Through::Auto, None), import);
    assert_eq!(method(Through::Auto, only), writer);
    assert_eq!(method(Through::Import, only), import);
    assert_eq!(method(Through::Writer, None), writer);
}

#[test]
fn what_a_writer_cannot_do_is_said_before_anything_is_touched() {
    type Change = fn(&mut World, &mut HostRestoreRequest);
    let table: [(&str, Change); 11] = [
        ("POINT-WRITER-DOCUMENT", |world, _| {
            world.point.writer = None;
        }),
        ("POINT-WRITER-DOCUMENT", |world, _| {
            world.point.writer.as_mut().unwrap()["version"] = 9.into();
        }),
        ("POINT-WRITER-DOCUMENT", |world, _| {
            world.point.writer.as_mut().unwrap()["files"][0]["spec"] = "other.*".into();
        }),
        ("POINT-WRITER-HOST", |world, _| {
            *world.host.way.lock().unwrap() = None;
        }),
        ("POINT-WRITER-HOST", |world, _| {
            "HV9".clone_into(&mut world.point.host);
        }),
        ("POINT-WRITER-PART", |_, request| {
            request.identity = Identity::New;
        }),
        ("POINT-WRITER-PART", |_, request| {
            request.disks = Some(vec![0]);
        }),
        ("POINT-WRITER-PART", |_, request| request.as_new_vm = true),
        ("POINT-WRITER-CHAIN", |world, _| {
            let mut disks = world.point.streams.iter_mut().filter(|own| own.number == 1);
            disks.next().unwrap().source_path = r"C:\VMs\web\data_1.avhdx".to_owned();
        }),
        ("POINT-WRITER-PLACE", |world, _| {
            let path = world.host.local(&path_of(0));
            make_vhdx(
                &path,
                &bytes_of(9, 2 << 20),
                99,
                disk_image::ImageFormat::Vhdx,
            );
        }),
        ("POINT-WRITER-PLACE", |world, request| {
            request.destination = Destination::Folder(r"C:\New".to_owned());
            let path = world.host.local(r"C:\New\Virtual Hard Disks\web.vhdx");
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"somebody else's").unwrap();
        }),
    ];
    for (number, (id, change)) in table.into_iter().enumerate() {
        let mut world = removed();
        let mut request = request(&world);
        change(&mut world, &mut request);
        let before = world.host.ledger();
        let plan = world.plan(&request);
        let block = plan.block().unwrap_or_else(|| panic!("{number} {id}"));
        assert_eq!(block.id, id, "{number}: {block:?}");
        assert!(block.cure.is_some(), "{number}");
        plan.execute(&world.host, &()).unwrap_err();
        assert_eq!(world.host.ledger(), before, "{number} {id}");
    }
}

#[test]
fn a_disk_of_another_vm_does_not_give_way() {
    let world = World::new();
    let mut other = configuration();
    other.id = uuid::Uuid::from_u128(7);
    "other".clone_into(&mut other.name);
    world.host.add(&other, r"C:\VMs\other", PowerState::Off);
    let before = world.host.ledger();
    let plan = world.plan(&over_the_old(&world));
    assert_eq!(plan.block().unwrap().id, "POINT-WRITER-PLACE");
    plan.execute(&world.host, &()).unwrap_err();
    assert_eq!(world.host.ledger(), before);
}

#[test]
fn the_writer_is_for_whole_vms() {
    let world = World::new();
    let request = HostRestoreRequest {
        part: RestorePart::Network,
        ..request(&world)
    };
    assert_eq!(world.plan(&request).method, RestoreMethod::Import);
}

#[test]
fn what_is_done_and_is_said_to_have_failed_is_undone_or_ended() {
    for start in [going_on, removed] {
        for call in 1..MOST {
            let world = start();
            let ask = || match world.host.vm(VM) {
                Some(_) => over_the_old(&world),
                None => request(&world),
            };
            let asked = ask();
            let before = world.host.ledger();
            let plan = world.plan(&asked);
            world.host.fail_at(Some((call, Fault::FailAfter)));
            let Err(failure) = plan.execute(&world.host, &()) else {
                assert!(call > 1, "no call was made");
                break;
            };
            world.host.fail_at(None);
            if failure.can_go_on {
                let report = world.run(&asked).unwrap();
                assert_eq!(report.kind, RestoreKind::Finish, "{call}: {failure:?}");
                world.check_content(VM);
            } else {
                assert_eq!(world.host.ledger(), before, "{call}: {failure:?}");
            }
            world.check_nothing_left();
        }
    }
}

#[test]
fn a_vm_that_was_removed_comes_back_however_often_its_restore_dies() {
    for fault in [None, Some(Fault::DieAfter)] {
        for at in 1..MOST {
            let world = removed();
            if !dies(&world, &request(&world), (at, fault)) {
                assert!(at > 1, "{fault:?}: it never dies");
                break;
            }
            let report = world.run(&request(&world));
            let report = report.unwrap_or_else(|error| panic!("{fault:?} {at}: {error:?}"));
            assert_eq!(report.identity, VM);
            world.check_content(VM);
            world.check_nothing_left();
        }
    }
}

#[test]
fn a_restore_that_died_is_not_ended_by_another_way() {
    for at in 1..MOST {
        let world = going_on();
        assert!(
            dies(&world, &over_the_old(&world), (at, None)),
            "it never leaves"
        );
        if world.host.vm(VM).is_some() {
            continue;
        }
        let import = HostRestoreRequest {
            through: Through::Import,
            ..over_the_old(&world)
        };
        let plan = world.plan(&import);
        assert_eq!(plan.block().unwrap().id, "POINT-RESTORE-DIED");
        world.run(&over_the_old(&world)).unwrap();
        world.check_content(VM);
        world.check_nothing_left();
        return;
    }
}

#[test]
fn what_the_writer_may_still_do_is_waited_for_with_all_files_kept() {
    let mut heard = 0;
    for does_it in [false, true] {
        for call in 1..MOST {
            let world = going_on();
            let asked = over_the_old(&world);
            let plan = world.plan(&asked);
            world.host.fail_at(Some((call, Fault::Late)));
            let done = plan.execute(&world.host, &());
            world.host.fail_at(None);
            let Err(failure) = done else {
                // No call of the writer's.
                continue;
            };
            heard += 1;
            assert!(failure.can_go_on, "{call}: {failure:?}");
            assert!(failure.undone.is_empty(), "{call}: {failure:?}");
            if let Some(vm) = world.host.late.lock().unwrap().take()
                && does_it
            {
                let file = format!(r"{FOLDER}\Virtual Machines\{}.vmcx", VM.to_uppercase());
                fs::remove_file(world.host.local(&file)).unwrap();
                world.host.take(&vm);
            }
            let kept = world.host.ledger();
            let is_kept = |line: &String| line.contains("lifeboat-restore-");
            assert!(kept.iter().any(is_kept), "{call}: {kept:?}");
            world.run(&asked).unwrap();
            world.check_content(VM);
            world.check_nothing_left();
        }
    }
    assert_eq!(heard, 4, "PreRestore and PostRestore, each twice");
}

#[test]
fn a_vm_that_is_not_as_it_was_asked_for_is_told_and_not_started() {
    let otherwise = |report: &vm_restore::HostRestoreReport| {
        let mut found = report.findings.iter();
        found.any(|finding| finding.id == "POINT-VM-OTHERWISE")
    };
    let mut told = 0;
    for call in 1..MOST {
        let world = going_on();
        let asked = HostRestoreRequest {
            name: Some("web again".to_owned()),
            ..over_the_old(&world)
        };
        let plan = world.plan(&asked);
        world.host.fail_at(Some((call, Fault::Fail)));
        let done = plan.execute(&world.host, &());
        world.host.fail_at(None);
        let Ok(report) = done else { continue };
        let vm = world.host.vm(VM).unwrap();
        let is_as_asked = vm.name == "web again" && report.name == vm.name;
        if !is_as_asked || otherwise(&report) {
            told += 1;
            assert!(otherwise(&report), "{call}: {report:?}");
            assert!(!report.started, "{call}: {report:?}");
            assert_eq!(vm.state, PowerState::Off, "{call}");
        }
    }
    assert!(told >= 2, "the name and the adapters: {told}");
    // Adapters of a VM with memory that was kept cannot be set.
    let world = removed();
    *world.host.registers_as.lock().unwrap() = PowerState::Saved;
    let report = world.run(&HostRestoreRequest {
        keep_memory: Some(true),
        start: vm_restore::StartPolicy::Start,
        map_switch: vec![("LAN".to_owned(), "Lab".to_owned())],
        ..request(&world)
    });
    let report = report.unwrap();
    assert!(otherwise(&report) && !report.started, "{report:?}");
}

#[test]
fn what_was_there_before_stays_where_the_restored_vm_runs_already() {
    let world = going_on();
    *world.host.registers_as.lock().unwrap() = PowerState::Running;
    let report = world.run(&over_the_old(&world)).unwrap();
    let mut found = report.findings.iter();
    let found = found.find(|finding| finding.id == "POINT-VM-OTHERWISE");
    assert!(found.unwrap().text.contains(".lifeboat-old-"), "{found:?}");
    assert_eq!(report.removed, Vec::<String>::new());
    let left = world.host.ledger();
    let is_old = |line: &&String| line.contains(".lifeboat-old-");
    assert_eq!(left.iter().filter(is_old).count(), 2, "{left:?}");
}
