//! The host as one that VMs are restored to.

use std::path::PathBuf;

use hyperv_host::{
    AdapterOrder, DiskChanges, Finding, HostError, HostErrorKind, ImportOrder, NewVmOrder,
    PowerState, RestoreHost, RestoredVm, StepObserver, SwitchSettings, TargetHost,
    WriterRestoreHost,
};
use uuid::Uuid;
use vm_config::DiskSlot;
use wmi::{CimType, Instance, Value};

use super::adapters::{Wiring, set_adapters};
use super::attach;
use super::changed_settings::modify_system;
use super::changes_since::changes_since;
use super::create::create;
use super::import::import;
use super::power::set_power;
use super::settle::settle_restores;
use super::switches::create_switch;
use super::target::target;
use super::unregister::unregister;
use crate::WmiHost;
use crate::backup::link::Link;
use crate::backup::refusal::method_failure;
use crate::facts::VmFacts;

impl RestoreHost for WmiHost {
    fn name(&self) -> &str {
        self.session.host()
    }

    fn target(&self) -> Result<TargetHost, HostError> {
        target(self)
    }

    fn local_path(&self, host_path: &str) -> Result<PathBuf, HostError> {
        let found = self.bytes.as_ref().and_then(|bytes| bytes.place(host_path));
        found.ok_or_else(|| {
            let text = format!("this machine does not see where {host_path} is on the host");
            HostError::new(HostErrorKind::Blocked, text)
                .hint("name the drive or share with --host-files, or choose a path on one that is")
        })
    }

    fn import(
        &self,
        order: &ImportOrder,
        observer: &dyn StepObserver,
    ) -> Result<RestoredVm, HostError> {
        import(self, order, observer)
    }

    fn create(
        &self,
        order: &NewVmOrder,
        observer: &dyn StepObserver,
    ) -> Result<RestoredVm, HostError> {
        create(self, order, observer)
    }

    fn unregister(&self, vm: &str, observer: &dyn StepObserver) -> Result<(), HostError> {
        let (link, vm) = self.one(vm)?;
        unregister(&link, &vm, observer)
    }

    fn set_power(
        &self,
        vm: &str,
        wanted: PowerState,
        observer: &dyn StepObserver,
    ) -> Result<PowerState, HostError> {
        let (link, vm) = self.one(vm)?;
        set_power(&link, &vm, wanted, observer)
    }

    fn rename(&self, vm: &str, name: &str) -> Result<(), HostError> {
        let (link, vm) = self.one(vm)?;
        let settings = Instance::new("Msvm_VirtualSystemSettingData")
            .with("InstanceID", vm.settings.instance_id.as_str());
        let change = ("ElementName", CimType::String, Value::from(name));
        let renamed = modify_system(&link, &settings, vec![change]);
        let doing = format!("renaming the VM {}", vm.name);
        renamed.map_err(|error| method_failure(link.host(), &doing, error))
    }

    fn attach_disk(
        &self,
        vm: &str,
        slot: Option<DiskSlot>,
        host_path: &str,
    ) -> Result<DiskSlot, HostError> {
        let (link, vm) = self.one(vm)?;
        attach::attach_to_vm(&link, &self.host_state()?.computer, &vm, slot, host_path)
    }

    fn detach_disk(&self, vm: &str, slot: DiskSlot) -> Result<(), HostError> {
        let (link, vm) = self.one(vm)?;
        attach::detach(&link, &vm, slot)
    }

    fn set_adapters(&self, vm: &str, adapters: &[AdapterOrder]) -> Result<Vec<Finding>, HostError> {
        let (link, vm) = self.one(vm)?;
        if !matches!(vm.state, PowerState::Off) {
            let text = format!(
                "the VM {} is {}, and its network adapters are set only while it is off",
                vm.name, vm.state_text
            );
            return Err(HostError::new(HostErrorKind::Blocked, text).hint("turn the VM off"));
        }
        let wiring = Wiring {
            link: &link,
            computer: &self.host_state()?.computer,
            settings: &vm.settings.path,
        };
        set_adapters(&wiring, adapters)
    }

    fn create_switch(&self, switch: &SwitchSettings) -> Result<Vec<Finding>, HostError> {
        create_switch(&Link::of(self), &self.host_state()?.computer, switch)
    }

    fn changes_since(
        &self,
        vm: &str,
        slot: DiskSlot,
        cursor: &str,
    ) -> Result<DiskChanges, HostError> {
        let (_, vm) = self.one(vm)?;
        changes_since(self, &vm, slot, cursor)
    }

    fn settle_restores(&self) -> Result<Vec<Finding>, HostError> {
        settle_restores(self)
    }

    fn as_writer_restore(&self) -> Option<&dyn WriterRestoreHost> {
        self.vss.as_ref().map(|_| self as _)
    }
}

impl WmiHost {
    /// Reads a VM anew, and what is needed to act on it.
    fn one(&self, vm: &str) -> Result<(Link, VmFacts), HostError> {
        let host = self.session.host();
        let missing = || {
            let text = format!("{host}: no VM has the identity {vm}");
            HostError::new(HostErrorKind::NoSuchVm, text)
        };
        let id = Uuid::parse_str(vm).map_err(|_| missing())?;
        let link = Link::of(self);
        let facts = link.vm(id)?.ok_or_else(missing)?;
        Ok((link, facts))
    }
}
