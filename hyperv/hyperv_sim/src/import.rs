//! `ImportSystemDefinition` and `ImportSnapshotDefinitions`: a planned VM out of definition files.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use vm_config::{Disk, VmConfiguration};

use crate::definition_file::{Definition, VmNotes};
use crate::drive::file_name;
use crate::guid::guid_text;
use crate::host_state::HostState;
use crate::job_work::JobWork;
use crate::{
    Consistency, DEFAULT_DATA_ROOT, DiskKind, JobKind, PlannedVm, PowerState, SimError,
    SimErrorKind, Snapshot, SnapshotDisk, SnapshotKind, Vm, VmDisk, VmSpec,
};

impl HostState {
    /// `ImportSystemDefinition`: returns the job; its result is the planned VM.
    ///
    /// Errors at once: the file is that of a VM of this host. In the job: it cannot be read, its
    /// identity exists.
    pub(crate) fn import(
        &mut self,
        definition: &str,
        checkpoint_folder: Option<String>,
        new_identity: bool,
    ) -> Result<Uuid, SimError> {
        self.check_definition_is_free(definition)?;
        let read = self.read_definition(definition).ok();
        let id = match read.filter(|_| !new_identity) {
            Some(read) => read.configuration.id,
            None => self.new_guid(),
        };
        let work = JobWork::Import {
            id,
            definition: definition.to_owned(),
            checkpoint_folder,
            new_identity,
        };
        self.start_job(id, JobKind::Import, work)
    }

    /// Refuses a definition file that a VM of this host uses: an import is made of a copy. That the
    /// code is 32779 ("file in use") is documented for the method, not for which file.
    /// Contract: 4.1 [M]
    fn check_definition_is_free(&self, definition: &str) -> Result<(), SimError> {
        let wanted = self.local_path(definition)?;
        for vm in self.vms.values() {
            let own = self.local_path(&format!("{}\\{}", vm.config_root, vm.config_file))?;
            if own == wanted {
                let what = format!(
                    "'{definition}' is in use by the virtual machine '{}'",
                    vm.name
                );
                return Err(SimError::new(SimErrorKind::InvalidState, what).with_code(32779));
            }
        }
        Ok(())
    }

    /// Does what `ImportSystemDefinition` is for.
    pub(crate) fn make_planned(
        &mut self,
        id: Uuid,
        path: &str,
        checkpoint_folder: Option<&str>,
        new_identity: bool,
    ) -> Result<(), SimError> {
        let definition = self.read_definition(path)?;
        if self.system(id).is_some() {
            return Err(identity_exists(id));
        }
        let listed = definition.configuration.checkpoints.clone();
        let own_id = definition.configuration.id;
        let current_parent = definition.notes.as_ref().and_then(|own| own.current_parent);
        let planned = PlannedVm {
            vm: self.vm_of(id, definition),
            definition: path.to_owned(),
            definition_id: own_id,
            is_renamed: new_identity,
            checkpoint_ids: BTreeMap::new(),
            missing: BTreeSet::new(),
            checkpoint_definitions: BTreeMap::new(),
        };
        self.facts_mut().planned.insert(id, planned);
        for checkpoint in listed {
            let here = self.checkpoint_id(id, checkpoint.id)?;
            let planned = self.planned_mut(id)?;
            let missing = missing_checkpoint(&planned.vm, here, checkpoint.name);
            planned.missing.insert(here);
            planned.vm.snapshots.push(missing);
        }
        if let Some(parent) = current_parent {
            let here = self.checkpoint_id(id, parent)?;
            self.planned_mut(id)?.vm.current_parent = Some(here);
        }
        match checkpoint_folder {
            Some(folder) => self.add_checkpoints(id, folder),
            None => Ok(()),
        }
    }

    /// `ImportSnapshotDefinitions`: returns the job.
    pub(crate) fn import_checkpoints(&mut self, vm: Uuid, folder: &str) -> Result<Uuid, SimError> {
        self.planned(vm)?;
        self.local_path(folder)?;
        let folder = folder.to_owned();
        let work = JobWork::ImportCheckpoints { folder };
        self.start_job(vm, JobKind::Import, work)
    }

    /// Does what `ImportSnapshotDefinitions` is for: takes the checkpoints in a folder that the
    /// definition lists, or that name its VM.
    pub(crate) fn add_checkpoints(&mut self, vm: Uuid, folder: &str) -> Result<(), SimError> {
        for path in self.definitions_in(folder.trim_end_matches('\\'))? {
            let name = file_name(&path);
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            let Ok(file_id) = Uuid::parse_str(stem) else {
                continue;
            };
            let definition = self.read_definition(&path)?;
            let planned = self.planned(vm)?;
            let known = planned.checkpoint_ids.get(&file_id).unwrap_or(&file_id);
            let is_listed = planned.missing.contains(known);
            if !is_listed && definition.configuration.id != planned.definition_id {
                continue;
            }
            let id = self.checkpoint_id(vm, file_id)?;
            let snapshot = self.checkpoint_of(vm, id, definition)?;
            let planned = self.planned_mut(vm)?;
            planned.missing.remove(&id);
            planned.checkpoint_definitions.insert(id, path);
            let place = planned.vm.snapshots.iter_mut().find(|own| own.id == id);
            match place {
                Some(place) => *place = snapshot,
                None => planned.vm.snapshots.push(snapshot),
            }
        }
        Ok(())
    }

    /// Returns the GUID that a checkpoint has here. Those of a VM with a new identity get new ones,
    /// too, since those of the old one may be on this host. Contract: 4.1 [M]
    fn checkpoint_id(&mut self, vm: Uuid, file_id: Uuid) -> Result<Uuid, SimError> {
        let planned = self.planned(vm)?;
        if !planned.is_renamed {
            return Ok(file_id);
        }
        if let Some(known) = planned.checkpoint_ids.get(&file_id) {
            return Ok(*known);
        }
        let id = self.new_guid();
        self.planned_mut(vm)?.checkpoint_ids.insert(file_id, id);
        Ok(id)
    }

    fn definitions_in(&self, folder: &str) -> Result<Vec<String>, SimError> {
        let local = self.local_path(folder)?;
        let entries = std::fs::read_dir(&local).map_err(|error| {
            let what = format!("cannot read the folder '{folder}': {error}");
            SimError::new(SimErrorKind::Failed, what)
        })?;
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| SimError::io(folder, error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let lower = name.to_ascii_lowercase();
            if lower.ends_with(".vmcx") || lower.ends_with(".xml") {
                found.push(format!("{folder}\\{name}"));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Makes the checkpoint of a definition file.
    fn checkpoint_of(
        &mut self,
        vm: Uuid,
        id: Uuid,
        definition: Definition,
    ) -> Result<Snapshot, SimError> {
        let planned = self.planned(vm)?;
        let listed = planned.vm.snapshot(id).map(|own| own.name.clone());
        let mut snapshot = definition.snapshot.unwrap_or_else(|| {
            let name = definition.configuration.name.clone();
            missing_checkpoint(&planned.vm, id, listed.unwrap_or(name))
        });
        let extension = planned.vm.config_file.rsplit('.').next().unwrap_or("vmcx");
        snapshot.config_file = format!("Snapshots\\{}.{extension}", guid_text(id));
        snapshot.id = id;
        snapshot.has_memory = definition.has_memory;
        // What a file says of its disks counts more than what was noted when it was written.
        let disks = definition.configuration.disks.iter();
        snapshot.disks = disks.map(frozen_disk).collect();
        if let Some(parent) = snapshot.parent {
            snapshot.parent = Some(self.checkpoint_id(vm, parent)?);
        }
        Ok(snapshot)
    }

    /// Makes the VM that a definition describes, below the host's default folder until it is told
    /// otherwise.
    fn vm_of(&mut self, id: Uuid, definition: Definition) -> Vm {
        let Definition {
            configuration,
            scsi_controllers,
            other_keys,
            notes,
            has_memory,
            ..
        } = definition;
        let mut spec = VmSpec::new(configuration.name.clone());
        spec.generation = configuration.generation;
        spec.version = Some(configuration.version.clone());
        spec.notes.clone_from(&configuration.notes);
        spec.has_tpm = configuration.guest_state_file.is_some();
        spec.folder = Some(DEFAULT_DATA_ROOT.to_owned());
        spec.running = false;
        spec.scsi_controllers = u32::try_from(scsi_controllers).unwrap_or(0);
        let mut vm = self.bare_vm(&spec);
        take_configuration(&mut vm, configuration);
        vm.other_keys = other_keys;
        let extension = vm.config_file.rsplit('.').next().unwrap_or("vmcx");
        vm.config_file = format!("Virtual Machines\\{}.{extension}", guid_text(id));
        vm.id = id;
        if has_memory {
            vm.power = PowerState::Saved;
        }
        if let Some(notes) = notes {
            take_notes(&mut vm, notes);
        }
        vm
    }
}

fn take_configuration(vm: &mut Vm, configuration: VmConfiguration) {
    vm.processors = configuration.processors;
    vm.memory = configuration.memory;
    vm.network_adapters = configuration.network_adapters;
    vm.secure_boot = configuration.secure_boot;
    vm.secure_boot_template = configuration.secure_boot_template;
    vm.disks = configuration.disks.iter().map(running_disk).collect();
}

fn take_notes(vm: &mut Vm, notes: VmNotes) {
    vm.guest = notes.guest;
    vm.user_snapshot_type = notes.user_snapshot_type;
    vm.automatic_snapshots = notes.automatic_snapshots;
    vm.components = notes.components;
    vm.empty_drives = notes.empty_drives;
}

/// Returns a disk as far as its configuration tells of it; its file was not looked at yet.
pub(crate) fn running_disk(disk: &Disk) -> VmDisk {
    VmDisk {
        slot: disk.slot,
        kind: kind_of(disk),
        path: disk.path.clone(),
        size_bytes: 0,
        disk_id: Uuid::nil(),
        physical_number: disk.pass_through.then_some(1),
    }
}

fn frozen_disk(disk: &Disk) -> SnapshotDisk {
    SnapshotDisk {
        slot: disk.slot,
        kind: kind_of(disk),
        path: disk.path.clone(),
        size_bytes: 0,
        disk_id: Uuid::nil(),
        tracking_id: None,
    }
}

fn kind_of(disk: &Disk) -> DiskKind {
    if disk.pass_through {
        return DiskKind::PassThrough;
    }
    kind_of_path(&disk.path)
}

/// Returns what sort of disk a file is, by its name.
pub(crate) fn kind_of_path(path: &str) -> DiskKind {
    match path.to_ascii_lowercase().rsplit('.').next() {
        Some("vhd" | "avhd") => DiskKind::Vhd,
        Some("vhds") => DiskKind::VhdSet,
        _ => DiskKind::Vhdx,
    }
}

/// Makes a checkpoint of which nothing is known but that it is listed.
fn missing_checkpoint(vm: &Vm, id: Uuid, name: String) -> Snapshot {
    let extension = vm.config_file.rsplit('.').next().unwrap_or("vmcx");
    Snapshot {
        id,
        name,
        kind: SnapshotKind::Standard,
        created: vm.created,
        consistency: Consistency::Crash,
        parent: None,
        disks: Vec::new(),
        power: PowerState::Off,
        has_memory: false,
        is_automatic: false,
        config_file: format!("Snapshots\\{}.{extension}", guid_text(id)),
    }
}

/// Makes the failure of an import that keeps an identity which the host has. Documents say that it
/// fails, not how. Contract: 4.1 [M]
fn identity_exists(id: Uuid) -> SimError {
    let what = format!(
        "Failed to import a virtual machine: a virtual machine with the identifier '{}' already \
         exists",
        guid_text(id)
    );
    SimError::new(SimErrorKind::Failed, what)
}
