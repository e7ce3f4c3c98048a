//! `RealizePlannedSystem`: a planned VM becomes one that people see (contract 4.1).

use std::collections::BTreeSet;
use std::path::Path;

use uuid::Uuid;

use crate::definition_file::existing_case;
use crate::host_state::HostState;
use crate::image::LayerFile;
use crate::job_work::JobWork;
use crate::{DiskFile, DiskKind, JobKind, PlannedVm, SimError, Vm, tracking};

/// The state files beside a definition file.
const STATE_FILES: [&str; 4] = ["VMRS", "vmgs", "bin", "vsv"];

/// What is known of a disk's file once it was opened.
struct OpenedDisk {
    path: String,
    size_bytes: u64,
    disk_id: Uuid,
}

impl HostState {
    /// `RealizePlannedSystem`: returns the job.
    pub(crate) fn realize(&mut self, vm: Uuid) -> Result<Uuid, SimError> {
        self.planned(vm)?;
        self.start_job(vm, JobKind::Realize, JobWork::Realize)
    }

    /// Does what `RealizePlannedSystem` is for. That it fails where validation would is known of
    /// missing disks alone. Contract: 4.1 [M]
    pub(crate) fn make_real(&mut self, id: Uuid) -> Result<(), SimError> {
        self.check_planned(id)?;
        let planned = self.planned(id)?.clone();
        let mut vm = planned.vm.clone();
        self.adopt_disks(&mut vm)?;
        find_parents(&mut vm);
        self.forget_changes(&vm)?;
        self.copy_state_files(&planned, &vm)?;
        self.facts_mut().planned.remove(&id);
        // A role of this identity is about this VM again.
        let cluster = self.membership.as_deref();
        vm.is_clustered = cluster.is_some_and(|own| own.facts.roles.contains_key(&id));
        self.vms.insert(id, vm);
        self.write_all_files(id)?;
        self.vm_mut(id).map(|_| ())
    }

    /// Looks at the files of all disks: what they are made of becomes the VM's own, unless another
    /// VM has it.
    fn adopt_disks(&self, vm: &mut Vm) -> Result<(), SimError> {
        let mut disks = std::mem::take(&mut vm.disks);
        for disk in disks.iter_mut().filter(|disk| !disk.path.is_empty()) {
            let opened = self.adopt_file(vm, &disk.path, disk.kind)?;
            disk.path = opened.path;
            disk.size_bytes = opened.size_bytes;
            disk.disk_id = opened.disk_id;
        }
        vm.disks = disks;
        let mut snapshots = std::mem::take(&mut vm.snapshots);
        let frozen = snapshots.iter_mut().flat_map(|own| &mut own.disks);
        for disk in frozen.filter(|disk| !disk.path.is_empty()) {
            let opened = self.adopt_file(vm, &disk.path, disk.kind)?;
            disk.path = opened.path;
            disk.size_bytes = opened.size_bytes;
            disk.disk_id = opened.disk_id;
            // The point that it names is not known any more.
            disk.tracking_id = None;
        }
        vm.snapshots = snapshots;
        Ok(())
    }

    /// Makes a disk's file and its parents files of a VM, under the names that they have on disk.
    fn adopt_file(&self, vm: &mut Vm, path: &str, kind: DiskKind) -> Result<OpenedDisk, SimError> {
        let local = self.local_path(path)?;
        let chain = self.chain_of(&local)?;
        let mut names = Vec::new();
        for file in &chain {
            names.push(self.host_path(&file.path)?);
        }
        let leaf = names.first().cloned().unwrap_or_else(|| path.to_owned());
        for (place, name) in names.iter().enumerate() {
            let parent = names.get(place + 1).cloned();
            let is_others = |name: &String| {
                let mut others = self.vms.values().filter(|other| other.id != vm.id);
                others.any(|other| other.files.contains_key(name))
            };
            if is_others(name) {
                break;
            }
            let foreign = parent.clone().filter(is_others);
            let node = DiskFile {
                parent: parent.filter(|_| foreign.is_none()),
                foreign_parent: foreign,
            };
            vm.files.insert(name.clone(), node);
        }
        if kind == DiskKind::VhdSet {
            return Ok(OpenedDisk {
                path: leaf,
                size_bytes: 0,
                disk_id: Uuid::nil(),
            });
        }
        let layer = LayerFile::open(&local)?;
        Ok(OpenedDisk {
            path: leaf,
            size_bytes: layer.as_layer().size_bytes(),
            disk_id: layer.disk_id(),
        })
    }

    /// Takes a file that is in place into a VM's trees; returns its size in bytes and its identity.
    pub(crate) fn adopt(
        &mut self,
        vm: Uuid,
        path: &str,
        kind: DiskKind,
    ) -> Result<(String, u64, Uuid), SimError> {
        let mut owner = self.vm(vm)?.clone();
        let opened = self.adopt_file(&mut owner, path, kind)?;
        self.vm_mut(vm)?.files = owner.files;
        Ok((opened.path, opened.size_bytes, opened.disk_id))
    }

    /// Forgets what was known of changes of a VM's disks: tracking begins anew with the next
    /// backup, which is a full one (contract 4.1; whether a host finds that out by itself is not
    /// known). Contract: 4.1 [M]
    fn forget_changes(&self, vm: &Vm) -> Result<(), SimError> {
        for file in vm.files.keys() {
            tracking::remove_files(&self.local_path(file)?)?;
        }
        Ok(())
    }

    /// Copies saved and guest state from beside the definition files to where the VM keeps them.
    fn copy_state_files(&self, planned: &PlannedVm, vm: &Vm) -> Result<(), SimError> {
        let own = format!("{}\\{}", vm.config_root, vm.config_file);
        self.copy_beside(&planned.definition, &own)?;
        for snapshot in &vm.snapshots {
            if let Some(from) = planned.checkpoint_definitions.get(&snapshot.id) {
                let to = format!("{}\\{}", vm.snapshot_root(), snapshot.config_file);
                self.copy_beside(from, &to)?;
            }
        }
        Ok(())
    }

    fn copy_beside(&self, from: &str, to: &str) -> Result<(), SimError> {
        let (from, to) = (self.local_path(from)?, self.local_path(to)?);
        let failed = |error| SimError::io(to.display(), error);
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        for extension in STATE_FILES {
            let source = existing_case(&from.with_extension(extension));
            let target = to.with_extension(extension);
            if source.is_file() && source != target {
                std::fs::copy(&source, &target).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Returns what the host calls a file of this machine.
    pub(crate) fn host_path(&self, local: &Path) -> Result<String, SimError> {
        for (prefix, folder) in crate::drive::drives(self.dir())? {
            let folder = folder.canonicalize().unwrap_or(folder);
            if let Ok(below) = local.strip_prefix(&folder) {
                let parts = below.iter().map(|part| part.to_string_lossy());
                let prefix = prefix.trim_end_matches('\\').to_owned();
                return Ok(parts.fold(prefix, |path, part| path + "\\" + &part));
            }
        }
        let what = format!("{} is on no drive of the host", local.display());
        Err(SimError::new(crate::SimErrorKind::Storage, what))
    }
}

/// Finds out from the trees of files what each checkpoint derives from, where its definition did
/// not tell: the checkpoint whose frozen files come next on the way to the base.
fn find_parents(vm: &mut Vm) {
    let known: BTreeSet<Uuid> = vm.snapshots.iter().map(|own| own.id).collect();
    let is_known = |id: &Uuid| known.contains(id);
    let parents: Vec<Option<Uuid>> = vm
        .snapshots
        .iter()
        .map(|own| {
            let noted = own.parent.filter(is_known);
            noted.or_else(|| nearest(vm, own.disks.iter().map(|disk| disk.path.as_str())))
        })
        .collect();
    let current = vm.current_parent.filter(is_known);
    let disks = vm.disks.iter().map(|disk| disk.path.as_str());
    let current = current.or_else(|| nearest(vm, disks));
    for (snapshot, parent) in vm.snapshots.iter_mut().zip(parents) {
        snapshot.parent = parent;
    }
    vm.current_parent = current;
}

/// Returns the checkpoint that froze the nearest parent of one of these files.
fn nearest<'a>(vm: &Vm, files: impl Iterator<Item = &'a str>) -> Option<Uuid> {
    for file in files {
        let mut at = vm.files.get(file).and_then(|node| node.parent.as_deref());
        for _ in 0..vm.files.len() {
            let Some(parent) = at else { break };
            let frozen = vm.snapshots.iter();
            let mut found = frozen.filter(|own| own.disks.iter().any(|disk| disk.path == parent));
            if let Some(found) = found.next() {
                return Some(found.id);
            }
            at = vm.files.get(parent).and_then(|node| node.parent.as_deref());
        }
    }
    None
}
