//! `DefineSystem`: a new VM without disks and adapters.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::device_change::DeviceChange;
use crate::guid::guid_text;
use crate::host_state::HostState;
use crate::job_work::JobWork;
use crate::{JobKind, SimError, SimErrorKind, VmSpec};

/// Where the host keeps configurations when it is not told otherwise: `DefaultExternalDataRoot`.
pub(crate) const DEFAULT_DATA_ROOT: &str = r"C:\ProgramData\Microsoft\Windows\Hyper-V";

/// What `ModifySystemSettings` and `DefineSystem` can set; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SystemChange {
    pub(crate) name: Option<String>,
    pub(crate) notes: Option<String>,
    pub(crate) config_root: Option<String>,
    pub(crate) snapshot_root: Option<String>,
    pub(crate) swap_file_root: Option<String>,
    pub(crate) suspend_root: Option<String>,
    pub(crate) secure_boot: Option<bool>,
    pub(crate) secure_boot_template: Option<Uuid>,
    pub(crate) user_snapshot_type: Option<u16>,
    pub(crate) automatic_snapshots: Option<bool>,
}

impl SystemChange {
    /// Returns whether it changes where a VM's data lie, which a VM that is there cannot.
    pub(crate) fn moves_data(&self) -> bool {
        self.config_root.is_some() || self.snapshot_root.is_some() || self.suspend_root.is_some()
    }
}

impl HostState {
    /// `DefineSystem`: returns the job; its VM is the one that it makes.
    pub(crate) fn define_system(
        &mut self,
        generation: u32,
        version: Option<String>,
        settings: SystemChange,
        devices: Vec<DeviceChange>,
    ) -> Result<Uuid, SimError> {
        let wrong = |what: String| Err(SimError::new(SimErrorKind::InvalidParameter, what));
        if !matches!(generation, 1 | 2) {
            return wrong(format!("there is no generation {generation}"));
        }
        let supported = self.facts.profile.supported_versions();
        if let Some(version) = version
            .iter()
            .find(|own| !supported.contains(&own.as_str()))
        {
            return wrong(format!("this host makes no VM of version {version}"));
        }
        let id = self.new_guid();
        let work = JobWork::Define {
            generation,
            version,
            settings,
            devices,
        };
        self.start_job(id, JobKind::DefineVm, work)
    }

    /// Does what `DefineSystem` is for.
    pub(crate) fn make_system(
        &mut self,
        id: Uuid,
        generation: u32,
        version: Option<&String>,
        settings: &SystemChange,
        devices: &[DeviceChange],
    ) -> Result<(), SimError> {
        let name = settings.name.clone();
        let mut spec = VmSpec::new(name.unwrap_or_else(|| "New Virtual Machine".to_owned()));
        spec.generation = generation;
        spec.version = version.cloned();
        spec.folder = Some(DEFAULT_DATA_ROOT.to_owned());
        spec.running = false;
        spec.scsi_controllers = 0;
        spec.memory_mib = 1024;
        let mut vm = self.bare_vm(&spec);
        let extension = vm.config_file.rsplit('.').next().unwrap_or("vmcx");
        vm.config_file = format!("Virtual Machines\\{}.{extension}", guid_text(id));
        vm.id = id;
        vm.processors = 1;
        vm.network_adapters.clear();
        vm.take_settings(settings);
        self.vms.insert(id, vm);
        self.vm_mut(id)?;
        let made = self.change_devices(id, devices);
        if made.is_err() {
            self.vms.remove(&id);
            return made;
        }
        self.write_configuration(id)
    }

    /// `ModifySystemSettings`, of a VM or of one that is planned: returns the job.
    pub(crate) fn modify_system(
        &mut self,
        vm: Uuid,
        change: SystemChange,
    ) -> Result<Uuid, SimError> {
        if !self.facts.planned.contains_key(&vm) {
            self.check_free(self.vm(vm)?, false)?;
            if change.moves_data() {
                let what = "where a virtual machine's data lie is changed by storage migration";
                return Err(SimError::new(SimErrorKind::InvalidState, what));
            }
        }
        self.start_job(vm, JobKind::ModifyVm, JobWork::ModifySystem(change))
    }

    /// Does what `ModifySystemSettings` is for.
    pub(crate) fn change_system(
        &mut self,
        vm: Uuid,
        change: &SystemChange,
    ) -> Result<(), SimError> {
        self.system_mut(vm)?.take_settings(change);
        if self.vms.contains_key(&vm) {
            return self.write_configuration(vm);
        }
        Ok(())
    }
}

impl crate::Vm {
    fn take_settings(&mut self, change: &SystemChange) {
        fn take<T: Clone>(own: &mut T, new: Option<&T>) {
            if let Some(new) = new {
                own.clone_from(new);
            }
        }
        let root = |root: &Option<String>| {
            let root = root.as_deref();
            root.map(|root| root.trim_end_matches('\\').to_owned())
        };
        take(&mut self.name, change.name.as_ref());
        take(&mut self.notes, change.notes.as_ref());
        take(&mut self.config_root, root(&change.config_root).as_ref());
        let roots = &mut self.data_roots;
        for (own, new) in [
            (&mut roots.snapshots, &change.snapshot_root),
            (&mut roots.swap_file, &change.swap_file_root),
            (&mut roots.suspend, &change.suspend_root),
        ] {
            if new.is_some() {
                *own = root(new);
            }
        }
        take(&mut self.secure_boot, change.secure_boot.as_ref());
        self.secure_boot_template = change.secure_boot_template.or(self.secure_boot_template);
        let kind = change.user_snapshot_type.as_ref();
        take(&mut self.user_snapshot_type, kind);
        let automatic = change.automatic_snapshots.as_ref();
        take(&mut self.automatic_snapshots, automatic);
    }
}
