//! Making a VM of a typed configuration: for hosts that cannot read its definition file.

use std::sync::PoisonError;

use hyperv_host::{HostError, HostErrorKind, NewVmOrder, RestoredVm, StepObserver};
use uuid::Uuid;
use wmi::{CimType, EmbeddedInstance, MethodError, Value};

use super::attach::{Attaching, attach};
use super::changed_settings::modify_system;
use super::entry::{Begun, begin_entry, change, vm_names};
use super::findings;
use super::hardware::set_hardware;
use super::planned_vm::{PlannedSettings, active_settings};
use super::settle::{give_up, take_up, taken_up};
use super::work::Work;
use crate::WmiHost;
use crate::backup::checkpoint::marked_name;
use crate::backup::link::{Link, MANAGEMENT_SERVICE};
use crate::backup::refusal::{is_answer, method_failure};
use crate::host_failure::host_failure;
use crate::journal::{OpenEntry, RestoreEntry};

/// Makes a VM of a typed configuration and of disks that are in place. Until all is done it has a
/// name that says which restore makes it.
pub(crate) fn create(
    host: &WmiHost,
    order: &NewVmOrder,
    observer: &dyn StepObserver,
) -> Result<RestoredVm, HostError> {
    let link = Link::of(host);
    let computer = host.host_state()?.computer;
    if let Some((vm, entry)) = take_up(host, &link, &computer, &order.run)? {
        observer.step("taking up the VM that this restore has made before it died");
        return Ok(taken_up(&vm, entry));
    }
    let gate = host.planning.lock().unwrap_or_else(PoisonError::into_inner);
    let begun = Begun {
        vm: None,
        name: &order.name,
        run: &order.run,
        restore: RestoreEntry {
            is_direct: true,
            configuration_folder: order.configuration_folder.clone(),
            ..RestoreEntry::default()
        },
    };
    let mut entry = begin_entry(host, &link, &computer, begun)?;
    let mut making = Making {
        work: Work::new(&link, &computer, observer),
        order,
    };
    let made = making.ask(&mut entry);
    drop(gate);
    match made.and_then(|id| making.finish(id)) {
        Ok(mut vm) => {
            vm.findings = making.work.findings;
            vm.findings.extend(findings::close(entry));
            Ok(vm)
        }
        Err(error) => Err(give_up(&link, entry, error)),
    }
}

struct Making<'a> {
    work: Work<'a>,
    order: &'a NewVmOrder,
}

impl Making<'_> {
    /// Has the VM made, with a name that nobody else gives.
    fn ask(&self, entry: &mut OpenEntry) -> Result<Uuid, HostError> {
        const DOING: &str = "making the VM";
        let link = self.work.link;
        self.work.step("making the VM")?;
        let now = link.clock.now();
        change(entry, |own| own.asked = Some(now))?;
        let name = marked_name(&self.order.run);
        let parameters = [("SystemSettings", Value::from(self.settings(&name)))];
        let asked = link.call(MANAGEMENT_SERVICE, "DefineSystem", &parameters);
        let look = || {
            let mut vms = vm_names(link)?.into_iter();
            Ok(vms.find(|(_, own)| *own == name).map(|(id, _)| id))
        };
        // Hosts report failures of what they do all the same, and may be at it still.
        let found = link.look_for(|_| look());
        let found = found.map_err(|error| host_failure(link.host(), DOING, error))?;
        if let Some(id) = found {
            change(entry, |own| own.made = Some(id))?;
        }
        match (found, asked) {
            (Some(id), Ok(_)) => Ok(id),
            (Some(id), Err(error)) if !is_answer(&error) => Ok(id),
            (found, Err(error)) => {
                if found.is_none() && is_answer(&error) {
                    change(entry, |own| own.asked = None)?;
                }
                Err(method_failure(link.host(), DOING, error))
            }
            (None, Ok(_)) => {
                let text = format!("{}: {DOING}: it was done, and is not there", link.host());
                Err(HostError::new(HostErrorKind::Refused, text))
            }
        }
    }

    /// Writes the settings of the VM. A version is not asked for: hosts make VMs of their own.
    /// Contract: 1.2 [M]
    fn settings(&self, name: &str) -> String {
        let wanted = &self.order.configuration;
        let generation = if wanted.generation == 2 { 2 } else { 1 };
        let mut settings = EmbeddedInstance::new("Msvm_VirtualSystemSettingData")
            .with("ElementName", CimType::String, name)
            .with(
                "VirtualSystemSubType",
                CimType::String,
                format!("Microsoft:Hyper-V:SubType:{generation}"),
            )
            .with("Notes", CimType::String, vec![wanted.notes.as_str()]);
        for root in [
            "ConfigurationDataRoot",
            "SnapshotDataRoot",
            "SwapFileDataRoot",
        ] {
            let folder = self.order.configuration_folder.as_str();
            settings = settings.with(root, CimType::String, folder);
        }
        if generation == 2 {
            settings = settings.with("SecureBootEnabled", CimType::Boolean, wanted.secure_boot);
            let template = wanted.secure_boot_template.map(template_text);
            if let Some(template) = template {
                settings = settings.with("SecureBootTemplateId", CimType::String, template);
            }
        }
        settings.to_xml()
    }

    fn finish(&mut self, id: Uuid) -> Result<RestoredVm, HostError> {
        let (link, order) = (self.work.link, self.order);
        let active = self.active(id)?;
        self.work.step("setting processors and memory")?;
        set_hardware(link, &active.path, &order.configuration)?;
        self.work.step("attaching the disks")?;
        let attaching = Attaching {
            link,
            computer: self.work.computer,
            settings: &active.path,
        };
        let mut disks: Vec<_> = order.disks.iter().collect();
        disks.sort_by_key(|disk| disk.slot);
        for disk in disks.into_iter().filter(|disk| disk.checkpoint.is_none()) {
            attach(&attaching, Some(disk.slot), &disk.path)?;
        }
        self.work.connect(&active.path, &order.adapters)?;
        self.work.step("giving the VM its name")?;
        let name = (
            "ElementName",
            CimType::String,
            Value::from(order.name.as_str()),
        );
        let named = modify_system(link, &active.instance, vec![name]);
        named.map_err(|error: MethodError| {
            method_failure(link.host(), "giving the VM its name", error)
        })?;
        Ok(RestoredVm {
            identity: id.to_string(),
            name: order.name.clone(),
            findings: Vec::new(),
        })
    }

    fn active(&self, id: Uuid) -> Result<PlannedSettings, HostError> {
        let active = self
            .work
            .link
            .look_for(|left| match active_settings(self.work.link, id) {
                Err(error) if error.kind() == wmi::WmiErrorKind::NotFound && left > 0 => Ok(None),
                other => other.map(Some),
            });
        let active = active.map_err(|error| {
            host_failure(self.work.link.host(), "reading the VM's settings", error)
        })?;
        active.ok_or_else(|| {
            HostError::new(
                HostErrorKind::Refused,
                "the host shows no settings of the VM",
            )
        })
    }
}

/// Writes the GUID of a template of Secure Boot as `SecureBootTemplateId` has it: in upper case,
/// without braces, as configuration files have it. Contract: 1.2 [M]
fn template_text(template: Uuid) -> String {
    template.to_string().to_uppercase()
}
