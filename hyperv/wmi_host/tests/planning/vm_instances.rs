//! The instances of one VM, each property as a host gives it.

use uuid::Uuid;
use wmi::{CimType, EmbeddedInstance, Instance, VIRTUALIZATION};

const IDE: &str = "83F8638B-8DCA-4152-9EDA-2CA8B33039B4";
const SCSI: &str = "BA6163D9-04A1-4D29-B605-72E2FFB1DC7F";

/// The instances of one VM.
#[derive(Clone)]
pub(crate) struct VmInstances {
    pub(crate) id: Uuid,
    system: Instance,
    settings: Instance,
    others: Vec<Instance>,
}

impl VmInstances {
    /// Describes a running VM of version 9.0 without disks and without integration services.
    pub(crate) fn new(number: u128, name: &str) -> Self {
        let id = Uuid::from_u128(number);
        let guid = guid(id);
        Self {
            id,
            system: Instance::new("Msvm_ComputerSystem")
                .with("CreationClassName", "Msvm_ComputerSystem")
                // A German host says so in German.
                .with("Caption", "Virtueller Computer")
                .with("Name", guid.as_str())
                .with("ElementName", name)
                .with("EnabledState", 2_u16)
                .with("OperationalStatus", vec![2_u16]),
            settings: Instance::new("Msvm_VirtualSystemSettingData")
                .with("InstanceID", format!("Microsoft:{guid}"))
                .with("ElementName", name)
                .with("VirtualSystemIdentifier", guid.as_str())
                .with("VirtualSystemType", "Microsoft:Hyper-V:System:Realized")
                .with("VirtualSystemSubType", "Microsoft:Hyper-V:SubType:2")
                .with("Version", "9.0")
                .with("CreationTime", "20260101000000.000000-000")
                .with("UserSnapshotType", 3_u16),
            others: Vec::new(),
        }
    }

    pub(crate) fn identity(&self) -> String {
        self.id.to_string()
    }

    pub(crate) fn instances(&self) -> Vec<Instance> {
        let own = [self.system.clone(), self.settings.clone()];
        own.into_iter().chain(self.others.clone()).collect()
    }

    pub(crate) fn system(mut self, name: &str, value: impl Into<wmi::Value>) -> Self {
        self.system.set(name, value);
        self
    }

    pub(crate) fn setting(mut self, name: &str, value: impl Into<wmi::Value>) -> Self {
        self.settings.set(name, value);
        self
    }

    pub(crate) fn other(mut self, instance: Instance) -> Self {
        self.others.push(instance);
        self
    }

    /// Adds the backup service: `EnabledState` and `OperationalStatus[0]`.
    pub(crate) fn vss(self, enabled: u16, status: u16) -> Self {
        let component = Instance::new("Msvm_VssComponent")
            .with("SystemName", guid(self.id))
            .with("EnabledState", enabled)
            .with("OperationalStatus", vec![status]);
        self.other(component)
    }

    /// Adds what the guest says of itself.
    pub(crate) fn says(self, items: &[(&str, &str)]) -> Self {
        let texts = items.iter().map(|(name, data)| {
            EmbeddedInstance::new("Msvm_KvpExchangeDataItem")
                .with("Name", CimType::String, *name)
                .with("Data", CimType::String, *data)
                .to_xml()
        });
        let component = Instance::new("Msvm_KvpExchangeComponent")
            .with("SystemName", guid(self.id))
            .with("EnabledState", 2_u16)
            .with("OperationalStatus", vec![2_u16])
            .with("GuestIntrinsicExchangeItems", texts.collect::<Vec<_>>());
        self.other(component)
    }

    /// Makes it a Windows guest that takes part.
    pub(crate) fn windows(self) -> Self {
        self.vss(2, 2)
            .says(&[("OSName", "Windows Server 2022 Standard")])
    }

    /// Adds a disk on a controller of its own kind at `slot`.
    pub(crate) fn disk(self, kind: &str, slot: u32, path: &str) -> Self {
        let medium = Instance::new("Msvm_StorageAllocationSettingData")
            .with("ResourceType", 31_u16)
            .with("ResourceSubType", "Microsoft:Hyper-V:Virtual Hard Disk")
            .with("HostResource", vec![path]);
        self.medium(kind, slot, medium)
    }

    /// Adds a disk that other VMs have as well.
    pub(crate) fn shared_disk(self, slot: u32, path: &str) -> Self {
        let medium = Instance::new("Msvm_StorageAllocationSettingData")
            .with("ResourceType", 31_u16)
            .with("ResourceSubType", "Microsoft:Hyper-V:Virtual Hard Disk")
            .with("PersistentReservationsSupported", true)
            .with("HostResource", vec![path]);
        self.medium("scsi", slot, medium)
    }

    fn medium(mut self, kind: &str, slot: u32, medium: Instance) -> Self {
        let (controller, place) = self.controller(kind);
        let drive = format!("{place}\\{slot}\\D");
        let instance = Instance::new("Msvm_ResourceAllocationSettingData")
            .with("InstanceID", drive.as_str())
            .with("ResourceType", 17_u16)
            .with("ResourceSubType", "Microsoft:Hyper-V:Synthetic Disk Drive")
            .with("AddressOnParent", slot.to_string())
            .with("Parent", reference(&controller));
        let medium = medium
            .with("InstanceID", format!("{place}\\{slot}\\L"))
            .with("Parent", reference(&drive));
        self.others.extend([instance, medium]);
        self
    }

    /// Adds a physical disk of the host.
    pub(crate) fn pass_through(mut self, slot: u32) -> Self {
        let (controller, place) = self.controller("scsi");
        let disk = r#"\\HV1\root\virtualization\v2:Msvm_DiskDrive.CreationClassName="Msvm_DiskDrive",DeviceID="Microsoft:5E\\3",SystemName="HV1""#;
        let instance = Instance::new("Msvm_ResourceAllocationSettingData")
            .with("InstanceID", format!("{place}\\{slot}\\D"))
            .with("ResourceType", 17_u16)
            .with("ResourceSubType", "Microsoft:Hyper-V:Physical Disk Drive")
            .with("AddressOnParent", slot.to_string())
            .with("HostResource", vec![disk])
            .with("Parent", reference(&controller));
        self.others.push(instance);
        self
    }

    /// Adds a DVD drive with an image in it, which is no disk.
    pub(crate) fn dvd(mut self, slot: u32) -> Self {
        let (_, place) = self.controller("scsi");
        let instance = Instance::new("Msvm_StorageAllocationSettingData")
            .with("InstanceID", format!("{place}\\{slot}\\L"))
            .with("ResourceType", 31_u16)
            .with("ResourceSubType", "Microsoft:Hyper-V:Virtual CD/DVD Disk")
            .with("HostResource", vec![r"C:\ISO\setup.iso"]);
        self.others.push(instance);
        self
    }

    /// Returns the id of a controller, made where it is missing, and the start of ids on it.
    fn controller(&mut self, kind: &str) -> (String, String) {
        let (resource_type, device) = if kind == "ide" {
            (5_u16, IDE)
        } else {
            (6, SCSI)
        };
        let id = format!("Microsoft:{}\\{device}\\0", guid(self.id));
        let known = self
            .others
            .iter()
            .any(|instance| instance.text("InstanceID").as_ref() == Some(&id));
        if !known {
            let instance = Instance::new("Msvm_ResourceAllocationSettingData")
                .with("InstanceID", id.as_str())
                .with("ResourceType", resource_type)
                .with("Address", "0");
            self.others.push(instance);
        }
        (id.clone(), id)
    }

    /// Adds a checkpoint: `Realized` is a person's, `Recovery` a backup's.
    pub(crate) fn snapshot(self, number: u128, kind: &str, name: &str, created: &str) -> Self {
        let snapshot = Instance::new("Msvm_VirtualSystemSettingData")
            .with(
                "InstanceID",
                format!("Microsoft:{}", guid(Uuid::from_u128(number))),
            )
            .with("ElementName", name)
            .with("VirtualSystemIdentifier", guid(self.id))
            .with(
                "VirtualSystemType",
                format!("Microsoft:Hyper-V:Snapshot:{kind}"),
            )
            .with("CreationTime", created);
        self.other(snapshot)
    }

    /// Says which checkpoint the VM derives from.
    pub(crate) fn derives_from(self, number: u128) -> Self {
        let id = format!("Microsoft:{}", guid(Uuid::from_u128(number)));
        self.setting("Parent", settings_reference(&id))
    }

    /// Adds a reference point with a tracking id of the disk at a slot of the SCSI controller.
    pub(crate) fn reference_point(self, id: &str, slot: u32, tracking_id: &str) -> Self {
        let disk = format!("Microsoft:{}\\{SCSI}\\0\\{slot}\\L", guid(self.id));
        let point = Instance::new("Msvm_VirtualSystemReferencePoint")
            .with("InstanceID", id)
            .with("VirtualSystemIdentifier", guid(self.id))
            .with("VirtualDiskIdentifiers", vec![disk])
            .with("ResilientChangeTrackingIdentifiers", vec![tracking_id]);
        self.other(point)
    }

    /// Says how much memory it has.
    pub(crate) fn memory(self, mib: u64) -> Self {
        let id = format!("Microsoft:{}\\memory", guid(self.id));
        let memory = Instance::new("Msvm_MemorySettingData")
            .with("InstanceID", id)
            .with("ResourceType", 4_u16)
            .with("VirtualQuantity", mib);
        self.other(memory)
    }

    /// Adds the security settings.
    pub(crate) fn security(self, tpm: bool, shielded: bool) -> Self {
        let security = Instance::new("Msvm_SecuritySettingData")
            .with(
                "InstanceID",
                format!("Microsoft:{}\\security", guid(self.id)),
            )
            .with("TpmEnabled", tpm)
            .with("ShieldingRequested", shielded);
        self.other(security)
    }
}

fn guid(id: Uuid) -> String {
    id.to_string().to_uppercase()
}

fn reference(id: &str) -> String {
    let path = wmi::ObjectPath::new(VIRTUALIZATION, "Msvm_ResourceAllocationSettingData");
    path.with_key("InstanceID", id).on_host("HV1").to_string()
}

fn settings_reference(id: &str) -> String {
    let path = wmi::ObjectPath::new(VIRTUALIZATION, "Msvm_VirtualSystemSettingData");
    path.with_key("InstanceID", id).on_host("HV1").to_string()
}
