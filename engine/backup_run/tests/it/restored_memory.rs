//! VMs that were saved when they were backed up: restored with their memory and without.

use hyperv_host::BackupMode;
use hyperv_sim::PowerState;
use uuid::Uuid;
use vm_restore::{HostRestoreRequest, StartPolicy, plan_host_restore};

use crate::on_simulated_host::{Stage, full_disk, spec};
use crate::restored_properties::another;
use crate::restored_to_host::{check_nothing_left, newest_point, request, restore, target};
use crate::restored_trees::{back_up, memory, read};

/// A VM that was saved when it was backed up.
fn saved() -> (Stage, Uuid, Vec<u8>) {
    let stage = Stage::new().with_vss();
    let disk = full_disk(70);
    let vm = stage.sim.add_vm(&spec("SQL01", &disk)).unwrap();
    stage.sim.save(vm).unwrap();
    back_up(&stage, BackupMode::AllCheckpoints);
    (stage, vm, disk)
}

fn ids(stage: &Stage, vm: Uuid, to: &Stage, request: &HostRestoreRequest) -> Vec<String> {
    let point = newest_point(stage, vm);
    let plan = plan_host_restore(&stage.repository, &point, target(to), request).unwrap();
    let ids = plan.findings.iter().map(|finding| finding.id.clone());
    ids.collect()
}

#[test]
fn a_saved_vm_resumes_on_its_own_host_where_that_is_asked_for() {
    for keep_memory in [Some(true), Some(false), None] {
        let (stage, vm, disk) = saved();
        let was = memory(&stage, vm);
        stage.sim.start(vm).unwrap();
        stage.sim.write(vm, 0, 0, &[9; 512]).unwrap();
        let request = HostRestoreRequest {
            in_place: true,
            stop_running: true,
            start: StartPolicy::StayOff,
            keep_memory,
            ..request(&stage)
        };
        let found = ids(&stage, vm, &stage, &request);
        assert!(!found.contains(&"POINT-MEMORY".to_owned()), "{found:?}");
        restore(&stage, &stage, vm, &request).unwrap();
        let is = stage.sim.vm(vm).unwrap();
        if keep_memory == Some(true) {
            assert_eq!(is.power, PowerState::Saved);
            assert_eq!(was.len(), 1);
            assert!(memory(&stage, vm) == was, "its memory differs");
        } else {
            assert_ne!(is.power, PowerState::Saved, "{keep_memory:?}");
        }
        assert!(read(&stage, &is.disks[0].path) == disk);
        check_nothing_left(&stage);
    }
}

#[test]
fn memory_goes_to_another_host_only_where_that_is_asked_for_and_its_processor_is_looked_at() {
    let other_maker = "AMD EPYC 7763 64-Core Processor";
    for (keep_memory, processor, expected) in [
        (None, None, None),
        (Some(true), None, None),
        (
            Some(true),
            Some("Intel(R) Xeon(R) E5-2680"),
            Some("POINT-PROCESSOR"),
        ),
        (Some(true), Some(other_maker), Some("POINT-PROCESSOR")),
    ] {
        let (stage, vm, disk) = saved();
        let second = another();
        if let Some(processor) = processor {
            let change = |own: &mut hyperv_sim::Behavior| processor.clone_into(&mut own.processor);
            second.sim.change_behavior(change).unwrap();
        }
        let request = HostRestoreRequest {
            keep_memory,
            ..request(&second)
        };
        let found = ids(&stage, vm, &second, &request);
        let mut of_memory = found.iter().map(String::as_str);
        let of_memory = of_memory.find(|id| ["POINT-MEMORY", "POINT-PROCESSOR"].contains(id));
        assert_eq!(of_memory, expected, "{processor:?}: {found:?}");
        if processor == Some(other_maker) {
            let point = newest_point(&stage, vm);
            let plan = plan_host_restore(&stage.repository, &point, target(&second), &request);
            assert_eq!(plan.unwrap().block().unwrap().id, "POINT-PROCESSOR");
            continue;
        }
        restore(&stage, &second, vm, &request).unwrap();
        let is = second.sim.vm(vm).unwrap();
        if keep_memory == Some(true) {
            assert_eq!(is.power, PowerState::Saved);
            assert!(memory(&second, vm) == memory(&stage, vm), "it differs");
        } else {
            assert_eq!(is.power, PowerState::Off);
        }
        assert!(read(&second, &is.disks[0].path) == disk);
        second.sim.start(vm).unwrap();
    }
}
