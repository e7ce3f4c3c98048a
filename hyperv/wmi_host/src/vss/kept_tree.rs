//! Configuration and state files of a VM and its checkpoints, as they are on a volume snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use block_io::{ImageFile, OsFile};
use disk_image::{HostPaths, contained};
use hyperv_host::{FileRole, FileSource, Finding, PowerState, Severity};
use uuid::Uuid;
use vm_config::VmConfiguration;

use super::candidate::Candidate;
use super::snapshot_view::SnapshotView;
use crate::backup::kept_files::{below, configuration_path, extension_of, whole, with_extension};
use crate::facts::{SettingsFacts, SnapshotFacts};
use crate::plan::Way;

/// A larger configuration is none.
const CONFIGURATION_BYTES_MAX: u64 = 64 << 20;
/// Memory and device state: since 2016, and before.
const MEMORY: [&str; 3] = ["vmrs", "bin", "vsv"];

/// Files of a VM and its checkpoints. They are named as in a folder that Hyper-V imports.
#[derive(Default)]
pub(super) struct KeptTree {
    pub(super) files: Vec<FileSource>,
    pub(super) configuration: Option<VmConfiguration>,
    /// Bytes of memory that each checkpoint keeps.
    memory: HashMap<Uuid, u64>,
}

impl KeptTree {
    /// Opens the files of a VM, and those of its checkpoints where they are wanted. `has_memory`:
    /// the VM was saved when the snapshot was made.
    pub(super) fn open(
        view: &Arc<SnapshotView>,
        vm: &mut Candidate,
        has_memory: bool,
        with_checkpoints: bool,
    ) -> Self {
        let mut keeping = Keeping {
            view,
            kept: Self::default(),
        };
        let settings = vm.vm.settings.clone();
        let stem = format!("Virtual Machines/{}", upper(vm.vm.id));
        let problem = keeping.configuration(&settings, &stem, vm.vm.id);
        vm.findings.extend(problem.map(|why| unreadable(vm, &why)));
        // A writer that need not save a VM without integration services pauses it.
        let must_have = vm.way == Way::Saving || vm.vm.state == PowerState::Saved;
        if has_memory && keeping.memory(&settings, &stem, FileRole::RuntimeState) == 0 && must_have
        {
            vm.findings
                .push(missing("VM-MEMORY-MISSING", vm, "its saved memory"));
        }
        let has_guest_state = keeping.guest_state(&settings, &stem, FileRole::GuestState);
        if vm.vm.has_tpm && !has_guest_state {
            let what = "its guest state, with the virtual TPM";
            vm.findings
                .push(missing("VM-GUEST-STATE-MISSING", vm, what));
        }
        if with_checkpoints {
            for (snapshot, _) in vm.checkpoints.iter() {
                if !keeping.checkpoint(snapshot) {
                    let what = format!("the configuration of its checkpoint {:?}", snapshot.name);
                    let finding = missing("VM-CHECKPOINT-FILES", vm, &what);
                    vm.findings.push(finding);
                }
            }
        }
        keeping.kept
    }

    /// Returns the size of the memory that a checkpoint keeps.
    pub(super) fn memory_bytes(&self, snapshot: &SnapshotFacts) -> Option<u64> {
        let bytes = self.memory.get(&snapshot.id).copied();
        bytes.filter(|bytes| *bytes > 0 && snapshot.settings.is_saved)
    }
}

struct Keeping<'a> {
    view: &'a Arc<SnapshotView>,
    kept: KeptTree,
}

impl Keeping<'_> {
    /// Keeps the VM's configuration, or says why it cannot be read.
    fn configuration(&mut self, settings: &SettingsFacts, stem: &str, vm: Uuid) -> Option<String> {
        let Some(path) = configuration_path(settings) else {
            return Some("the host does not say where it is".to_owned());
        };
        let Some(file) = self.file(&path) else {
            return Some(format!("{path} is not on the volume snapshot"));
        };
        let read = whole(&*file, CONFIGURATION_BYTES_MAX).map_err(|error| error.to_string());
        let read = read.and_then(|bytes| {
            VmConfiguration::read(&path, &bytes).map_err(|error| error.to_string())
        });
        self.keep(FileRole::Configuration, stem, extension_of(&path), file);
        match read {
            Ok(reading) => {
                self.kept.configuration = Some(VmConfiguration {
                    id: vm,
                    ..reading.configuration
                });
                None
            }
            Err(why) => Some(why),
        }
    }

    /// Keeps the files of a checkpoint; `false`: not even its configuration is there.
    fn checkpoint(&mut self, snapshot: &SnapshotFacts) -> bool {
        let settings = &snapshot.settings;
        let stem = format!("Snapshots/{}", upper(snapshot.id));
        let bytes = self.memory(settings, &stem, FileRole::CheckpointState);
        self.kept.memory.insert(snapshot.id, bytes);
        self.guest_state(settings, &stem, FileRole::CheckpointState);
        let path = configuration_path(settings);
        let Some((path, file)) = path.and_then(|path| Some((path.clone(), self.file(&path)?)))
        else {
            return false;
        };
        let role = FileRole::CheckpointConfiguration;
        self.keep(role, &stem, extension_of(&path), file);
        true
    }

    /// Keeps memory and device state; returns their size in bytes. They lie beside the configuration
    /// with its stem, on hosts before 2016 in a folder of that name. Contract: 1.2 [M]
    fn memory(&mut self, settings: &SettingsFacts, stem: &str, role: FileRole) -> u64 {
        let Some(path) = configuration_path(settings) else {
            return 0;
        };
        let mut bytes = 0_u64;
        for extension in MEMORY {
            let beside = with_extension(&path, extension);
            let name = beside.rsplit('\\').next().unwrap_or_default().to_owned();
            let folder = path
                .rsplit_once('.')
                .map_or(path.as_str(), |(stem, _)| stem);
            let inside = format!("{folder}\\{name}");
            let found = self.file(&beside).or_else(|| self.file(&inside));
            if let Some(file) = found {
                bytes = bytes.saturating_add(file.size_bytes().unwrap_or(0));
                self.keep(role, stem, extension, file);
            }
        }
        bytes
    }

    fn guest_state(&mut self, settings: &SettingsFacts, stem: &str, role: FileRole) -> bool {
        let named = settings.guest_state_file.as_deref();
        let named = named.map(|file| below(settings.guest_state_root.as_deref(), file));
        let beside = configuration_path(settings).map(|path| with_extension(&path, "vmgs"));
        let found = [named, beside].into_iter().flatten();
        let mut found = found.filter_map(|path| self.file(&path));
        let Some(file) = found.next() else {
            return false;
        };
        drop(found);
        self.keep(role, stem, "vmgs", file);
        true
    }

    fn file(&self, path: &str) -> Option<Arc<dyn ImageFile>> {
        let local = self.view.locate(path)?;
        // A link on the host's volume may lead out of the snapshot.
        let view: Arc<dyn HostPaths> = Arc::<SnapshotView>::clone(self.view);
        let local = contained(&view, &local).ok()?;
        let file = OsFile::open_held_still(&local).ok()?;
        Some(Arc::new(file))
    }

    fn keep(&mut self, role: FileRole, stem: &str, extension: &str, file: Arc<dyn ImageFile>) {
        self.kept.files.push(FileSource {
            role,
            relative_path: format!("{stem}.{extension}"),
            file,
        });
    }
}

/// Returns whether the VM's memory is on the snapshot.
pub(super) fn was_saved(vm: &Candidate) -> bool {
    let by_run = vm.method == hyperv_host::BackupMethod::SavedState;
    vm.vm.state == PowerState::Saved || (by_run && vm.vm.state == PowerState::Running)
}

fn upper(id: Uuid) -> String {
    id.hyphenated().to_string().to_uppercase()
}

fn missing(id: &str, vm: &Candidate, what: &str) -> Finding {
    let text = format!(
        "the VM {}: {what} cannot be read, and is not in the point",
        vm.vm.name
    );
    Finding::new(id, Severity::Warn, text)
        .cure("see that this machine may read the folder of the VM's configuration on the host")
}

fn unreadable(vm: &Candidate, why: &str) -> Finding {
    let text = format!(
        "the configuration of the VM {} cannot be read: {why}; the point has the VM's disks, and a \
         restore has to be told the rest",
        vm.vm.name
    );
    Finding::new("VM-CONFIG-UNREADABLE", Severity::Warn, text)
        .cure("see that this machine may read the folder of the VM's configuration on the host")
}
