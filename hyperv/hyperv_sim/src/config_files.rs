//! Configuration and state files of VMs and checkpoints.
//!
//! ```text
//!   <root>\Virtual Machines\<VM>.vmcx   .VMRS   .vmgs (with a virtual TPM)
//!   <root>\Snapshots\<checkpoint>.vmcx  .VMRS   .vmgs
//! ```
//!
//! A 2012 R2 host writes `.xml`, and `.bin` where there is memory.

use std::path::Path;

use uuid::Uuid;
use vm_config::{Checkpoint, Disk, Node, Tree, Value, VmConfiguration, write_vmcx, write_xml};

use crate::definition_file::{add_notes, holds_memory};
use crate::guid::guid_text;
use crate::host_folder::remove_if_there;
use crate::host_state::HostState;
use crate::other_key::add_other_keys;
use crate::{PowerState, SimError, SimErrorKind, Snapshot, SnapshotDisk, Vm};

/// Bytes of memory that a saved VM's file has: a token of the real thing.
const MEMORY_BYTES: usize = 64 << 10;

/// The files beside a configuration, by extension.
const STATE_EXTENSIONS: [&str; 4] = ["VMRS", "vmgs", "bin", "vsv"];

impl HostState {
    /// Writes the files of a VM as it is now.
    pub(crate) fn write_configuration(&mut self, id: Uuid) -> Result<(), SimError> {
        let vm = self.vm(id)?;
        let stem = format!("{}\\Virtual Machines\\{}", vm.config_root, guid_text(id));
        let has_memory = vm.power == PowerState::Saved;
        self.write_files(&stem, vm, &vm.configuration(None), None, has_memory)
    }

    /// Writes the files of a checkpoint.
    pub(crate) fn write_snapshot_files(
        &self,
        vm: &Vm,
        snapshot: &Snapshot,
    ) -> Result<(), SimError> {
        let stem = format!(
            "{}\\Snapshots\\{}",
            vm.snapshot_root(),
            guid_text(snapshot.id)
        );
        let configuration = vm.configuration(Some(&snapshot.disks));
        let memory = snapshot.has_memory;
        self.write_files(&stem, vm, &configuration, Some(snapshot), memory)
    }

    /// Writes the files of all of a VM's checkpoints anew, since paths in them changed.
    pub(crate) fn write_all_files(&mut self, id: Uuid) -> Result<(), SimError> {
        self.write_configuration(id)?;
        let vm = self.vm(id)?;
        for snapshot in &vm.snapshots {
            self.write_snapshot_files(vm, snapshot)?;
        }
        Ok(())
    }

    /// Removes a configuration and the files beside it.
    pub(crate) fn remove_configuration(&self, root: &str, file: &str) -> Result<(), SimError> {
        let path = self.local_path(&format!("{root}\\{file}"))?;
        remove_if_there(&path)?;
        for extension in STATE_EXTENSIONS {
            remove_if_there(&path.with_extension(extension))?;
        }
        Ok(())
    }

    /// Writes configuration, runtime state and guest state under a name without extension.
    pub(crate) fn write_files(
        &self,
        stem: &str,
        vm: &Vm,
        configuration: &VmConfiguration,
        snapshot: Option<&Snapshot>,
        has_memory: bool,
    ) -> Result<(), SimError> {
        let profile = self.facts.profile;
        let mut tree = configuration.to_tree();
        add_other_keys(&mut tree, &vm.other_keys);
        add_notes(&mut tree, vm, snapshot);
        // Memory that is there stays as it is: it may have come from another host.
        let keeps_memory = has_memory && holds_memory(&self.local_path(&format!("{stem}.vmcx"))?);
        if !profile.has_binary_configurations() {
            self.write_file(&format!("{stem}.xml"), &xml(&tree)?)?;
            let memory = format!("{stem}.bin");
            return if keeps_memory {
                Ok(())
            } else if has_memory {
                self.write_file(&memory, &[0x5A; MEMORY_BYTES])
            } else {
                remove_if_there(&self.local_path(&memory)?)
            };
        }
        self.write_file(&format!("{stem}.vmcx"), &vmcx(&tree)?)?;
        if !keeps_memory {
            let state = vmcx(&runtime_state(vm, has_memory))?;
            self.write_file(&format!("{stem}.VMRS"), &state)?;
        }
        let guest = format!("{stem}.vmgs");
        let has_guest_state = vm.has_tpm && profile.has_guest_state_file();
        if has_guest_state && !self.local_path(&guest)?.exists() {
            self.write_file(&guest, &guest_state(vm))?;
        }
        Ok(())
    }

    fn write_file(&self, host_path: &str, bytes: &[u8]) -> Result<(), SimError> {
        let path = self.local_path(host_path)?;
        write_whole(&path, bytes)
    }
}

impl Vm {
    /// Returns the configuration as it is now, or with the disks of a checkpoint.
    pub(crate) fn configuration(&self, frozen: Option<&[SnapshotDisk]>) -> VmConfiguration {
        let mut disks: Vec<Disk> = self
            .disks
            .iter()
            .map(|disk| Disk {
                slot: disk.slot,
                path: disk.path.clone(),
                pass_through: disk.physical_number.is_some(),
            })
            .collect();
        if let Some(frozen) = frozen {
            disks = frozen
                .iter()
                .map(|disk| Disk {
                    slot: disk.slot,
                    path: disk.path.clone(),
                    pass_through: false,
                })
                .collect();
        }
        let checkpoint = |snapshot: &Snapshot| Checkpoint {
            id: snapshot.id,
            name: snapshot.name.clone(),
        };
        let stem = guid_text(self.id);
        VmConfiguration {
            name: self.name.clone(),
            id: self.id,
            generation: self.generation,
            version: self.version.clone(),
            notes: self.notes.clone(),
            processors: self.processors,
            memory: self.memory.clone(),
            disks,
            network_adapters: self.network_adapters.clone(),
            checkpoints: match frozen {
                None => self.snapshots.iter().map(checkpoint).collect(),
                Some(_) => Vec::new(),
            },
            guest_state_file: self
                .has_tpm
                .then(|| format!("{}\\Virtual Machines\\{stem}.vmgs", self.config_root)),
            secure_boot: self.secure_boot,
            secure_boot_template: self.secure_boot_template,
        }
    }
}

fn vmcx(tree: &Tree) -> Result<Vec<u8>, SimError> {
    write_vmcx(tree).map_err(|error| SimError::new(SimErrorKind::Failed, error.to_string()))
}

fn xml(tree: &Tree) -> Result<Vec<u8>, SimError> {
    write_xml(tree).map_err(|error| SimError::new(SimErrorKind::Failed, error.to_string()))
}

/// Returns what a `.VMRS` holds here: a container, with memory where the VM is saved.
fn runtime_state(vm: &Vm, has_memory: bool) -> Tree {
    let mut nodes = vec![Node::text("vm", guid_text(vm.id))];
    if has_memory {
        // Content that tells one VM's memory from another's.
        let memory: Vec<u8> = vm
            .id
            .as_bytes()
            .iter()
            .copied()
            .cycle()
            .take(MEMORY_BYTES)
            .collect();
        nodes.push(Node::new("memory", Value::Bytes(memory)));
    }
    Tree {
        children: vec![Node::branch("savedstate", nodes)],
    }
}

/// Returns what a `.vmgs` holds here: what tells one VM's keys from another's.
fn guest_state(vm: &Vm) -> Vec<u8> {
    let mut bytes = b"GUESTRTS".to_vec();
    bytes.extend(vm.id.as_bytes());
    bytes.resize(4096, 0);
    bytes
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), SimError> {
    let failed = |error| SimError::io(path.display(), error);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let partial = path.with_extension("partial");
    std::fs::write(&partial, bytes).map_err(failed)?;
    std::fs::rename(&partial, path).map_err(failed)
}
