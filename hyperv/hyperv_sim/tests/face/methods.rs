//! Methods besides those of a backup's cycle: what they take, and what they refuse.

use std::sync::Arc;

use hyperv_sim::{DiskSpec, PowerState, Profile, SimSession, VmSpec};
use wmi::{CimType, EmbeddedInstance, Instance, ObjectPath, Value, WmiErrorKind, WmiSession};

use crate::fixture::{
    DISK_BYTES, IMAGES, POINTS, SNAPSHOTS, SYSTEMS, TestHost, guid, snapshot_settings, vm_path,
};

#[test]
fn references_are_taken_in_every_form() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let machine = test
        .query("SELECT * FROM Msvm_ComputerSystem WHERE ElementName='SQL01'")
        .remove(0);
    let full = machine.path.clone().unwrap();
    for reference in [
        Value::from(full.clone()),
        full.to_string().into(),
        vm_path(vm).relative().into(),
        Value::Instance(Box::new(machine)),
    ] {
        let parameters = [
            ("AffectedSystem", reference.clone()),
            ("SnapshotSettings", Value::Null),
            ("snapshottype", "32768".into()),
        ];
        let made = test.call(SNAPSHOTS, "CreateSnapshot", &parameters);
        assert!(made.is_ok(), "{reference:?}: {:?}", made.err());
        test.host.settle().unwrap();
    }
}

#[test]
fn wrong_parameters_are_refused() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let machine = || Value::from(vm_path(vm));
    let number = |number: u16| Value::from(number);
    let unknown: ObjectPath = vm_path(hyperv_sim_guid());
    for (what, system, settings, kind, expected) in [
        ("no machine", Value::Null, Value::Null, number(32768), 32773),
        (
            "an unknown machine",
            unknown.into(),
            Value::Null,
            number(32768),
            32773,
        ),
        (
            "not XML",
            machine(),
            "settings".into(),
            number(32768),
            32773,
        ),
        ("no type", machine(), Value::Null, Value::Null, 32773),
        ("an unknown type", machine(), Value::Null, number(77), 32773),
        ("disks alone", machine(), Value::Null, number(3), 32770),
        (
            "an unknown level",
            machine(),
            snapshot_settings(9).into(),
            number(32768),
            32773,
        ),
        (
            "another class",
            machine(),
            EmbeddedInstance::new("Msvm_ComputerSystem").to_xml().into(),
            number(32768),
            32773,
        ),
    ] {
        let parameters = [
            ("AffectedSystem", system),
            ("SnapshotSettings", settings),
            ("SnapshotType", kind),
        ];
        let error = test
            .call(SNAPSHOTS, "CreateSnapshot", &parameters)
            .unwrap_err();
        assert_eq!(error.code(), Some(expected), "{what}");
    }
    let service = test.service(SNAPSHOTS).unwrap();
    for (method, parameter) in [
        ("CreateSnapshots", "AffectedSystem"),
        ("CreateSnapshot", "System"),
    ] {
        let error = test
            .session
            .invoke(&service, method, &[(parameter, machine())]);
        assert_eq!(error.unwrap_err().kind(), WmiErrorKind::NoMethod);
    }
    let nobody = service.with_key("Colour", "red");
    let error = test
        .session
        .invoke(&nobody, "CreateSnapshot", &[])
        .unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::NotFound);
}

fn hyperv_sim_guid() -> uuid::Uuid {
    uuid::Uuid::from_u128(7)
}

#[test]
fn what_is_not_simulated_says_so() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    for (service, method, parameter) in [
        (SYSTEMS, "UpgradeSystemVersion", "ComputerSystem"),
        (SYSTEMS, "DefinePlannedSystem", "SystemSettings"),
        (IMAGES, "CompactVirtualHardDisk", "Path"),
    ] {
        let error = test
            .call(service, method, &[(parameter, vm_path(vm).into())])
            .unwrap_err();
        assert_eq!(error.code(), Some(32770), "{method}");
    }
    assert_eq!(test.host.vms().unwrap().len(), 1);
}

#[test]
fn a_person_s_checkpoint_is_made_applied_and_removed_as_a_tree() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let parameters = [
        ("AffectedSystem", vm_path(vm).into()),
        ("SnapshotType", Value::from(2_u16)),
    ];
    for _ in 0..2 {
        test.call(SNAPSHOTS, "CreateSnapshot", &parameters).unwrap();
    }
    let wql = "SELECT * FROM Msvm_VirtualSystemSettingData WHERE VirtualSystemType=\
               'Microsoft:Hyper-V:Snapshot:Realized'";
    let found = test.query(wql);
    assert_eq!(found.len(), 2);
    let root = found
        .iter()
        .find(|own| own.text("Parent").is_none())
        .unwrap();
    let child = found
        .iter()
        .find(|own| own.text("Parent").is_some())
        .unwrap();
    let parent = ObjectPath::parse(&child.text("Parent").unwrap());
    assert_eq!(parent, root.path);
    let machine = test
        .query("SELECT * FROM Msvm_ComputerSystem WHERE ElementName='SQL01'")
        .remove(0);
    let off = [("RequestedState", Value::from(3_u16))];
    test.call_on(machine.path.as_ref().unwrap(), "RequestStateChange", &off)
        .unwrap();
    assert_eq!(test.host.vm(vm).unwrap().power, PowerState::Off);
    let path = || Value::from(root.path.clone().unwrap());
    test.call(SNAPSHOTS, "ApplySnapshot", &[("Snapshot", path())])
        .unwrap();
    test.call(
        SNAPSHOTS,
        "DestroySnapshotTree",
        &[("SnapshotSettingData", path())],
    )
    .unwrap();
    assert!(test.query(wql).is_empty());
}

#[test]
fn a_checkpoint_is_renamed_by_its_whole_settings_or_a_part_of_them() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let snapshot = test.create_snapshot(vm).unwrap();
    let id = snapshot.text("InstanceID").unwrap();
    let name = || {
        test.session
            .get(snapshot.path.as_ref().unwrap())
            .unwrap()
            .text("ElementName")
    };
    let part = EmbeddedInstance::new("Msvm_VirtualSystemSettingData")
        .with("InstanceID", CimType::String, id.as_str())
        .with("ElementName", CimType::String, "ours");
    test.call(
        SYSTEMS,
        "ModifySystemSettings",
        &[("SystemSettings", part.to_xml().into())],
    )
    .unwrap();
    assert_eq!(name().as_deref(), Some("ours"));
    let mut whole = EmbeddedInstance::new("Msvm_VirtualSystemSettingData");
    for (property, value) in snapshot.properties() {
        let value = match property {
            "ElementName" => Value::from("all of it"),
            _ => value.clone(),
        };
        whole = whole.with(property, CimType::String, value);
    }
    test.call(
        SYSTEMS,
        "ModifySystemSettings",
        &[("SystemSettings", whole.to_xml().into())],
    )
    .unwrap();
    assert_eq!(name().as_deref(), Some("all of it"));
    let other = part.with("Notes", CimType::String, "no");
    let error = test.call(
        SYSTEMS,
        "ModifySystemSettings",
        &[("SystemSettings", other.to_xml().into())],
    );
    assert_eq!(error.unwrap_err().code(), Some(32770));
}

#[test]
fn reference_points_are_made_by_either_number() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    for (kind, expected) in [(2_u16, None), (1, None), (0, Some(32773)), (9, Some(32773))] {
        let parameters = [
            ("AffectedSystem", vm_path(vm).into()),
            ("ReferencePointSettings", "".into()),
            ("ReferencePointType", Value::from(kind)),
        ];
        let made = test.call(POINTS, "CreateReferencePoint", &parameters);
        assert_eq!(
            made.err().and_then(|error| error.code()),
            expected,
            "{kind}"
        );
    }
    assert_eq!(
        test.query("SELECT * FROM Msvm_VirtualSystemReferencePoint")
            .len(),
        2
    );
}

#[test]
fn a_disk_says_what_it_is() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    test.create_snapshot(vm).unwrap();
    let leaf = test
        .disks_of(&guid(vm))
        .remove(0)
        .texts("HostResource")
        .remove(0);
    let path = [("Path", Value::from(leaf.as_str()))];
    let output = test
        .call(IMAGES, "GetVirtualHardDiskSettingData", &path)
        .unwrap()
        .output;
    let data = Instance::from_cim_xml(&output.parameters.text("SettingData").unwrap()).unwrap();
    assert_eq!(data.number::<u16>("Type"), Some(4));
    assert_eq!(data.number::<u16>("Format"), Some(3));
    assert_eq!(data.number::<u64>("MaxInternalSize"), Some(DISK_BYTES));
    assert!(data.text("ParentPath").unwrap().ends_with(".vhdx"));
    assert_eq!(
        data.text("VirtualDiskId"),
        Some(guid(test.host.vm(vm).unwrap().disks[0].disk_id))
    );
    let output = test
        .call(IMAGES, "GetVirtualHardDiskState", &path)
        .unwrap()
        .output;
    let state = Instance::from_cim_xml(&output.parameters.text("State").unwrap()).unwrap();
    assert!(state.flag("InUse"));
    assert!(state.number::<u64>("FileSize").unwrap() > 0);
    let path = [("Path", Value::from(r"C:\nothing.vhdx"))];
    let error = test
        .call(IMAGES, "GetVirtualHardDiskState", &path)
        .unwrap_err();
    assert_eq!(error.code(), Some(32779));
}

#[test]
fn a_job_is_terminated_and_tells_its_error() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let service = test.service(SNAPSHOTS).unwrap();
    let parameters = [
        ("AffectedSystem", vm_path(vm).into()),
        ("SnapshotType", Value::from(32768_u16)),
    ];
    let output = test
        .session
        .invoke(&service, "CreateSnapshot", &parameters)
        .unwrap();
    assert_eq!(output.return_value, 4096);
    let job = output.parameters.value("Job").to_reference().unwrap();
    let terminate = [("RequestedState", Value::from(4_u16))];
    test.call_on(&job, "RequestStateChange", &terminate)
        .unwrap();
    let ended = test.session.get(&job).unwrap();
    assert_eq!(ended.number::<u16>("JobState"), Some(8));
    let error = test
        .call_on(&job, "RequestStateChange", &terminate)
        .unwrap_err();
    assert_eq!(error.code(), Some(32775));
    assert_eq!(test.host.vm(vm).unwrap().snapshots.len(), 0);

    test.host
        .plan_fault(
            "CreateSnapshot job=32778 text=\"no memory\""
                .parse()
                .unwrap(),
        )
        .unwrap();
    let output = test
        .session
        .invoke(&service, "CreateSnapshot", &parameters)
        .unwrap();
    let job = output.parameters.value("Job").to_reference().unwrap();
    test.host
        .advance(std::time::Duration::from_secs(5))
        .unwrap();
    let errors = test
        .call_on(&job, "GetErrorEx", &[])
        .unwrap()
        .output
        .parameters;
    let errors = errors.value("Errors").clone();
    assert_eq!(errors.items().len(), 1);
    let text = test
        .call(SYSTEMS, "FormatError", &[("Errors", errors)])
        .unwrap();
    assert_eq!(
        text.output.parameters.text("ErrorMessage").as_deref(),
        Some("no memory")
    );
    // Five minutes after its end a job is gone.
    test.host
        .advance(std::time::Duration::from_secs(301))
        .unwrap();
    assert_eq!(
        test.session.get(&job).unwrap_err().kind(),
        WmiErrorKind::NotFound
    );
}

#[test]
fn a_session_may_answer_at_once() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let session = SimSession::new(Arc::clone(&test.host))
        .unwrap()
        .answering_at_once();
    let service = test.service(SNAPSHOTS).unwrap();
    let parameters = [
        ("AffectedSystem", vm_path(vm).into()),
        ("SnapshotType", Value::from(32768_u16)),
    ];
    let output = session
        .invoke(&service, "CreateSnapshot", &parameters)
        .unwrap();
    assert_eq!(output.return_value, 0);
    let made = output
        .parameters
        .value("ResultingSnapshot")
        .to_reference()
        .unwrap();
    assert!(session.get(&made).is_ok());
    let output = session.invoke(
        &service,
        "ConvertToReferencePoint",
        &[("AffectedSnapshot", made.into())],
    );
    let point = output
        .unwrap()
        .parameters
        .value("ResultingReferencePoint")
        .to_reference();
    assert!(session.get(&point.unwrap()).is_ok());
}

#[test]
fn merges_are_held_back_and_let_go() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let settings = test
        .query("SELECT * FROM Msvm_DiskMergeSettingData")
        .remove(0);
    let set = |state: u32| {
        let settings = EmbeddedInstance::new("Msvm_DiskMergeSettingData")
            .with(
                "InstanceID",
                CimType::String,
                settings.text("InstanceID").unwrap(),
            )
            .with("EnabledState", CimType::Uint32, state);
        test.call(
            SYSTEMS,
            "ModifyDiskMergeSettings",
            &[("SettingData", settings.to_xml().into())],
        )
    };
    set(0).unwrap();
    assert!(!test.host.vm(vm).unwrap().merges_enabled);
    set(1).unwrap();
    assert!(test.host.vm(vm).unwrap().merges_enabled);
    assert_eq!(set(5).unwrap_err().code(), Some(32773));
}

#[test]
fn a_guest_shuts_down_when_it_answers() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let component = test
        .query("SELECT * FROM Msvm_ShutdownComponent")
        .remove(0)
        .path
        .unwrap();
    let parameters = [("Force", Value::from(true)), ("Reason", "backup".into())];
    test.call_on(&component, "InitiateShutdown", &parameters)
        .unwrap();
    assert_eq!(test.host.vm(vm).unwrap().power, PowerState::Off);
    let error = test
        .call_on(&component, "InitiateShutdown", &parameters)
        .unwrap_err();
    assert_eq!(error.code(), Some(32780));
}

#[test]
fn an_image_is_attached_found_and_detached() {
    let test = TestHost::new(Profile::Server2022);
    let spec = VmSpec {
        running: false,
        ..VmSpec::new("off").with_disk(DiskSpec::empty(DISK_BYTES))
    };
    let vm = test.host.add_vm(&spec).unwrap();
    let disk = test.disks_of(&guid(vm)).remove(0);
    let path = Value::from(disk.texts("HostResource").remove(0));
    let find = || {
        let criterion = [
            ("SelectionCriterion", path.clone()),
            ("CriterionType", Value::from(2_u16)),
        ];
        test.call(IMAGES, "FindMountedStorageImageInstance", &criterion)
    };
    assert_eq!(find().unwrap_err().code(), Some(32789));
    let parameters = [("Path", path.clone()), ("ReadOnly", true.into())];
    test.call(IMAGES, "AttachVirtualHardDisk", &parameters)
        .unwrap();
    let image = find()
        .unwrap()
        .output
        .parameters
        .value("Image")
        .to_reference();
    test.call_on(&image.unwrap(), "DetachVirtualHardDisk", &[])
        .unwrap();
    assert_eq!(find().unwrap_err().code(), Some(32789));
}
