//! Reading a definition file back: what it says in Hyper-V's words, and what this host noted in it.
//!
//! A typed configuration has no place for what only a simulation knows, such as what runs inside of
//! the VM, nor for how checkpoints derive from each other. So the host notes that beside, under
//! `configuration/simulation`. A file of a real host has nothing there, and is read all the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vm_config::{DiskSlot, Node, Tree, Value, VmConfiguration, read_vmcx, read_xml};

use crate::drive::file_name;
use crate::host_state::HostState;
use crate::other_key::other_keys;
use crate::{Component, ComponentKind, Guest, OtherKey, SimError, SimErrorKind, Snapshot, Vm};

/// The class of SCSI controllers in a manifest.
const SCSI: &str = "d422512d-2bf2-4752-809d-7b82b5fcb1b4";
/// A `.vmrs` of this size holds memory, whoever wrote it.
const MEMORY_BYTES: u64 = 16 << 20;

/// What a definition file holds.
pub(crate) struct Definition {
    /// What it says.
    pub(crate) configuration: VmConfiguration,
    /// Its SCSI controllers, also those without a disk.
    pub(crate) scsi_controllers: usize,
    /// What it says besides.
    pub(crate) other_keys: Vec<OtherKey>,
    /// What this host noted of the VM.
    pub(crate) notes: Option<VmNotes>,
    /// The checkpoint that it is of, as this host noted it.
    pub(crate) snapshot: Option<Snapshot>,
    /// Memory lies beside it.
    pub(crate) has_memory: bool,
}

/// What the simulated host notes of a VM in its definition file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VmNotes {
    pub(crate) guest: Guest,
    pub(crate) current_parent: Option<Uuid>,
    pub(crate) user_snapshot_type: u16,
    #[serde(default)]
    pub(crate) automatic_snapshots: bool,
    #[serde(default)]
    pub(crate) components: BTreeMap<ComponentKind, Component>,
    #[serde(default)]
    pub(crate) empty_drives: Vec<DiskSlot>,
}

/// Adds to a configuration's keys what has no place in them.
pub(crate) fn add_notes(tree: &mut Tree, vm: &Vm, snapshot: Option<&Snapshot>) {
    let notes = VmNotes {
        guest: vm.guest,
        current_parent: snapshot.is_none().then_some(vm.current_parent).flatten(),
        user_snapshot_type: vm.user_snapshot_type,
        automatic_snapshots: vm.automatic_snapshots,
        components: vm.components.clone(),
        empty_drives: vm.empty_drives.clone(),
    };
    let mut nodes = Vec::new();
    if let Ok(text) = serde_json::to_string(&notes) {
        nodes.push(Node::text("vm", text));
    }
    if let Some(text) = snapshot.and_then(|own| serde_json::to_string(own).ok()) {
        nodes.push(Node::text("checkpoint", text));
    }
    let root = tree.children.first_mut();
    if let Some(Node {
        value: Value::Branch(children),
        ..
    }) = root
    {
        children.push(Node::branch("simulation", nodes));
    }
}

fn note<T: DeserializeOwned>(tree: &Tree, name: &str) -> Option<T> {
    let node = tree.get(&format!("configuration/simulation/{name}"))?;
    match &node.value {
        Value::Text(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

impl HostState {
    /// Reads a definition file of the host, and looks for memory beside it.
    pub(crate) fn read_definition(&self, path: &str) -> Result<Definition, SimError> {
        let local = self.local_path(path)?;
        let bytes = std::fs::read(&local).map_err(|error| unreadable(path, &error.to_string()))?;
        let wrong = |error: vm_config::ConfigError| unreadable(path, &error.to_string());
        let name = file_name(path);
        let is_xml = name.to_ascii_lowercase().ends_with(".xml");
        let tree = match is_xml {
            true => read_xml(name, &bytes),
            false => read_vmcx(name, &bytes),
        };
        let tree = tree.map_err(wrong)?;
        let configuration = VmConfiguration::from_tree(&tree).map_err(wrong)?;
        let has_memory = holds_memory(&local);
        Ok(Definition {
            scsi_controllers: scsi_controllers(&tree, &configuration),
            other_keys: other_keys(&tree, &configuration.to_tree()),
            notes: note(&tree, "vm"),
            snapshot: note(&tree, "checkpoint"),
            configuration,
            has_memory,
        })
    }
}

/// Returns whether there is memory beside a definition file: in a `.VMRS`, or as a `.bin`.
pub(crate) fn holds_memory(definition: &Path) -> bool {
    if definition.with_extension("bin").is_file() {
        return true;
    }
    let file = existing_case(&definition.with_extension("VMRS"));
    let Ok(bytes) = std::fs::read(&file) else {
        return false;
    };
    let has_node = |tree: Tree| tree.get("savedstate/memory").is_some();
    u64::try_from(bytes.len()).is_ok_and(|length| length >= MEMORY_BYTES)
        || read_vmcx("state", &bytes).is_ok_and(has_node)
}

/// Finds a file whose extension may be written in upper or lower case.
pub(crate) fn existing_case(path: &Path) -> PathBuf {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let lower = path.with_extension(extension.to_lowercase());
    let upper = path.with_extension(extension.to_uppercase());
    if lower.exists() { lower } else { upper }
}

/// Makes the failure of an import whose file is not there or no definition. What a real host says
/// and which code its job has is not documented. Contract: 4.1 [M]
fn unreadable(path: &str, why: &str) -> SimError {
    let what = format!("Failed to import a virtual machine: cannot read '{path}': {why}");
    SimError::new(SimErrorKind::Failed, what)
}

fn scsi_controllers(tree: &Tree, configuration: &VmConfiguration) -> usize {
    let listed = tree.get("configuration/manifest");
    let listed = listed.map(Node::children).unwrap_or_default().iter();
    let is_scsi = |entry: &&Node| match entry.get("device").map(|device| &device.value) {
        Some(Value::Text(class)) => class.eq_ignore_ascii_case(SCSI),
        _ => false,
    };
    let used = configuration.disks.iter();
    let used = used.filter(|disk| disk.slot.kind == vm_config::ControllerKind::Scsi);
    let used = used.map(|disk| disk.slot.controller + 1).max().unwrap_or(0);
    listed
        .filter(is_scsi)
        .count()
        .max(usize::try_from(used).unwrap_or(0))
}
