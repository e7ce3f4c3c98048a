//! Cures that are safe: told first, done when that is asked for.

use std::sync::Arc;

use hyperv_host::{HostError, HostErrorKind, PowerState};
use uuid::Uuid;
use wmi::{CimType, EmbeddedInstance, VIRTUALIZATION, Value, quote};

use crate::WmiHost;
use crate::backup::link::{Link, MANAGEMENT_SERVICE};
use crate::backup::refusal::method_failure;
use crate::facts::{GuestService, HostFacts, VmFacts};
use crate::host_failure::host_failure;

/// Something that can be put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// The finding that it cures.
    pub id: &'static str,
    /// The VM's name.
    pub vm: String,
    /// What will be done; where it cannot be done now, why.
    pub text: String,
    /// It can be done now.
    pub is_possible: bool,
    identity: Uuid,
    cure: Cure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cure {
    /// Switches an integration service on; its settings are of this class.
    Service(&'static str),
    /// Adds a SCSI controller.
    ScsiController,
}

/// Says what could be put right about a finding on this host. Nothing is changed. An id that
/// nothing safe can be done about gives nothing.
///
/// # Errors
///
/// Those of reading the VMs.
pub fn plan_fixes(host: &WmiHost, id: &str) -> Result<Vec<Fix>, HostError> {
    let facts: Arc<HostFacts> = host.host_facts()?;
    let old_host = !facts.host.windows.has_recovery_checkpoints();
    let plans = facts.vms.iter().filter_map(|vm| match id {
        "VM-IC-BACKUP" => (vm.vss == GuestService::Disabled).then(|| {
            let text = "switch \"Backup (volume snapshot)\" on among its integration services";
            plan(vm, "VM-IC-BACKUP", text, Cure::Service(VSS_SETTINGS))
        }),
        "VM-DATA-EXCHANGE" => (vm.exchange == GuestService::Disabled).then(|| {
            let text = "switch the data exchange service on among its integration services";
            plan(
                vm,
                "VM-DATA-EXCHANGE",
                text,
                Cure::Service(EXCHANGE_SETTINGS),
            )
        }),
        "VM-NO-SCSI" => (old_host && !vm.has_scsi).then(|| scsi_plan(vm)),
        _ => None,
    });
    Ok(plans.collect())
}

const VSS_SETTINGS: &str = "Msvm_VssComponentSettingData";
const EXCHANGE_SETTINGS: &str = "Msvm_KvpExchangeComponentSettingData";
const SCSI_CONTROLLER: &str = "Microsoft:Hyper-V:Synthetic SCSI Controller";

fn plan(vm: &VmFacts, id: &'static str, text: &str, cure: Cure) -> Fix {
    Fix {
        id,
        vm: vm.name.clone(),
        text: text.to_owned(),
        is_possible: true,
        identity: vm.id,
        cure,
    }
}

/// A controller cannot be added to a VM that runs (requirement OPS-04).
fn scsi_plan(vm: &VmFacts) -> Fix {
    let is_possible = vm.state == PowerState::Off;
    let text = if is_possible {
        "add a SCSI controller; it stays empty"
    } else {
        "a SCSI controller can be added while the VM is off, and it is not: shut it down first"
    };
    Fix {
        is_possible,
        ..plan(vm, "VM-NO-SCSI", text, Cure::ScsiController)
    }
}

impl Fix {
    /// Does it. The VM is looked at again before.
    ///
    /// # Errors
    ///
    /// `Blocked` where it cannot be done now, `NoSuchVm`, `Refused`, and those of the session.
    pub fn apply(&self, host: &WmiHost) -> Result<(), HostError> {
        if !self.is_possible {
            let text = format!("{}: {}", self.vm, self.text);
            return Err(HostError::new(HostErrorKind::Blocked, text));
        }
        let vm = host.vm_facts(&self.identity.to_string())?;
        let link = Link::of(host);
        match self.cure {
            Cure::Service(class) => enable_service(&link, &vm, class),
            Cure::ScsiController if vm.has_scsi => Ok(()),
            Cure::ScsiController => add_scsi_controller(&link, &vm),
        }
    }
}

/// Settings of an integration service carry the VM's GUID, and are changed through the management
/// service; the id selects, and what is not named stays. Contract: 1.5 [M]
fn enable_service(link: &Link, vm: &VmFacts, class: &str) -> Result<(), HostError> {
    let guid = vm.id.hyphenated().to_string().to_ascii_uppercase();
    let wql = format!(
        "SELECT * FROM {class} WHERE InstanceID LIKE {}",
        quote(&format!("Microsoft:{guid}%"))
    );
    let doing = "looking for the settings of an integration service";
    let found = link
        .session
        .query_all(VIRTUALIZATION, &wql)
        .map_err(|error| host_failure(link.host(), doing, error))?;
    let id = found
        .first()
        .and_then(|settings| settings.text("InstanceID"));
    let id = id.ok_or_else(|| {
        let text = format!("{}: the VM has no settings of {class}", vm.name);
        HostError::new(HostErrorKind::Refused, text)
    })?;
    let settings = EmbeddedInstance::new(class)
        .with("InstanceID", CimType::String, id)
        .with("EnabledState", CimType::Uint16, 2_u16);
    let parameters = [("GuestServiceSettings", list(&settings))];
    call(link, vm, "ModifyGuestServiceSettings", &parameters)
}

/// A controller needs no more than what sort it is. Contract: 1.3 [M]
fn add_scsi_controller(link: &Link, vm: &VmFacts) -> Result<(), HostError> {
    let settings = EmbeddedInstance::new("Msvm_ResourceAllocationSettingData")
        .with("ElementName", CimType::String, "SCSI Controller")
        .with("ResourceType", CimType::Uint16, 6_u16)
        .with("ResourceSubType", CimType::String, SCSI_CONTROLLER);
    let parameters = [
        (
            "AffectedConfiguration",
            Value::from(vm.settings.path.clone()),
        ),
        ("ResourceSettings", list(&settings)),
    ];
    call(link, vm, "AddResourceSettings", &parameters)
}

fn list(settings: &EmbeddedInstance) -> Value {
    Value::from(vec![settings.to_xml()])
}

fn call(
    link: &Link,
    vm: &VmFacts,
    method: &str,
    parameters: &[(&str, Value)],
) -> Result<(), HostError> {
    link.call(MANAGEMENT_SERVICE, method, parameters)
        .map_err(|error| method_failure(link.host(), &vm.name, error))?;
    Ok(())
}
