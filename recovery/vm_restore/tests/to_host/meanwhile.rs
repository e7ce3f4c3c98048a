//! What happens to a host between a plan and its end: VMs that change, files that come, hosts that
//! merge, disks that grow.

use std::fs;

use block_io::NewImage as _;
use disk_image::{DifferencingOptions, ImageFormat, create_differencing};
use hyperv_host::PowerState;
use vm_config::write_vmcx;
use vm_restore::{Destroyed, HostRestoreObserver, HostRestoreRequest, RestoreKind};

use crate::faults::dies;
use crate::host_double::{DoubleVm, Fault};
use crate::in_place::{add_vm, in_place, tell_changes};
use crate::world::{
    DISK_BYTES, FOLDER, VM, World, configuration, make_vhdx, path_of, read_disk, slot,
};

fn anew(world: &World) -> HostRestoreRequest {
    HostRestoreRequest {
        full: true,
        stop_running: true,
        ..in_place(world)
    }
}

fn shown_files(plan: &vm_restore::HostRestorePlan) -> Vec<String> {
    let files = plan.destroyed.iter().filter_map(|lost| match lost {
        Destroyed::File { path } => Some(path.clone()),
        _ => None,
    });
    files.collect()
}

/// Lets a restore die at the first step at which the VM is there, or not.
fn die_when(world: &World, is_there: bool) {
    for at in 2..20 {
        assert!(dies(world, &anew(world), (at, None)), "it does not die");
        if world.host.vm(VM).is_some() == is_there {
            return;
        }
    }
    panic!("the VM never was as it should be");
}

#[test]
fn a_restore_that_goes_on_removes_what_its_own_plan_shows() {
    let world = World::new();
    die_when(&world, true);
    // The disk was moved, and somebody put another file where it was.
    let (was, moved) = (path_of(0), path_of(0).replace("web.", "moved."));
    fs::rename(world.host.local(&was), world.host.local(&moved)).unwrap();
    fs::write(world.host.local(&was), b"somebody else's").unwrap();
    world.host.change_vm(VM, |vm| {
        vm.disks.insert(slot(0), moved.clone());
    });
    let plan = world.plan(&anew(&world));
    assert!(plan.resumes);
    assert_eq!(shown_files(&plan), [path_of(1), moved.clone()]);
    let report = plan.execute(&world.host, &()).unwrap();
    assert_eq!(report.removed, [path_of(1), moved.clone()]);
    assert_eq!(
        fs::read(world.host.local(&was)).unwrap(),
        b"somebody else's"
    );
    assert!(!world.host.local(&moved).exists());
    world.check_content(VM);
    world.check_nothing_left();
}

#[test]
fn a_disk_that_came_while_the_vm_was_away_is_not_removed() {
    let world = World::new();
    die_when(&world, false);
    let local = world.host.local(&path_of(0));
    fs::remove_file(&local).unwrap();
    make_vhdx(&local, &[3; 1 << 20], 99, ImageFormat::Vhdx);
    let another = fs::read(&local).unwrap();
    let plan = world.plan(&anew(&world));
    assert_eq!(shown_files(&plan), [path_of(1)]);
    let report = plan.execute(&world.host, &()).unwrap();
    assert_eq!(report.removed, [path_of(1)]);
    assert!(fs::read(&local).unwrap() == another);
    world.check_content(VM);
    world.check_nothing_left();
}

#[test]
fn what_a_finished_vm_has_come_to_use_is_not_removed() {
    let world = World::new();
    // It dies once the VM is made, before its old disks go.
    let mut at = 2;
    loop {
        assert!(dies(&world, &anew(&world), (at, None)), "it does not die");
        if world.plan(&anew(&world)).kind == RestoreKind::Finish {
            break;
        }
        at += 1;
        assert!(at < 30, "it never makes the VM");
    }
    let plan = world.plan(&anew(&world));
    assert_eq!(shown_files(&plan).len(), 2, "{:?}", plan.destroyed);
    add_vm(&world, "11112222-0000-0000-0000-00000000000f", &path_of(0));
    let report = plan.execute(&world.host, &()).unwrap();
    assert_eq!(report.removed, [path_of(1)]);
    assert!(world.host.local(&path_of(0)).exists());
    let told = |note: &&String| note.contains("stays: a VM uses it");
    assert!(report.notes.iter().find(told).is_some(), "{report:?}");
    world.check_nothing_left();
}

const CHECKPOINT: &str = "99998888-0000-0000-0000-000000000001";

/// A VM whose first disk goes on above a checkpoint; returns what that holds now.
fn with_checkpoint() -> (World, Vec<u8>) {
    let world = World::new();
    let base = world.host.local(&path_of(0));
    let leaf = path_of(0).replace("web.vhdx", "web_1.avhdx");
    let image = world.host.local(&leaf);
    let made = create_differencing(&image, &base, &DifferencingOptions::default()).unwrap();
    made.write_at(8192, &[9; 4096]).unwrap();
    Box::new(made).finish().unwrap();
    let held = read_disk(&image);
    let file = format!(r"{FOLDER}\Snapshots\{}.vmcx", CHECKPOINT.to_uppercase());
    let file = world.host.local(&file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, write_vmcx(&configuration().to_tree()).unwrap()).unwrap();
    world.host.change_vm(VM, |vm| {
        vm.checkpoints
            .insert(CHECKPOINT.to_owned(), vm.disks.clone());
        vm.disks.insert(slot(0), leaf);
    });
    (world, held)
}

#[test]
fn a_vm_whose_checkpoints_were_merged_comes_back_on_its_bases() {
    for merges in [true, false] {
        let mut was_tried = false;
        for call in 1..10 {
            let (world, held) = with_checkpoint();
            *world.host.merges.lock().unwrap() = merges;
            let before: DoubleVm = world.host.vm(VM).unwrap();
            let plan = world.plan(&in_place(&world));
            world.host.fail_at(Some((call, Fault::Fail)));
            let Err(failure) = plan.execute(&world.host, &()) else {
                break;
            };
            assert!(!failure.can_go_on, "{call}: {failure:?}");
            let vm = world.host.vm(VM).unwrap();
            let leaf = &vm.disks[&slot(0)];
            let is_merged = *leaf == path_of(0);
            was_tried |= is_merged;
            // Either it never left, or it is back: on what there is now.
            assert!(merges || !is_merged, "{call}");
            assert_eq!(vm.checkpoints.is_empty(), is_merged, "{call}");
            assert!(is_merged || vm.disks == before.disks, "{call}");
            assert!(read_disk(&world.host.local(leaf)) == held, "{call}");
            world.check_nothing_left();
        }
        assert_eq!(was_tried, merges, "no call failed while the VM was away");
    }
}

#[test]
fn a_disk_that_grows_needs_the_room() {
    let world = World::new();
    // What is written where data is needs none.
    let needed = world.plan(&in_place(&world)).space[0].needed_bytes;
    assert!(needed < 1 << 20, "{needed}");
    // Somebody emptied and compacted it.
    let local = world.host.local(&path_of(0));
    fs::remove_file(&local).unwrap();
    let size = usize::try_from(DISK_BYTES[0]).unwrap();
    make_vhdx(&local, &vec![0; size], 1, ImageFormat::Vhdx);
    let length = || local.metadata().unwrap().len();
    let before = length();
    let needed = world.plan(&in_place(&world)).space[0].needed_bytes;
    let with_free = |bytes: u64| {
        world.host.facts.lock().unwrap().volumes[0].free_bytes = bytes;
        world.plan(&in_place(&world))
    };
    let plan = with_free(needed - 1);
    assert_eq!(plan.block().unwrap().id, "POINT-NO-ROOM");
    let plan = with_free(needed);
    assert!(plan.block().is_none(), "{:?}", plan.findings);
    plan.execute(&world.host, &()).unwrap();
    world.check_content(VM);
    let grown = length() - before;
    assert!(grown > 2 << 20, "it grew by {grown}");
    assert!(
        needed >= grown,
        "it grew by {grown}, and {needed} were asked for"
    );
}

#[test]
fn what_a_host_keeps_beside_a_disk_goes_with_what_is_written_over() {
    for tracked in [true, false] {
        let world = World::new();
        world.guest_goes_on();
        if tracked {
            tell_changes(&world);
        }
        let beside = |disk: usize, end: &str| world.host.local(&format!("{}{end}", path_of(disk)));
        for (disk, end) in [(0, ".rct"), (0, ".mrt"), (1, ".rct"), (1, ".mrt")] {
            fs::write(beside(disk, end), b"what changed").unwrap();
        }
        let request = HostRestoreRequest {
            disks: Some(vec![1]),
            ..in_place(&world)
        };
        world.run(&request).unwrap();
        // The first disk is as it was.
        assert!(beside(0, ".rct").exists() && beside(0, ".mrt").exists());
        assert!(!beside(1, ".rct").exists() && !beside(1, ".mrt").exists());
        world.run(&in_place(&world)).unwrap();
        assert!(!beside(0, ".rct").exists() && !beside(0, ".mrt").exists());
        world.check_content(VM);
    }
}

/// Changes the host while it turns the VM off.
struct Meddles<'a> {
    world: &'a World,
    change: fn(&World),
}

impl HostRestoreObserver for Meddles<'_> {
    fn step(&self, _: &str, text: &str) {
        if text.contains("turning the VM off") {
            (self.change)(self.world);
        }
    }
}

#[test]
fn a_vm_that_changed_before_it_was_off_is_left_as_it_is() {
    type Change = (&'static str, fn(&World));
    let changes: [Change; 5] = [
        ("another disk", |world| {
            world
                .host
                .change_vm(VM, |vm| drop(vm.disks.insert(slot(5), path_of(1))));
        }),
        ("a disk less", |world| {
            world
                .host
                .change_vm(VM, |vm| drop(vm.disks.remove(&slot(1))));
        }),
        ("a checkpoint", |world| {
            world.host.change_vm(VM, |vm| {
                vm.checkpoints.insert("new".to_owned(), vm.disks.clone());
            });
        }),
        ("another VM of the disk", |world| {
            add_vm(world, "11112222-0000-0000-0000-00000000000f", &path_of(0));
        }),
        ("a larger disk", |world| {
            let local = world.host.local(&path_of(1));
            fs::remove_file(&local).unwrap();
            make_vhdx(&local, &[7; 9 << 20], 2, ImageFormat::Vhdx);
        }),
    ];
    for (name, change) in changes {
        let world = World::new();
        world.guest_goes_on();
        world
            .host
            .change_vm(VM, |vm| vm.state = PowerState::Running);
        let request = HostRestoreRequest {
            stop_running: true,
            ..in_place(&world)
        };
        let plan = world.plan(&request);
        let meddles = Meddles {
            world: &world,
            change,
        };
        let held = read_disk(&world.host.local(&path_of(0)));
        let failure = plan.execute(&world.host, &meddles).unwrap_err();
        assert!(!failure.can_go_on, "{name}: {failure:?}");
        let vm = world.host.vm(VM).unwrap();
        assert_eq!(vm.state, PowerState::Running, "{name}");
        assert!(
            read_disk(&world.host.local(&path_of(0))) == held,
            "{name}: a disk was written over"
        );
        world.check_nothing_left();
    }
}
