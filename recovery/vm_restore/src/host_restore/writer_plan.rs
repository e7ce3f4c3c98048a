//! Whether a point goes back through the host's own VSS writer, and what that is told (requirements
//! REST-03 to REST-07).

use hyperv_host::{
    Identity, RestoreHost, TargetVm, WriterFiles, WriterMove, WriterRecord, WriterWay,
};
use repository::{RestorePoint, StreamRole};
use vm_config::VmConfiguration;

use super::host_path::{file_name, join, lies_in, parent, same};
use super::placing::{DISK_FOLDER, Placing};
use super::plan::{PlannedDisk, RestoreKind, RestoreMethod};
use super::request::{Destination, HostRestoreRequest, RestorePart, Through};
use super::staging::staged_names;
use super::writer_places::place_of;
use crate::new_files::read_configuration;

const IMPORT: &str = "restore it by an import (`--through import`)";
/// More sets of files than fit what a point keeps for a writer.
const FILES_MAX: usize = 8192;
const MACHINES: &str = "Virtual Machines";
const SNAPSHOTS: &str = "Snapshots";

/// What the host's writer is told.
#[derive(Debug, Clone)]
pub(crate) struct WriterPlan {
    pub(crate) record: WriterRecord,
    /// Files that go elsewhere than they were.
    pub(crate) moved: Vec<WriterMove>,
    /// The folder that the writer finds the VM's definition in.
    pub(crate) machines: String,
    /// That of its checkpoints' definitions.
    pub(crate) snapshots: String,
    /// Files in the places of the definition's, which no VM has any more.
    pub(crate) gives_way: Vec<String>,
}

/// Says by what a VM comes back. Without a word an import is what there is, since it can do more.
pub(crate) fn method_of(host: &dyn RestoreHost, request: &HostRestoreRequest) -> RestoreMethod {
    let is_only_way = || {
        let way = host.as_writer_restore().map(|writer| writer.way());
        matches!(way, Some(Ok(WriterWay::OnlyWay)))
    };
    match request.through {
        _ if request.part != RestorePart::Vm => RestoreMethod::Import,
        Through::Writer => RestoreMethod::Writer,
        Through::Auto if !request.as_new_vm && is_only_way() => RestoreMethod::Writer,
        Through::Auto | Through::Import => RestoreMethod::Import,
    }
}

/// Returns what a point keeps for the writer; `None` where it keeps nothing that is understood.
pub(crate) fn record_of(point: &RestorePoint) -> Option<WriterRecord> {
    let record: WriterRecord = serde_json::from_value(point.writer.clone()?).ok()?;
    let is_known = record.version == WriterRecord::VERSION && record.files.len() <= FILES_MAX;
    is_known.then_some(record)
}

impl Placing<'_> {
    /// Plans what the writer is told; what stands in the way is a finding.
    pub(crate) fn writer(&mut self, disks: &[PlannedDisk], same_host: bool) -> Option<WriterPlan> {
        self.what_writers_cannot();
        self.host_of_writer(same_host);
        let Some(record) = record_of(self.point) else {
            let why = match self.point.writer {
                None => "it was not made through VSS, or by a program that kept no document",
                Some(_) => "a newer program wrote what it keeps for the writer",
            };
            let text = format!("the point cannot go back through the host's VSS writer: {why}");
            self.block("POINT-WRITER-DOCUMENT", text, IMPORT);
            return None;
        };
        let Some(was_at) = folder_of_definition(&record, &self.point.vm.identity) else {
            let text = "what the point keeps for the VSS writer does not say where the VM's \
                        definition was";
            self.block("POINT-WRITER-DOCUMENT", text.to_owned(), IMPORT);
            return None;
        };
        let mut plan = match &self.request.destination {
            Destination::Original => WriterPlan {
                snapshots: folder_of_checkpoints(&record, &was_at),
                machines: was_at,
                moved: Vec::new(),
                gives_way: Vec::new(),
                record,
            },
            Destination::Folder(folder) => {
                let folder = folder.trim_end_matches('\\');
                let snapshots = folder_of_checkpoints(&record, &was_at);
                WriterPlan {
                    moved: moved(&record, (&was_at, &snapshots), folder),
                    machines: format!("{folder}\\{MACHINES}"),
                    snapshots: format!("{folder}\\{SNAPSHOTS}"),
                    gives_way: Vec::new(),
                    record,
                }
            }
        };
        self.definition_fits(disks);
        self.one_volume(&plan);
        plan.gives_way = self.definitions_there(&plan);
        Some(plan)
    }

    /// Files are made beside the VM's definition and renamed into their places.
    fn one_volume(&mut self, plan: &WriterPlan) {
        let has_any = staged_names(self.point, self.tree.is_some()).any(|own| own.0 == SNAPSHOTS);
        let volume = |path: &str| {
            let volumes = self.target.volumes.iter();
            let mounts = volumes.map(|volume| volume.mount.trim_end_matches('\\').to_lowercase());
            let mounts = mounts.filter(|mount| same(path, mount) || lies_in(path, mount));
            let drive = path.split('\\').next().unwrap_or(path).to_lowercase();
            mounts.max_by_key(String::len).unwrap_or(drive)
        };
        if has_any && volume(&plan.machines) != volume(&plan.snapshots) {
            let text = format!(
                "the VM's definition goes to {}, and that of its checkpoints to another volume, {}",
                plan.machines, plan.snapshots
            );
            let cure = "name one folder for both (`--path`), or restore it by an import \
                        (`--through import`)";
            self.block("POINT-WRITER-PLACE", text, cure);
        }
    }

    /// Returns the definition files that are there and no VM's: they give way, once that is
    /// confirmed, where the VM goes back to its place.
    fn definitions_there(&mut self, plan: &WriterPlan) -> Vec<String> {
        let mut there = Vec::new();
        if self.kind != RestoreKind::NewVm {
            return there;
        }
        for (sub, below) in staged_names(self.point, self.tree.is_some()) {
            let folder = match sub {
                SNAPSHOTS => &plan.snapshots,
                _ => &plan.machines,
            };
            let Ok(path) = join(folder, below) else {
                continue;
            };
            let is_there = |path: &str| {
                let local = self.host.local_path(path);
                local.is_ok_and(|local| local.symlink_metadata().is_ok())
            };
            // What a restore that died has put there is its own.
            let mut swaps = self.session.iter().flat_map(|session| &session.swaps);
            let swap = swaps.find(|swap| same(&swap.place, &path));
            if swap.map_or_else(|| is_there(&path), |swap| is_there(&swap.old)) {
                there.push(path);
            }
        }
        if self.request.destination != Destination::Original {
            for path in &there {
                let text = format!("there is a file {path} already");
                self.block("POINT-WRITER-PLACE", text, IMPORT);
            }
        }
        there
    }

    fn what_writers_cannot(&mut self) {
        let request = self.request;
        let asked = [
            (request.keep_old, "keeps the old VM (`--keep-old`)"),
            (
                request.identity == Identity::New,
                "gives the VM a new identity (`--new-identity`)",
            ),
            (
                request.as_new_vm,
                "makes a VM of its settings (`--as-new-vm`)",
            ),
            (
                request.disks.is_some(),
                "brings some of its disks back (`--disks`)",
            ),
            (
                request.checkpoint.is_some(),
                "brings a checkpoint's state back (`--checkpoint`)",
            ),
            (
                request.flatten && self.tree.is_some(),
                "leaves checkpoints out (`--flatten`)",
            ),
        ];
        for (_, what) in asked.iter().filter(|(is_asked, _)| *is_asked) {
            let text = format!(
                "a restore that {what} cannot go through the host's VSS writer, which takes a VM \
                 back as it was"
            );
            self.block("POINT-WRITER-PART", text, IMPORT);
        }
    }

    fn host_of_writer(&mut self, same_host: bool) {
        let host = self.host.name().to_owned();
        let cure =
            "run lifeboat on the host itself, or restore it by an import (`--through import`)";
        match self.host.as_writer_restore().map(|writer| writer.way()) {
            None => {
                let text = format!("the VSS writer of {host} cannot be spoken to from here");
                self.block("POINT-WRITER-HOST", text, cure);
            }
            Some(Err(error)) => {
                let text = format!("the VSS writer of {host} cannot be spoken to: {error}");
                self.block("POINT-WRITER-HOST", text, cure);
            }
            Some(Ok(_)) if !takes_back_others(same_host) => {
                let text = format!(
                    "the point was taken from {}, and the VSS writer of {host} takes back what was \
                     its own",
                    self.point.host
                );
                self.block("POINT-WRITER-HOST", text, IMPORT);
            }
            Some(Ok(_)) => {}
        }
    }

    /// The writer reads the VM's definition as it was: every file that it names must come back under
    /// its name.
    fn definition_fits(&mut self, disks: &[PlannedDisk]) {
        let mut files = self.point.files();
        let file = files.find(|file| file.role == StreamRole::Configuration);
        let Some(file) = file else {
            // That there is none is told already.
            return;
        };
        let read = read_configuration(self.repository, file).ok();
        let read = read.and_then(|bytes| VmConfiguration::from_bytes(&file.name, &bytes).ok());
        let Some(definition) = read else {
            let text = "the VM's definition cannot be understood, so it is not known whether all \
                        that it names is in the point";
            self.block("POINT-WRITER-CHAIN", text.to_owned(), IMPORT);
            return;
        };
        let named = definition.disks.into_iter();
        let named = named.filter(|disk| !disk.pass_through && !disk.path.is_empty());
        let lacking = named.filter(|disk| {
            let place = place_of(self.request, &disk.path);
            !disks.iter().any(|own| same(&own.path, &place))
        });
        let lacking: Vec<String> = lacking.map(|disk| disk.path).collect();
        for path in lacking {
            let text = format!(
                "the VM's definition names {path}, which the point does not have under that name: \
                 its disks were brought together into one file each, or one was left out"
            );
            self.block("POINT-WRITER-CHAIN", text, IMPORT);
        }
    }
}

/// Says whether a writer takes back what another host's has written a document for. Backups through
/// the writer are for the host that made them. Contract: 5.2 [M]
fn takes_back_others(same_host: bool) -> bool {
    same_host
}

/// Returns the folder that the VM's definition was in: that of the files which are called by its
/// GUID.
fn folder_of_definition(record: &WriterRecord, vm: &str) -> Option<String> {
    let vm = vm.to_lowercase();
    let mut files = record.files.iter();
    let found = files.find(|files| {
        let spec = files.spec.to_lowercase();
        spec.strip_prefix(&*vm)
            .is_some_and(|rest| rest.starts_with('.'))
    });
    let folder = found?.folder.trim_end_matches('\\');
    Some(folder.to_owned()).filter(|folder| !folder.is_empty())
}

/// Returns the folder that the definitions of checkpoints were in: one called that, or where Hyper-V
/// puts it, beside that of the VM.
fn folder_of_checkpoints(record: &WriterRecord, machines: &str) -> String {
    let mut files = record.files.iter();
    let found = files.find(|files| same(file_name(&files.folder), SNAPSHOTS));
    match found {
        Some(files) => files.folder.clone(),
        None => format!("{}\\{SNAPSHOTS}", parent(machines).unwrap_or(machines)),
    }
}

/// Returns what follows `root` in a folder: nothing where it is the same, or the folder that old VMs
/// and their checkpoints have their state in, which is called by a GUID.
fn state_below<'a>(folder: &'a str, root: &str) -> Option<&'a str> {
    if same(folder, root) {
        return Some("");
    }
    let rest = folder.get(root.len()..).filter(|_| lies_in(folder, root))?;
    let name = rest.split('\\').nth(1)?;
    uuid::Uuid::parse_str(name).is_ok().then_some(rest)
}

/// Says where each set of files goes.
fn moved(record: &WriterRecord, was: (&str, &str), folder: &str) -> Vec<WriterMove> {
    let (machines, snapshots) = was;
    let to = |files: &WriterFiles| {
        let own = files.folder.trim_end_matches('\\');
        let below = |root: &str| state_below(own, root.trim_end_matches('\\'));
        let sub = if let Some(rest) = below(machines) {
            format!("{MACHINES}{rest}")
        } else if let Some(rest) = below(snapshots) {
            format!("{SNAPSHOTS}{rest}")
        } else {
            DISK_FOLDER.to_owned()
        };
        WriterMove {
            files: files.clone(),
            folder: format!("{folder}\\{sub}"),
        }
    };
    record.files.iter().map(to).collect()
}

/// Says whether a VM of the host gives way to a restore through the writer, whatever was asked for.
pub(crate) fn gives_way(kind: RestoreKind, old: Option<&TargetVm>) -> bool {
    kind == RestoreKind::InPlace && old.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_of_old_vms_keeps_its_folder_and_disks_go_to_theirs() {
        let root = r"C:\VMs\web";
        let id = r"\66841CD4-6DED-4F4B-8F17-FD23F8DDC3DE";
        let own = format!("{root}{id}");
        assert_eq!(state_below(&own, r"c:\vms\WEB"), Some(id));
        assert_eq!(state_below(root, root), Some(""));
        assert_eq!(state_below(r"C:\VMs\web\Virtual Hard Disks", root), None);
        assert_eq!(state_below(r"C:\VMs\web2", root), None);
    }
}
