//! VMs that move while something is done with them.

use std::time::Duration;

use hyperv_sim::{ClusterOptions, DiskSpec, JobState, Profile, SnapshotKind, VmSpec};
use wmi::{ObjectPath, VIRTUALIZATION, Value, WmiSession as _};

use crate::fixture::{Fixture, MIB, all_of, system};

fn service() -> ObjectPath {
    let class = "Msvm_VirtualSystemSnapshotService";
    ObjectPath::new(VIRTUALIZATION, class).with_key("CreationClassName", class)
}

fn recovery(vm: uuid::Uuid) -> [(&'static str, Value); 2] {
    let system = system(vm);
    [
        ("AffectedSystem", Value::from(system)),
        ("SnapshotType", Value::from(32768_u16)),
    ]
}

#[test]
fn a_vm_moves_before_what_is_asked_is_done() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV1", "SQL01");
    let fault = "CreateSnapshot vm=SQL01 nth=1 moves=HV2".parse().unwrap();
    test.cluster.node("HV1").unwrap().plan_fault(fault).unwrap();
    let session = test.session("HV1");
    let answer = session
        .invoke(&service(), "CreateSnapshot", &recovery(vm))
        .unwrap();
    assert_eq!(answer.return_value, 32773);
    assert_eq!(test.shown_by(vm), ["HV2"]);
    let answer = test
        .session("HV2")
        .invoke(&service(), "CreateSnapshot", &recovery(vm));
    assert_eq!(answer.unwrap().return_value, 4096);
}

#[test]
fn a_vm_moves_after_what_was_asked_is_done() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV1", "SQL01");
    let fault = "CreateSnapshot nth=1 vm=SQL01 moves=hv2 after"
        .parse()
        .unwrap();
    test.cluster.node("HV1").unwrap().plan_fault(fault).unwrap();
    let session = test.session("HV1");
    let answer = session
        .invoke(&service(), "CreateSnapshot", &recovery(vm))
        .unwrap();
    assert_eq!(answer.return_value, 4096);
    // The job is over on the old node, what it made is on the new one.
    let job = answer.parameters.value("Job").to_reference().unwrap();
    let job = session.get(&job).unwrap();
    assert_eq!(job.number::<u32>("JobState"), Some(7));
    let moved = test.cluster.node("HV2").unwrap().vm(vm).unwrap();
    assert_eq!(moved.snapshots.len(), 1);
    assert_eq!(moved.snapshots[0].kind, SnapshotKind::Recovery);
    assert_eq!(test.shown_by(vm), ["HV2"]);
}

#[test]
fn a_vm_moves_when_its_time_has_come_and_its_jobs_end() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV1", "SQL01");
    let first = test.cluster.node("HV1").unwrap();
    let checkpoint = test.recovery(vm);
    first.convert_checkpoint(checkpoint).unwrap();
    // The merge has not begun.
    test.cluster
        .plan_move(vm, "HV2", Duration::from_millis(100))
        .unwrap();
    assert_eq!(test.cluster.owner(vm).unwrap(), "HV1");
    test.cluster.advance(Duration::from_millis(200)).unwrap();
    assert_eq!(test.cluster.owner(vm).unwrap(), "HV2");
    let second = test.cluster.node("HV2").unwrap();
    assert!(second.vm(vm).unwrap().pending_merge().is_some());
    test.cluster.settle().unwrap();
    let moved = second.vm(vm).unwrap();
    assert_eq!(moved.files.len(), 1);
    assert!(
        moved
            .jobs
            .iter()
            .all(|job| job.state == JobState::Completed)
    );
    let left = first.ledger().unwrap();
    let left: Vec<_> = left
        .of_kind(hyperv_sim::LedgerKind::CheckpointFile)
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_vm_does_not_move_where_its_files_or_its_version_are_not_known() {
    let options =
        ClusterOptions::of_nodes(4, Profile::Server2016).mixed_with(Profile::Server2012R2);
    let test = Fixture::of(options);
    // HV1 and HV3 are the older ones; so new roles are of their version.
    let vm = test.vm("HV2", "SQL01");
    assert_eq!(
        test.cluster.node("HV2").unwrap().vm(vm).unwrap().version,
        "5.0"
    );
    test.cluster.move_vm(vm, "HV1").unwrap();
    let cluster = all_of(&test.session("HV4"), "MSCluster_Cluster");
    assert_eq!(cluster[0].number::<u32>("ClusterFunctionalLevel"), Some(8));
    assert!(test.cluster.facts().unwrap().is_mixed());
    let mut new = VmSpec::new("NEW").with_disk(DiskSpec::empty(4 * MIB));
    new.version = Some("8.0".to_owned());
    let new = test.cluster.add_vm("HV2", &new).unwrap();
    test.cluster.move_vm(new, "HV4").unwrap();
    test.cluster.move_vm(new, "HV3").unwrap_err();
    let mut local = VmSpec::new("LOCAL").with_disk(DiskSpec::empty(4 * MIB));
    local.folder = Some("C:\\VMs\\LOCAL".to_owned());
    let local = test.cluster.add_vm("HV2", &local).unwrap();
    test.cluster.move_vm(local, "HV4").unwrap_err();
    assert_eq!(test.shown_by(local), ["HV2"]);
}
