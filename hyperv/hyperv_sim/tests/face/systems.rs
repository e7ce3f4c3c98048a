//! VMs that are made, changed and destroyed as a whole, switches, and what a host says of itself.

use hyperv_sim::{LedgerKind, PowerState, Profile, VirtualSwitch};
use uuid::Uuid;
use wmi::{CIMV2, CimType, EmbeddedInstance, Instance, Value, WmiSession};

use crate::fixture::{Called, SYSTEMS, TestHost, guid, vm_path};
use crate::importing::{media, modify, parts};

const SWITCHES: &str = "Msvm_VirtualEthernetSwitchManagementService";

fn settings_of(test: &TestHost, vm: Uuid) -> Instance {
    let id = format!("Microsoft:{}", guid(vm));
    let wql = format!("SELECT * FROM Msvm_VirtualSystemSettingData WHERE InstanceID='{id}'");
    test.query(&wql).remove(0)
}

/// Adds a resource; returns the one that the answer names.
fn add(test: &TestHost, settings: &Instance, wanted: EmbeddedInstance) -> Called<Instance> {
    let parameters = [
        (
            "AffectedConfiguration",
            settings.path.clone().unwrap().into(),
        ),
        ("ResourceSettings", Value::from(vec![wanted.to_xml()])),
    ];
    let added = test.call(SYSTEMS, "AddResourceSettings", &parameters)?;
    let named = added.output.parameters.value("ResultingResourceSettings");
    let named = named.items()[0].to_reference().unwrap();
    Ok(test.session.get(&named).unwrap())
}

fn resource(class: &str, sub_type: &str) -> EmbeddedInstance {
    let sub_type = format!("Microsoft:Hyper-V:{sub_type}");
    EmbeddedInstance::new(class).with("ResourceSubType", CimType::String, sub_type)
}

fn define(test: &TestHost, name: &str) -> Uuid {
    let settings = EmbeddedInstance::new("Msvm_VirtualSystemSettingData")
        .with("ElementName", CimType::String, name)
        .with(
            "VirtualSystemSubType",
            CimType::String,
            "Microsoft:Hyper-V:SubType:2",
        )
        .with("ConfigurationDataRoot", CimType::String, "C:\\New")
        .with("Notes", CimType::String, vec!["made by hand"]);
    let memory = EmbeddedInstance::new("Msvm_MemorySettingData").with(
        "VirtualQuantity",
        CimType::Uint64,
        4096_u64,
    );
    let parameters = [
        ("SystemSettings", Value::from(settings.to_xml())),
        ("ResourceSettings", Value::from(vec![memory.to_xml()])),
    ];
    let made = test.call(SYSTEMS, "DefineSystem", &parameters).unwrap();
    let job = made.job_path.unwrap();
    let found = test.session.associators(&job, "Msvm_ComputerSystem", None);
    let vm = found.unwrap().remove(0);
    assert_eq!(vm.text("ElementName").as_deref(), Some(name));
    Uuid::parse_str(&vm.text("Name").unwrap()).unwrap()
}

#[test]
fn a_vm_is_made_of_nothing_and_gets_its_devices_one_by_one() {
    let test = TestHost::new(Profile::Server2022);
    let other = test.add_vm("SQL01");
    test.host.stop(other).unwrap();
    let disk = test.host.vm(other).unwrap().disks[0].path.clone();
    test.host.remove_vm(other, false).unwrap();
    let vm = define(&test, "NEW");
    let own = test.host.vm(vm).unwrap();
    assert_eq!((own.generation, own.memory.startup_mib), (2, 4096));
    assert_eq!(
        (own.notes.as_str(), own.version.as_str()),
        ("made by hand", "10.0")
    );
    assert!(own.disks.is_empty() && own.network_adapters.is_empty());
    let settings = settings_of(&test, vm);
    let class = "Msvm_ResourceAllocationSettingData";
    let controller = add(
        &test,
        &settings,
        resource(class, "Synthetic SCSI Controller"),
    )
    .unwrap();
    let drive = resource(class, "Synthetic Disk Drive")
        .with(
            "Parent",
            CimType::String,
            controller.path.clone().unwrap().to_string(),
        )
        .with("AddressOnParent", CimType::String, "3");
    let drive = add(&test, &settings, drive).unwrap();
    assert_eq!(drive.text("AddressOnParent").as_deref(), Some("3"));
    let in_drive = |file: &str| {
        resource("Msvm_StorageAllocationSettingData", "Virtual Hard Disk")
            .with(
                "Parent",
                CimType::String,
                drive.path.clone().unwrap().to_string(),
            )
            .with("HostResource", CimType::String, vec![file])
    };
    let error = add(&test, &settings, in_drive("C:\\nothing.vhdx")).unwrap_err();
    assert!(error.to_string().contains("not found"), "{error}");
    add(&test, &settings, in_drive(&disk)).unwrap();
    let adapter = resource(
        "Msvm_SyntheticEthernetPortSettingData",
        "Synthetic Ethernet Port",
    )
    .with("ElementName", CimType::String, "LAN");
    let adapter = add(&test, &settings, adapter).unwrap();
    let connections = || parts(&test, &settings, "Msvm_EthernetPortAllocationSettingData");
    assert!(connections().is_empty());
    let switch = test
        .query("SELECT * FROM Msvm_VirtualEthernetSwitch")
        .remove(0);
    let connection = resource(
        "Msvm_EthernetPortAllocationSettingData",
        "Ethernet Connection",
    )
    .with(
        "Parent",
        CimType::String,
        adapter.path.clone().unwrap().to_string(),
    )
    .with(
        "HostResource",
        CimType::String,
        vec![switch.path.unwrap().to_string()],
    );
    add(&test, &settings, connection).unwrap();
    assert_eq!(connections().len(), 1);
    let processor = parts(&test, &settings, "Msvm_ProcessorSettingData").remove(0);
    let four = Value::from(4_u64);
    modify(
        &test,
        &processor,
        &[("VirtualQuantity", CimType::Uint64, four)],
    )
    .unwrap();
    let own = test.host.vm(vm).unwrap();
    assert_eq!(
        (own.disks[0].path.as_str(), own.disks[0].slot.slot),
        (disk.as_str(), 3)
    );
    assert_eq!(own.network_adapters[0].switch_name, "External");
    assert_eq!(own.processors, 4);
    test.host.start(vm).unwrap();
}

#[test]
fn disks_are_taken_from_a_vm_and_their_files_stay() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let settings = settings_of(&test, vm);
    let disk = media(&test, &settings).remove(0);
    let file = disk.texts("HostResource").remove(0);
    let remove = |own: &Instance| {
        let path = own.path.clone().unwrap();
        let parameters = [("ResourceSettings", Value::from(vec![path]))];
        test.call(SYSTEMS, "RemoveResourceSettings", &parameters)
    };
    let moved = Value::from(vec!["C:\\other.vhdx"]);
    let error = modify(&test, &disk, &[("HostResource", CimType::String, moved)]);
    assert_eq!(error.unwrap_err().code(), Some(32775), "it runs");
    remove(&disk).unwrap();
    let drives = parts(&test, &settings, "Msvm_ResourceAllocationSettingData");
    let drive = drives
        .iter()
        .find(|own| own.number("ResourceType") == Some(17_u16));
    remove(drive.unwrap()).unwrap();
    let own = test.host.vm(vm).unwrap();
    assert!(own.disks.is_empty() && own.files.is_empty() && own.empty_drives.is_empty());
    let ledger = test.host.ledger().unwrap();
    assert!(
        ledger
            .of_kind(LedgerKind::File)
            .any(|(name, _)| name == file)
    );
}

#[test]
fn a_vm_is_destroyed_when_it_is_off_and_keeps_its_disk_in_one_file() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let disk = test.host.vm(vm).unwrap().disks[0].path.clone();
    test.host.checkpoint(vm, "before").unwrap();
    test.host.write(vm, 0, 4096, &[7; 4096]).unwrap();
    let parameters = [("AffectedSystem", vm_path(vm).into())];
    let destroy = || test.call(SYSTEMS, "DestroySystem", &parameters);
    assert_eq!(destroy().unwrap_err().code(), Some(32775), "it runs");
    test.host.stop(vm).unwrap();
    destroy().unwrap();
    assert!(test.host.vms().unwrap().is_empty());
    let ledger = test.host.ledger().unwrap();
    let files: Vec<_> = ledger
        .of_kind(LedgerKind::File)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(files, [disk.as_str()]);
    assert_eq!(ledger.of_kind(LedgerKind::CheckpointFile).count(), 0);
    assert_eq!(ledger.of_kind(LedgerKind::ConfigurationFile).count(), 0);
    let switches: Vec<_> = ledger.of_kind(LedgerKind::Switch).collect();
    assert_eq!(
        switches,
        [("External", "external")],
        "it outlives the machine"
    );
    let drive = test.host.drives().unwrap().remove(0).1;
    let local = drive.join(disk.trim_start_matches("C:\\").replace('\\', "/"));
    let image = disk_image_of(&local);
    assert_eq!(image, [7; 4096], "what was written last is in it");
}

fn disk_image_of(path: &std::path::Path) -> Vec<u8> {
    use block_io::BlockDevice as _;
    let image = disk_image::open(path, &disk_image::OpenOptions::default()).unwrap();
    let mut bytes = vec![0; 4096];
    image.read_at(4096, &mut bytes).unwrap();
    bytes
}

#[test]
fn switches_tell_what_they_lead_to_and_are_made_and_removed() {
    let test = TestHost::new(Profile::Server2022);
    test.host
        .add_switch(VirtualSwitch::external("Out", "Ethernet 2"))
        .unwrap();
    let taken = VirtualSwitch::external("Twice", "Ethernet 2");
    assert!(test.host.add_switch(taken).is_err());
    let leads_to = |name: &str| -> Vec<String> {
        let wql = format!("SELECT * FROM Msvm_VirtualEthernetSwitch WHERE ElementName='{name}'");
        let switch = test.query(&wql).remove(0);
        let through = Some("Msvm_SystemDevice");
        let path = switch.path.unwrap();
        let ports = test
            .session
            .associators(&path, "Msvm_EthernetSwitchPort", through);
        let class = "Msvm_EthernetPortAllocationSettingData";
        let of_port = |port: Instance| {
            let through = Some("Msvm_ElementSettingData");
            let found = test
                .session
                .associators(&port.path.unwrap(), class, through);
            let path = found.unwrap()[0].texts("HostResource").remove(0);
            wmi::ObjectPath::parse(&path).unwrap().class().to_owned()
        };
        ports.unwrap().into_iter().map(of_port).collect()
    };
    assert_eq!(
        leads_to("Out"),
        ["Msvm_ExternalEthernetPort", "Msvm_ComputerSystem"]
    );
    let host = test
        .query("SELECT * FROM Msvm_ComputerSystem WHERE Name='HV1'")
        .remove(0);
    let settings = EmbeddedInstance::new("Msvm_VirtualEthernetSwitchSettingData")
        .with("ElementName", CimType::String, "Lab")
        .with("Notes", CimType::String, vec!["for tests"]);
    let port = EmbeddedInstance::new("Msvm_EthernetPortAllocationSettingData").with(
        "HostResource",
        CimType::String,
        vec![host.path.unwrap().to_string()],
    );
    let parameters = [
        ("SystemSettings", Value::from(settings.to_xml())),
        ("ResourceSettings", Value::from(vec![port.to_xml()])),
    ];
    test.call(SWITCHES, "DefineSystem", &parameters).unwrap();
    assert_eq!(leads_to("Lab"), ["Msvm_ComputerSystem"]);
    let error = test
        .call(SWITCHES, "DefineSystem", &parameters)
        .unwrap_err();
    assert!(error.to_string().contains("Lab"), "{error}");
    let lab = test.host.switches().unwrap().remove(0);
    assert_eq!((lab.kind(), lab.notes.as_str()), ("internal", "for tests"));
    let vm = test.add_vm("SQL01");
    test.host
        .change_vm(vm, |vm| {
            vm.network_adapters[0].switch_name = "Lab".to_owned();
        })
        .unwrap();
    let wql = "SELECT * FROM Msvm_VirtualEthernetSwitch WHERE ElementName='Lab'";
    let path = test.query(wql).remove(0).path.unwrap();
    let parameters = [("AffectedSystem", path.into())];
    test.call(SWITCHES, "DestroySystem", &parameters).unwrap();
    assert!(test.query(wql).is_empty());
    let own = test.host.vm(vm).unwrap();
    assert_eq!(own.network_adapters[0].switch_name, "");
    assert_eq!(own.port(0).last_known_switch, "Lab");
}

#[test]
fn a_host_says_which_versions_memory_and_processors_it_has() {
    let test = TestHost::new(Profile::Server2019);
    let capabilities = test
        .query("SELECT * FROM Msvm_VirtualSystemManagementCapabilities")
        .remove(0);
    let class = "Msvm_VirtualSystemSettingData";
    let path = capabilities.path.unwrap();
    let found = test.session.associators(&path, class, None).unwrap();
    let versions: Vec<_> = found.iter().filter_map(|own| own.text("Version")).collect();
    assert!(versions.contains(&"5.0".to_owned()), "{versions:?}");
    assert!(!versions.contains(&"10.0".to_owned()), "{versions:?}");
    let relative = path.relative();
    let wql =
        format!("REFERENCES OF {{{relative}}} WHERE ResultClass=Msvm_SettingsDefineCapabilities");
    let default = test.query(&wql);
    let default = default
        .iter()
        .find(|own| own.number("ValueRole") == Some(0_u16));
    let default = default.unwrap().value("PartComponent").to_reference();
    let default = test.session.get(&default.unwrap()).unwrap();
    assert_eq!(default.text("Version").as_deref(), Some("9.0"));
    let wql = "SELECT * FROM Msvm_VirtualSystemSettingData WHERE InstanceID LIKE \
               'Microsoft:Definition%'";
    assert_eq!(test.query(wql).len(), found.len());
    test.host
        .change_behavior(|own| own.memory_mib = 2048)
        .unwrap();
    let computer = test
        .session
        .query_all(CIMV2, "SELECT * FROM Win32_ComputerSystem");
    let memory = computer.unwrap()[0].number::<u64>("TotalPhysicalMemory");
    assert_eq!(memory, Some(2 << 30));
    let processor = test
        .session
        .query_all(CIMV2, "SELECT * FROM Win32_Processor");
    assert!(
        processor.unwrap()[0]
            .text("Name")
            .unwrap()
            .contains("Intel")
    );
}

#[test]
fn a_vm_that_runs_is_not_moved_by_its_settings() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let settings = settings_of(&test, vm);
    let folder = Value::from("C:\\Other");
    let error = modify(
        &test,
        &settings,
        &[("ConfigurationDataRoot", CimType::String, folder)],
    );
    assert_eq!(error.unwrap_err().code(), Some(32775));
    let notes = Value::from(vec!["one", "two"]);
    modify(&test, &settings, &[("Notes", CimType::String, notes)]).unwrap();
    let own = test.host.vm(vm).unwrap();
    assert_eq!(
        (own.notes.as_str(), own.power),
        ("one\ntwo", PowerState::Running)
    );
}
