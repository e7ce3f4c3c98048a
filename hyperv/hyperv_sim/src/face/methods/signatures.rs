//! Which methods there are, and the parameters that they take (Appendix A.1 of the contract).

use super::super::object::SWITCH_SERVICE;
use crate::Profile;

/// A method of a class.
#[derive(Debug)]
pub(crate) struct Signature {
    class: &'static str,
    /// Its name, as WMI writes it.
    pub(crate) method: &'static str,
    since: Profile,
    /// What goes in, also where it comes out again.
    takes: &'static [&'static str],
}

impl Signature {
    /// Returns whether it is a method of the failover cluster.
    pub(crate) fn is_of_cluster(&self) -> bool {
        self.class.starts_with("MSCluster_")
    }

    /// Returns whether the method has such a parameter that goes in.
    pub(crate) fn takes(&self, name: &str) -> bool {
        self.takes.iter().any(|own| own.eq_ignore_ascii_case(name))
    }
}

/// Returns the method of a class, where this version of Windows has it.
pub(crate) fn find(class: &str, method: &str, profile: Profile) -> Option<&'static Signature> {
    METHODS.iter().find(|own| {
        own.class.eq_ignore_ascii_case(class)
            && own.method.eq_ignore_ascii_case(method)
            && profile >= own.since
    })
}

const fn method(
    class: &'static str,
    method: &'static str,
    takes: &'static [&'static str],
) -> Signature {
    Signature {
        class,
        method,
        since: Profile::Server2008R2,
        takes,
    }
}

const fn since_2016(signature: Signature) -> Signature {
    Signature {
        since: Profile::Server2016,
        ..signature
    }
}

const fn since_2012_r2(signature: Signature) -> Signature {
    Signature {
        since: Profile::Server2012R2,
        ..signature
    }
}

const SNAPSHOTS: &str = "Msvm_VirtualSystemSnapshotService";
const POINTS: &str = "Msvm_VirtualSystemReferencePointService";
const SYSTEMS: &str = "Msvm_VirtualSystemManagementService";
const GROUP: &str = "MSCluster_ResourceGroup";
const RESOURCE: &str = "MSCluster_Resource";
const IMAGES: &str = "Msvm_ImageManagementService";

#[rustfmt::skip]
const METHODS: &[Signature] = &[
    method(SNAPSHOTS, "CreateSnapshot", &["AffectedSystem", "SnapshotSettings", "SnapshotType", "ResultingSnapshot"]),
    method(SNAPSHOTS, "DestroySnapshot", &["AffectedSnapshot"]),
    method(SNAPSHOTS, "DestroySnapshotTree", &["SnapshotSettingData"]),
    method(SNAPSHOTS, "ApplySnapshot", &["Snapshot"]),
    method(SNAPSHOTS, "ClearSnapshotState", &["SnapshotSettingData"]),
    since_2016(method(SNAPSHOTS, "ConvertToReferencePoint", &["AffectedSnapshot", "ReferencePointSettings", "ResultingReferencePoint"])),
    method(POINTS, "CreateReferencePoint", &["AffectedSystem", "ReferencePointSettings", "ReferencePointType", "ResultingReferencePoint"]),
    method(POINTS, "DestroyReferencePoint", &["AffectedReferencePoint"]),
    method(POINTS, "ExportReferencePoint", &["ReferencePoint", "ExportDirectory", "ExportSettingData"]),
    method(POINTS, "ImportReferencePointMetadata", &["AffectedSystem", "ConfigFilePath", "RuntimeStateFilePath"]),
    method(POINTS, "RemoveAssociatedData", &["AffectedReferencePoint"]),
    method(SYSTEMS, "AddFeatureSettings", &["AffectedConfiguration", "FeatureSettings"]),
    method(SYSTEMS, "ModifyFeatureSettings", &["FeatureSettings"]),
    method(SYSTEMS, "RemoveFeatureSettings", &["FeatureSettings"]),
    method(SWITCH_SERVICE, "AddFeatureSettings", &["AffectedConfiguration", "FeatureSettings"]),
    method(SWITCH_SERVICE, "ModifyFeatureSettings", &["FeatureSettings"]),
    method(SWITCH_SERVICE, "RemoveFeatureSettings", &["FeatureSettings"]),
    method(SWITCH_SERVICE, "DefineSystem", &["SystemSettings", "ResourceSettings", "ReferenceConfiguration"]),
    method(SWITCH_SERVICE, "DestroySystem", &["AffectedSystem"]),
    method(SWITCH_SERVICE, "AddResourceSettings", &["AffectedConfiguration", "ResourceSettings"]),
    method(SWITCH_SERVICE, "ModifyResourceSettings", &["ResourceSettings"]),
    method(SWITCH_SERVICE, "RemoveResourceSettings", &["ResourceSettings"]),
    method(SWITCH_SERVICE, "ModifySystemSettings", &["SystemSettings"]),
    method(SYSTEMS, "AddResourceSettings", &["AffectedConfiguration", "ResourceSettings"]),
    method(SYSTEMS, "DefineSystem", &["SystemSettings", "ResourceSettings", "ReferenceConfiguration"]),
    method(SYSTEMS, "DefinePlannedSystem", &["SystemSettings", "ResourceSettings", "ReferenceConfiguration"]),
    method(SYSTEMS, "DestroySystem", &["AffectedSystem"]),
    method(SYSTEMS, "ExportSystemDefinition", &["ComputerSystem", "ExportDirectory", "ExportSettingData"]),
    method(SYSTEMS, "FormatError", &["Errors"]),
    method(SYSTEMS, "GetSizeOfSystemFiles", &["Vssd"]),
    method(SYSTEMS, "GetSummaryInformation", &["SettingData", "RequestedInformation"]),
    method(SYSTEMS, "ImportSnapshotDefinitions", &["PlannedSystem", "SnapshotFolder"]),
    method(SYSTEMS, "ImportSystemDefinition", &["SystemDefinitionFile", "SnapshotFolder", "GenerateNewSystemIdentifier"]),
    method(SYSTEMS, "ModifyDiskMergeSettings", &["SettingData"]),
    method(SYSTEMS, "ModifyGuestServiceSettings", &["GuestServiceSettings"]),
    method(SYSTEMS, "ModifyResourceSettings", &["ResourceSettings"]),
    method(SYSTEMS, "ModifyServiceSettings", &["SettingData"]),
    method(SYSTEMS, "ModifySystemSettings", &["SystemSettings"]),
    method(SYSTEMS, "RealizePlannedSystem", &["PlannedSystem"]),
    method(SYSTEMS, "RemoveResourceSettings", &["ResourceSettings"]),
    method(SYSTEMS, "UpgradeSystemVersion", &["ComputerSystem", "UpgradeSettingData"]),
    method(SYSTEMS, "ValidatePlannedSystem", &["PlannedSystem"]),
    method(IMAGES, "AttachVirtualHardDisk", &["Path", "AssignDriveLetter", "ReadOnly"]),
    method(IMAGES, "CompactVirtualHardDisk", &["Path", "Mode"]),
    method(IMAGES, "ConvertVirtualHardDisk", &["SourcePath", "VirtualDiskSettingData"]),
    method(IMAGES, "CreateVirtualHardDisk", &["VirtualDiskSettingData"]),
    method(IMAGES, "FindMountedStorageImageInstance", &["SelectionCriterion", "CriterionType"]),
    since_2016(method(IMAGES, "GetVirtualDiskChanges", &["Path", "LimitId", "TargetSnapshotId", "ByteOffset", "ByteLength"])),
    method(IMAGES, "GetVirtualHardDiskSettingData", &["Path"]),
    method(IMAGES, "GetVirtualHardDiskState", &["Path"]),
    since_2016(method(IMAGES, "GetVHDSetInformation", &["VHDSetPath", "AdditionalInformation"])),
    since_2016(method(IMAGES, "GetVHDSnapshotInformation", &["VHDSetPath", "SnapshotIds", "AdditionalInformation"])),
    method(IMAGES, "MergeVirtualHardDisk", &["SourcePath", "DestinationPath"]),
    method(IMAGES, "ResizeVirtualHardDisk", &["Path", "MaxInternalSize"]),
    method(IMAGES, "SetParentVirtualHardDisk", &["ChildPath", "ParentPath", "LeafPath", "IgnoreIDMismatch"]),
    method(IMAGES, "SetVirtualHardDiskSettingData", &["VirtualDiskSettingData"]),
    method(IMAGES, "ValidateVirtualHardDisk", &["Path"]),
    method("Msvm_MountedStorageImage", "DetachVirtualHardDisk", &[]),
    method("Msvm_ComputerSystem", "RequestStateChange", &["RequestedState", "TimeoutPeriod"]),
    method("MSCluster_Cluster", "AddVirtualMachine", &["VirtualMachine"]),
    method("MSCluster_Cluster", "VerifyPath", &["Path", "Group"]),
    method("MSCluster_Node", "Pause", &["DrainType", "TargetNode"]),
    method("MSCluster_Node", "Resume", &["FailbackType"]),
    method(GROUP, "BringOnline", &["TimeOut", "Flags"]),
    method(GROUP, "TakeOffline", &["TimeOut", "Parameters", "Flags"]),
    method(GROUP, "MoveToNewNode", &["NodeName", "TimeOut"]),
    method(GROUP, "MoveToNewNodeEx", &["NodeName", "Parameters", "Flags"]),
    method(GROUP, "DeleteGroup", &[]),
    method(GROUP, "DestroyGroup", &["Options"]),
    method(RESOURCE, "BringOnline", &["TimeOut"]),
    method(RESOURCE, "TakeOffline", &["TimeOut", "Parameters", "Flags"]),
    method(RESOURCE, "TakeOfflineParams", &["TimeOut", "Parameters", "Flags"]),
    method(RESOURCE, "UpdateVirtualMachine", &[]),
    method(RESOURCE, "GetPossibleOwners", &[]),
    method("MSCluster_ClusterSharedVolume", "MoveToNewHost", &["HostName"]),
    method("Msvm_ComputerSystem", "RequestReplicationStateChange", &["RequestedState", "TimeoutPeriod"]),
    since_2012_r2(method("Msvm_ComputerSystem", "RequestReplicationStateChangeEx", &["ReplicationRelationship", "RequestedState", "TimeoutPeriod"])),
    method("Msvm_ConcreteJob", "RequestStateChange", &["RequestedState", "TimeoutPeriod"]),
    method("Msvm_ConcreteJob", "GetError", &[]),
    method("Msvm_ConcreteJob", "GetErrorEx", &[]),
    method("Msvm_ShutdownComponent", "InitiateShutdown", &["Force", "Reason"]),
    method("Msvm_ShutdownComponent", "InitiateReboot", &["Force", "Reason"]),
    method("Msvm_ShutdownComponent", "InitiateHibernate", &[]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::METHODS as FAULT_METHODS;

    #[test]
    fn faults_can_strike_every_method_and_no_other() {
        for name in FAULT_METHODS {
            assert!(METHODS.iter().any(|own| own.method == name), "{name}");
        }
        let convert = "ConvertToReferencePoint";
        assert!(find(SNAPSHOTS, convert, Profile::Server2012R2).is_none());
        assert!(find(SNAPSHOTS, "convertToReferencePoint", Profile::Server2016).is_some());
    }
}
