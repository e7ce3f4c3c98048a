//! Associations, from both ends.

use hyperv_sim::Profile;
use wmi::{Instance, VIRTUALIZATION, WmiSession};

use crate::fixture::{TestHost, guid, vm_path};

fn ids(found: &[Instance]) -> Vec<String> {
    let mut ids: Vec<String> = found
        .iter()
        .filter_map(|own| own.text("InstanceID"))
        .collect();
    ids.sort();
    ids
}

#[test]
fn a_machine_has_settings_checkpoints_and_reference_points() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let person = test.host.checkpoint(vm, "before the update").unwrap();
    let backup = test.create_snapshot(vm).unwrap();
    let path = vm_path(vm);
    let settings = "Msvm_VirtualSystemSettingData";
    let through = |association| {
        let found = test.session.associators(&path, settings, Some(association));
        ids(&found.unwrap())
    };
    let own = format!("Microsoft:{}", guid(vm));
    let person = format!("Microsoft:{}", guid(person));
    let mut both = vec![person.clone(), backup.text("InstanceID").unwrap()];
    both.sort();
    assert_eq!(
        through("Msvm_SettingsDefineState"),
        std::slice::from_ref(&own)
    );
    assert_eq!(through("Msvm_SnapshotOfVirtualSystem"), both);
    assert_eq!(through("Msvm_MostCurrentSnapshotInBranch"), [person]);
    assert!(through("Msvm_LastAppliedSnapshot").is_empty());
    assert_eq!(through("Msvm_ElementSettingData").len(), 3);
    let all = test.session.associators(&path, settings, None).unwrap();
    assert_eq!(
        all.len(),
        3,
        "what is associated in several ways is one object"
    );

    let point = test.convert(&backup).unwrap();
    let found = test.session.associators(
        &path,
        "Msvm_VirtualSystemReferencePoint",
        Some("Msvm_ReferencePointOfVirtualSystem"),
    );
    assert_eq!(found.unwrap(), std::slice::from_ref(&point));
    let back = test.session.associators(
        point.path.as_ref().unwrap(),
        "Msvm_ComputerSystem",
        Some("Msvm_ReferencePointOfVirtualSystem"),
    );
    assert_eq!(back.unwrap()[0].text("Name"), Some(guid(vm)));
}

#[test]
fn the_checkpoint_that_was_applied_last_is_known() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let first = test.host.checkpoint(vm, "first").unwrap();
    test.host.settle().unwrap();
    test.host.checkpoint(vm, "second").unwrap();
    let applied = || test.query("SELECT * FROM Msvm_LastAppliedSnapshot");
    assert!(applied().is_empty());
    test.host.settle().unwrap();
    test.host.apply_checkpoint(first).unwrap();
    let found = applied().remove(0);
    let settings = found.value("Dependent").to_reference().unwrap();
    let id = format!("Microsoft:{}", guid(first));
    assert_eq!(settings.key("InstanceID"), Some(id.as_str()));
}

#[test]
fn settings_are_made_of_parts() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let settings = test
        .query("SELECT * FROM Msvm_VirtualSystemSettingData")
        .remove(0);
    let parts = |class| {
        let path = settings.path.as_ref().unwrap();
        let through = Some("Msvm_VirtualSystemSettingDataComponent");
        test.session.associators(path, class, through).unwrap()
    };
    assert_eq!(parts("Msvm_StorageAllocationSettingData").len(), 1);
    assert_eq!(parts("Msvm_ResourceAllocationSettingData").len(), 2);
    assert_eq!(parts("Msvm_ProcessorSettingData").len(), 1);
    assert_eq!(parts("Msvm_SyntheticEthernetPortSettingData").len(), 1);
    assert_eq!(parts("CIM_SettingData").len(), 8);
    let disk = parts("Msvm_StorageAllocationSettingData").remove(0);
    let back = test
        .session
        .associators(disk.path.as_ref().unwrap(), "CIM_SettingData", None);
    assert_eq!(
        back.unwrap()[0].text("VirtualSystemIdentifier"),
        Some(guid(vm))
    );
    let components = test
        .session
        .associators(&vm_path(vm), "Msvm_VssComponent", None);
    assert_eq!(components.unwrap().len(), 1);
}

#[test]
fn references_and_roles_are_followed() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    test.add_vm("WEB01");
    let path = vm_path(vm).relative();
    let wql = format!("REFERENCES OF {{{path}}} WHERE ResultClass=Msvm_SettingsDefineState");
    let found = test.query(&wql);
    assert_eq!(found.len(), 1);
    let named = found[0].value("SettingData").to_reference().unwrap();
    assert_eq!(
        named.key("InstanceID"),
        Some(format!("Microsoft:{}", guid(vm)).as_str())
    );
    let wql = format!("ASSOCIATORS OF {{{path}}} WHERE ResultRole=SettingData Role=ManagedElement");
    assert_eq!(
        test.query(&wql).len(),
        2,
        "settings and the template of an export"
    );
    let wql =
        format!("ASSOCIATORS OF {{{path}}} WHERE AssocClass=Msvm_SystemDevice Role=Antecedent");
    assert!(test.query(&wql).is_empty());
    let all = test.query("SELECT * FROM Msvm_SettingsDefineState");
    assert_eq!(all.len(), 3, "two machines, and the switch of both");
    let wql = format!(
        "SELECT * FROM Msvm_SettingsDefineState WHERE ManagedElement='{}'",
        path.replace('\\', "\\\\")
    );
    assert_eq!(test.query(&wql).len(), 1);
}

#[test]
fn jobs_are_found_through_their_machine() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    test.add_vm("WEB01");
    test.host
        .keep_busy(vm, std::time::Duration::from_secs(60))
        .unwrap();
    let machine = vm_path(vm).relative();
    let wql = format!(
        "SELECT * FROM Msvm_AffectedJobElement WHERE AffectedElement={}",
        wmi::quote(&machine)
    );
    let found = test.query(&wql);
    assert_eq!(found.len(), 1);
    let job = found[0].value("AffectingElement").to_reference().unwrap();
    let job = test.session.get(&job).unwrap();
    assert_eq!(job.number::<u16>("JobType"), Some(170));
    assert_eq!(job.number::<u16>("JobState"), Some(4));
    let jobs = test
        .session
        .associators(&vm_path(vm), "Msvm_ConcreteJob", None)
        .unwrap();
    assert_eq!(ids(&jobs), ids(&[job]));
    let all = test
        .session
        .query_all(VIRTUALIZATION, "SELECT * FROM Msvm_ConcreteJob")
        .unwrap();
    assert_eq!(all.len(), 1);
}

#[test]
fn a_result_may_become_visible_later_than_its_job_ends() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    test.host
        .change_behavior(|own| own.visibility_delay_ms = 5_000)
        .unwrap();
    let job = test.call(
        crate::fixture::SNAPSHOTS,
        "CreateSnapshot",
        &[
            ("AffectedSystem", vm_path(vm).into()),
            (
                "SnapshotSettings",
                crate::fixture::snapshot_settings(2).into(),
            ),
            ("SnapshotType", wmi::Value::from(32768_u16)),
        ],
    );
    let job = job.unwrap().job_path.unwrap();
    let made = || {
        test.session
            .associators(&job, "Msvm_VirtualSystemSettingData", None)
            .unwrap()
    };
    assert!(made().is_empty());
    assert_eq!(
        test.query("SELECT * FROM Msvm_VirtualSystemSettingData")
            .len(),
        1
    );
    test.host
        .advance(std::time::Duration::from_secs(6))
        .unwrap();
    assert_eq!(made().len(), 1);
    assert_eq!(
        test.query("SELECT * FROM Msvm_VirtualSystemSettingData")
            .len(),
        2
    );
}
