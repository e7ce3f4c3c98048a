//! Whether a point goes back through the host's own VSS writer, and what that is told (requirements
//! REST-03 to REST-07).

use hyperv_host::{
    Identity, RestoreHost, TargetVm, WriterFiles, WriterMove, WriterRecord, WriterWay,
};
use repository::{RestorePoint, StreamRole};
use vm_config::VmConfiguration;

use super::host_path::{file_name, parent, same};
use super::placing::{DISK_FOLDER, Placing};
use super::plan::{PlannedDisk, RestoreKind, RestoreMethod};
use super::request::{Destination, HostRestoreRequest, RestorePart, Through};
use super::writer_places::place_of;
use crate::new_files::read_configuration;

const IMPORT: &str = "restore it by an import (`--through import`)";
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
    (record.version == WriterRecord::VERSION).then_some(record)
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
        let plan = match &self.request.destination {
            Destination::Original => WriterPlan {
                snapshots: folder_of_checkpoints(&record, &was_at),
                machines: was_at,
                moved: Vec::new(),
                record,
            },
            Destination::Folder(folder) => {
                let folder = folder.trim_end_matches('\\');
                let snapshots = folder_of_checkpoints(&record, &was_at);
                WriterPlan {
                    moved: moved(&record, (&was_at, &snapshots), folder),
                    machines: format!("{folder}\\{MACHINES}"),
                    snapshots: format!("{folder}\\{SNAPSHOTS}"),
                    record,
                }
            }
        };
        self.definition_fits(disks);
        Some(plan)
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

/// Says where each set of files goes.
fn moved(record: &WriterRecord, was: (&str, &str), folder: &str) -> Vec<WriterMove> {
    let (machines, snapshots) = was;
    let to = |files: &WriterFiles| {
        let sub = match &*files.folder {
            own if same(own, machines) => MACHINES,
            own if same(own, snapshots) => SNAPSHOTS,
            _ => DISK_FOLDER,
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
