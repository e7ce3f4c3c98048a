//! What has a place in the host's WMI: every instance is one of these, projected.

use uuid::Uuid;
use vm_config::DiskSlot;

use crate::ComponentKind;

/// Whose settings: a VM's own, or those of one of its checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The VM.
    pub(crate) vm: Uuid,
    /// Its checkpoint.
    pub(crate) snapshot: Option<Uuid>,
}

impl Owner {
    /// Returns the GUID that stands in the `InstanceID`s of the settings. That those of a
    /// checkpoint begin with the checkpoint's own is a guess. Contract: 1.3 [M]
    pub(crate) fn guid(self) -> Uuid {
        self.snapshot.unwrap_or(self.vm)
    }
}

/// What a port of a switch leads to, where that is not a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SwitchEnd {
    /// A physical adapter.
    External,
    /// The host itself.
    Host,
}

/// Something that has a place in the host's WMI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Object {
    /// `Msvm_ComputerSystem` of the host.
    Host,
    /// `Msvm_ComputerSystem` of a VM.
    Vm(Uuid),
    /// `Msvm_PlannedComputerSystem`
    PlannedVm(Uuid),
    /// `Msvm_VirtualSystemSettingData`
    Settings(Owner),
    /// `Msvm_ResourceAllocationSettingData` of a controller; the slot is its first.
    Controller(Owner, DiskSlot),
    /// `Msvm_ResourceAllocationSettingData` of a disk drive.
    Drive(Owner, DiskSlot),
    /// `Msvm_StorageAllocationSettingData` of the disk in a drive.
    Media(Owner, DiskSlot),
    /// The DVD drive that VMs of generation 1 have.
    DvdDrive(Owner, DiskSlot),
    /// The image in it.
    DvdMedia(Owner, DiskSlot),
    /// `Msvm_SyntheticEthernetPortSettingData`, by number.
    Adapter(Owner, usize),
    /// `Msvm_EthernetPortAllocationSettingData`, by number.
    Connection(Owner, usize),
    /// `Msvm_ProcessorSettingData`
    Processor(Owner),
    /// `Msvm_MemorySettingData`
    Memory(Owner),
    /// `Msvm_SecuritySettingData`
    Security(Owner),
    /// `Msvm_DiskMergeSettingData`
    MergeSettings(Uuid, DiskSlot),
    /// `Msvm_VirtualSystemExportSettingData`: the template.
    ExportSettings(Uuid),
    /// An integration component of a VM.
    Component(Uuid, ComponentKind),
    /// The settings of one of them.
    ComponentSettings(Uuid, ComponentKind),
    /// `Msvm_VirtualSystemReferencePoint`: VM and its own GUID.
    ReferencePoint(Uuid, Uuid),
    /// `Msvm_ReplicationRelationship` of a VM that is replicated.
    Replication(Uuid),
    /// `Msvm_ConcreteJob`
    Job(Uuid),
    /// One of Hyper-V's services, by class.
    Service(&'static str),
    /// `Msvm_VirtualSystemManagementServiceSettingData`
    ServiceSettings,
    /// `Msvm_MountedStorageImage`
    MountedImage(Uuid),
    /// `Msvm_EthernetSwitchPortVlanSettingData` of an adapter's connection, by number.
    PortVlan(Owner, usize),
    /// `Msvm_VirtualEthernetSwitch`
    Switch(Uuid),
    /// `Msvm_VirtualEthernetSwitchSettingData`
    SwitchSettings(Uuid),
    /// `Msvm_EthernetSwitchPort` of a switch: one that is not a VM's.
    SwitchPort(Uuid, SwitchEnd),
    /// `Msvm_EthernetPortAllocationSettingData` of such a port.
    SwitchPortSettings(Uuid, SwitchEnd),
    /// `Msvm_EthernetSwitchPortVlanSettingData` of the host's own port.
    HostPortVlan(Uuid),
    /// `Msvm_EthernetSwitchPortVlanSettingData` that describes the defaults.
    DefaultVlan,
    /// `Msvm_ExternalEthernetPort`: a physical adapter.
    ExternalPort(Uuid),
    /// `Msvm_InternalEthernetPort`: the host's adapter at a switch.
    InternalPort(Uuid),
    /// `Msvm_VirtualSystemManagementCapabilities`
    Capabilities,
    /// `Msvm_VirtualSystemSettingData` that describes a configuration version which VMs may have,
    /// by number; the last one describes the default.
    VersionSettings(usize),
    /// `Win32_Processor`
    HostProcessor,
    /// `Win32_OperatingSystem`
    OperatingSystem,
    /// `Win32_ComputerSystem`
    Computer,
    /// `Win32_Volume`, by number.
    Volume(usize),
    /// `Win32_ShadowStorage` of a volume, by the volume's number.
    ShadowStorage(usize),
    /// `Win32_LogicalDisk`, by number.
    LogicalDisk(usize),
    /// `Win32_Service`, by name.
    WindowsService(&'static str),
    /// `MSCluster_Cluster`
    Cluster,
    /// `MSCluster_Node`, by number.
    ClusterNode(usize),
    /// `MSCluster_ResourceGroup` of a VM.
    ClusterGroup(Uuid),
    /// `MSCluster_Resource` of a VM.
    ClusterResource(Uuid),
    /// `MSCluster_Resource` of a VM's configuration.
    ClusterConfiguration(Uuid),
    /// `MSCluster_ClusterSharedVolume`, by number.
    SharedVolume(usize),
    /// `MSCluster_Resource` of the disk of a shared volume, by the volume's number.
    SharedVolumeDisk(usize),
    /// `MSCluster_ClusterSharedVolumeToResource`, by the volume's number.
    SharedVolumeLink(usize),
}

/// Hyper-V's services that the simulated host has.
pub(crate) const SERVICES: [&str; 6] = [
    "Msvm_VirtualSystemManagementService",
    "Msvm_VirtualSystemSnapshotService",
    "Msvm_VirtualSystemReferencePointService",
    "Msvm_ImageManagementService",
    "Msvm_ReplicationService",
    SWITCH_SERVICE,
];

/// The service that makes and removes virtual switches.
pub(crate) const SWITCH_SERVICE: &str = "Msvm_VirtualEthernetSwitchManagementService";

/// The integration components of every VM.
pub(crate) const COMPONENTS: [ComponentKind; 4] = [
    ComponentKind::Vss,
    ComponentKind::Shutdown,
    ComponentKind::Heartbeat,
    ComponentKind::KeyValueExchange,
];

/// Returns the class of a component.
pub(crate) fn component_class(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Vss => "Msvm_VssComponent",
        ComponentKind::Shutdown => "Msvm_ShutdownComponent",
        ComponentKind::Heartbeat => "Msvm_HeartbeatComponent",
        ComponentKind::KeyValueExchange => "Msvm_KvpExchangeComponent",
    }
}

/// Returns the class of a component's settings.
pub(crate) fn component_settings_class(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Vss => "Msvm_VssComponentSettingData",
        ComponentKind::Shutdown => "Msvm_ShutdownComponentSettingData",
        ComponentKind::Heartbeat => "Msvm_HeartbeatComponentSettingData",
        ComponentKind::KeyValueExchange => "Msvm_KvpExchangeComponentSettingData",
    }
}

impl Object {
    /// Returns the class of its instance.
    pub(crate) fn class(&self) -> &'static str {
        match self {
            Self::Host | Self::Vm(_) => "Msvm_ComputerSystem",
            Self::PlannedVm(_) => "Msvm_PlannedComputerSystem",
            Self::Settings(_) | Self::VersionSettings(_) => "Msvm_VirtualSystemSettingData",
            Self::Controller(..) | Self::Drive(..) | Self::DvdDrive(..) => {
                "Msvm_ResourceAllocationSettingData"
            }
            Self::Media(..) | Self::DvdMedia(..) => "Msvm_StorageAllocationSettingData",
            Self::Adapter(..) => "Msvm_SyntheticEthernetPortSettingData",
            Self::Connection(..) | Self::SwitchPortSettings(..) => {
                "Msvm_EthernetPortAllocationSettingData"
            }
            Self::PortVlan(..) | Self::HostPortVlan(_) | Self::DefaultVlan => {
                "Msvm_EthernetSwitchPortVlanSettingData"
            }
            Self::SwitchSettings(_) => "Msvm_VirtualEthernetSwitchSettingData",
            Self::SwitchPort(..) => "Msvm_EthernetSwitchPort",
            Self::ExternalPort(_) => "Msvm_ExternalEthernetPort",
            Self::InternalPort(_) => "Msvm_InternalEthernetPort",
            Self::Capabilities => "Msvm_VirtualSystemManagementCapabilities",
            Self::HostProcessor => "Win32_Processor",
            Self::Processor(_) => "Msvm_ProcessorSettingData",
            Self::Memory(_) => "Msvm_MemorySettingData",
            Self::Security(_) => "Msvm_SecuritySettingData",
            Self::MergeSettings(..) => "Msvm_DiskMergeSettingData",
            Self::ExportSettings(_) => "Msvm_VirtualSystemExportSettingData",
            Self::Component(_, kind) => component_class(*kind),
            Self::ComponentSettings(_, kind) => component_settings_class(*kind),
            Self::ReferencePoint(..) => "Msvm_VirtualSystemReferencePoint",
            Self::Replication(_) => "Msvm_ReplicationRelationship",
            Self::Job(..) => "Msvm_ConcreteJob",
            Self::Service(class) => class,
            Self::ServiceSettings => "Msvm_VirtualSystemManagementServiceSettingData",
            Self::MountedImage(_) => "Msvm_MountedStorageImage",
            Self::Switch(_) => "Msvm_VirtualEthernetSwitch",
            Self::OperatingSystem => "Win32_OperatingSystem",
            Self::Computer => "Win32_ComputerSystem",
            Self::Volume(_) => "Win32_Volume",
            Self::ShadowStorage(_) => "Win32_ShadowStorage",
            Self::LogicalDisk(_) => "Win32_LogicalDisk",
            Self::WindowsService(_) => "Win32_Service",
            Self::Cluster => "MSCluster_Cluster",
            Self::ClusterNode(_) => "MSCluster_Node",
            Self::ClusterGroup(_) => "MSCluster_ResourceGroup",
            Self::ClusterResource(_)
            | Self::ClusterConfiguration(_)
            | Self::SharedVolumeDisk(_) => "MSCluster_Resource",
            Self::SharedVolume(_) => "MSCluster_ClusterSharedVolume",
            Self::SharedVolumeLink(_) => "MSCluster_ClusterSharedVolumeToResource",
        }
    }
}
