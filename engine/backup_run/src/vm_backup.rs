//! One VM into one restore point.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use block_io::{BlockDevice as _, DiskError, ImageFile};
use disk_image::RawLayer;
use hyperv_host::{
    Consistency, FileRole, FileSource, FrozenVm, HypervHost, ImageSource, Sealed, Severity, VmEntry,
};
use jiff::Timestamp;
use repository::{
    LeftOutDisk, PointKind, PointVm, RepositoryError, RepositoryErrorKind, RestorePoint, RunWriter,
    Stream, StreamRole,
};
use serde_json::Value;

use crate::disk_backup::DiskBackup;
use crate::held_still::{
    StageItem, interruption_warning, milliseconds, point_stage, slow_provider_warning,
};
use crate::image_backup::ImageBackup;
use crate::previous::{latest, packed, previous_backup};
use crate::progress::{Progress, Steps};
use crate::skip::{VmSkip, check_flush};
use crate::throttle::Throttle;
use crate::{BackupOptions, RunEvent, RunItem, RunObserver};

/// How often a frozen VM looks whether its turn has come.
const TURN_PAUSE: Duration = Duration::from_millis(20);

pub(crate) type BackupError = Box<dyn Error + Send + Sync>;

/// What was stored of a VM.
struct Stored {
    streams: Vec<Stream>,
    images: Vec<Stream>,
    /// Something was left out that may be only because the guest flushed its file systems.
    relied_on_flush: bool,
}

/// One VM's turn in a run.
pub(crate) struct VmBackup<'a> {
    pub(crate) host: &'a dyn HypervHost,
    pub(crate) host_settings: Option<&'a Value>,
    pub(crate) run: &'a RunWriter,
    pub(crate) vm: &'a VmEntry,
    pub(crate) options: &'a BackupOptions,
    pub(crate) observer: &'a dyn RunObserver,
    pub(crate) throttle: Option<&'a Throttle>,
    pub(crate) reading: &'a Mutex<()>,
}

impl VmBackup<'_> {
    /// Stores the VM and publishes its point; fills `item` as far as it gets.
    pub(crate) fn run(
        &self,
        number: usize,
        count: usize,
        item: &mut RunItem,
    ) -> Result<(), BackupError> {
        let request = self.options.request_for(self.vm);
        let repository = self.run.repository();
        let parent = latest(repository, &self.vm.identity, request.mode)?;
        let previous = parent.as_ref().map(previous_backup);
        let steps = Steps {
            vm: &self.vm.name,
            observer: self.observer,
        };
        let mut frozen = self
            .host
            .begin_backup(self.vm, &request, previous.as_ref(), &steps)?;
        let result = match self.wait_for_turn(&*frozen) {
            Ok(turn) => {
                let result = self.read(&mut *frozen, parent.as_ref(), (number, count), item);
                drop(turn);
                result
            }
            Err(error) => Err(error),
        };
        let left = match &result {
            Ok(()) => frozen.commit(),
            Err(_) => frozen.abandon(),
        };
        add_warnings(item, &left);
        result
    }

    /// Waits until no other VM is read. Meanwhile the VM is frozen, so its volumes are watched.
    fn wait_for_turn(&self, frozen: &dyn FrozenVm) -> Result<MutexGuard<'_, ()>, BackupError> {
        loop {
            match self.reading.try_lock() {
                Ok(turn) => return Ok(turn),
                Err(TryLockError::Poisoned(turn)) => return Ok(turn.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
            frozen.check_bearable()?;
            if self.observer.cancelled() {
                let kind = RepositoryErrorKind::Cancelled;
                return Err(RepositoryError::new(kind, "cancelled").into());
            }
            std::thread::sleep(TURN_PAUSE);
        }
    }

    /// Reads all of the VM and publishes the point.
    fn read(
        &self,
        frozen: &mut dyn FrozenVm,
        parent: Option<&RestorePoint>,
        turn: (usize, usize),
        item: &mut RunItem,
    ) -> Result<(), BackupError> {
        let source = frozen.source();
        item.method = Some(source.method.name().to_owned());
        item.stages = source.stages.iter().map(StageItem::of).collect();
        item.interruption_seconds = source.interruption.map(|time| time.as_secs_f64());
        self.observer.event(RunEvent::Held {
            vm: &self.vm.name,
            method: source.method,
            stages: &source.stages,
            interruption: source.interruption,
        });
        item.consistency = Some(source.consistency.clone());
        item.left_out.clone_from(&source.left_out);
        add_warnings(item, &source.entry.findings);
        add_warnings(item, &source.findings);
        let interrupted = interruption_warning(source);
        let is_told = item
            .warnings
            .iter()
            .any(|told| same_finding(told, &interrupted));
        item.warnings.extend(interrupted.filter(|_| !is_told));
        let files = source.files.iter().map(|file| &file.file);
        let images = source.images.iter().map(|image| &image.file);
        let sizes = files.chain(images).map(|file| file_size(&**file));
        let sizes = sizes.collect::<Result<Vec<u64>, DiskError>>()?;
        let disks = source.disks.iter().map(|disk| disk.device.size_bytes());
        self.observer.event(RunEvent::VmStarted {
            number: turn.0,
            count: turn.1,
            vm: &self.vm.name,
            size_bytes: disks.chain(sizes).sum(),
        });
        let begun = Instant::now();
        let progress = Progress::new(self.observer, frozen);
        let stored = self.store(frozen, parent, &progress, item);
        let Stored {
            streams,
            images,
            relied_on_flush,
        } = stored.map_err(|error| progress.explain(error))?;
        drop(progress);
        let slow = slow_provider_warning(&frozen.source().stages, begun.elapsed());
        item.warnings.extend(slow);
        // The host lets the VM go only when nothing of it has to be read again.
        self.run.flush()?;
        let sealed = frozen.seal()?;
        // A host may say only now that the guest did not take part.
        item.consistency = Some(frozen.source().consistency.clone());
        add_warnings(item, &sealed.findings);
        check_flush(relied_on_flush, frozen.source().consistency.level)?;
        let point = self.point(frozen, parent, (streams, images), sealed, item)?;
        // Under another id where a collector came between.
        item.point = Some(self.run.publish(&point)?.id);
        Ok(())
    }

    /// Stores the files, disks and images, in this order: files are small, and a VM that starts
    /// meanwhile changes them.
    fn store(
        &self,
        frozen: &dyn FrozenVm,
        parent: Option<&RestorePoint>,
        progress: &Progress<'_>,
        item: &mut RunItem,
    ) -> Result<Stored, BackupError> {
        let source = frozen.source();
        let skip = VmSkip::of(self.options.skip, source, &mut item.warnings);
        let mut relied_on_flush = false;
        let mut streams = Vec::new();
        for file in &source.files {
            streams.push(self.store_file(file, parent, progress)?);
        }
        for disk in &source.disks {
            self.observer.event(RunEvent::StreamStarted {
                vm: &self.vm.name,
                stream: &disk.base_name,
                size_bytes: disk.device.size_bytes(),
            });
            let backup = DiskBackup {
                run: self.run,
                disk,
                parent,
                options: self.options,
                skip: &skip,
                throttle: self.throttle,
                progress,
            };
            let (stream, done, relied) = backup.store(&mut item.warnings)?;
            relied_on_flush |= relied;
            streams.push(stream);
            item.disks.push(done);
        }
        let images = self.store_images(&source.images, parent, progress, item)?;
        for stream in streams.iter().chain(&images) {
            item.statistics += stream.statistics;
        }
        Ok(Stored {
            streams,
            images,
            relied_on_flush,
        })
    }

    fn store_images(
        &self,
        images: &[ImageSource],
        parent: Option<&RestorePoint>,
        progress: &Progress<'_>,
        item: &mut RunItem,
    ) -> Result<Vec<Stream>, BackupError> {
        let mut streams = Vec::with_capacity(images.len());
        for (number, image) in (0..).zip(images) {
            self.observer.event(RunEvent::StreamStarted {
                vm: &self.vm.name,
                stream: &image.relative_path,
                size_bytes: file_size(&*image.file)?,
            });
            let backup = ImageBackup {
                run: self.run,
                image,
                number,
                parent,
                throttle: self.throttle,
                progress,
            };
            let (stream, done) = backup.store()?;
            streams.push(stream);
            item.images.push(done);
        }
        Ok(streams)
    }

    fn store_file(
        &self,
        file: &FileSource,
        parent: Option<&RestorePoint>,
        progress: &Progress<'_>,
    ) -> Result<Stream, BackupError> {
        let previous = parent.and_then(|point| {
            point
                .files()
                .find(|stream| stream.name == file.relative_path)
        });
        let layer = Arc::new(RawLayer::open(Arc::clone(&file.file))?);
        let device = block_io::LayeredDisk::new(vec![layer])?;
        let mut stream = Stream::of_file(
            role(file.role),
            &file.relative_path,
            file.file.name(),
            device.size_bytes(),
        );
        self.observer.event(RunEvent::StreamStarted {
            vm: &self.vm.name,
            stream: &stream.name,
            size_bytes: stream.size_bytes,
        });
        let stored = self.run.store_stream(&device, previous, progress)?;
        stream.root = stored.root;
        stream.statistics = stored.statistics;
        Ok(stream)
    }

    fn point(
        &self,
        frozen: &dyn FrozenVm,
        parent: Option<&RestorePoint>,
        (mut streams, images): (Vec<Stream>, Vec<Stream>),
        sealed: Sealed,
        item: &RunItem,
    ) -> Result<RestorePoint, BackupError> {
        let source = frozen.source();
        let disks = streams
            .iter_mut()
            .filter(|stream| stream.role == StreamRole::Disk);
        for (stream, cursor) in disks.zip(sealed.cursors) {
            stream.cursor = cursor.as_deref().map(packed);
        }
        let kind = match parent {
            Some(_) => PointKind::Incremental,
            None => PointKind::Full,
        };
        let left_out = source.left_out.iter().map(|disk| LeftOutDisk {
            slot: disk.slot.and_then(|slot| serde_json::to_value(slot).ok()),
            path: disk.path.clone(),
            reason: disk.reason.clone(),
        });
        let tree = source.tree.as_ref().map(serde_json::to_value).transpose()?;
        Ok(RestorePoint {
            version: RestorePoint::version_of(&images, tree.as_ref()),
            id: RestorePoint::new_id()?,
            vm: PointVm {
                identity: self.vm.identity.clone(),
                name: self.vm.name.clone(),
                generation: self.vm.generation,
                configuration_version: self.vm.version.clone(),
            },
            host: self.host.name().to_owned(),
            started: source.taken,
            finished: Timestamp::now(),
            kind,
            method: Some(source.method.name().to_owned()),
            consistency: consistency(source.consistency.level),
            consistency_reason: source.consistency.reason.clone(),
            parent: parent.map(|parent| parent.id.clone()),
            streams,
            images,
            checkpoints: tree,
            stages: source.stages.iter().map(point_stage).collect(),
            interruption_ms: source.interruption.map(milliseconds),
            left_out: left_out.collect(),
            configuration: source
                .configuration
                .as_ref()
                .and_then(|c| serde_json::to_value(c).ok()),
            host_settings: self.host_settings.cloned(),
            writer: sealed.writer.and_then(|own| serde_json::to_value(own).ok()),
            warnings: item.warnings.clone(),
            program: self.options.program.clone(),
        })
    }
}

/// Adds what the person should know although there is a point.
fn add_warnings(item: &mut RunItem, findings: &[hyperv_host::Finding]) {
    let worth = findings
        .iter()
        .filter(|finding| finding.severity >= Severity::Warn);
    for finding in worth {
        let text = format!("{}: {}", finding.id, finding.text);
        if !item.warnings.contains(&text) {
            item.warnings.push(text);
        }
    }
}

/// Returns whether a host has told a finding of ours already.
fn same_finding(told: &str, ours: &Option<String>) -> bool {
    let id = |text: &str| text.split(':').next().map(str::to_owned);
    ours.as_deref().and_then(id) == id(told)
}

fn file_size(file: &dyn ImageFile) -> Result<u64, DiskError> {
    file.size_bytes()
        .map_err(|error| DiskError::io(file.name(), "cannot look at this file", error))
}

fn consistency(level: Consistency) -> repository::Consistency {
    match level {
        Consistency::Application => repository::Consistency::Application,
        Consistency::FileSystem => repository::Consistency::FileSystem,
        Consistency::Crash => repository::Consistency::Crash,
    }
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
