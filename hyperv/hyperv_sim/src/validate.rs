//! `ValidatePlannedSystem`: what stands in the way of a planned VM, all of it (contract 4.1).

use std::collections::BTreeSet;
use std::path::Path;

use disk_image::ChainFile;
use uuid::Uuid;

use crate::definition_file::existing_case;
use crate::guid::guid_text;
use crate::host_state::HostState;
use crate::job_work::JobWork;
use crate::{DiskKind, JobKind, PlannedVm, SimError, SimErrorKind, Vm};

/// Something that stands in the way of a planned VM: the number of the message, and its text.
pub(crate) type Incompatibility = (u32, String);

impl HostState {
    /// `ValidatePlannedSystem`: returns the job, which fails with all that is wrong.
    pub(crate) fn validate(&mut self, vm: Uuid) -> Result<Uuid, SimError> {
        self.planned(vm)?;
        self.start_job(vm, JobKind::ValidatePlanned, JobWork::Validate)
    }

    /// Does what `ValidatePlannedSystem` is for.
    pub(crate) fn check_planned(&self, vm: Uuid) -> Result<(), SimError> {
        let planned = self.planned(vm)?;
        let found = self.incompatibilities(planned);
        if found.is_empty() {
            return Ok(());
        }
        let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        let error = SimError::new(SimErrorKind::Failed, texts.join("\n"));
        Err(error.with_details(found))
    }

    /// Lists what stands in the way of a planned VM.
    fn incompatibilities(&self, planned: &PlannedVm) -> Vec<Incompatibility> {
        let vm = &planned.vm;
        let mut found = Vec::new();
        found.extend(self.wrong_version(vm));
        for path in paths_of(vm) {
            found.extend(self.wrong_disk(vm, &path));
        }
        for adapter in &vm.network_adapters {
            let name = &adapter.switch_name;
            if !name.is_empty() && self.switch_named(name).is_none() {
                found.push(missing_switch(name));
            }
        }
        found.extend(self.too_much_memory(vm));
        for id in &planned.missing {
            found.push(missing_checkpoint(*id));
        }
        found.extend(self.no_guardian(planned));
        found
    }

    /// A configuration version that this host does not have. Text and number are not documented.
    /// Contract: 4.1 [M]
    fn wrong_version(&self, vm: &Vm) -> Option<Incompatibility> {
        let versions = self.facts.profile.supported_versions();
        (!versions.contains(&vm.version.as_str())).then(|| {
            let name = &vm.name;
            let what = format!(
                "The version of the virtual machine '{name}' ({}) is not supported by this host. \
                 This is an incompatible version.",
                vm.version
            );
            (12620, what)
        })
    }

    /// A disk that is not there, that cannot be opened, or that another VM or the host itself has. The numbers are
    /// those that `Compare-VM` is known to show, as far as they are known. Contract: 4.1 [M]
    fn wrong_disk(&self, vm: &Vm, path: &str) -> Option<Incompatibility> {
        let missing = || (40010, format!("The attachment '{path}' was not found."));
        let Ok(local) = self.local_path(path) else {
            return Some(missing());
        };
        if !local.is_file() {
            return Some(missing());
        }
        let has_it = |other: &&Vm| {
            let disks = other.disks.iter().map(|disk| &disk.path);
            let mut files = other.files.keys().chain(disks);
            files.any(|own| own.eq_ignore_ascii_case(path))
        };
        if let Some(other) = self.vms.values().find(has_it) {
            let what = format!(
                "The attachment '{path}' is in use by the virtual machine '{}' ({}).",
                other.name,
                guid_text(other.id)
            );
            return Some((40012, what));
        }
        if let Err(chain) = self.chain_of(&local) {
            let what = format!(
                "The virtual hard disk '{path}' of '{}' cannot be opened: {chain}",
                vm.name
            );
            return Some((40020, what.replace('\n', " ")));
        }
        let mut mounted = self.facts.mounted.iter();
        let is_mounted = mounted.any(|image| image.path.eq_ignore_ascii_case(path));
        is_mounted.then(|| {
            let what = format!("The attachment '{path}' is in use by the host itself.");
            (40012, what)
        })
    }

    /// Memory that the host does not have. Contract: 4.1 [M]
    fn too_much_memory(&self, vm: &Vm) -> Option<Incompatibility> {
        let (wanted, there) = (vm.memory.startup_mib, self.facts.behavior.memory_mib);
        (wanted > there).then(|| {
            let what = format!(
                "The startup memory of '{}' is {wanted} MB, and the host has {there} MB.",
                vm.name
            );
            (4096, what)
        })
    }

    /// A virtual TPM whose keys cannot be had here. Contract: 4.1 [M]
    fn no_guardian(&self, planned: &PlannedVm) -> Option<Incompatibility> {
        if !planned.vm.has_tpm || !self.facts.profile.has_guest_state_file() {
            return None;
        }
        let beside = self.local_path(&planned.definition).ok();
        let beside = beside.map(|path| existing_case(&path.with_extension("vmgs")));
        let has_state = beside.is_some_and(|path| path.is_file());
        let has_keys = has_state && !self.facts.behavior.has_no_guardian;
        (!has_keys).then(|| {
            let what = format!(
                "The key protector of the virtual machine '{}' could not be unwrapped.",
                planned.vm.name
            );
            (24000, what)
        })
    }

    /// Opens a disk's file with all its parents, and lists them, the file itself first.
    pub(crate) fn chain_of(&self, local: &Path) -> Result<Vec<ChainFile>, SimError> {
        let is_set = crate::import::kind_of_path(&local.to_string_lossy()) == DiskKind::VhdSet;
        if is_set {
            return Ok(Vec::new());
        }
        let image = disk_image::open(local, &self.open_options()?)?;
        Ok(image.describe().chain)
    }
}

/// Lists the files that the disks of a VM and of its checkpoints are.
fn paths_of(vm: &Vm) -> BTreeSet<String> {
    let frozen = vm.snapshots.iter().flat_map(|own| &own.disks);
    let frozen = frozen.map(|disk| disk.path.clone());
    let running = vm.disks.iter().map(|disk| disk.path.clone());
    let paths = running.chain(frozen);
    paths.filter(|path| !path.is_empty()).collect()
}

/// A switch that an adapter is to be connected to and that is not there. Contract: 4.1 [M]
fn missing_switch(name: &str) -> Incompatibility {
    (33012, format!("Could not find Ethernet switch '{name}'."))
}

/// A checkpoint that is listed and was not imported. Contract: 4.1 [M]
fn missing_checkpoint(id: Uuid) -> Incompatibility {
    let what = format!("The checkpoint '{}' was not found.", guid_text(id));
    (16300, what)
}
