//! Planned VMs: imported, changed, validated, realised, destroyed (contract 4.1).

use hyperv_sim::{DiskSpec, Ledger, PowerState, Profile, VmSpec};
use uuid::Uuid;
use wmi::{CimType, EmbeddedInstance, Instance, ObjectPath, Value, WmiSession};

use crate::fixture::{Called, DISK_BYTES, IMAGES, SNAPSHOTS, SYSTEMS, TestHost, guid};

const VHD: &str = "Microsoft:Hyper-V:Virtual Hard Disk";

/// A host with a VM that is off, and a copy of all its files in `C:\Copy`.
pub(crate) struct Copied {
    pub(crate) test: TestHost,
    pub(crate) vm: Uuid,
}

impl Copied {
    /// Adds a VM, lets `prepare` do something with it, and copies its files.
    pub(crate) fn new(profile: Profile, prepare: impl FnOnce(&TestHost, Uuid)) -> Self {
        let test = TestHost::new(profile);
        let mut spec = VmSpec::new("SQL01").with_disk(DiskSpec::empty(DISK_BYTES));
        spec.running = false;
        let vm = test.host.add_vm(&spec).unwrap();
        prepare(&test, vm);
        test.host.settle().unwrap();
        let drive = test.host.drives().unwrap().remove(0).1;
        copy_tree(&drive.join("Hyper-V/SQL01"), &drive.join("Copy"));
        Self { test, vm }
    }

    /// The definition file of the copy.
    pub(crate) fn definition(&self) -> String {
        let extension = match self.test.host.profile().unwrap() {
            Profile::Server2012R2 => "xml",
            _ => "vmcx",
        };
        format!("C:\\Copy\\Virtual Machines\\{}.{extension}", guid(self.vm))
    }

    pub(crate) fn import(&self, folder: &str, new_identity: bool) -> Called<Instance> {
        import(&self.test, &self.definition(), folder, new_identity)
    }

    /// Destroys the VM that the copy is of; its disks go, too.
    pub(crate) fn lose_the_vm(&self) {
        self.test.host.remove_vm(self.vm, true).unwrap();
    }
}

fn copy_tree(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Imports a definition; returns the planned VM.
pub(crate) fn import(
    test: &TestHost,
    definition: &str,
    folder: &str,
    new_identity: bool,
) -> Called<Instance> {
    let completed = test.call(
        SYSTEMS,
        "ImportSystemDefinition",
        &[
            ("SystemDefinitionFile", definition.into()),
            ("SnapshotFolder", folder.into()),
            ("GenerateNewSystemIdentifier", Value::from(new_identity)),
        ],
    )?;
    let job = completed.job_path.unwrap();
    let class = "Msvm_PlannedComputerSystem";
    let mut made = test.session.associators(&job, class, None).unwrap();
    assert_eq!(made.len(), 1);
    Ok(made.remove(0))
}

pub(crate) fn path(instance: &Instance) -> ObjectPath {
    instance.path.clone().unwrap()
}

/// The settings of a planned VM, its own.
pub(crate) fn settings(test: &TestHost, planned: &Instance) -> Instance {
    let class = "Msvm_VirtualSystemSettingData";
    let through = Some("Msvm_SettingsDefineState");
    let mut found = test
        .session
        .associators(&path(planned), class, through)
        .unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn checkpoints(test: &TestHost, planned: &Instance) -> Vec<Instance> {
    let class = "Msvm_VirtualSystemSettingData";
    let through = Some("Msvm_SnapshotOfVirtualSystem");
    test.session
        .associators(&path(planned), class, through)
        .unwrap()
}

pub(crate) fn parts(test: &TestHost, settings: &Instance, class: &str) -> Vec<Instance> {
    let through = Some("Msvm_VirtualSystemSettingDataComponent");
    test.session
        .associators(&path(settings), class, through)
        .unwrap()
}

/// The virtual hard disks of settings.
pub(crate) fn media(test: &TestHost, settings: &Instance) -> Vec<Instance> {
    let mut found = parts(test, settings, "Msvm_StorageAllocationSettingData");
    found.retain(|own| own.text("ResourceSubType").as_deref() == Some(VHD));
    found
}

/// Sends a part of an instance back, changed.
pub(crate) fn modify(
    test: &TestHost,
    own: &Instance,
    changes: &[(&str, CimType, Value)],
) -> Called<()> {
    let id = own.text("InstanceID").unwrap();
    let mut text = EmbeddedInstance::new(own.class.clone()).with("InstanceID", CimType::String, id);
    for (name, cim_type, value) in changes {
        text = text.with(name, *cim_type, value.clone());
    }
    let (method, parameters) = match own.class.as_str() {
        "Msvm_VirtualSystemSettingData" => (
            "ModifySystemSettings",
            [("SystemSettings", Value::from(text.to_xml()))],
        ),
        _ => (
            "ModifyResourceSettings",
            [("ResourceSettings", Value::from(vec![text.to_xml()]))],
        ),
    };
    test.call(SYSTEMS, method, &parameters).map(|_| ())
}

/// Gives all disks of settings paths in the copy's folder.
pub(crate) fn lead_to_copy(test: &TestHost, settings: &Instance) {
    for disk in media(test, settings) {
        let old = disk.texts("HostResource").remove(0);
        let name = old.rsplit('\\').next().unwrap();
        let new = Value::from(vec![format!("C:\\Copy\\Virtual Hard Disks\\{name}")]);
        modify(test, &disk, &[("HostResource", CimType::String, new)]).unwrap();
    }
}

pub(crate) fn on_planned(test: &TestHost, method: &str, planned: &Instance) -> Called<()> {
    let parameter = match method {
        "DestroySystem" => "AffectedSystem",
        _ => "PlannedSystem",
    };
    let parameters = [(parameter, path(planned).into())];
    test.call(SYSTEMS, method, &parameters).map(|_| ())
}

/// Validates, which fails; returns the messages.
fn messages(test: &TestHost, planned: &Instance) -> Vec<String> {
    let error = on_planned(test, "ValidatePlannedSystem", planned).unwrap_err();
    let wmi::MethodError::Job { failure, .. } = *error else {
        panic!("{error}");
    };
    let output = test.session.invoke(&failure.job, "GetErrorEx", &[]);
    let errors = output.unwrap().parameters.texts("Errors");
    let message = |text: &String| Instance::from_cim_xml(text).unwrap().text("Message");
    errors.iter().filter_map(message).collect()
}

pub(crate) fn destroy(test: &TestHost, planned: &Instance) {
    on_planned(test, "DestroySystem", planned).unwrap();
    assert!(test.host.planned_vms().unwrap().is_empty());
}

#[test]
fn a_vm_comes_back_with_its_identity_in_another_folder() {
    let copied = Copied::new(Profile::Server2022, |_, _| {});
    let test = &copied.test;
    copied.lose_the_vm();
    let planned = copied.import("", false).unwrap();
    assert_eq!(planned.text("Name"), Some(guid(copied.vm)));
    let own = settings(test, &planned);
    assert_eq!(
        own.text("VirtualSystemType").unwrap(),
        "Microsoft:Hyper-V:System:Planned"
    );
    assert!(test.query("SELECT * FROM Msvm_ComputerSystem").len() == 1);
    let folder = Value::from("C:\\Elsewhere");
    let changes = [
        ("ConfigurationDataRoot", CimType::String, folder.clone()),
        ("SnapshotDataRoot", CimType::String, folder),
        ("ElementName", CimType::String, "SQL02".into()),
    ];
    modify(test, &own, &changes).unwrap();
    lead_to_copy(test, &own);
    on_planned(test, "ValidatePlannedSystem", &planned).unwrap();
    on_planned(test, "RealizePlannedSystem", &planned).unwrap();
    assert!(test.host.planned_vms().unwrap().is_empty());
    let vm = test.host.vm(copied.vm).unwrap();
    assert_eq!((vm.name.as_str(), vm.power), ("SQL02", PowerState::Off));
    assert_eq!(vm.disks[0].path, "C:\\Copy\\Virtual Hard Disks\\SQL01.vhdx");
    assert_eq!(vm.disks[0].size_bytes, DISK_BYTES);
    let drive = test.host.drives().unwrap().remove(0).1;
    let definition = format!("Elsewhere/Virtual Machines/{}.vmcx", guid(copied.vm));
    assert!(drive.join(definition).is_file());
    test.host.start(copied.vm).unwrap();
}

#[test]
fn a_new_identity_stands_beside_the_old_one() {
    let copied = Copied::new(Profile::Server2012R2, |_, _| {});
    let test = &copied.test;
    let planned = copied.import("", true).unwrap();
    assert_ne!(planned.text("Name"), Some(guid(copied.vm)));
    lead_to_copy(test, &settings(test, &planned));
    on_planned(test, "RealizePlannedSystem", &planned).unwrap();
    assert_eq!(test.host.vms().unwrap().len(), 2);
}

#[test]
fn what_cannot_be_imported_leaves_nothing() {
    let copied = Copied::new(Profile::Server2022, |_, _| {});
    let test = &copied.test;
    let before = test.host.ledger().unwrap();
    let own = test.host.vm(copied.vm).unwrap();
    let in_use = format!("{}\\{}", own.config_root, own.config_file);
    let code = |definition: &str| import(test, definition, "", true).unwrap_err().code();
    assert_eq!(code(&in_use), Some(32779), "the VM's own file");
    assert_eq!(code("C:\\Copy\\nothing.vmcx"), Some(32768), "no file");
    let disk = "C:\\Copy\\Virtual Hard Disks\\SQL01.vhdx";
    assert_eq!(code(disk), Some(32768), "not a definition");
    let error = copied.import("", false).unwrap_err();
    assert!(error.to_string().contains("already exists"), "{error}");
    let after = test.host.ledger().unwrap();
    assert_eq!(Ledger::difference(&before, &after), []);
}

#[test]
fn a_validation_tells_all_that_is_wrong() {
    let copied = Copied::new(Profile::Server2022, |test, vm| {
        test.host
            .change_vm(vm, |vm| {
                vm.version = "12.0".to_owned();
                vm.network_adapters[0].switch_name = "Lost".to_owned();
                vm.has_tpm = true;
            })
            .unwrap();
    });
    let test = &copied.test;
    copied.lose_the_vm();
    test.host.remove_switch("Lost").unwrap();
    test.host
        .change_behavior(|own| {
            own.memory_mib = 1024;
            own.has_no_guardian = true;
        })
        .unwrap();
    let planned = copied.import("", false).unwrap();
    let found = messages(test, &planned);
    let expected = [
        "incompatible version",
        "was not found",
        "'Lost'",
        "memory",
        "key protector",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for part in expected {
        assert!(
            found.iter().any(|own| own.contains(part)),
            "{part}: {found:#?}"
        );
    }
    let error = on_planned(test, "RealizePlannedSystem", &planned).unwrap_err();
    assert!(
        error.to_string().contains("incompatible version"),
        "{error}"
    );
    destroy(test, &planned);
    assert!(test.host.vms().unwrap().is_empty());
}

#[test]
fn a_disk_of_another_vm_and_a_chain_without_its_base_are_refused() {
    let copied = Copied::new(Profile::Server2022, |test, vm| {
        test.host.checkpoint(vm, "before").unwrap();
    });
    let test = &copied.test;
    let planned = copied.import("C:\\Copy\\Snapshots", true).unwrap();
    let found = messages(test, &planned);
    assert!(
        found.iter().all(|own| own.contains("in use by")),
        "{found:#?}"
    );
    lead_to_copy(test, &settings(test, &planned));
    for checkpoint in checkpoints(test, &planned) {
        lead_to_copy(test, &checkpoint);
    }
    on_planned(test, "ValidatePlannedSystem", &planned).unwrap();
    let disk = media(test, &settings(test, &planned)).remove(0);
    let attached = [("Path", Value::from(disk.texts("HostResource").remove(0)))];
    test.call(IMAGES, "AttachVirtualHardDisk", &attached)
        .unwrap();
    let found = messages(test, &planned);
    assert!(found[0].contains("by the host itself"), "{found:#?}");
    // A base that is not beside its child is looked for where it was when the child was made.
    let drive = test.host.drives().unwrap().remove(0).1;
    for folder in ["Copy", "Hyper-V/SQL01"] {
        let base = format!("{folder}/Virtual Hard Disks/SQL01.vhdx");
        std::fs::remove_file(drive.join(base)).unwrap();
    }
    let found = messages(test, &planned);
    assert!(
        found.iter().any(|own| own.contains("cannot be opened")),
        "{found:#?}"
    );
    destroy(test, &planned);
}

#[test]
fn checkpoints_come_back_as_a_tree() {
    let copied = Copied::new(Profile::Server2022, |test, vm| {
        let first = test.host.checkpoint(vm, "first").unwrap();
        test.host.checkpoint(vm, "second").unwrap();
        test.host.apply_checkpoint(first).unwrap();
        test.host.checkpoint(vm, "third").unwrap();
    });
    let test = &copied.test;
    let before = test.host.vm(copied.vm).unwrap();
    for new_identity in [true, false] {
        if !new_identity {
            copied.lose_the_vm();
        }
        let planned = copied.import("C:\\Copy\\Snapshots", new_identity).unwrap();
        let found = checkpoints(test, &planned);
        assert_eq!(found.len(), 3);
        for own in &found {
            assert_eq!(
                own.text("VirtualSystemType").unwrap(),
                "Microsoft:Hyper-V:Snapshot:Planned"
            );
            lead_to_copy(test, own);
        }
        lead_to_copy(test, &settings(test, &planned));
        on_planned(test, "RealizePlannedSystem", &planned).unwrap();
        let id = Uuid::parse_str(&planned.text("Name").unwrap()).unwrap();
        let vm = test.host.vm(id).unwrap();
        let named = |vm: &hyperv_sim::Vm, id: Option<Uuid>| {
            id.map(|id| vm.snapshot(id).unwrap().name.clone())
        };
        for own in &before.snapshots {
            let back = vm.snapshots.iter().find(|back| back.name == own.name);
            let parent = named(&vm, back.unwrap().parent);
            assert_eq!(parent, named(&before, own.parent), "{}", own.name);
        }
        assert_eq!(named(&vm, vm.current_parent).as_deref(), Some("third"));
        assert_eq!(vm.files.len(), before.files.len());
        if new_identity {
            test.host.remove_vm(id, false).unwrap();
        } else {
            test.host.apply_checkpoint(vm.snapshots[1].id).unwrap();
        }
    }
}

#[test]
fn a_checkpoint_that_was_not_imported_stands_in_the_way_until_it_is_dropped() {
    let copied = Copied::new(Profile::Server2022, |test, vm| {
        test.host.checkpoint(vm, "before").unwrap();
    });
    let test = &copied.test;
    copied.lose_the_vm();
    let planned = copied.import("", false).unwrap();
    lead_to_copy(test, &settings(test, &planned));
    let missing = checkpoints(test, &planned).remove(0);
    assert_eq!(
        missing.text("VirtualSystemType").unwrap(),
        "Microsoft:Hyper-V:Snapshot:Missing"
    );
    let found = messages(test, &planned);
    assert!(found[0].contains("checkpoint"), "{found:#?}");
    let parameters = [
        ("PlannedSystem", path(&planned).into()),
        ("SnapshotFolder", Value::from("C:\\Copy\\Snapshots")),
    ];
    test.call(SYSTEMS, "ImportSnapshotDefinitions", &parameters)
        .unwrap();
    let found = checkpoints(test, &planned).remove(0);
    assert_eq!(media(test, &found).len(), 1);
    let parameters = [("AffectedSnapshot", path(&found).into())];
    test.call(SNAPSHOTS, "DestroySnapshot", &parameters)
        .unwrap();
    assert!(checkpoints(test, &planned).is_empty());
    on_planned(test, "RealizePlannedSystem", &planned).unwrap();
}
