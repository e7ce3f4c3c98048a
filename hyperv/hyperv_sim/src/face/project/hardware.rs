//! Processors, memory, security (Appendix A of the contract).

use wmi::Instance;

use super::super::instance_ids::{MEMORY, PROCESSOR, SECURITY, device_id};
use super::super::object::Owner;
use crate::Vm;

pub(crate) fn processor(vm: &Vm, owner: Owner) -> Option<Instance> {
    Some(
        Instance::new("Msvm_ProcessorSettingData")
            .with("InstanceID", device_id(owner, PROCESSOR))
            .with("ElementName", "Processor")
            .with("ResourceType", 3_u16)
            .with("ResourceSubType", "Microsoft:Hyper-V:Processor")
            .with("VirtualQuantity", u64::from(vm.processors))
            .with("Reservation", 0_u64)
            .with("Limit", 100_000_u64)
            .with("Weight", 100_u32)
            .with("LimitProcessorFeatures", false)
            .with("ExposeVirtualizationExtensions", false),
    )
}

/// Makes the memory's settings: `Reservation` is the least, `Limit` the most of dynamic memory.
pub(crate) fn memory(vm: &Vm, owner: Owner) -> Option<Instance> {
    let memory = &vm.memory;
    let (least, most) = if memory.dynamic {
        (memory.minimum_mib, memory.maximum_mib)
    } else {
        (memory.startup_mib, memory.startup_mib)
    };
    Some(
        Instance::new("Msvm_MemorySettingData")
            .with("InstanceID", device_id(owner, MEMORY))
            .with("ElementName", "Memory")
            .with("ResourceType", 4_u16)
            .with("ResourceSubType", "Microsoft:Hyper-V:Memory")
            .with("AllocationUnits", "byte * 2^20")
            .with("VirtualQuantity", memory.startup_mib)
            .with("VirtualQuantityUnits", "byte * 2^20")
            .with("Reservation", least)
            .with("Limit", most)
            .with("DynamicMemoryEnabled", memory.dynamic),
    )
}

pub(crate) fn security(vm: &Vm, owner: Owner) -> Option<Instance> {
    Some(
        Instance::new("Msvm_SecuritySettingData")
            .with("InstanceID", device_id(owner, SECURITY))
            .with("ElementName", "Security Settings")
            .with("TpmEnabled", vm.has_tpm)
            .with("KsdEnabled", false)
            .with("ShieldingRequested", false)
            .with("EncryptStateAndVmMigrationTraffic", false)
            .with("DataProtectionRequested", false)
            .with("VirtualizationBasedSecurityOptOut", false),
    )
}
