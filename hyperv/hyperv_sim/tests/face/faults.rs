//! Faults: each kind at the calls that it can strike.

use hyperv_sim::{Effect, Fault, FaultPoint, Profile, SimHost, SimSession};
use wmi::{MethodError, WmiErrorKind, WmiSession};

use crate::fixture::{TestHost, guid, vm_path};

fn plan(test: &TestHost, text: &str) {
    test.host
        .plan_fault(text.parse::<Fault>().unwrap())
        .unwrap();
}

fn checkpoints(test: &TestHost) -> usize {
    let vms = test.host.vms().unwrap();
    vms.iter().map(|vm| vm.snapshots.len()).sum()
}

#[test]
fn a_method_returns_a_code_or_its_job_fails() {
    let test = TestHost::new(Profile::Server2022);
    let (sql, web) = (test.add_vm("SQL01"), test.add_vm("WEB01"));
    plan(&test, "CreateSnapshot vm=SQL01 nth=1 code=32778");
    plan(
        &test,
        "CreateSnapshot vm=SQL01 nth=2 job=32768 text=\"it broke\"",
    );
    test.create_snapshot(web).unwrap();
    let error = test.create_snapshot(sql).unwrap_err();
    assert!(
        matches!(*error, MethodError::Refused { code: 32778, .. }),
        "{error}"
    );
    let error = test.create_snapshot(sql).unwrap_err();
    let MethodError::Job { failure, .. } = *error else {
        panic!("the call itself failed");
    };
    assert_eq!(
        (failure.error_code, failure.description.as_str()),
        (32768, "it broke")
    );
    assert_eq!(checkpoints(&test), 1);
    test.create_snapshot(sql).unwrap();
}

#[test]
fn what_seems_to_fail_may_have_been_done() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    plan(&test, "CreateSnapshot job=32768 after");
    assert!(test.create_snapshot(vm).is_err());
    assert_eq!(checkpoints(&test), 1);
    test.host.clear_faults().unwrap();
    plan(&test, "CreateSnapshot lost after");
    assert!(test.create_snapshot(vm).is_err());
    test.host.settle().unwrap();
    assert_eq!(checkpoints(&test), 2);
    test.host.clear_faults().unwrap();
    plan(&test, "CreateSnapshot code=32768 after");
    assert!(test.create_snapshot(vm).is_err());
    test.host.settle().unwrap();
    assert_eq!(checkpoints(&test), 3);
}

#[test]
fn a_job_hangs_until_it_is_terminated() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    plan(&test, "CreateSnapshot nth=1 job=hang");
    let MethodError::TimedOut { job, .. } = *test.create_snapshot(vm).unwrap_err() else {
        panic!("it ended");
    };
    assert!(test.create_snapshot(vm).unwrap_err().is_conflict());
    let terminate = [("RequestedState", wmi::Value::from(4_u16))];
    test.call_on(&job, "RequestStateChange", &terminate)
        .unwrap();
    test.create_snapshot(vm).unwrap();
}

#[test]
fn a_conflict_passes_after_some_tries() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    plan(&test, "CreateSnapshot first=3 conflict");
    for _ in 0..3 {
        let error = test.create_snapshot(vm).unwrap_err();
        assert!(error.is_conflict(), "{error}");
        assert!(error.to_string().contains("'SQL01'"), "{error}");
    }
    test.create_snapshot(vm).unwrap();
}

#[test]
fn an_object_vanishes_and_a_connection_breaks() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    plan(&test, "get class=Msvm_ComputerSystem nth=1 gone");
    plan(&test, "get class=Msvm_ComputerSystem nth=2 lost");
    let path = vm_path(vm);
    let kind = || test.session.get(&path).map_err(|error| error.kind()).err();
    assert_eq!(kind(), Some(WmiErrorKind::NotFound));
    assert_eq!(kind(), Some(WmiErrorKind::Unreachable));
    assert_eq!(kind(), None);
}

#[test]
fn a_dead_host_answers_nobody_until_it_is_revived() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    plan(&test, "CreateSnapshot dies after");
    let error = test.create_snapshot(vm).unwrap_err();
    let MethodError::Wmi { source, .. } = *error else {
        panic!("the host answered");
    };
    assert_eq!(source.kind(), WmiErrorKind::Unreachable);
    // Another program asks in vain, too.
    let other = std::sync::Arc::new(SimHost::open(test.host.dir()).unwrap());
    let other = SimSession::new(other).unwrap();
    assert_eq!(
        other.get(&vm_path(vm)).unwrap_err().kind(),
        WmiErrorKind::Unreachable
    );
    test.host.clear_faults().unwrap();
    assert!(other.get(&vm_path(vm)).is_ok());
    test.host.settle().unwrap();
    assert_eq!(checkpoints(&test), 1);
}

#[test]
fn answers_are_slow_or_break_off() {
    let test = TestHost::new(Profile::Server2022);
    for number in 0..4 {
        test.add_vm(&format!("VM{number}"));
    }
    plan(&test, "query class=Msvm_ComputerSystem nth=1 truncated=2");
    plan(&test, "query class=Msvm_ComputerSystem nth=2 slow=90");
    let mut handed = 0;
    let wql = "SELECT * FROM Msvm_ComputerSystem";
    let error = test.session.query(wmi::VIRTUALIZATION, wql, &mut |_| {
        handed += 1;
        Ok(())
    });
    assert_eq!(error.unwrap_err().kind(), WmiErrorKind::Protocol);
    assert_eq!(handed, 2);
    let before = test.host.now().unwrap();
    assert_eq!(test.query(wql).len(), 5);
    assert!(test.host.now().unwrap().duration_since(before).as_secs() >= 90);
}

#[test]
fn a_conversion_fails_and_the_checkpoint_stays() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let snapshot = test.create_snapshot(vm).unwrap();
    plan(
        &test,
        "ConvertToReferencePoint job=32768 text=\"Failed to write VHD attachment\"",
    );
    assert_eq!(test.convert(&snapshot).unwrap_err().code(), Some(32768));
    assert_eq!(checkpoints(&test), 1);
    test.destroy_snapshot(&snapshot).unwrap();
    test.host.settle().unwrap();
    assert_eq!(checkpoints(&test), 0);
}

#[test]
fn a_merge_hangs_or_fails() {
    for text in ["DestroySnapshot merge=hang", "DestroySnapshot merge=fail"] {
        let test = TestHost::new(Profile::Server2022);
        let vm = test.add_vm("SQL01");
        let snapshot = test.create_snapshot(vm).unwrap();
        plan(&test, text);
        test.destroy_snapshot(&snapshot).unwrap();
        let _ = test.host.settle();
        let disk = test
            .disks_of(&guid(vm))
            .remove(0)
            .texts("HostResource")
            .remove(0);
        assert!(disk.ends_with(".avhdx"), "{text}: {disk}");
    }
}

#[test]
fn changes_fail_or_are_answered_in_part() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let first = test.create_snapshot(vm).unwrap();
    let point = test.convert(&first).unwrap();
    let limit = point.texts("ResilientChangeTrackingIdentifiers").remove(0);
    test.host.settle().unwrap();
    let second = test.create_snapshot(vm).unwrap();
    let path = test
        .disks_of(&second.text("ConfigurationID").unwrap())
        .remove(0);
    let path = path.texts("HostResource").remove(0);
    plan(&test, "GetVirtualDiskChanges nth=1 code=32768");
    plan(&test, "GetVirtualDiskChanges nth=2 processed=65536");
    assert_eq!(test.changes(&path, &limit).unwrap_err().code(), Some(32768));
    let part = test.changes(&path, &limit).unwrap();
    assert_eq!(part.number::<u64>("ProcessedByteLength"), Some(65536));
    let whole = test.changes(&path, &limit).unwrap();
    assert_eq!(
        whole.number::<u64>("ProcessedByteLength"),
        Some(crate::fixture::DISK_BYTES)
    );
}

#[test]
fn every_call_of_a_flow_can_be_struck() {
    let calls = {
        let test = TestHost::new(Profile::Server2022);
        let vm = test.add_vm("SQL01");
        test.session.reset_call_count();
        let snapshot = test.create_snapshot(vm).unwrap();
        test.destroy_snapshot(&snapshot).unwrap();
        test.session.call_count().calls()
    };
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    for call in 1..=calls {
        test.session.fail_call(call, Effect::Gone).unwrap();
        let done = test
            .create_snapshot(vm)
            .and_then(|snapshot| test.destroy_snapshot(&snapshot));
        assert!(done.is_err(), "call {call} was not struck");
        test.host.clear_faults().unwrap();
        test.host.settle().unwrap();
        for snapshot in test.host.vm(vm).unwrap().snapshots {
            test.host.delete_checkpoint(snapshot.id).unwrap();
        }
        test.host.settle().unwrap();
    }
}

#[test]
fn every_point_can_be_struck() {
    for point in FaultPoint::all() {
        let fault = Fault::new(point, Effect::ConnectionLost);
        assert_eq!(fault.to_string().parse::<Fault>(), Ok(fault));
    }
}
