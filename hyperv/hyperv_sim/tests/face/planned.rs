//! Planned VMs: what comes along, what is changed of them, and that they can be removed.

use hyperv_sim::{Ledger, LedgerKind, PowerState, Profile};
use wmi::{CimType, EmbeddedInstance, VIRTUALIZATION, Value, WmiSession};

use crate::fixture::{SYSTEMS, guid, vm_path};
use crate::importing::{
    Copied, destroy, lead_to_copy, media, modify, on_planned, parts, path, settings,
};

#[test]
fn saved_memory_comes_along_where_it_lies_beside() {
    let copied = Copied::new(Profile::Server2022, |test, vm| {
        test.host.start(vm).unwrap();
        test.host.save(vm).unwrap();
    });
    let test = &copied.test;
    let drive = test.host.drives().unwrap().remove(0).1;
    let state = format!("Virtual Machines/{}.VMRS", guid(copied.vm));
    let saved = std::fs::read(drive.join("Copy").join(&state)).unwrap();
    copied.lose_the_vm();
    let planned = copied.import("", false).unwrap();
    let own = settings(test, &planned);
    let folder = Value::from("C:\\Back");
    modify(
        test,
        &own,
        &[("ConfigurationDataRoot", CimType::String, folder)],
    )
    .unwrap();
    lead_to_copy(test, &own);
    on_planned(test, "RealizePlannedSystem", &planned).unwrap();
    assert_eq!(test.host.vm(copied.vm).unwrap().power, PowerState::Saved);
    assert_eq!(
        std::fs::read(drive.join("Back").join(&state)).unwrap(),
        saved
    );
    test.host.start(copied.vm).unwrap();
}

#[test]
fn change_tracking_begins_anew() {
    let copied = Copied::new(Profile::Server2022, |_, _| {});
    let test = &copied.test;
    let snapshot = test.create_snapshot(copied.vm).unwrap();
    let point = test.convert(&snapshot).unwrap();
    test.host.settle().unwrap();
    let id = point.texts("ResilientChangeTrackingIdentifiers").remove(0);
    let disk = test.host.vm(copied.vm).unwrap().disks[0].path.clone();
    test.changes(&disk, &id).unwrap();
    test.call(
        SYSTEMS,
        "DestroySystem",
        &[("AffectedSystem", vm_path(copied.vm).into())],
    )
    .unwrap();
    let planned = copied.import("", false).unwrap();
    on_planned(test, "RealizePlannedSystem", &planned).unwrap();
    assert!(test.changes(&disk, &id).is_err());
}

#[test]
fn adapters_of_a_planned_vm_are_addressed_and_connected() {
    let copied = Copied::new(Profile::Server2022, |_, _| {});
    let test = &copied.test;
    test.host
        .add_switch(hyperv_sim::VirtualSwitch::private("Lab"))
        .unwrap();
    let planned = copied.import("", true).unwrap();
    let own = settings(test, &planned);
    let adapter = parts(test, &own, "Msvm_SyntheticEthernetPortSettingData").remove(0);
    let connection = || parts(test, &own, "Msvm_EthernetPortAllocationSettingData").remove(0);
    let changes = [
        ("Address", CimType::String, "00-15-5d-01-02-03".into()),
        ("StaticMacAddress", CimType::Boolean, Value::from(true)),
    ];
    modify(test, &adapter, &changes).unwrap();
    let off = [("EnabledState", CimType::Uint16, Value::from(3_u16))];
    modify(test, &connection(), &off).unwrap();
    assert_eq!(connection().number::<u16>("EnabledState"), Some(3));
    assert!(connection().texts("HostResource").is_empty());
    assert_eq!(
        connection().text("LastKnownSwitchName").unwrap(),
        "External"
    );
    let lab = test
        .query("SELECT * FROM Msvm_VirtualEthernetSwitch WHERE ElementName='Lab'")
        .remove(0);
    let on = [
        ("EnabledState", CimType::Uint16, Value::from(2_u16)),
        (
            "HostResource",
            CimType::String,
            Value::from(vec![path(&lab).to_string()]),
        ),
    ];
    modify(test, &connection(), &on).unwrap();
    let vlan = EmbeddedInstance::new("Msvm_EthernetSwitchPortVlanSettingData")
        .with("AccessVlanId", CimType::Uint16, 42_u16)
        .with("OperationMode", CimType::Uint32, 1_u32);
    let parameters = [
        ("AffectedConfiguration", path(&connection()).into()),
        ("FeatureSettings", Value::from(vec![vlan.to_xml()])),
    ];
    test.call(SYSTEMS, "AddFeatureSettings", &parameters)
        .unwrap();
    let through = Some("Msvm_EthernetPortSettingDataComponent");
    let class = "Msvm_EthernetSwitchPortVlanSettingData";
    let vlan = test
        .session
        .associators(&path(&connection()), class, through);
    assert_eq!(vlan.unwrap()[0].number::<u16>("AccessVlanId"), Some(42));
    let vm = &test.host.planned_vms().unwrap()[0].vm;
    let adapter = &vm.network_adapters[0];
    assert_eq!(adapter.mac_address, "00155D010203");
    assert_eq!(
        (adapter.switch_name.as_str(), adapter.vlan),
        ("Lab", Some(42))
    );
}

#[test]
fn planned_vms_survive_a_restart_and_are_in_the_ledger() {
    let copied = Copied::new(Profile::Server2022, |_, _| {});
    let test = &copied.test;
    let planned = copied.import("", true).unwrap();
    test.host.crash_host(false).unwrap();
    let ledger = test.host.ledger().unwrap();
    assert_eq!(ledger.of_kind(LedgerKind::PlannedVm).count(), 1);
    assert!(test.session.get(&path(&planned)).is_ok());
    destroy(test, &planned);
    let wql = "SELECT * FROM Msvm_PlannedComputerSystem";
    assert!(
        test.session
            .query_all(VIRTUALIZATION, wql)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_job_that_fails_leaves_a_planned_vm_that_can_be_destroyed() {
    for method in [
        "ModifySystemSettings",
        "ModifyResourceSettings",
        "ValidatePlannedSystem",
        "RealizePlannedSystem",
    ] {
        let copied = Copied::new(Profile::Server2022, |_, _| {});
        let test = &copied.test;
        let before = test.host.ledger().unwrap();
        let planned = copied.import("", true).unwrap();
        let own = settings(test, &planned);
        let fault = format!("{method} job=32768 text=\"no\"").parse().unwrap();
        test.host.plan_fault(fault).unwrap();
        let error = match method {
            "ModifySystemSettings" => {
                let name = Value::from("X");
                modify(test, &own, &[("ElementName", CimType::String, name)])
            }
            "ModifyResourceSettings" => {
                let path = Value::from(vec!["C:\\Copy\\x.vhdx"]);
                let disk = media(test, &own).remove(0);
                modify(test, &disk, &[("HostResource", CimType::String, path)])
            }
            other => on_planned(test, other, &planned),
        };
        assert!(error.is_err(), "{method}");
        destroy(test, &planned);
        let after = test.host.ledger().unwrap();
        assert_eq!(Ledger::difference(&before, &after), [], "{method}");
    }
}

#[test]
fn an_answer_at_once_names_what_was_made() {
    let copied = Copied::new(Profile::Server2022, |_, _| {});
    let test = &copied.test;
    let session = hyperv_sim::SimSession::new(std::sync::Arc::clone(&test.host));
    let session = session.unwrap().answering_at_once();
    let service = test.service(SYSTEMS).unwrap();
    let parameters = [
        ("SystemDefinitionFile", copied.definition().as_str().into()),
        ("SnapshotFolder", Value::Null),
        ("GenerateNewSystemIdentifier", Value::from(true)),
    ];
    let answer = session.invoke(&service, "ImportSystemDefinition", &parameters);
    let answer = answer.unwrap();
    assert_eq!(answer.return_value, 0);
    let named = answer.parameters.value("ImportedSystem").to_reference();
    let planned = session.get(&named.unwrap()).unwrap();
    lead_to_copy(test, &settings(test, &planned));
    let parameters = [("PlannedSystem", path(&planned).into())];
    let answer = session.invoke(&service, "RealizePlannedSystem", &parameters);
    let named = answer
        .unwrap()
        .parameters
        .value("ResultingSystem")
        .to_reference();
    assert_eq!(
        session.get(&named.unwrap()).unwrap().class,
        "Msvm_ComputerSystem"
    );
}
