//! Which properties name an instance.

/// Returns the key properties of a class, in the order that WMI writes them. WS-Man does not say
/// them, so they are known here for the classes that we refer to.
pub fn key_properties(class: &str) -> &'static [&'static str] {
    const SYSTEM: &[&str] = &["CreationClassName", "Name"];
    const SERVICE: &[&str] = &[
        "CreationClassName",
        "Name",
        "SystemCreationClassName",
        "SystemName",
    ];
    const DEVICE: &[&str] = &[
        "CreationClassName",
        "DeviceID",
        "SystemCreationClassName",
        "SystemName",
    ];
    const NAMED: &[(&str, &[&str])] = &[
        ("Msvm_ComputerSystem", SYSTEM),
        ("Msvm_PlannedComputerSystem", SYSTEM),
        ("Msvm_VirtualEthernetSwitch", SYSTEM),
        ("Msvm_VirtualSystemManagementService", SERVICE),
        ("Msvm_VirtualSystemSnapshotService", SERVICE),
        ("Msvm_VirtualSystemReferencePointService", SERVICE),
        ("Msvm_VirtualSystemMigrationService", SERVICE),
        ("Msvm_ImageManagementService", SERVICE),
        ("Msvm_VirtualEthernetSwitchManagementService", SERVICE),
        ("Msvm_ExternalEthernetPort", DEVICE),
        ("Msvm_InternalEthernetPort", DEVICE),
        ("Msvm_EthernetSwitchPort", DEVICE),
        ("Msvm_ReplicationService", SERVICE),
        ("Msvm_VssComponent", DEVICE),
        ("Msvm_ShutdownComponent", DEVICE),
        ("Msvm_HeartbeatComponent", DEVICE),
        ("Msvm_KvpExchangeComponent", DEVICE),
        ("Win32_OperatingSystem", &["Name"]),
        ("Win32_ComputerSystem", &["Name"]),
        ("Win32_LogicalDisk", &["DeviceID"]),
        ("Win32_Processor", &["DeviceID"]),
        ("Win32_Volume", &["DeviceID"]),
    ];
    NAMED
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(class))
        .map_or(&["InstanceID"], |(_, keys)| keys)
}
