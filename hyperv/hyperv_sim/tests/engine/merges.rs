//! Merges in the middle of chains, and merges that fail, hang or wait.

use hyperv_sim::{JobFault, SimErrorKind};

use crate::fixture::{Fixture, MIB, bytes_of};

#[test]
fn an_older_foreign_checkpoint_goes_while_a_newer_one_is_there() {
    let test = Fixture::new();
    let vm = test.vm();
    test.host.write(vm, 0, 0, &[1; 8192]).unwrap();
    let foreign = test.host.plant_foreign_checkpoint(vm, "theirs").unwrap();
    test.host.write(vm, 0, 4096, &[2; 8192]).unwrap();
    let ours = test.recovery(vm);
    let expected = bytes_of(&test.host.open_image(&test.frozen(vm, ours)).unwrap());
    test.host.write(vm, 0, MIB, &[3; 4096]).unwrap();
    let running = bytes_of(&test.host.open_disk(vm, 0).unwrap());
    test.host.delete_checkpoint(foreign).unwrap();
    test.host.settle().unwrap();
    let frozen = test.frozen(vm, ours);
    assert!(frozen.ends_with("web.vhdx"), "{frozen}");
    assert!(bytes_of(&test.host.open_image(&frozen).unwrap()) == expected);
    assert!(bytes_of(&test.host.open_disk(vm, 0).unwrap()) == running);
    test.host.delete_checkpoint(ours).unwrap();
    test.host.settle().unwrap();
    assert!(bytes_of(&test.host.open_disk(vm, 0).unwrap()) == running);
}

#[test]
fn a_merge_waits_for_whoever_reads_the_frozen_file() {
    let test = Fixture::new();
    let vm = test.vm();
    let snapshot = test.recovery(vm);
    test.host.write(vm, 0, 0, &[1; 4096]).unwrap();
    let reader = test.host.open_image(&test.frozen(vm, snapshot)).unwrap();
    test.host.convert_checkpoint(snapshot).unwrap();
    assert_eq!(
        test.host.settle().unwrap_err().kind(),
        SimErrorKind::Conflict
    );
    assert!(bytes_of(&reader).iter().all(|byte| *byte == 0));
    reader.check_unchanged().unwrap();
    drop(reader);
    test.host.settle().unwrap();
    assert_eq!(test.host.vm(vm).unwrap().files.len(), 1);
}

#[test]
fn a_failed_merge_leaves_the_chain_and_a_restart_merges_it() {
    let test = Fixture::new();
    let vm = test.vm();
    let fault = JobFault::Fail {
        code: 32768,
        description: "the process cannot access the file".to_owned(),
        after_effect: false,
    };
    test.host.spoil_merges(vm, Some(fault)).unwrap();
    let snapshot = test.recovery(vm);
    test.host.write(vm, 0, 0, &[9; 4096]).unwrap();
    test.host.delete_checkpoint(snapshot).unwrap();
    test.host.settle().unwrap();
    assert_eq!(test.host.vm(vm).unwrap().files.len(), 2);
    test.host.spoil_merges(vm, None).unwrap();
    test.host.settle().unwrap();
    let merged = test.host.vm(vm).unwrap();
    assert_eq!(merged.files.len(), 1);
    assert_eq!(bytes_of(&test.host.open_disk(vm, 0).unwrap())[0], 9);
}

#[test]
fn a_hanging_merge_keeps_the_vm_busy_until_the_host_restarts() {
    let test = Fixture::new();
    let vm = test.vm();
    test.host.spoil_merges(vm, Some(JobFault::Hang)).unwrap();
    let snapshot = test.recovery(vm);
    test.host.delete_checkpoint(snapshot).unwrap();
    assert_eq!(
        test.host.settle().unwrap_err().kind(),
        SimErrorKind::Conflict
    );
    assert_eq!(
        test.try_recovery(vm).unwrap_err().kind(),
        SimErrorKind::Conflict
    );
    test.host.change_vm(vm, |vm| vm.merge_fault = None).unwrap();
    test.host.crash_host(false).unwrap();
    test.host.settle().unwrap();
    assert_eq!(test.host.vm(vm).unwrap().files.len(), 1);
}

#[test]
fn a_branch_that_two_states_derive_from_stays() {
    let test = Fixture::new();
    let vm = test.vm();
    let first = test.host.checkpoint(vm, "first").unwrap();
    test.host.write(vm, 0, 0, &[1; 4096]).unwrap();
    let second = test.host.checkpoint(vm, "second").unwrap();
    test.host.apply_checkpoint(first).unwrap();
    test.host.start(vm).unwrap();
    test.host.write(vm, 0, 0, &[2; 4096]).unwrap();
    test.host.delete_checkpoint(first).unwrap();
    test.host.settle().unwrap();
    let facts = test.host.vm(vm).unwrap();
    // The base cannot be merged into two files; the second branch and the VM are as they were.
    assert_eq!(facts.files.len(), 3);
    assert_eq!(
        bytes_of(&test.host.open_image(&test.frozen(vm, second)).unwrap())[0],
        1
    );
    assert_eq!(bytes_of(&test.host.open_disk(vm, 0).unwrap())[0], 2);
    test.host.delete_checkpoint(second).unwrap();
    test.host.settle().unwrap();
    assert_eq!(test.host.vm(vm).unwrap().files.len(), 1);
    assert_eq!(bytes_of(&test.host.open_disk(vm, 0).unwrap())[0], 2);
}

#[test]
fn zeros_over_data_are_merged_as_zeros() {
    let test = Fixture::new();
    let vm = test.vm();
    test.host.write(vm, 0, 0, &vec![1; 6 << 20]).unwrap();
    let snapshot = test.recovery(vm);
    // Whole blocks of the differencing disk become blocks of zeros.
    test.host.write(vm, 0, MIB, &vec![0; 4 << 20]).unwrap();
    let expected = bytes_of(&test.host.open_disk(vm, 0).unwrap());
    test.host.delete_checkpoint(snapshot).unwrap();
    test.host.settle().unwrap();
    assert_eq!(test.host.vm(vm).unwrap().files.len(), 1);
    assert!(bytes_of(&test.host.open_disk(vm, 0).unwrap()) == expected);
}

#[test]
fn a_merge_that_a_dying_program_had_done_can_be_done_again() {
    let test = Fixture::new();
    let vm = test.vm();
    test.host.write(vm, 0, 0, &[1; 8192]).unwrap();
    let snapshot = test.recovery(vm);
    test.host.write(vm, 0, 4096, &[2; 8192]).unwrap();
    let expected = bytes_of(&test.host.open_disk(vm, 0).unwrap());
    test.host.delete_checkpoint(snapshot).unwrap();
    let state = test
        .dir()
        .join("vms")
        .join(format!("{vm}.json").to_uppercase().replace("JSON", "json"));
    let (before, leaf) = (
        std::fs::read(&state).unwrap(),
        test.local(&test.host.vm(vm).unwrap().disks[0].path),
    );
    let kept = std::fs::read(&leaf).unwrap();
    test.host.settle().unwrap();
    // As if the program had died before it saved.
    std::fs::write(&state, before).unwrap();
    std::fs::write(&leaf, kept).unwrap();
    let again = hyperv_sim::SimHost::open(&test.dir()).unwrap();
    again.settle().unwrap();
    assert_eq!(again.vm(vm).unwrap().files.len(), 1);
    assert!(bytes_of(&again.open_disk(vm, 0).unwrap()) == expected);
}
