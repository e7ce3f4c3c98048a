//! `InstanceID`s, as Hyper-V makes them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::Uuid;
use vm_config::DiskSlot;

use super::object::{Owner, SwitchEnd};
use crate::ComponentKind;
use crate::Vm;
use crate::guid::guid_text;
use crate::vm_disk::attachment;

/// Returns the id of a VM's or a checkpoint's settings (contract 1.2).
pub(crate) fn settings_id(owner: Owner) -> String {
    format!("Microsoft:{}", guid_text(owner.guid()))
}

/// Returns the id of a controller (contract 1.3).
pub(crate) fn controller_id(vm: &Vm, owner: Owner, slot: DiskSlot) -> String {
    let attachment = attachment(slot, &vm.scsi_controllers);
    let controller = attachment.rsplit_once('\\').map_or("", |(head, _)| head);
    format!("Microsoft:{}\\{controller}", guid_text(owner.guid()))
}

/// Returns the id of a drive (contract 1.3).
pub(crate) fn drive_id(vm: &Vm, owner: Owner, slot: DiskSlot) -> String {
    let attachment = attachment(slot, &vm.scsi_controllers);
    format!("Microsoft:{}\\{attachment}\\D", guid_text(owner.guid()))
}

/// Returns the id of the disk in a drive (contract 1.3).
pub(crate) fn media_id(vm: &Vm, owner: Owner, slot: DiskSlot) -> String {
    vm.disk_instance_id(owner.guid(), slot)
}

/// Returns the id of what holds back the merges of a disk: that of its drive without the last
/// part. What follows the GUID is not documented. Contract: 1.6 [M]
pub(crate) fn merge_settings_id(vm: &Vm, slot: DiskSlot) -> String {
    let attachment = attachment(slot, &vm.scsi_controllers);
    format!("Microsoft:{}\\{attachment}", guid_text(vm.id))
}

/// Returns the id of a network adapter. Contract: 1.4 [M]
pub(crate) fn adapter_id(owner: Owner, device: Uuid) -> String {
    format!(
        "Microsoft:{}\\{}",
        guid_text(owner.guid()),
        guid_text(device)
    )
}

/// Returns the id of a network adapter's connection. Contract: 1.4 [M]
pub(crate) fn connection_id(owner: Owner, device: Uuid) -> String {
    format!("{}\\C", adapter_id(owner, device))
}

/// The feature of switch ports that VLANs are: the GUID of its class.
const VLAN_FEATURE: &str = "952C5004-4465-451C-8CB8-FA9AB382B773";

/// Returns the id of the VLAN of a connection. Contract: 1.4 [M]
pub(crate) fn vlan_id(connection: &str) -> String {
    format!("{connection}\\{VLAN_FEATURE}")
}

/// Returns the id of the instance that describes the defaults of VLANs. Contract: 1.4 [M]
pub(crate) fn default_vlan_id() -> String {
    format!("Microsoft:Definition\\{VLAN_FEATURE}\\Default")
}

/// Returns the id of a port of a switch, and of its settings. Contract: 1.4 [M]
pub(crate) fn switch_port_id(switch: Uuid, end: SwitchEnd) -> String {
    let port = switch_port(switch, end);
    format!("Microsoft:{}\\{}", guid_text(switch), guid_text(port))
}

/// Returns the GUID of a port of a switch.
pub(crate) fn switch_port(switch: Uuid, end: SwitchEnd) -> Uuid {
    let bits = u64::try_from(switch.as_u128() & u128::from(u64::MAX)).unwrap_or_default();
    let number = match end {
        SwitchEnd::External => 1,
        SwitchEnd::Host => 2,
    };
    crate::guid::seeded_guid(bits, number)
}

/// Returns the id of the settings that describe a configuration version which VMs may have. Only
/// that those of capabilities begin with `Microsoft:Definition` is known. Contract: 4.1 [M]
pub(crate) fn version_settings_id(version: Option<&str>) -> String {
    match version {
        Some(version) => format!("Microsoft:Definition\\VirtualSystem\\Version\\{version}"),
        None => "Microsoft:Definition\\VirtualSystem\\Default".to_owned(),
    }
}

/// Returns the id of an owner's settings of a kind that it has one of. Contract: 1.3 [M]
pub(crate) fn device_id(owner: Owner, device: &str) -> String {
    format!("Microsoft:{}\\{device}", guid_text(owner.guid()))
}

/// Device of processors.
pub(crate) const PROCESSOR: &str = r"b637f346-6a0e-4dec-af52-bd70cb80a21d\0";
/// Device of memory.
pub(crate) const MEMORY: &str = "4764334d-e001-4176-82ee-5594ec9b530e";
/// Device of security settings.
pub(crate) const SECURITY: &str = "b85f40e6-b3cf-4d1c-b2ad-d4a3b6ed4d5b";

/// Returns `DeviceID` of an integration component: the GUID of its service. Contract: 1.5 [M]
pub(crate) fn component_id(vm: Uuid, kind: ComponentKind) -> String {
    let device = match kind {
        ComponentKind::Vss => "5CED1297-4598-4915-A5FC-AD21BB4D02A4",
        ComponentKind::Shutdown => "9F8233AC-BE49-4C79-8EE3-E7E1985B2077",
        ComponentKind::Heartbeat => "84EAAE65-2F2E-45F5-9BB5-0E857DC8EB47",
        ComponentKind::KeyValueExchange => "2A34B1C2-FD73-4043-8A5B-DD2159BC743F",
    };
    format!("Microsoft:{}\\{device}", guid_text(vm))
}

/// Returns the id of a reference point. Contract: 2.2 [M]
pub(crate) fn reference_point_id(id: Uuid) -> String {
    format!("Microsoft:{}", guid_text(id))
}

/// Returns the first GUID in a text.
pub(crate) fn first_guid(text: &str) -> Option<Uuid> {
    const GUID_CHARACTERS: usize = 36;
    let mut from = 0;
    while let Some(candidate) = text.get(from..) {
        let at = candidate.find(|character: char| character.is_ascii_hexdigit())?;
        let candidate = candidate.get(at..)?;
        if let Some(id) = candidate
            .get(..GUID_CHARACTERS)
            .and_then(|guid| Uuid::try_parse(guid).ok())
        {
            return Some(id);
        }
        // The next one begins behind this run of digits at the earliest.
        let run = candidate
            .find(|character: char| !character.is_ascii_hexdigit())
            .unwrap_or(candidate.len());
        from += at + run;
    }
    None
}

/// Writes a time as CIM does (DSP0004 section 5.2.4).
pub(crate) fn cim_time(time: Timestamp) -> String {
    let time = time.to_zoned(TimeZone::UTC);
    let micros = time.subsec_nanosecond() / 1000;
    format!("{}.{micros:06}-000", time.strftime("%Y%m%d%H%M%S"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_found_wherever_it_stands() {
        let id = Uuid::from_u128(0x143E_4B15_1E45_4D7B_B352_ECE5_4359_A778);
        let text = guid_text(id);
        for around in [
            text.clone(),
            format!("Microsoft:{text}"),
            format!("Microsoft:{text}\\83F8638B-8DCA-4152-9EDA-2CA8B33039B4\\0\\0\\L"),
            format!("abc {text}%"),
            format!("é-{text}"),
        ] {
            assert_eq!(first_guid(&around), Some(id), "{around}");
        }
        assert_eq!(first_guid("Microsoft:host"), None);
        assert_eq!(first_guid(""), None);
    }

    #[test]
    fn times_are_written_as_cim_does() {
        let time: Timestamp = "2026-11-21T04:22:00.5Z".parse().unwrap();
        assert_eq!(cim_time(time), "20261121042200.500000-000");
        let read = wmi::Instance::new("X").with("T", cim_time(time)).time("T");
        assert_eq!(read, Some(time));
    }
}
