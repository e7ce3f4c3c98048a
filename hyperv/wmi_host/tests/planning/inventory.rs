//! What a host has.

use std::sync::Arc;

use hyperv_host::{
    BackupRequest, DiskKind, FullReason, HostErrorKind, HypervHost, PowerState, Severity, VmEntry,
};
use wmi::{CLUSTER, Instance, Value};

use crate::listed_host::ListedHost;
use crate::vm_instances::VmInstances;

fn ids(findings: &[hyperv_host::Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.id.as_str()).collect()
}

#[test]
fn vms_are_told_from_the_host_in_any_language_and_disks_are_in_order() {
    let vm = VmInstances::new(7, "SQL01")
        .windows()
        .disk("scsi", 1, r"D:\b.vhdx")
        .dvd(2)
        .disk("scsi", 0, r"D:\a.avhdx")
        .pass_through(4)
        .disk("ide", 0, r"C:\boot.vhd");
    let host = Arc::new(ListedHost::new("10.0.20348").with(&vm)).host();
    let inventory = host.inventory().unwrap();
    let [entry] = &inventory.vms[..] else {
        panic!("{:?}", inventory.vms);
    };
    assert_eq!(entry.identity, "00000000-0000-0000-0000-000000000007");
    assert_eq!(entry.state, Some(PowerState::Running));
    assert_eq!(
        (entry.generation, entry.version.as_deref()),
        (Some(2), Some("9.0"))
    );
    let disks: Vec<_> = entry
        .disks
        .iter()
        .map(|disk| {
            (
                disk.number,
                disk.slot.unwrap().slot,
                disk.path.as_str(),
                disk.kind,
            )
        })
        .collect();
    let expected = [
        (0, 0, r"C:\boot.vhd", DiskKind::Virtual),
        (1, 0, r"D:\a.avhdx", DiskKind::Virtual),
        (2, 1, r"D:\b.vhdx", DiskKind::Virtual),
        (3, 4, r"Microsoft:5E\3", DiskKind::PassThrough),
    ];
    assert_eq!(disks, expected);
}

#[test]
fn two_scsi_controllers_are_counted() {
    let second = "Microsoft:00000000-0000-0000-0000-000000000007\\0A\\0";
    let path = |class: &str, id: &str| {
        let path = wmi::ObjectPath::new(wmi::VIRTUALIZATION, class);
        path.with_key("InstanceID", id).to_string()
    };
    let rasd = "Msvm_ResourceAllocationSettingData";
    let vm = VmInstances::new(7, "SQL01")
        .disk("scsi", 0, r"D:\a.vhdx")
        .other(
            Instance::new(rasd)
                .with("InstanceID", second)
                .with("ResourceType", 6_u16),
        )
        .other(
            Instance::new(rasd)
                .with("InstanceID", format!("{second}\\5\\D"))
                .with("ResourceType", 17_u16)
                .with("AddressOnParent", "5")
                // Ids are compared without regard to case.
                .with("Parent", path(rasd, &second.to_lowercase())),
        )
        .other(
            Instance::new("Msvm_StorageAllocationSettingData")
                .with("InstanceID", format!("{second}\\5\\L"))
                .with("ResourceType", 31_u16)
                .with("ResourceSubType", "Microsoft:Hyper-V:Virtual Hard Disk")
                .with("HostResource", vec![r"D:\b.vhdx"])
                .with("Parent", path(rasd, &format!("{second}\\5\\D"))),
        );
    let host = Arc::new(ListedHost::new("10.0.20348").with(&vm)).host();
    let disks = host.inventory().unwrap().vms.remove(0).disks;
    let slots: Vec<_> = disks.iter().map(|disk| disk.slot.unwrap()).collect();
    assert_eq!((slots[0].controller, slots[0].slot), (0, 0));
    assert_eq!((slots[1].controller, slots[1].slot), (1, 5));
}

#[test]
fn equal_names_are_told_and_the_order_is_by_name_then_identity() {
    let host = ListedHost::new("10.0.20348")
        .with(&VmInstances::new(9, "web"))
        .with(&VmInstances::new(3, "db"))
        .with(&VmInstances::new(8, "web"));
    let vms = Arc::new(host).host().inventory().unwrap().vms;
    let names: Vec<_> = vms
        .iter()
        .map(|vm| (vm.name.as_str(), &vm.identity[35..]))
        .collect();
    assert_eq!(names, [("db", "3"), ("web", "8"), ("web", "9")]);
    assert!(!ids(&vms[0].findings).contains(&"VM-SAME-NAME"));
    for vm in &vms[1..] {
        assert!(ids(&vm.findings).contains(&"VM-SAME-NAME"), "{vm:?}");
    }
}

#[test]
fn a_vm_without_settings_is_not_missed_and_hurts_nobody() {
    let lost = Instance::new("Msvm_ComputerSystem")
        .with("CreationClassName", "Msvm_ComputerSystem")
        .with("ElementName", "b")
        .with("Name", "00000000-0000-0000-0000-0000000000FF");
    let host = ListedHost::new("10.0.20348")
        .with(&VmInstances::new(1, "a"))
        .with(&VmInstances::new(2, "c"));
    host.add(wmi::VIRTUALIZATION, lost);
    let host = Arc::new(host).host();
    let vms = host.inventory().unwrap().vms;
    let names: Vec<_> = vms.iter().map(|vm| vm.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(ids(&vms[1].findings), ["VM-UNREADABLE"]);
    let error = host
        .plan(&vms[1], &BackupRequest::default(), None)
        .unwrap_err();
    assert!(error.to_string().contains("no active settings"), "{error}");
}

#[test]
fn a_host_without_hyperv_says_so() {
    let host = ListedHost::new("10.0.20348").without("Msvm_ComputerSystem");
    let host = Arc::new(host).host();
    let error = host.inventory().unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::NoHyperv);
    assert!(error.hint_text().unwrap().contains("Hyper-V role"));
    let found = host.doctor().unwrap();
    assert_eq!(found[0].1.id, "HOST-NO-HYPERV");
}

#[test]
fn an_account_without_rights_sees_nothing_and_is_told() {
    let host = ListedHost::new("10.0.20348").without("Msvm_ComputerSystem");
    host.add(wmi::VIRTUALIZATION, Instance::new("Msvm_ConcreteJob"));
    let listed = Arc::new(host);
    let host = Arc::clone(&listed).host();
    let findings = host.inventory().unwrap().findings;
    assert!(ids(&findings).contains(&"HOST-RIGHTS"), "{findings:?}");
    // The same is seen where the service does not run.
    let service = Instance::new("Win32_Service").with("Name", "vmms");
    listed.add(wmi::CIMV2, service.with("State", "Stopped"));
    assert_eq!(host.doctor().unwrap()[0].1.id, "HOST-VMMS");
}

#[test]
fn hosts_tell_what_they_lack() {
    let vm = VmInstances::new(1, "a").disk("scsi", 0, r"D:\a.vhdx");
    let host = ListedHost::new("6.3.9600").with(&vm);
    host.add_volume(r"D:\", 1 << 40, 1 << 30);
    host.add_volume(r"E:\", 1 << 40, 1 << 30);
    let findings = Arc::new(host).host().inventory().unwrap().findings;
    let expected = ["HOST-NO-VSS", "HOST-NO-BYTES", "HOST-VOLUME-LOW"];
    assert_eq!(ids(&findings), expected);
    assert!(findings[2].text.starts_with(r"D:\"), "{}", findings[2].text);
}

#[test]
fn a_cluster_tells_where_its_other_vms_are() {
    let vm = VmInstances::new(1, "a").disk("scsi", 0, r"C:\a.vhdx");
    let host = ListedHost::new("10.0.14393").with(&vm);
    let resource = |number: u32, owner: &str| {
        let id = format!("00000000-0000-0000-0000-{number:012}");
        let properties = Instance::new("MSCluster_Property").with("VmID", id);
        let mut resource = Instance::new("MSCluster_Resource")
            .with("Type", "Virtual Machine")
            .with("OwnerGroup", format!("vm{number}"))
            .with("OwnerNode", owner);
        resource.set("PrivateProperties", Value::Instance(Box::new(properties)));
        resource
    };
    host.add(CLUSTER, resource(1, "HV1"));
    host.add(CLUSTER, resource(2, "HV2"));
    for node in ["HV1", "HV2"] {
        host.add(CLUSTER, Instance::new("MSCluster_Node").with("Name", node));
    }
    let cluster = Instance::new("MSCluster_Cluster").with("Name", "CL1");
    host.add(CLUSTER, cluster.with("ClusterFunctionalLevel", 8_u32));
    let host = Arc::new(host).host();
    let inventory = host.inventory().unwrap();
    let expected = ["HOST-NO-BYTES", "HOST-CLUSTER-MIXED", "HOST-CLUSTER-NODES"];
    assert_eq!(ids(&inventory.findings), expected);
    assert!(inventory.findings[2].text.contains("vm2 on HV2"));
    assert_eq!(inventory.findings[2].severity, Severity::Info);
    let plan = |vm: &VmEntry| host.plan(vm, &BackupRequest::default(), None);
    let here = &inventory.vms[0];
    let mixed = plan(&here.clone()).unwrap();
    assert!(
        mixed
            .disks
            .iter()
            .all(|disk| disk.full == Some(FullReason::MixedCluster))
    );
    assert_eq!(mixed.disks.len(), 1);
    // It was here when it was listed, and has moved since.
    let moved = VmEntry {
        identity: "00000000-0000-0000-0000-000000000002".to_owned(),
        ..here.clone()
    };
    let error = plan(&moved).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Blocked);
    assert!(error.to_string().contains("VM-ELSEWHERE"), "{error}");
}
