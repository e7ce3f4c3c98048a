//! Queries: what they find, and what hosts of each version refuse.

use hyperv_sim::{Cluster, Profile};
use proptest::prelude::*;
use wmi::{CIMV2, CLUSTER, VIRTUALIZATION, WmiErrorKind, WmiSession};

use crate::fixture::{TestHost, guid};

#[test]
fn conditions_choose_and_columns_cut() {
    let test = TestHost::new(Profile::Server2022);
    let sql = test.add_vm("SQL01");
    test.add_vm("WEB01");
    let id = guid(sql);
    for (condition, expected) in [
        (String::new(), 3),
        ("WHERE Caption='Virtual Machine'".to_owned(), 2),
        (
            "WHERE Caption=\"Virtual Machine\" AND ElementName LIKE 'sql%'".to_owned(),
            1,
        ),
        (format!("WHERE Name='{id}'"), 1),
        (format!("WHERE Name='{}'", id.to_lowercase()), 1),
        (format!("WHERE Name<>'{id}' AND EnabledState=2"), 2),
        (format!("WHERE NOT (Name='{id}' OR ElementName='WEB01')"), 1),
        ("WHERE Name='HV1'".to_owned(), 1),
        (
            "WHERE Name='00000000-0000-0000-0000-000000000001'".to_owned(),
            0,
        ),
        ("WHERE ProcessID IS NOT NULL".to_owned(), 2),
    ] {
        let wql = format!("SELECT * FROM Msvm_ComputerSystem {condition}");
        assert_eq!(test.query(&wql).len(), expected, "{wql}");
    }
    let wql = "SELECT Name, ElementName FROM Msvm_ComputerSystem WHERE ElementName='SQL01'";
    let found = test.query(wql);
    let names: Vec<&str> = found[0].properties().map(|(name, _)| name).collect();
    assert_eq!(names, ["ElementName", "Name"]);
    let path = found[0].path.as_ref().unwrap();
    assert_eq!(path.host(), Some("HV1"));
    assert_eq!(path.namespace(), VIRTUALIZATION);
    assert_eq!(
        test.session
            .get(path)
            .unwrap()
            .text("ElementName")
            .as_deref(),
        Some("SQL01")
    );
}

#[test]
fn ids_with_backslashes_are_found_when_escaped() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let disks = test.disks_of(&guid(vm));
    assert_eq!(disks.len(), 1);
    let id = disks[0].text("InstanceID").unwrap();
    assert!(id.ends_with("\\0\\0\\L"), "{id}");
    let escaped = id.replace('\\', "\\\\");
    let class = "Msvm_StorageAllocationSettingData";
    let wql = format!("SELECT * FROM {class} WHERE InstanceID='{escaped}'");
    assert_eq!(test.query(&wql), disks);
    let wql = format!("SELECT * FROM {class} WHERE InstanceID='{id}'");
    assert!(test.query(&wql).is_empty());
}

#[test]
fn ancestors_stand_for_their_descendants() {
    let test = TestHost::new(Profile::Server2022);
    test.add_vm("SQL01");
    let found = test.query("SELECT * FROM CIM_ComputerSystem");
    let classes: Vec<&str> = found.iter().map(|own| own.class.as_str()).collect();
    assert!(classes.contains(&"Msvm_ComputerSystem"));
    assert!(classes.contains(&"Msvm_VirtualEthernetSwitch"));
}

#[test]
fn what_a_version_lacks_is_refused() {
    let old = TestHost::new(Profile::Server2012R2);
    for class in [
        "Msvm_VirtualSystemReferencePoint",
        "Msvm_VirtualSystemReferencePointService",
        "Msvm_ReferencePointOfVirtualSystem",
        "Msvm_SecuritySettingData",
    ] {
        let wql = format!("SELECT * FROM {class}");
        assert_eq!(
            old.query_error(VIRTUALIZATION, &wql),
            WmiErrorKind::NoClass,
            "{class}"
        );
    }
    let wql = "SELECT GuestStateFile FROM Msvm_VirtualSystemSettingData";
    let server_2016 = TestHost::new(Profile::Server2016);
    assert_eq!(
        server_2016.query_error(VIRTUALIZATION, wql),
        WmiErrorKind::BadQuery
    );
    assert!(TestHost::new(Profile::Server2019).query(wql).is_empty());
    let wql = "SELECT * FROM Msvm_VirtualSystemSettingData WHERE IsAutomaticSnapshot=TRUE";
    assert_eq!(
        server_2016.query_error(VIRTUALIZATION, wql),
        WmiErrorKind::BadQuery
    );
}

#[test]
fn what_no_host_has_is_refused() {
    let test = TestHost::new(Profile::Server2025);
    for (namespace, wql, expected) in [
        (
            VIRTUALIZATION,
            "SELECT * FROM Win32_Volume",
            WmiErrorKind::NoClass,
        ),
        (
            CIMV2,
            "SELECT * FROM Msvm_ComputerSystem",
            WmiErrorKind::NoClass,
        ),
        (
            r"root\virtualization",
            "SELECT * FROM Msvm_ComputerSystem",
            WmiErrorKind::NoNamespace,
        ),
        (
            CLUSTER,
            "SELECT * FROM MSCluster_Cluster",
            WmiErrorKind::NoNamespace,
        ),
        (
            VIRTUALIZATION,
            "SELECT Colour FROM Msvm_ComputerSystem",
            WmiErrorKind::BadQuery,
        ),
        (
            VIRTUALIZATION,
            "SELECT * FROM Msvm_ComputerSystem WHERE",
            WmiErrorKind::BadQuery,
        ),
        (
            VIRTUALIZATION,
            "ASSOCIATORS OF {Msvm_ConcreteJob.InstanceID=\"x\"}",
            WmiErrorKind::NotFound,
        ),
    ] {
        assert_eq!(test.query_error(namespace, wql), expected, "{wql}");
    }
    let wql = "SELECT * FROM Win32_OperatingSystem";
    assert_eq!(test.session.query_all("ROOT/cimv2", wql).unwrap().len(), 1);
}

#[test]
fn a_cluster_is_there_once_the_host_is_in_one() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let cluster = Cluster {
        name: "CL1".to_owned(),
        nodes: vec!["HV1".to_owned(), "HV2".to_owned()],
        is_mixed: true,
    };
    test.host.set_cluster(Some(cluster)).unwrap();
    test.host
        .change_vm(vm, |vm| vm.is_clustered = true)
        .unwrap();
    let found = test
        .session
        .query_all(CLUSTER, "SELECT * FROM MSCluster_Cluster")
        .unwrap();
    assert_eq!(found[0].number::<u32>("ClusterFunctionalLevel"), Some(10));
    let wql = format!(
        "SELECT * FROM MSCluster_Resource WHERE Type='Virtual Machine' AND \
         PrivateProperties.VmID='{}'",
        guid(vm).to_lowercase()
    );
    let found = test.session.query_all(CLUSTER, &wql).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].text("OwnerNode").as_deref(), Some("HV1"));
    assert_eq!(
        found[0].text("Name").as_deref(),
        Some("Virtual Machine SQL01")
    );
    // The cluster knows the role wherever it is, the host only what it has.
    test.host.move_vm_away(vm).unwrap();
    let found = test.session.query_all(CLUSTER, &wql).unwrap();
    assert_eq!(found[0].text("OwnerNode").as_deref(), Some("HV2"));
    let wql = "SELECT * FROM Msvm_ComputerSystem WHERE ElementName='SQL01'";
    assert!(test.query(wql).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn no_text_breaks_the_host(texts in proptest::collection::vec(any::<String>(), 1..4)) {
        thread_local! {
            static TEST: TestHost = TestHost::new(Profile::Server2022);
        }
        TEST.with(|test| {
            for text in &texts {
                let _ = test.session.query_all(VIRTUALIZATION, text);
                let wql = format!("SELECT * FROM Msvm_ComputerSystem WHERE Name LIKE {}", wmi::quote(text));
                prop_assert!(test.session.query_all(VIRTUALIZATION, &wql).is_ok());
            }
            Ok(())
        })?;
    }
}
