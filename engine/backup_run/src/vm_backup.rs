//! One VM into one restore point.

use std::error::Error;
use std::sync::Arc;

use block_io::{BlockDevice, DiskError, DiskErrorKind, FileStamp, ImageFile, LayeredDisk};
use disk_image::RawLayer;
use hyperv_host::{DiskSource, FileRole, FileSource, HypervHost, Severity, VmEntry, VmSource};
use jiff::Timestamp;
use repository::{
    Consistency, PointKind, PointVm, RestorePoint, RunWriter, Stream, StreamObserver, StreamRole,
    StreamStatistics,
};

use crate::{BackupOptions, RunEvent, RunItem, RunObserver};

type BackupError = Box<dyn Error + Send + Sync>;

/// One VM's turn in a run.
pub(crate) struct VmBackup<'a> {
    pub(crate) host: &'a dyn HypervHost,
    pub(crate) run: &'a RunWriter,
    pub(crate) vm: &'a VmEntry,
    pub(crate) options: &'a BackupOptions,
    pub(crate) observer: &'a dyn RunObserver,
}

struct Progress<'a>(&'a dyn RunObserver);

impl StreamObserver for Progress<'_> {
    fn advanced(&self, stream_bytes: u64, stored_bytes: u64) {
        self.0.event(RunEvent::Progress {
            stream_bytes,
            stored_bytes,
        });
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

impl VmBackup<'_> {
    /// Stores the VM and publishes its point; fills `item` as far as it gets.
    pub(crate) fn run(
        &self,
        number: usize,
        count: usize,
        item: &mut RunItem,
    ) -> Result<(), BackupError> {
        let started = Timestamp::now();
        let source = self.open()?;
        item.warnings = warnings(&source);
        let sizes: Vec<u64> = source
            .files
            .iter()
            .map(|file| file_size(&*file.file))
            .collect::<Result<_, DiskError>>()?;
        let stamps: Vec<Option<FileStamp>> = source
            .files
            .iter()
            .map(|file| stamp(&*file.file))
            .collect::<Result<_, DiskError>>()?;
        let size_bytes = source
            .disks
            .iter()
            .map(|disk| disk.device.size_bytes())
            .chain(sizes)
            .sum();
        let vm = self.vm.name.as_str();
        self.observer.event(RunEvent::VmStarted {
            number,
            count,
            vm,
            size_bytes,
        });
        let parent = self.run.repository().points_of(&self.vm.identity)?.pop();
        let mut streams = Vec::new();
        // Configuration first: it is small, and a VM that starts meanwhile changes it.
        for file in &source.files {
            streams.push(self.store_file(file, parent.as_ref())?);
        }
        for disk in &source.disks {
            streams.push(self.store_disk(disk, parent.as_ref())?);
        }
        for disk in &source.disks {
            (disk.check_unchanged)()?;
        }
        // At the end like the disks: together they are the VM at one time.
        for (file, before) in source.files.iter().zip(stamps) {
            check_unchanged(&*file.file, before)?;
        }
        // The point says when it was durable, so it must be by then.
        self.run.flush()?;
        streams
            .iter()
            .for_each(|stream| item.statistics += stream.statistics);
        let kind = if parent.is_some() {
            PointKind::Incremental
        } else {
            PointKind::Full
        };
        let point = RestorePoint {
            version: 1,
            id: RestorePoint::new_id()?,
            vm: PointVm {
                identity: self.vm.identity.clone(),
                name: self.vm.name.clone(),
                generation: self.vm.generation,
                configuration_version: self.vm.version.clone(),
            },
            host: self.host.name().to_owned(),
            started,
            finished: Timestamp::now(),
            kind,
            consistency: Consistency::Crash,
            consistency_reason: "files of a folder, read as they lie: as after a power cut".into(),
            parent: parent.map(|parent| parent.id),
            streams,
            configuration: source
                .configuration
                .and_then(|c| serde_json::to_value(c).ok()),
            warnings: item.warnings.clone(),
            program: self.options.program.clone(),
        };
        self.run.publish(&point)?;
        item.point = Some(point.id);
        Ok(())
    }

    /// Opens the VM, unless a check says that this cannot work.
    fn open(&self) -> Result<VmSource, BackupError> {
        let blocked = self
            .vm
            .findings
            .iter()
            .find(|finding| finding.severity == Severity::Block);
        if let Some(finding) = blocked {
            let text = format!("{}: {}", finding.id, finding.text);
            let error = DiskError::new(DiskErrorKind::Blocked, text);
            let cure = finding
                .cure
                .as_deref()
                .unwrap_or("see what `lifeboat vm list` says");
            return Err(error.hint(cure).into());
        }
        Ok(self.host.open_vm(&self.vm.identity)?)
    }

    fn store_disk(
        &self,
        disk: &DiskSource,
        parent: Option<&RestorePoint>,
    ) -> Result<Stream, BackupError> {
        let previous = parent.and_then(|point| {
            let same_path = |stream: &&Stream| stream.source_path == disk.configured_path;
            point
                .disks()
                .find(same_path)
                .or_else(|| point.disks().find(|s| s.number == disk.number))
        });
        let new = Stream {
            role: StreamRole::Disk,
            number: disk.number,
            name: disk.base_name.clone(),
            source_path: disk.configured_path.clone(),
            slot: disk.slot.and_then(|slot| serde_json::to_value(slot).ok()),
            format: Some(disk.format.clone()),
            sector_bytes: disk.device.sector_bytes(),
            physical_sector_bytes: disk.device.physical_sector_bytes(),
            disk_id: disk.disk_id.clone(),
            size_bytes: disk.device.size_bytes(),
            root: None,
            statistics: StreamStatistics::default(),
            cursor: None,
        };
        self.store(new, &*disk.device, previous)
    }

    fn store_file(
        &self,
        file: &FileSource,
        parent: Option<&RestorePoint>,
    ) -> Result<Stream, BackupError> {
        let previous = parent.and_then(|point| {
            point
                .files()
                .find(|stream| stream.name == file.relative_path)
        });
        let device = LayeredDisk::new(vec![Arc::new(RawLayer::open(Arc::clone(&file.file))?)])?;
        let new = Stream {
            role: role(file.role),
            number: 0,
            name: file.relative_path.clone(),
            source_path: file.file.name().to_owned(),
            slot: None,
            format: None,
            sector_bytes: 512,
            physical_sector_bytes: 4096,
            disk_id: None,
            size_bytes: device.size_bytes(),
            root: None,
            statistics: StreamStatistics::default(),
            cursor: None,
        };
        self.store(new, &device, previous)
    }

    fn store(
        &self,
        mut stream: Stream,
        device: &dyn BlockDevice,
        previous: Option<&Stream>,
    ) -> Result<Stream, BackupError> {
        self.observer.event(RunEvent::StreamStarted {
            vm: &self.vm.name,
            stream: &stream.name,
            size_bytes: stream.size_bytes,
        });
        let stored = self
            .run
            .store_stream(device, previous, &Progress(self.observer))?;
        stream.root = stored.root;
        stream.statistics = stored.statistics;
        Ok(stream)
    }
}

/// What the person should know although the backup works.
fn warnings(source: &VmSource) -> Vec<String> {
    let findings = source.entry.findings.iter();
    findings
        .filter(|finding| finding.severity == Severity::Warn)
        .map(|finding| format!("{}: {}", finding.id, finding.text))
        .collect()
}

fn unreadable(file: &dyn ImageFile, error: std::io::Error) -> DiskError {
    DiskError::io(file.name(), "cannot look at this file", error)
}

fn stamp(file: &dyn ImageFile) -> Result<Option<FileStamp>, DiskError> {
    file.stamp().map_err(|error| unreadable(file, error))
}

fn check_unchanged(file: &dyn ImageFile, before: Option<FileStamp>) -> Result<(), DiskError> {
    if stamp(file)? == before {
        return Ok(());
    }
    let what = "the file changed while the VM was read";
    Err(DiskError::new(DiskErrorKind::Changed, what)
        .in_file(file.name())
        .hint("run the backup again while nobody writes to the VM's files"))
}

fn file_size(file: &dyn ImageFile) -> Result<u64, DiskError> {
    file.size_bytes().map_err(|error| unreadable(file, error))
}

fn role(role: FileRole) -> StreamRole {
    match role {
        FileRole::Configuration => StreamRole::Configuration,
        FileRole::RuntimeState => StreamRole::RuntimeState,
        FileRole::GuestState => StreamRole::GuestState,
        FileRole::CheckpointConfiguration => StreamRole::CheckpointConfiguration,
        FileRole::CheckpointState => StreamRole::CheckpointState,
    }
}
