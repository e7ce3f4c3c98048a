//! The classes that a host has: names, ancestors, keys, properties, and since when.
//!
//! A property or a class is marked `@2019` where Windows Server 2019 is the first to have it; see
//! Appendix A of the contract. What a host does not have cannot be asked for: selecting such a
//! property is a bad query, selecting from such a class finds no class.

use std::collections::HashMap;
use std::sync::LazyLock;

use wmi::{CIMV2, CLUSTER, Instance, VIRTUALIZATION, Value};

use crate::Profile;

/// A class of a namespace.
#[derive(Debug)]
pub(crate) struct Class {
    /// Its name, as WMI writes it.
    pub(crate) name: &'static str,
    /// The namespace that has it.
    pub(crate) namespace: &'static str,
    /// The first version of Windows Server that has it.
    since: Profile,
    /// Its ancestors that are asked for by name.
    ancestors: Vec<&'static str>,
    /// Its properties, each with the first version that has it.
    properties: Vec<(&'static str, Profile)>,
}

impl Class {
    /// Returns whether an instance of this class is one of `wanted`.
    pub(crate) fn is_a(&self, wanted: &str) -> bool {
        self.name.eq_ignore_ascii_case(wanted)
            || self
                .ancestors
                .iter()
                .any(|own| own.eq_ignore_ascii_case(wanted))
    }

    /// Returns whether a host of this profile has the class.
    pub(crate) fn exists_on(&self, profile: Profile) -> bool {
        profile >= self.since
    }

    /// Returns whether the class has a property on a host of this profile.
    pub(crate) fn has(&self, property: &str, profile: Profile) -> bool {
        // Dots lead into embedded instances, whose class is not looked up.
        let first = property.split('.').next().unwrap_or(property);
        property.starts_with("__")
            || first.eq_ignore_ascii_case(self.name)
            || self
                .properties
                .iter()
                .any(|(own, since)| own.eq_ignore_ascii_case(first) && profile >= *since)
    }

    /// Makes what a host of this profile hands out of a projected instance: every property that
    /// the class has there, or those asked for, with null for what has no value.
    pub(crate) fn shape(
        &self,
        projected: &Instance,
        columns: &[String],
        profile: Profile,
    ) -> Instance {
        let mut shaped = Instance::new(self.name);
        shaped.path.clone_from(&projected.path);
        for (name, since) in &self.properties {
            let asked =
                columns.is_empty() || columns.iter().any(|own| own.eq_ignore_ascii_case(name));
            if asked && profile >= *since {
                shaped.set(name, projected.value(name).clone());
            }
        }
        for column in columns.iter().filter(|column| column.starts_with("__")) {
            shaped.set(column, super::wql::lookup(projected, column).into_owned());
        }
        shaped
    }

    /// Returns whether all that is set in an embedded instance exists on a host of this profile.
    pub(crate) fn knows_all_of(&self, embedded: &Instance, profile: Profile) -> bool {
        embedded
            .properties()
            .filter(|(_, value)| **value != Value::Null)
            .all(|(name, _)| self.has(name, profile))
    }
}

/// Returns a class by its name, without regard to case.
pub(crate) fn class(name: &str) -> Option<&'static Class> {
    BY_NAME.get(name.to_ascii_lowercase().as_str()).copied()
}

/// Returns the classes of a namespace whose instances are instances of `wanted`.
pub(crate) fn classes_of(namespace: &str, wanted: &str) -> Vec<&'static Class> {
    CLASSES
        .iter()
        .filter(|class| class.namespace.eq_ignore_ascii_case(namespace) && class.is_a(wanted))
        .collect()
}

static CLASSES: LazyLock<Vec<Class>> = LazyLock::new(|| {
    let groups = [
        (VIRTUALIZATION, HYPERV),
        (CIMV2, WINDOWS),
        (CLUSTER, FAILOVER_CLUSTER),
    ];
    let read = |(namespace, text): (&'static str, &'static str)| {
        text.split("\n\n")
            .filter_map(move |block| read_class(namespace, block))
    };
    groups.into_iter().flat_map(read).collect()
});

static BY_NAME: LazyLock<HashMap<String, &'static Class>> = LazyLock::new(|| {
    CLASSES
        .iter()
        .map(|class| (class.name.to_ascii_lowercase(), class))
        .collect()
});

/// Reads `Name@since < Ancestor Ancestor : Property Property@since …`.
fn read_class(namespace: &'static str, block: &'static str) -> Option<Class> {
    let (head, properties) = block.split_once(':')?;
    let (name, ancestors) = head.split_once('<').unwrap_or((head, ""));
    let (name, since) = marked(name.trim());
    Some(Class {
        name,
        namespace,
        since,
        ancestors: ancestors.split_whitespace().collect(),
        properties: properties.split_whitespace().map(marked).collect(),
    })
}

/// Splits `Name@2019`.
fn marked(text: &'static str) -> (&'static str, Profile) {
    match text.split_once('@') {
        Some((name, since)) => (name, since.parse().unwrap_or(Profile::Server2025)),
        None => (text, Profile::Server2008R2),
    }
}

const HYPERV: &str = "\
Msvm_ComputerSystem < CIM_ComputerSystem CIM_System CIM_ManagedElement :
InstanceID Caption Description ElementName InstallDate OperationalStatus StatusDescriptions Status
HealthState CommunicationStatus DetailedStatus OperatingStatus PrimaryStatus EnabledState
OtherEnabledState RequestedState EnabledDefault TimeOfLastStateChange AvailableRequestedStates
TransitioningToState CreationClassName Name PrimaryOwnerName PrimaryOwnerContact Roles NameFormat
OtherIdentifyingInfo IdentifyingDescriptions Dedicated OtherDedicatedDescriptions ResetCapability
PowerManagementCapabilities OnTimeInMilliseconds ProcessID TimeOfLastConfigurationChange
NumberOfNumaNodes ReplicationState ReplicationHealth ReplicationMode FailedOverReplicationType
LastReplicationType LastApplicationConsistentReplicationTime LastReplicationTime
LastSuccessfulBackupTime EnhancedSessionModeState HwThreadsPerCoreRealized@2019

Msvm_VirtualSystemSettingData < CIM_VirtualSystemSettingData CIM_SettingData CIM_ManagedElement :
InstanceID Caption Description ElementName VirtualSystemIdentifier VirtualSystemType Notes
CreationTime ConfigurationID ConfigurationDataRoot ConfigurationFile SnapshotDataRoot
SuspendDataRoot SwapFileDataRoot LogDataRoot AutomaticStartupAction AutomaticStartupActionDelay
AutomaticStartupActionSequenceNumber AutomaticShutdownAction AutomaticRecoveryAction RecoveryFile
BIOSGUID BIOSSerialNumber BaseBoardSerialNumber ChassisSerialNumber Architecture ChassisAssetTag
BIOSNumLock BootOrder Parent UserSnapshotType IsSaved AdditionalRecoveryInformation
AllowFullSCSICommandSet DebugChannelId DebugPortEnabled DebugPort Version IncrementalBackupEnabled
VirtualNumaEnabled AllowReducedFcRedundancy VirtualSystemSubType BootSourceOrder
PauseAfterBootFailure NetworkBootPreferredProtocol GuestControlledCacheTypes
AutomaticSnapshotsEnabled@2019 IsAutomaticSnapshot@2019 GuestStateFile@2019
GuestStateDataRoot@2019 LockOnDisconnect@2016 ParentPackage@2016
AutomaticCriticalErrorActionTimeout@2016 AutomaticCriticalErrorAction@2016 ConsoleMode@2016
SecureBootEnabled SecureBootTemplateId@2016 LowMmioGapSize HighMmioGapSize
EnhancedSessionTransportType@2019 EnableHibernation@2019 HighMmioGapBase@2019
TurnOffOnGuestRestart@2019 GuestStateIsolationEnabled@2025 GuestStateIsolationType@2025
GuestFeatureSet@2025 FirmwareFile@2025 WatchdogEnabled@2025

Msvm_PlannedComputerSystem@2012 < CIM_ComputerSystem CIM_System CIM_ManagedElement :
InstanceID Caption Description ElementName InstallDate OperationalStatus StatusDescriptions Status
HealthState CommunicationStatus DetailedStatus OperatingStatus PrimaryStatus EnabledState
OtherEnabledState RequestedState EnabledDefault TimeOfLastStateChange AvailableRequestedStates
TransitioningToState CreationClassName Name NameFormat PrimaryOwnerName PrimaryOwnerContact Roles
OnTimeInMilliseconds ProcessID TimeOfLastConfigurationChange

Msvm_VirtualSystemManagementCapabilities < CIM_VirtualSystemManagementCapabilities
CIM_EnabledLogicalElementCapabilities CIM_Capabilities CIM_ManagedElement :
InstanceID Caption Description ElementName ElementNameEditSupported MaxElementNameLen
RequestedStatesSupported ElementNameMask VirtualSystemTypesSupported SynchronousMethodsSupported
AsynchronousMethodsSupported IndicationsSupported

Msvm_VirtualSystemSnapshotSettingData@2016 < CIM_SettingData :
InstanceID Caption Description ElementName ConsistencyLevel IgnoreNonSnapshottableDisks
GuestBackupType@2019

Msvm_VirtualSystemReferencePoint@2016 < CIM_ManagedElement :
InstanceID Caption Description ElementName ReferencePointType ConsistencyLevel
VirtualSystemIdentifier HasAssociatedData VirtualDiskIdentifiers ResilientChangeTrackingIdentifiers

Msvm_VirtualSystemReferencePointSettingData@2016 < CIM_SettingData :
InstanceID Caption Description ElementName ConsistencyLevel

Msvm_VirtualSystemExportSettingData < CIM_SettingData :
InstanceID Caption Description ElementName CopySnapshotConfiguration CopyVmRuntimeInformation
CopyVmStorage CreateVmExportSubdirectory SnapshotVirtualSystem CaptureLiveState@2016
BackupIntent@2016 DifferentialBackupBase@2016 ExportForLiveMigration@2019
DisableDifferentialOfIgnoredStorage@2019 ExcludedVirtualHardDisks@2019
GuestDebugStateFilePath@2025

Msvm_StorageAllocationSettingData < CIM_StorageAllocationSettingData
CIM_ResourceAllocationSettingData CIM_SettingData CIM_ManagedElement :
InstanceID Caption Description ElementName ResourceType OtherResourceType ResourceSubType PoolID
ConsumerVisibility HostResource AllocationUnits VirtualQuantity Limit Weight
StorageQoSPolicyID@2016 AutomaticAllocation AutomaticDeallocation Parent Connection Address
MappingBehavior AddressOnParent VirtualResourceBlockSize VirtualQuantityUnits Access
HostResourceBlockSize Reservation HostExtentStartingAddress HostExtentName HostExtentNameFormat
IOPSLimit IOPSReservation IOPSAllocationUnits PersistentReservationsSupported CachingMode
SnapshotId@2016 IgnoreFlushes@2016 WriteHardeningMethod@2019

Msvm_ResourceAllocationSettingData < CIM_ResourceAllocationSettingData CIM_SettingData
CIM_ManagedElement :
InstanceID Caption Description ElementName ResourceType OtherResourceType ResourceSubType PoolID
ConsumerVisibility HostResource AllocationUnits VirtualQuantity Reservation Limit Weight
AutomaticAllocation AutomaticDeallocation Parent Connection Address MappingBehavior
AddressOnParent VirtualQuantityUnits VirtualSystemIdentifiers TargetVtl@2025

Msvm_SyntheticEthernetPortSettingData < CIM_EthernetPortAllocationSettingData
CIM_ResourceAllocationSettingData CIM_SettingData CIM_ManagedElement :
InstanceID Caption Description ElementName ResourceType OtherResourceType ResourceSubType PoolID
ConsumerVisibility HostResource AllocationUnits VirtualQuantity Reservation Limit Weight
AutomaticAllocation AutomaticDeallocation Parent Connection Address MappingBehavior
AddressOnParent VirtualQuantityUnits DesiredVLANEndpointMode VirtualSystemIdentifiers
DeviceNamingEnabled@2016 StaticMacAddress ClusterMonitored InterruptModeration@2019 MediaType@2019

Msvm_EthernetPortAllocationSettingData < CIM_EthernetPortAllocationSettingData
CIM_ResourceAllocationSettingData CIM_SettingData CIM_ManagedElement :
InstanceID Caption Description ElementName ResourceType OtherResourceType ResourceSubType PoolID
ConsumerVisibility HostResource AllocationUnits VirtualQuantity Reservation Limit Weight
AutomaticAllocation AutomaticDeallocation Parent Connection Address MappingBehavior
AddressOnParent VirtualQuantityUnits DesiredVLANEndpointMode EnabledState LastKnownSwitchName
RequiredFeatures RequiredFeatureHints TestReplicaPoolID TestReplicaSwitchName
CompartmentGuid@2016 PortName@2025

Msvm_ProcessorSettingData < CIM_ResourceAllocationSettingData CIM_SettingData CIM_ManagedElement :
InstanceID Caption Description ElementName ResourceType ResourceSubType PoolID AllocationUnits
VirtualQuantity Reservation Limit Weight VirtualQuantityUnits LimitProcessorFeatures
ExposeVirtualizationExtensions@2016 HwThreadsPerCore@2019

Msvm_MemorySettingData < CIM_ResourceAllocationSettingData CIM_SettingData CIM_ManagedElement :
InstanceID Caption Description ElementName ResourceType ResourceSubType PoolID AllocationUnits
VirtualQuantity Reservation Limit Weight VirtualQuantityUnits DynamicMemoryEnabled
TargetMemoryBuffer SwapFilesInUse

Msvm_SecuritySettingData@2016 < CIM_SettingData CIM_ManagedElement :
InstanceID Caption Description ElementName TpmEnabled KsdEnabled ShieldingRequested
EncryptStateAndVmMigrationTraffic DataProtectionRequested VirtualizationBasedSecurityOptOut
BindToHostTpm@2019

Msvm_ReplicationRelationship@2012R2 < CIM_ManagedSystemElement CIM_ManagedElement :
InstanceID Caption Description ElementName InstallDate Name OperationalStatus StatusDescriptions
Status HealthState ReplicationState ReplicationHealth FailedOverReplicationType LastReplicationType
LastApplicationConsistentReplicationTime LastReplicationTime LastApplyTime

Msvm_ReplicationService@2012 < CIM_Service CIM_ManagedElement :
InstanceID Caption Description ElementName SystemCreationClassName SystemName CreationClassName
Name Started EnabledState HealthState OperationalStatus

Msvm_DiskMergeSettingData < CIM_SettingData CIM_ManagedElement :
InstanceID Caption Description ElementName EnabledState

Msvm_VirtualHardDiskSettingData < CIM_SettingData CIM_ManagedElement :
InstanceID Caption Description ElementName Type Format Path ParentPath ParentTimestamp
ParentIdentifier MaxInternalSize BlockSize LogicalSectorSize PhysicalSectorSize VirtualDiskId
DataAlignment@2019 PmemAddressAbstractionType@2019 IsPmemCompatible@2019

Msvm_VirtualHardDiskState :
FileSize InUse MinInternalSize PhysicalSectorSize Alignment FragmentationPercentage Timestamp

Msvm_VssComponent < CIM_LogicalDevice CIM_ManagedElement :
InstanceID Caption Description ElementName InstallDate Name OperationalStatus StatusDescriptions
Status HealthState EnabledState RequestedState EnabledDefault TimeOfLastStateChange
SystemCreationClassName SystemName CreationClassName DeviceID ErrorDescription

Msvm_ShutdownComponent < CIM_LogicalDevice CIM_ManagedElement :
InstanceID Caption Description ElementName InstallDate Name OperationalStatus StatusDescriptions
Status HealthState EnabledState RequestedState EnabledDefault TimeOfLastStateChange
SystemCreationClassName SystemName CreationClassName DeviceID ErrorDescription

Msvm_HeartbeatComponent < CIM_LogicalDevice CIM_ManagedElement :
InstanceID Caption Description ElementName InstallDate Name OperationalStatus StatusDescriptions
Status HealthState EnabledState RequestedState EnabledDefault TimeOfLastStateChange
SystemCreationClassName SystemName CreationClassName DeviceID ErrorDescription

Msvm_KvpExchangeComponent < CIM_LogicalDevice CIM_ManagedElement :
InstanceID Caption Description ElementName InstallDate Name OperationalStatus StatusDescriptions
Status HealthState EnabledState RequestedState EnabledDefault TimeOfLastStateChange
SystemCreationClassName SystemName CreationClassName DeviceID ErrorDescription
GuestExchangeItems GuestIntrinsicExchangeItems

Msvm_VssComponentSettingData < CIM_ResourceAllocationSettingData CIM_SettingData CIM_ManagedElement :
InstanceID Caption Description ElementName ResourceType OtherResourceType ResourceSubType EnabledState

Msvm_KvpExchangeComponentSettingData < CIM_ResourceAllocationSettingData CIM_SettingData
CIM_ManagedElement :
InstanceID Caption Description ElementName ResourceType OtherResourceType ResourceSubType EnabledState

Msvm_ShutdownComponentSettingData < CIM_ResourceAllocationSettingData CIM_SettingData
CIM_ManagedElement :
InstanceID Caption Description ElementName ResourceType OtherResourceType ResourceSubType EnabledState

Msvm_HeartbeatComponentSettingData < CIM_ResourceAllocationSettingData CIM_SettingData
CIM_ManagedElement :
InstanceID Caption Description ElementName ResourceType OtherResourceType ResourceSubType EnabledState

Msvm_ConcreteJob < CIM_ConcreteJob CIM_Job CIM_ManagedElement :
InstanceID Caption Description ElementName InstallDate Name OperationalStatus StatusDescriptions
Status HealthState JobStatus TimeSubmitted ScheduledStartTime StartTime ElapsedTime JobRunTimes
LocalOrUtcTime Notify Owner Priority PercentComplete DeleteOnCompletion ErrorCode ErrorDescription
ErrorSummaryDescription RecoveryAction JobState TimeOfLastStateChange TimeBeforeRemoval
Cancellable JobType

Msvm_VirtualEthernetSwitch < CIM_ComputerSystem CIM_System CIM_ManagedElement :
InstanceID Caption Description ElementName InstallDate OperationalStatus StatusDescriptions Status
HealthState EnabledState RequestedState EnabledDefault CreationClassName Name

Msvm_VirtualEthernetSwitchSettingData < CIM_VirtualEthernetSwitchSettingData
CIM_VirtualSystemSettingData CIM_SettingData CIM_ManagedElement :
InstanceID Caption Description ElementName VirtualSystemIdentifier VirtualSystemType Notes
CreationTime ConfigurationID VLANConnection AssociatedResourcePool MaxNumMACAddress IOVPreferred
ExtensionOrder BandwidthReservationMode TeamingEnabled@2016 PacketDirectEnabled@2016

Msvm_EthernetSwitchPort < CIM_EthernetPort CIM_NetworkPort CIM_LogicalPort CIM_LogicalDevice
CIM_ManagedElement :
InstanceID Caption Description ElementName Name SystemCreationClassName SystemName
CreationClassName DeviceID EnabledState HealthState OperationalStatus

Msvm_ExternalEthernetPort < CIM_EthernetPort CIM_NetworkPort CIM_LogicalPort CIM_LogicalDevice
CIM_ManagedElement :
InstanceID Caption Description ElementName Name SystemCreationClassName SystemName
CreationClassName DeviceID EnabledState HealthState OperationalStatus PermanentAddress
NetworkAddresses IsBound Speed

Msvm_InternalEthernetPort < CIM_EthernetPort CIM_NetworkPort CIM_LogicalPort CIM_LogicalDevice
CIM_ManagedElement :
InstanceID Caption Description ElementName Name SystemCreationClassName SystemName
CreationClassName DeviceID EnabledState HealthState OperationalStatus PermanentAddress
NetworkAddresses

Msvm_EthernetSwitchPortVlanSettingData < Msvm_EthernetSwitchPortFeatureSettingData
Msvm_FeatureSettingData CIM_SettingData CIM_ManagedElement :
InstanceID Caption Description ElementName OperationMode AccessVlanId NativeVlanId PvlanMode
PrimaryVlanId SecondaryVlanId PruneVlanIdArray TrunkVlanIdArray SecondaryVlanIdArray

Msvm_MountedStorageImage < CIM_LogicalElement CIM_ManagedElement :
InstanceID Caption Description ElementName InstallDate Name OperationalStatus StatusDescriptions
Status HealthState Type Access PortNumber PathId TargetId Lun PnpDevicePath

Msvm_VirtualSystemSnapshotService < CIM_VirtualSystemSnapshotService CIM_Service
CIM_ManagedElement :
InstanceID Caption Description ElementName SystemCreationClassName SystemName CreationClassName
Name Started EnabledState HealthState OperationalStatus

Msvm_VirtualSystemReferencePointService@2016 < CIM_Service CIM_ManagedElement :
InstanceID Caption Description ElementName SystemCreationClassName SystemName CreationClassName
Name Started EnabledState HealthState OperationalStatus

Msvm_VirtualSystemManagementService < CIM_VirtualSystemManagementService CIM_Service
CIM_ManagedElement :
InstanceID Caption Description ElementName SystemCreationClassName SystemName CreationClassName
Name Started EnabledState HealthState OperationalStatus

Msvm_VirtualEthernetSwitchManagementService < CIM_VirtualSystemManagementService CIM_Service
CIM_ManagedElement :
InstanceID Caption Description ElementName SystemCreationClassName SystemName CreationClassName
Name Started EnabledState HealthState OperationalStatus

Msvm_ImageManagementService < CIM_Service CIM_ManagedElement :
InstanceID Caption Description ElementName SystemCreationClassName SystemName CreationClassName
Name Started EnabledState HealthState OperationalStatus

Msvm_VirtualSystemManagementServiceSettingData < CIM_SettingData CIM_ManagedElement :
InstanceID Caption Description ElementName BiosLockString DefaultExternalDataRoot
DefaultVirtualHardDiskPath MaximumMacAddress MinimumMacAddress NumaSpanningEnabled
PrimaryOwnerContact PrimaryOwnerName HbaLunTimeout EnhancedSessionModeEnabled
HypervisorRootSchedulerEnabled@2019 HypervisorSnpStatus@2025 HypervisorTdxStatus@2025

Msvm_SettingsDefineState < CIM_SettingsDefineState CIM_ElementSettingData :
ManagedElement SettingData

Msvm_ElementSettingData < CIM_ElementSettingData :
ManagedElement SettingData IsDefault IsCurrent

Msvm_SnapshotOfVirtualSystem < CIM_SnapshotOfVirtualSystem CIM_Dependency :
Antecedent Dependent

Msvm_MostCurrentSnapshotInBranch < CIM_MostCurrentSnapshotInBranch CIM_Dependency :
Antecedent Dependent

Msvm_LastAppliedSnapshot < CIM_LastAppliedSnapshot CIM_Dependency :
Antecedent Dependent

Msvm_VirtualSystemSettingDataComponent < CIM_VirtualSystemSettingDataComponent CIM_Component :
GroupComponent PartComponent

Msvm_EthernetPortSettingDataComponent < CIM_Component :
GroupComponent PartComponent

Msvm_SettingsDefineCapabilities < CIM_SettingsDefineCapabilities CIM_Component :
GroupComponent PartComponent PropertyPolicy ValueRole ValueRange

Msvm_ReferencePointOfVirtualSystem@2016 < CIM_Dependency :
Antecedent Dependent

Msvm_SystemExportSettingData < CIM_ElementSettingData :
ManagedElement SettingData

Msvm_SystemDevice < CIM_SystemDevice CIM_Component :
GroupComponent PartComponent

Msvm_AffectedJobElement < CIM_AffectedJobElement :
AffectedElement AffectingElement ElementEffects OtherElementEffectsDescriptions
";

const WINDOWS: &str = "\
Win32_OperatingSystem < CIM_OperatingSystem CIM_LogicalElement :
Name Caption Version BuildNumber CSName InstallDate LastBootUpTime LocalDateTime Locale
MUILanguages OSArchitecture OSLanguage OperatingSystemSKU ProductType SystemDirectory
SystemDrive WindowsDirectory TotalVisibleMemorySize FreePhysicalMemory Status

Win32_ComputerSystem < CIM_ComputerSystem CIM_System :
Name Caption DNSHostName Domain PartOfDomain Manufacturer Model NumberOfLogicalProcessors
NumberOfProcessors TotalPhysicalMemory HypervisorPresent DomainRole Status

Win32_Processor < CIM_Processor CIM_LogicalDevice :
DeviceID Name Manufacturer NumberOfCores NumberOfLogicalProcessors Status

Win32_Volume < CIM_StorageVolume CIM_LogicalDevice :
DeviceID Name Caption Label DriveLetter DriveType Capacity FreeSpace FileSystem BlockSize
BootVolume SystemVolume SerialNumber Compressed

Win32_ShadowStorage :
Volume DiffVolume AllocatedSpace UsedSpace MaxSpace

Win32_LogicalDisk < CIM_LogicalDisk CIM_LogicalDevice :
DeviceID Name Caption Description DriveType FileSystem FreeSpace Size VolumeName
VolumeSerialNumber ProviderName

Win32_Service < Win32_BaseService CIM_Service :
Name Caption DisplayName Description State Status Started StartMode ProcessId PathName
SystemName
";

const FAILOVER_CLUSTER: &str = "\
MSCluster_Cluster :
Name Caption ClusterFunctionalLevel SharedVolumesRoot EnableSharedVolumes S2DEnabled@2016
BackupInProgress

MSCluster_Node :
Name State NodeHighestVersion BuildNumber MajorVersion MinorVersion

MSCluster_ResourceGroup :
Name Id State GroupType OwnerNode

MSCluster_ClusterSharedVolume :
Name VolumeName VolumeOffset FaultState BackupState

MSCluster_ClusterSharedVolumeToResource :
GroupComponent PartComponent

MSCluster_Resource :
Name Id Type State OwnerGroup OwnerNode PrivateProperties IsClusterSharedVolume CoreResource
StatusInformation
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_what_the_contract_says() {
        let snapshot = class("msvm_virtualsystemsnapshotsettingdata").unwrap();
        assert!(!snapshot.exists_on(Profile::Server2012R2));
        assert!(!snapshot.has("GuestBackupType", Profile::Server2016));
        assert!(snapshot.has("guestbackuptype", Profile::Server2019));
        assert!(class("Msvm_NoSuchClass").is_none());
        assert_eq!(classes_of(VIRTUALIZATION, "CIM_ComputerSystem").len(), 3);
        assert_eq!(classes_of(CIMV2, "CIM_ComputerSystem").len(), 1);
        assert!(classes_of(CIMV2, "Msvm_ComputerSystem").is_empty());
    }
}
