//! One run of one VM, as the engine does it.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use hyperv_host::{
    BackupRequest, DiskChanges, Finding, FrozenVm, FullReason, HostError, HypervHost as _,
    PreviousBackup, PreviousDisk, Reached, Sealed, StepObserver, VmSource,
};
use uuid::Uuid;
use wmi_host::WmiHost;

use crate::stage::Stage;

/// Hears what a run does, and may stop it.
#[derive(Default)]
pub(crate) struct Steps {
    pub(crate) told: Mutex<Vec<String>>,
    pub(crate) cancelled: AtomicBool,
}

impl StepObserver for Steps {
    fn step(&self, text: &str) {
        self.told.lock().unwrap().push(text.to_owned());
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// A restore point, as far as these tests need one.
#[derive(Clone)]
pub(crate) struct Point {
    pub(crate) backup: PreviousBackup,
    /// What each disk held.
    pub(crate) contents: Vec<Vec<u8>>,
    pub(crate) reasons: Vec<Option<FullReason>>,
    /// Bytes that the host called changed.
    pub(crate) told_bytes: u64,
    pub(crate) consistency: Reached,
    pub(crate) findings: Vec<Finding>,
    pub(crate) left_out: Vec<String>,
    pub(crate) files: Vec<String>,
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Point")
            .field("reasons", &self.reasons)
            .field("findings", &self.findings)
            .finish_non_exhaustive()
    }
}

impl Point {
    pub(crate) fn ids(&self) -> Vec<&str> {
        self.findings
            .iter()
            .map(|finding| finding.id.as_str())
            .collect()
    }

    pub(crate) fn cursors(&self) -> usize {
        let mut disks = self.backup.disks.iter();
        disks.by_ref().filter(|disk| disk.cursor.is_some()).count()
    }
}

/// What a run is asked for in these tests.
pub(crate) fn request(run: &str) -> BackupRequest {
    let mut request = BackupRequest {
        run: run.to_owned(),
        ..BackupRequest::default()
    };
    request.room.reserve_bytes = 1 << 20;
    request
}

/// Backs a VM up to the end, and checks that what was read is what the disks held.
pub(crate) fn back_up(
    stage: &Stage,
    host: &WmiHost,
    vm: Uuid,
    request: &BackupRequest,
    previous: Option<&Point>,
) -> Result<Point, HostError> {
    let entry = stage.entry(vm);
    let backup = previous.map(|point| &point.backup);
    let steps = Steps::default();
    let frozen = host.begin_backup(&entry, request, backup, &steps)?;
    read_and_commit(stage, vm, frozen, previous)
}

/// Reads a frozen VM, lets it go and ends the run.
pub(crate) fn read_and_commit(
    stage: &Stage,
    vm: Uuid,
    mut frozen: Box<dyn FrozenVm>,
    previous: Option<&Point>,
) -> Result<Point, HostError> {
    let mut point = read(stage, vm, frozen.source(), previous);
    let sealed = match frozen.check_bearable().and_then(|()| frozen.seal()) {
        Ok(sealed) => sealed,
        Err(error) => {
            frozen.abandon();
            return Err(error);
        }
    };
    note(&mut point, sealed);
    point.findings.extend(frozen.commit());
    Ok(point)
}

/// Keeps what the seal gave.
pub(crate) fn note(point: &mut Point, sealed: Sealed) {
    assert_eq!(sealed.cursors.len(), point.backup.disks.len());
    for (disk, cursor) in point.backup.disks.iter_mut().zip(sealed.cursors) {
        disk.cursor = cursor;
    }
    point.findings.extend(sealed.findings);
}

/// Reads all disks. The guest writes meanwhile, which must not be seen.
pub(crate) fn read(stage: &Stage, vm: Uuid, source: &VmSource, previous: Option<&Point>) -> Point {
    let numbers: Vec<usize> = source
        .disks
        .iter()
        .map(|disk| usize::try_from(disk.number).unwrap())
        .collect();
    let expected: Vec<Vec<u8>> = numbers.iter().map(|n| stage.content(vm, *n)).collect();
    if stage
        .sim
        .vm(vm)
        .is_ok_and(|vm| vm.power == hyperv_sim::PowerState::Running)
    {
        stage.write(
            vm,
            1000 + u64::try_from(source.taken.as_second() % 100).unwrap(),
        );
    }
    let mut contents = Vec::new();
    let mut reasons = Vec::new();
    let mut told_bytes = 0;
    for (disk, expected) in source.disks.iter().zip(&expected) {
        let mut content = vec![0; usize::try_from(disk.device.size_bytes()).unwrap()];
        disk.device.read_at(0, &mut content).unwrap();
        assert!(
            content == *expected,
            "disk {} is not as it was",
            disk.number
        );
        reasons.push(match &disk.changes {
            DiskChanges::Everything(reason) => Some(*reason),
            DiskChanges::Ranges {
                ranges,
                previous: number,
            } => {
                let before = previous.unwrap();
                let place = before
                    .backup
                    .disks
                    .iter()
                    .position(|own| own.number == *number);
                assert_covers(ranges, &before.contents[place.unwrap()], &content);
                told_bytes += ranges.total_bytes();
                None
            }
        });
        contents.push(content);
    }
    Point {
        backup: PreviousBackup {
            point: "point".to_owned(),
            disks: source.disks.iter().map(previous_disk).collect(),
        },
        contents,
        reasons,
        told_bytes,
        consistency: source.consistency.clone(),
        findings: source.findings.clone(),
        left_out: source
            .left_out
            .iter()
            .map(|out| out.reason.clone())
            .collect(),
        files: source
            .files
            .iter()
            .map(|file| file.relative_path.clone())
            .collect(),
    }
}

fn previous_disk(disk: &hyperv_host::DiskSource) -> PreviousDisk {
    PreviousDisk {
        number: disk.number,
        configured_path: disk.configured_path.clone(),
        slot: disk.slot,
        disk_id: disk.disk_id.clone(),
        size_bytes: disk.device.size_bytes(),
        cursor: None,
    }
}

/// Checks that all that differs lies in the ranges.
fn assert_covers(ranges: &block_io::ByteRanges, before: &[u8], now: &[u8]) {
    assert_eq!(before.len(), now.len());
    let blocks = before.chunks(4096).zip(now.chunks(4096));
    for (number, (before, now)) in (0_u64..).zip(blocks) {
        let at = number * 4096;
        let is_told = ranges.intersects(at..at + 1);
        assert!(before == now || is_told, "a change at {at} was not told");
    }
}
