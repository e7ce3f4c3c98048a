//! How much a session is asked, and how long a host of many machines takes to answer.

use hyperv_sim::{Profile, VmSpec};
use wmi::{VIRTUALIZATION, WmiSession};

use crate::fixture::{TestHost, guid, vm_path};

#[test]
fn calls_and_instances_are_counted() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    test.query("SELECT * FROM Msvm_ComputerSystem");
    test.session.get(&vm_path(vm)).unwrap();
    let _ = test.session.query_all(VIRTUALIZATION, "nonsense");
    let count = test.session.call_count();
    assert_eq!((count.queries, count.gets, count.invokes()), (2, 1, 0));
    assert_eq!(count.instances, 3);
    test.session.reset_call_count();
    test.create_snapshot(vm).unwrap();
    let count = test.session.call_count();
    assert_eq!(count.of("CreateSnapshot"), 1);
    assert_eq!(count.of("DestroySnapshot"), 0);
    assert_eq!(count.calls(), count.queries + count.gets + 1);
}

#[test]
fn a_question_about_one_machine_of_many_looks_at_one() {
    let test = TestHost::new(Profile::Server2022);
    let mut spec = VmSpec::new("VM").with_generation(1);
    spec.running = false;
    let ids: Vec<_> = (0..200).map(|_| test.host.add_vm(&spec).unwrap()).collect();
    let all = test.query("SELECT * FROM Msvm_StorageAllocationSettingData");
    assert_eq!(all.len(), 200);
    for id in &ids {
        let wql = format!(
            "SELECT * FROM Msvm_ResourceAllocationSettingData WHERE InstanceID LIKE 'Microsoft:{}%'",
            guid(*id)
        );
        assert_eq!(test.query(&wql).len(), 4);
        let found = test
            .session
            .associators(&vm_path(*id), "Msvm_VirtualSystemSettingData", None);
        assert_eq!(found.unwrap().len(), 1);
    }
    assert_eq!(test.session.call_count().queries, 401);
}
