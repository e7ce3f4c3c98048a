//! What a program asks of the cluster through WMI.

use hyperv_sim::{DiskSpec, PowerState, VmSpec};
use wmi::{CLUSTER, ObjectPath, Value, WmiSession as _};

use crate::fixture::{Fixture, MIB, resource};

fn path(class: &str, name: &str) -> ObjectPath {
    ObjectPath::new(CLUSTER, class).with_key("Name", name)
}

#[test]
fn a_resource_goes_offline_and_online_from_any_node() {
    let test = Fixture::of_nodes(4);
    let vm = test.vm("HV3", "SQL01");
    let host = test.cluster.node("HV3").unwrap();
    for node in ["HV1", "HV3"] {
        let session = test.session(node);
        let own = resource(&session, vm).path.unwrap();
        let wait = ("TimeOut", Value::from(60_u32));
        let offline = [wait.clone(), ("Flags", Value::from(0_u32))];
        assert_eq!(
            session
                .invoke(&own, "TakeOffline", &offline)
                .unwrap()
                .return_value,
            0
        );
        assert_eq!(host.vm(vm).unwrap().power, PowerState::Saved);
        let seen = resource(&session, vm);
        assert_eq!(seen.number::<u32>("State"), Some(3));
        let Value::Instance(private) = seen.value("PrivateProperties") else {
            panic!("{seen:?}");
        };
        assert_eq!(private.number::<u32>("VmState"), Some(6));
        session.invoke(&own, "BringOnline", &[wait]).unwrap();
        assert_eq!(host.vm(vm).unwrap().power, PowerState::Running);
        assert_eq!(resource(&session, vm).number::<u32>("State"), Some(2));
    }
    assert!(test.cluster.surprises().unwrap().is_empty());
}

#[test]
fn a_group_moves_and_names_the_node_that_it_cannot_move_to() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV1", "SQL01");
    let session = test.session("HV2");
    let group = path("MSCluster_ResourceGroup", "SQL01");
    let to = |node: &str| {
        [
            ("NodeName", Value::from(node)),
            ("TimeOut", Value::from(0_u32)),
        ]
    };
    session.invoke(&group, "MoveToNewNode", &to("HV2")).unwrap();
    assert_eq!(test.shown_by(vm), ["HV2"]);
    let error = session
        .invoke(&group, "MoveToNewNode", &to("HV9"))
        .unwrap_err();
    assert_eq!(error.code(), Some(0x8007_13B2));
    assert!(error.to_string().contains("HV9"), "{error}");
}

#[test]
fn a_vm_becomes_a_role_and_none_again() {
    let test = Fixture::of_nodes(2);
    let mut spec = VmSpec::new("SQL01").with_disk(DiskSpec::empty(4 * MIB));
    spec.folder = Some("\\\\nas\\vm\\SQL01".to_owned());
    let vm = test.cluster.node("HV2").unwrap().add_vm(&spec).unwrap();
    let session = test.session("HV1");
    let cluster = path("MSCluster_Cluster", "CLUSTER1");
    let add = [("VirtualMachine", Value::from("SQL01"))];
    session.invoke(&cluster, "AddVirtualMachine", &add).unwrap();
    assert_eq!(
        resource(&session, vm).text("OwnerNode").as_deref(),
        Some("HV2")
    );
    assert!(
        test.cluster
            .node("HV2")
            .unwrap()
            .vm(vm)
            .unwrap()
            .is_clustered
    );
    let error = session
        .invoke(&cluster, "AddVirtualMachine", &add)
        .unwrap_err();
    assert_eq!(error.code(), Some(0x8007_1392));
    // A second one of that name has a group of another.
    let second = test.vm("HV1", "SQL01");
    let own = resource(&session, second);
    assert_eq!(own.text("OwnerGroup").as_deref(), Some("SQL01 (2)"));
    test.cluster
        .node("HV1")
        .unwrap()
        .rename(second, "WEB01")
        .unwrap();
    session
        .invoke(&own.path.unwrap(), "UpdateVirtualMachine", &[])
        .unwrap();
    let own = resource(&session, second);
    assert_eq!(own.text("Name").as_deref(), Some("Virtual Machine WEB01"));
    let group = path("MSCluster_ResourceGroup", "SQL01");
    let options = [("Options", Value::from(1_u32))];
    session.invoke(&group, "DestroyGroup", &options).unwrap();
    assert_eq!(test.shown_by(vm), ["HV2"]);
    assert!(
        !test
            .cluster
            .node("HV2")
            .unwrap()
            .vm(vm)
            .unwrap()
            .is_clustered
    );
}

#[test]
fn shared_volumes_say_who_coordinates_them() {
    let test = Fixture::of_nodes(2);
    let session = test.session("HV1");
    let all = |wql: &str| session.query_all(CLUSTER, wql).unwrap();
    let volumes = all("SELECT * FROM MSCluster_ClusterSharedVolume WHERE Name LIKE '%Volume1'");
    assert_eq!(
        volumes[0].text("Name").as_deref(),
        Some("C:\\ClusterStorage\\Volume1")
    );
    assert!(
        volumes[0]
            .text("VolumeName")
            .unwrap()
            .starts_with("\\\\?\\Volume{")
    );
    let links = all("SELECT * FROM MSCluster_ClusterSharedVolumeToResource");
    let disk = links[0].value("PartComponent").to_reference().unwrap();
    assert_eq!(
        session.get(&disk).unwrap().text("OwnerNode").as_deref(),
        Some("HV1")
    );
    let to = [("HostName", Value::from("HV2"))];
    let own = volumes[0].path.clone().unwrap();
    session.invoke(&own, "MoveToNewHost", &to).unwrap();
    let disks = all("SELECT * FROM MSCluster_Resource WHERE Type = \"Physical Disk\"");
    assert_eq!(disks[0].text("OwnerNode").as_deref(), Some("HV2"));
}
