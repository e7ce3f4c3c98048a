//! Configuration and state files, which a backup keeps as they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use block_io::{DiskError, ImageFile, MemoryFile, OsFile};
use disk_image::HostPaths;
use hyperv_host::{FileRole, FileSource, Finding, HostError, PowerState, Severity};
use vm_config::VmConfiguration;

use crate::facts::{SettingsFacts, SnapshotFacts, VmFacts};

/// A larger configuration is none.
const CONFIGURATION_BYTES_MAX: u64 = 64 << 20;
/// A file of the running VM is read at once, as long as it is not larger.
const COPY_BYTES_MAX: u64 = 64 << 20;

/// Files of a frozen VM.
#[derive(Default)]
pub(super) struct KeptFiles {
    pub(super) files: Vec<FileSource>,
    pub(super) configuration: Option<VmConfiguration>,
}

/// Opens the files that belong to a frozen VM beside its disks. They are named as in a folder
/// that Hyper-V imports: the checkpoint's own are the VM's as of then.
pub(super) fn kept_files(
    bytes: &Arc<dyn HostPaths>,
    vm: &VmFacts,
    snapshot: &SnapshotFacts,
    findings: &mut Vec<Finding>,
) -> Result<KeptFiles, HostError> {
    let mut keeping = Keeping {
        bytes,
        vm,
        kept: KeptFiles::default(),
    };
    let places = Places::of(vm, snapshot);
    keeping.configuration(&places, findings);
    let has_memory = keeping.first_of(FileRole::RuntimeState, "vmrs", &places.memory);
    if vm.state == PowerState::Saved && !has_memory {
        findings.push(missing("VM-MEMORY-MISSING", vm, "its saved memory"));
    }
    let has_guest_state = keeping.first_of(FileRole::GuestState, "vmgs", &places.guest_state);
    if vm.has_tpm && !has_guest_state {
        let what = "its guest state, with the virtual TPM";
        findings.push(missing("VM-GUEST-STATE-MISSING", vm, what));
    }
    Ok(keeping.kept)
}

fn missing(id: &str, vm: &VmFacts, what: &str) -> Finding {
    let text = format!(
        "the VM {}: {what} cannot be read, and is not in the point",
        vm.name
    );
    Finding::new(id, Severity::Warn, text)
        .cure("see that this machine may read the folder of the VM's configuration on the host")
}

/// Where files may be, as the host names them; the first that is there counts. With each: whether
/// the VM may go on writing to it.
struct Places {
    configuration: Vec<(String, bool)>,
    memory: Vec<(String, bool)>,
    guest_state: Vec<(String, bool)>,
}

impl Places {
    /// The files of a checkpoint lie beside each other with one stem (contract 1.2). What it does
    /// not have is the VM's own: the memory of a saved VM, and guest state that has a place of
    /// its own. Contract: 10.12 [M]
    fn of(vm: &VmFacts, snapshot: &SnapshotFacts) -> Self {
        let frozen = configuration_path(&snapshot.settings);
        let live = configuration_path(&vm.settings);
        let runs = !matches!(vm.state, PowerState::Off | PowerState::Saved);
        let beside = |path: &Option<String>, extension: &str, changes: bool| {
            path.as_ref()
                .map(|path| (with_extension(path, extension), changes))
        };
        let guest_state = |settings: &SettingsFacts, changes: bool| {
            let file = settings.guest_state_file.as_deref()?;
            Some((below(settings.guest_state_root.as_deref(), file), changes))
        };
        let is_saved = vm.state == PowerState::Saved;
        let configuration = [
            frozen.clone().map(|path| (path, false)),
            live.clone().map(|path| (path, runs)),
        ];
        let memory = [
            beside(&frozen, "vmrs", false),
            beside(&live, "vmrs", runs).filter(|_| is_saved),
        ];
        let guest_state = [
            beside(&frozen, "vmgs", false),
            guest_state(&snapshot.settings, false),
            guest_state(&vm.settings, runs),
            beside(&live, "vmgs", runs),
        ];
        Self {
            configuration: configuration.into_iter().flatten().collect(),
            memory: memory.into_iter().flatten().collect(),
            guest_state: guest_state.into_iter().flatten().collect(),
        }
    }
}

pub(crate) fn configuration_path(settings: &SettingsFacts) -> Option<String> {
    let file = settings.configuration_file.as_deref()?;
    Some(below(settings.configuration_root.as_deref(), file))
}

/// Returns a path below a root of the host; one that is absolute already stays.
pub(crate) fn below(root: Option<&str>, path: &str) -> String {
    let is_absolute = path.starts_with('\\') || path.get(1..2) == Some(":");
    match root {
        Some(root) if !is_absolute => format!("{}\\{path}", root.trim_end_matches('\\')),
        _ => path.to_owned(),
    }
}

pub(crate) fn with_extension(path: &str, extension: &str) -> String {
    let stem = match path.rsplit_once('.') {
        Some((stem, rest)) if !rest.contains('\\') => stem,
        _ => path,
    };
    format!("{stem}.{extension}")
}

struct Keeping<'a> {
    bytes: &'a Arc<dyn HostPaths>,
    vm: &'a VmFacts,
    kept: KeptFiles,
}

impl Keeping<'_> {
    /// Keeps the first configuration that can be read and describes a VM; else the first file
    /// that is there, which a later version may understand.
    fn configuration(&mut self, places: &Places, findings: &mut Vec<Finding>) {
        let mut problem = "no such file is found".to_owned();
        for (path, changes) in &places.configuration {
            let Some((file, bytes)) = self.open_whole(path, *changes, &mut problem) else {
                continue;
            };
            match VmConfiguration::read(path, &bytes) {
                Ok(reading) => {
                    self.kept.configuration = Some(self.of_vm(reading.configuration));
                    self.kept
                        .files
                        .retain(|kept| kept.role != FileRole::Configuration);
                    self.keep(FileRole::Configuration, extension_of(path), file);
                    return;
                }
                Err(error) => {
                    problem = error.to_string();
                    if self.kept.files.is_empty() {
                        self.keep(FileRole::Configuration, extension_of(path), file);
                    }
                }
            }
        }
        let text = format!(
            "the configuration of the VM {} cannot be read: {problem}; the point has the VM's \
             disks, and a restore has to be told the rest",
            self.vm.name
        );
        findings.push(
            Finding::new("VM-CONFIG-UNREADABLE", Severity::Warn, text).cure(
                "see that this machine may read the folder of the VM's configuration on the host",
            ),
        );
    }

    /// A checkpoint's configuration may carry the checkpoint's own id. Contract: 1.2 [M]
    fn of_vm(&self, configuration: VmConfiguration) -> VmConfiguration {
        VmConfiguration {
            id: self.vm.id,
            ..configuration
        }
    }

    fn first_of(&mut self, role: FileRole, extension: &str, places: &[(String, bool)]) -> bool {
        for (path, changes) in places {
            let Some(local) = self.bytes.locate(path) else {
                continue;
            };
            if let Ok(file) = open(&local, *changes) {
                self.keep(role, extension, file);
                return true;
            }
        }
        false
    }

    fn open_whole(
        &self,
        path: &str,
        changes: bool,
        problem: &mut String,
    ) -> Option<(Arc<dyn ImageFile>, Vec<u8>)> {
        let local = self.bytes.locate(path)?;
        let read = open(&local, changes).and_then(|file| {
            let bytes = whole(&*file, CONFIGURATION_BYTES_MAX)?;
            Ok((file, bytes))
        });
        read.map_err(|error| *problem = error.to_string()).ok()
    }

    fn keep(&mut self, role: FileRole, extension: &str, file: Arc<dyn ImageFile>) {
        let id = self.vm.id.hyphenated().to_string().to_uppercase();
        self.kept.files.push(FileSource {
            role,
            relative_path: format!("Virtual Machines/{id}.{extension}"),
            file,
        });
    }
}

pub(crate) fn extension_of(path: &str) -> &'static str {
    let is_xml = path.to_ascii_lowercase().ends_with(".xml");
    if is_xml { "xml" } else { "vmcx" }
}

/// Opens a file. One that its VM may go on writing to is read at once.
fn open(path: &Path, changes: bool) -> Result<Arc<dyn ImageFile>, DiskError> {
    let file = OsFile::open_held_still(&PathBuf::from(path))?;
    let size_bytes = file.size_bytes();
    let size_bytes =
        size_bytes.map_err(|error| DiskError::io(file.name(), "cannot read this file", error))?;
    if changes && size_bytes <= COPY_BYTES_MAX {
        let bytes = whole(&file, COPY_BYTES_MAX)?;
        return Ok(Arc::new(MemoryFile::new(file.name(), bytes)));
    }
    Ok(Arc::new(file))
}

/// Reads a whole file of bounded size.
pub(crate) fn whole(file: &dyn ImageFile, max_bytes: u64) -> Result<Vec<u8>, DiskError> {
    let failed = |error| DiskError::io(file.name(), "cannot read this file", error);
    let size_bytes = file.size_bytes().map_err(failed)?;
    let len = usize::try_from(size_bytes)
        .ok()
        .filter(|_| size_bytes <= max_bytes);
    let len = len.ok_or_else(|| {
        let text = format!("expected at most {max_bytes} bytes, found {size_bytes}");
        DiskError::unsupported(file.name(), text)
    })?;
    let mut bytes = vec![0; len];
    file.read_exact_at(0, &mut bytes).map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_host_are_put_together() {
        assert_eq!(
            below(Some(r"C:\VMs\"), r"Snapshots\x.vmcx"),
            r"C:\VMs\Snapshots\x.vmcx"
        );
        assert_eq!(below(Some(r"C:\VMs"), r"D:\x.vmgs"), r"D:\x.vmgs");
        assert_eq!(below(Some(r"C:\VMs"), r"\\s\x.vmgs"), r"\\s\x.vmgs");
        assert_eq!(below(None, "x.vmgs"), "x.vmgs");
        assert_eq!(with_extension(r"C:\a.b\x.vmcx", "vmrs"), r"C:\a.b\x.vmrs");
        assert_eq!(with_extension(r"C:\a.b\x", "vmrs"), r"C:\a.b\x.vmrs");
    }
}
