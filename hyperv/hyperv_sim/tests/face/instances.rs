//! What instances say.

use hyperv_sim::{
    Component, ComponentKind, DiskKind, DiskSpec, Guest, PowerState, Profile, Replication, VmSpec,
};
use wmi::{CIMV2, Instance, ObjectPath, WmiSession};

use crate::fixture::{DISK_BYTES, TestHost, guid};

#[test]
fn captions_are_localised_and_names_are_not() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    test.host
        .change_behavior(|own| own.localized = true)
        .unwrap();
    let wql = "SELECT * FROM Msvm_ComputerSystem WHERE Caption='Virtual Machine'";
    assert!(test.query(wql).is_empty());
    let wql = format!(
        "SELECT * FROM Msvm_ComputerSystem WHERE Name='{}'",
        guid(vm)
    );
    let found = test.query(&wql);
    assert_eq!(
        found[0].text("Caption").as_deref(),
        Some("Virtueller Computer")
    );
    assert_eq!(found[0].text("ElementName").as_deref(), Some("SQL01"));
}

#[test]
fn equal_names_are_two_machines() {
    let test = TestHost::new(Profile::Server2022);
    let (first, second) = (test.add_vm("twin"), test.add_vm("twin"));
    let found = test.query("SELECT * FROM Msvm_ComputerSystem WHERE ElementName='twin'");
    let mut names: Vec<String> = found.iter().filter_map(|own| own.text("Name")).collect();
    names.sort();
    let mut expected = [guid(first), guid(second)];
    expected.sort();
    assert_eq!(names, expected);
}

#[test]
fn a_machine_says_what_it_does() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let wql = format!(
        "SELECT * FROM Msvm_ComputerSystem WHERE Name='{}'",
        guid(vm)
    );
    let machine = || test.query(&wql).remove(0);
    assert_eq!(machine().number::<u16>("EnabledState"), Some(2));
    assert_eq!(machine().numbers::<u16>("OperationalStatus"), [2]);
    test.host.set_power(vm, PowerState::Saved).unwrap();
    assert_eq!(machine().number::<u16>("EnabledState"), Some(6));
    let replication = Replication {
        mode: 2,
        state: 3,
        health: 1,
        applying_log: false,
    };
    test.host.set_replication(vm, replication).unwrap();
    assert_eq!(machine().number::<u16>("ReplicationMode"), Some(2));
    test.host
        .keep_busy(vm, std::time::Duration::from_secs(60))
        .unwrap();
    assert_eq!(machine().numbers::<u16>("OperationalStatus"), [2, 32776]);
}

#[test]
fn settings_name_their_files() {
    let test = TestHost::new(Profile::Server2022);
    let spec = VmSpec {
        has_tpm: true,
        ..VmSpec::new("SQL01")
    };
    let vm = guid(test.host.add_vm(&spec).unwrap());
    let wql = "SELECT * FROM Msvm_VirtualSystemSettingData";
    let found = test.query(wql);
    assert_eq!(found.len(), 1);
    let settings = &found[0];
    for (name, expected) in [
        ("InstanceID", format!("Microsoft:{vm}")),
        ("VirtualSystemIdentifier", vm.clone()),
        ("ConfigurationID", vm.clone()),
        (
            "VirtualSystemType",
            "Microsoft:Hyper-V:System:Realized".to_owned(),
        ),
        (
            "VirtualSystemSubType",
            "Microsoft:Hyper-V:SubType:2".to_owned(),
        ),
        ("ConfigurationFile", format!("Virtual Machines\\{vm}.vmcx")),
        ("GuestStateFile", format!("Virtual Machines\\{vm}.vmgs")),
        ("ConfigurationDataRoot", r"C:\Hyper-V\SQL01".to_owned()),
        ("Version", "10.0".to_owned()),
    ] {
        assert_eq!(settings.text(name), Some(expected), "{name}");
    }
    assert!(settings.time("CreationTime").is_some());
    assert!(settings.has("Parent") && settings.text("Parent").is_none());
    let security = test.query("SELECT * FROM Msvm_SecuritySettingData");
    assert!(security[0].flag("TpmEnabled"));
}

#[test]
fn disks_hang_on_drives_and_drives_on_controllers() {
    let test = TestHost::new(Profile::Server2022);
    let spec = VmSpec::new("old")
        .with_generation(1)
        .with_disk(DiskSpec::empty(DISK_BYTES))
        .with_disk(DiskSpec::empty(DISK_BYTES).of_kind(DiskKind::PassThrough));
    let vm = guid(test.host.add_vm(&spec).unwrap());
    let media = test.disks_of(&vm);
    assert_eq!(media.len(), 1);
    let id = media[0].text("InstanceID").unwrap();
    let ide = "83F8638B-8DCA-4152-9EDA-2CA8B33039B4";
    assert_eq!(id, format!("Microsoft:{vm}\\{ide}\\0\\0\\L"));
    let path = media[0].texts("HostResource").remove(0);
    assert!(
        path.starts_with(r"C:\Hyper-V\old\") && path.ends_with(".vhdx"),
        "{path}"
    );
    let parent = |own: &Instance| {
        let path = ObjectPath::parse(&own.text("Parent").unwrap()).unwrap();
        test.session.get(&path).unwrap()
    };
    let drive = parent(&media[0]);
    assert_eq!(drive.text("InstanceID"), Some(id.replace("\\L", "\\D")));
    assert_eq!(drive.number::<u16>("ResourceType"), Some(17));
    let controller = parent(&drive);
    assert_eq!(controller.number::<u16>("ResourceType"), Some(5));
    assert_eq!(controller.text("Address").as_deref(), Some("0"));
    let physical = test.query(
        "SELECT * FROM Msvm_ResourceAllocationSettingData WHERE ResourceSubType=\
         'Microsoft:Hyper-V:Physical Disk Drive'",
    );
    assert_eq!(physical.len(), 1);
    let host_disk = physical[0].texts("HostResource").remove(0);
    assert_eq!(
        ObjectPath::parse(&host_disk).unwrap().class(),
        "Msvm_DiskDrive"
    );
    // An image in the DVD drive is no disk of the machine.
    let all = test.query("SELECT * FROM Msvm_StorageAllocationSettingData");
    assert_eq!(all.len(), 2);
}

#[test]
fn components_say_whether_the_guest_answers() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let silent = VmSpec::new("silent").with_guest(Guest::None);
    let silent = test.host.add_vm(&silent).unwrap();
    let status = |vm, class: &str| {
        let wql = format!("SELECT * FROM {class} WHERE SystemName='{}'", guid(vm));
        test.query(&wql)
            .remove(0)
            .numbers::<u16>("OperationalStatus")
    };
    assert_eq!(status(vm, "Msvm_VssComponent"), [2]);
    assert_eq!(status(silent, "Msvm_VssComponent"), [12]);
    let component = Component {
        enabled: false,
        status: 2,
    };
    test.host
        .set_component(vm, ComponentKind::Vss, component)
        .unwrap();
    let wql = format!(
        "SELECT * FROM Msvm_VssComponent WHERE SystemName='{}'",
        guid(vm)
    );
    assert_eq!(test.query(&wql)[0].number::<u16>("EnabledState"), Some(3));
    let exchange = test.query("SELECT * FROM Msvm_KvpExchangeComponent");
    let said = |own: &Instance| {
        own.texts("GuestIntrinsicExchangeItems")
            .iter()
            .map(|item| Instance::from_cim_xml(item).unwrap())
            .find(|item| item.text("Name").as_deref() == Some("OSName"))
            .and_then(|item| item.text("Data"))
    };
    let of = |vm| {
        let own = |own: &&Instance| own.text("SystemName") == Some(guid(vm));
        exchange.iter().find(own).unwrap()
    };
    assert!(said(of(vm)).unwrap().contains("Windows"));
    assert_eq!(said(of(silent)), None);
}

#[test]
fn windows_says_its_version_and_volumes() {
    for profile in Profile::SINCE_2012_R2 {
        let test = TestHost::new(profile);
        let query = |wql: &str| test.session.query_all(CIMV2, wql).unwrap();
        let system = query("SELECT * FROM Win32_OperatingSystem").remove(0);
        assert_eq!(
            system.text("Version").as_deref(),
            Some(profile.windows_version())
        );
        assert!(
            profile
                .windows_version()
                .ends_with(&system.text("BuildNumber").unwrap())
        );
        let volume = query("SELECT * FROM Win32_Volume WHERE DriveLetter='C:'").remove(0);
        let capacity: u64 = volume.required_number("Capacity").unwrap();
        let free: u64 = volume.required_number("FreeSpace").unwrap();
        assert!(0 < free && free <= capacity);
        assert_eq!(
            query("SELECT * FROM Win32_LogicalDisk")[0]
                .text("DeviceID")
                .as_deref(),
            Some("C:")
        );
        let service = query("SELECT * FROM Win32_Service WHERE Name='VMMS'").remove(0);
        assert_eq!(service.text("State").as_deref(), Some("Running"));
    }
}
