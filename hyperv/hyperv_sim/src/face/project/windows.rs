//! Windows itself: `root\CIMV2`.

use wmi::{CIMV2, Instance, ObjectPath, Value};

use super::super::instance_ids::cim_time;
use super::super::view::HostView;
use crate::guid::guid_text;
use crate::{Volume, VolumeRoom};

/// Windows' services that the simulated host has: name, display name, whether it runs.
pub(crate) const WINDOWS_SERVICES: [(&str, &str, bool); 5] = [
    ("vmms", "Hyper-V Virtual Machine Management", true),
    ("vmcompute", "Hyper-V Host Compute Service", true),
    ("VSS", "Volume Shadow Copy", false),
    ("swprv", "Microsoft Software Shadow Copy Provider", false),
    ("WinRM", "Windows Remote Management (WS-Management)", true),
];

pub(crate) fn operating_system(view: HostView<'_>) -> Instance {
    let profile = view.profile();
    let is_client = view.state.facts.behavior.is_client_edition;
    let caption = match is_client {
        true => profile.windows_client_caption().to_owned(),
        false => profile.windows_caption(),
    };
    let version = profile.windows_version();
    let build = version.rsplit('.').next().unwrap_or_default();
    Instance::new("Win32_OperatingSystem")
        .with(
            "Name",
            format!(r"{caption}|C:\Windows|\Device\Harddisk0\Partition3"),
        )
        .with("Caption", caption)
        .with("Version", version)
        .with("BuildNumber", build)
        .with("CSName", view.host_name())
        .with("InstallDate", cim_time(view.state.facts.booted))
        .with("LastBootUpTime", cim_time(view.state.facts.booted))
        .with("LocalDateTime", cim_time(view.state.now))
        .with("Locale", view.localized("0409", "0407"))
        .with(
            "OSLanguage",
            if view.state.facts.behavior.localized {
                1031_u32
            } else {
                1033
            },
        )
        .with("MUILanguages", vec![view.localized("en-US", "de-DE")])
        .with("OSArchitecture", view.localized("64-bit", "64-Bit"))
        .with("OperatingSystemSKU", if is_client { 48_u32 } else { 7 })
        .with("ProductType", if is_client { 1_u32 } else { 3 })
        .with("SystemDirectory", r"C:\Windows\system32")
        .with("SystemDrive", "C:")
        .with("WindowsDirectory", r"C:\Windows")
        .with(
            "TotalVisibleMemorySize",
            view.state.facts.behavior.memory_mib << 10,
        )
        .with(
            "FreePhysicalMemory",
            view.state.facts.behavior.memory_mib << 9,
        )
        .with("Status", "OK")
}

pub(crate) fn computer(view: HostView<'_>) -> Instance {
    Instance::new("Win32_ComputerSystem")
        .with("Name", view.host_name())
        .with("Caption", view.host_name())
        .with("DNSHostName", view.host_name())
        .with("Domain", "WORKGROUP")
        .with("PartOfDomain", false)
        .with("DomainRole", 2_u16)
        .with("Manufacturer", "Lifeboat")
        .with("Model", "Simulated host")
        .with("NumberOfProcessors", 2_u32)
        .with(
            "NumberOfLogicalProcessors",
            view.state.facts.behavior.logical_processors,
        )
        .with(
            "TotalPhysicalMemory",
            view.state.facts.behavior.memory_mib << 20,
        )
        .with("HypervisorPresent", true)
        .with("Status", "OK")
}

pub(crate) fn processor(view: HostView<'_>) -> Instance {
    let behavior = &view.state.facts.behavior;
    let maker = match behavior.processor.contains("AMD") {
        true => "AuthenticAMD",
        false => "GenuineIntel",
    };
    Instance::new("Win32_Processor")
        .with("DeviceID", "CPU0")
        .with("Name", behavior.processor.as_str())
        .with("Manufacturer", maker)
        .with("NumberOfCores", behavior.logical_processors / 2)
        .with("NumberOfLogicalProcessors", behavior.logical_processors)
        .with("Status", "OK")
}

pub(crate) fn volume(view: HostView<'_>, number: usize) -> Option<Instance> {
    let room = room(view, number)?;
    let volume = &room.volume;
    let letter = volume.drive.trim_end_matches('\\');
    // What is mounted at a folder has no letter.
    let letter = (letter.len() == 2).then_some(letter);
    Some(
        Instance::new("Win32_Volume")
            .with("DeviceID", device_id(volume))
            .with("Name", volume.drive.as_str())
            .with("Caption", volume.drive.as_str())
            .with("Label", volume.label.as_str())
            .with("DriveLetter", letter.map_or(Value::Null, Value::from))
            .with("DriveType", 3_u32)
            .with("Capacity", volume.capacity_bytes)
            .with("FreeSpace", room.free_bytes)
            .with(
                "FileSystem",
                volume.file_system.as_deref().unwrap_or("NTFS"),
            )
            .with("BlockSize", 4096_u64)
            .with("BootVolume", letter == Some("C:"))
            .with("SystemVolume", false)
            .with("Compressed", false),
    )
}

pub(crate) fn logical_disk(view: HostView<'_>, number: usize) -> Option<Instance> {
    let room = room(view, number)?;
    let volume = &room.volume;
    let letter = volume.drive.trim_end_matches('\\');
    if letter.len() != 2 {
        return None;
    }
    Some(
        Instance::new("Win32_LogicalDisk")
            .with("DeviceID", letter)
            .with("Name", letter)
            .with("Caption", letter)
            .with(
                "Description",
                view.localized("Local Fixed Disk", "Lokale Festplatte"),
            )
            .with("DriveType", 3_u32)
            .with("FileSystem", "NTFS")
            .with("Size", volume.capacity_bytes)
            .with("FreeSpace", room.free_bytes)
            .with("VolumeName", volume.label.as_str()),
    )
}

/// Where the snapshots of a volume keep what is overwritten; `None`: nothing was set.
pub(crate) fn shadow_storage(view: HostView<'_>, number: usize) -> Option<Instance> {
    let volumes = &view.state.facts.volumes;
    let own = volumes.get(number)?;
    let storage = own.shadow_storage.as_ref()?;
    let is_on = |volume: &&Volume| volume.drive.eq_ignore_ascii_case(&storage.drive);
    let on = volumes.iter().find(is_on)?;
    let path = |volume: &Volume| {
        ObjectPath::new(CIMV2, "Win32_Volume").with_key("DeviceID", device_id(volume))
    };
    Some(
        Instance::new("Win32_ShadowStorage")
            .with("Volume", path(own))
            .with("DiffVolume", path(on))
            .with("AllocatedSpace", 0_u64)
            .with("UsedSpace", 0_u64)
            .with("MaxSpace", storage.max_bytes),
    )
}

fn device_id(volume: &Volume) -> String {
    format!("\\\\?\\Volume{{{}}}\\", guid_text(volume.id).to_lowercase())
}

pub(crate) fn service(view: HostView<'_>, name: &'static str) -> Instance {
    let found = WINDOWS_SERVICES.iter().find(|(own, ..)| *own == name);
    let (_, display, runs) = found.copied().unwrap_or((name, name, false));
    let state = view.state.facts.behavior.services.get(name);
    let state = state.map_or(if runs { "Running" } else { "Stopped" }, String::as_str);
    let disabled = state.eq_ignore_ascii_case("Disabled");
    let runs_now = state.eq_ignore_ascii_case("Running");
    let mode = match (disabled, runs) {
        (true, _) => "Disabled",
        (false, true) => "Auto",
        (false, false) => "Manual",
    };
    Instance::new("Win32_Service")
        .with("Name", name)
        .with("Caption", display)
        .with("DisplayName", display)
        .with("State", if runs_now { "Running" } else { "Stopped" })
        .with("Started", runs_now)
        .with("StartMode", mode)
        .with("Status", "OK")
        .with("SystemName", view.host_name())
}

fn room(view: HostView<'_>, number: usize) -> Option<VolumeRoom> {
    let volume = view.state.all_volumes().into_iter().nth(number)?;
    view.state.room_on(&volume).ok()
}
