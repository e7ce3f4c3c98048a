//! A host is asked a number of times that does not grow with its VMs.

use std::sync::Arc;

use hyperv_host::{BackupRequest, HypervHost};

use crate::listed_host::ListedHost;
use crate::vm_instances::VmInstances;

/// Queries of a whole host: ten classes of VMs, then Windows, volumes and the cluster.
const CALLS_OF_A_HOST: usize = 13;

fn host_of(vms: u128) -> ListedHost {
    (1..=vms).fold(ListedHost::new("10.0.20348"), |host, number| {
        let vm = VmInstances::new(number, &format!("vm{number}"))
            .windows()
            .disk("scsi", 0, &format!(r"C:\VMs\{number}.vhdx"));
        host.with(&vm)
    })
}

#[test]
fn a_thousand_vms_are_listed_and_planned_with_the_calls_of_one() {
    for vms in [1, 1000] {
        let listed = Arc::new(host_of(vms));
        let host = Arc::clone(&listed).host();
        assert_eq!(listed.calls(), 0, "connecting asks nothing");
        let inventory = host.inventory().unwrap();
        assert_eq!(inventory.vms.len(), usize::try_from(vms).unwrap());
        for vm in &inventory.vms {
            let plan = host.plan(vm, &BackupRequest::default(), None).unwrap();
            assert_eq!(plan.disks.len(), 1);
        }
        assert_eq!(listed.calls(), CALLS_OF_A_HOST, "with {vms} VMs");
    }
}

#[test]
fn a_plan_without_an_inventory_asks_for_its_vm_alone() {
    let listed = Arc::new(host_of(50));
    let vm = Arc::clone(&listed)
        .host()
        .inventory()
        .unwrap()
        .vms
        .remove(7);
    let before = listed.calls();
    // Another host has read nothing yet.
    let plan = Arc::clone(&listed)
        .host()
        .plan(&vm, &BackupRequest::default(), None);
    assert_eq!(plan.unwrap().disks.len(), 1);
    assert_eq!(
        listed.calls() - before,
        11,
        "three of the host and eight of the VM"
    );
}
