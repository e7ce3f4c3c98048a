//! One run of one VM, as the engine does it.

use hyperv_host::{
    BackupMode, BackupRequest, DiskChanges, Finding, FrozenVm, FullReason, HostError,
    HypervHost as _, PreviousBackup, PreviousDisk, Reached, StepObserver,
};
use uuid::Uuid;
use wmi_host::ClusterHost;

use crate::stage::{Stage, entry, list};

pub(crate) struct Silent;

impl StepObserver for Silent {
    fn step(&self, _text: &str) {}

    fn cancelled(&self) -> bool {
        false
    }
}

/// A restore point, as far as these tests need one.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) backup: PreviousBackup,
    pub(crate) reason: Option<FullReason>,
    pub(crate) consistency: Reached,
    pub(crate) node: Option<String>,
    pub(crate) findings: Vec<Finding>,
}

impl Point {
    pub(crate) fn ids(&self) -> Vec<&str> {
        crate::stage::ids(&self.findings)
    }

    pub(crate) fn has_cursor(&self) -> bool {
        self.backup.disks.iter().all(|disk| disk.cursor.is_some())
    }
}

pub(crate) fn request(run: &str, mode: BackupMode) -> BackupRequest {
    let mut request = BackupRequest {
        run: run.to_owned(),
        mode,
        ..BackupRequest::default()
    };
    request.room.reserve_bytes = 1 << 20;
    request
}

/// Lists the VMs and backs one up to the end; what was read has to be what its disk held.
pub(crate) fn back_up(
    stage: &Stage,
    host: &ClusterHost,
    vm: Uuid,
    request: &BackupRequest,
    previous: Option<&Point>,
) -> Result<Point, HostError> {
    let entry = entry(&list(host), vm);
    let backup = previous.map(|point| &point.backup);
    let frozen = host.begin_backup(&entry, request, backup, &Silent)?;
    finish(stage, vm, frozen)
}

/// Reads a frozen VM, lets it go and ends the run.
pub(crate) fn finish(
    stage: &Stage,
    vm: Uuid,
    mut frozen: Box<dyn FrozenVm>,
) -> Result<Point, HostError> {
    let expected = stage.content(vm);
    let source = frozen.source();
    let [disk] = source.disks.as_slice() else {
        panic!("expected one disk, found {}", source.disks.len());
    };
    let mut content = vec![0; usize::try_from(disk.device.size_bytes()).unwrap()];
    disk.device.read_at(0, &mut content).unwrap();
    assert!(content == expected, "the disk is not as it was");
    let mut point = Point {
        backup: PreviousBackup {
            point: "point".to_owned(),
            disks: vec![PreviousDisk {
                number: disk.number,
                configured_path: disk.configured_path.clone(),
                slot: disk.slot,
                disk_id: disk.disk_id.clone(),
                size_bytes: disk.device.size_bytes(),
                cursor: None,
            }],
        },
        reason: match &disk.changes {
            DiskChanges::Everything(reason) => Some(*reason),
            DiskChanges::Ranges { .. } => None,
        },
        consistency: source.consistency.clone(),
        node: source.entry.node.clone(),
        findings: source.findings.clone(),
    };
    let sealed = match frozen.check_bearable().and_then(|()| frozen.seal()) {
        Ok(sealed) => sealed,
        Err(error) => {
            frozen.abandon();
            return Err(error);
        }
    };
    for (disk, cursor) in point.backup.disks.iter_mut().zip(sealed.cursors) {
        disk.cursor = cursor;
    }
    point.findings.extend(sealed.findings);
    point.findings.extend(frozen.commit());
    Ok(point)
}
