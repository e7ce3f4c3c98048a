//! What changed of a VM's disk since a restore point (contract 2.3).

use std::sync::Arc;

use hyperv_host::{
    BackupMode, BackupRequest, DiskChanges, FullReason, HostError, HostErrorKind, PowerState,
    PreviousBackup, PreviousDisk,
};
use vm_config::DiskSlot;

use crate::WmiHost;
use crate::backup::changes::changed_since as ask;
use crate::backup::link::Link;
use crate::cursor::Cursor;
use crate::disk_files::DiskFiles;
use crate::facts::{DiskFacts, VmFacts};
use crate::plan::{DiskNow, tracked_since};

/// Says what changed on a VM's disk since the state that a cursor names. The VM must not run:
/// while it does, the answer is old when it arrives. Contract: 2.3 [M]
pub(super) fn changes_since(
    host: &WmiHost,
    vm: &VmFacts,
    slot: DiskSlot,
    cursor: &str,
) -> Result<DiskChanges, HostError> {
    let disk = vm.disks.iter().find(|own| own.slot == Some(slot));
    let disk = disk.ok_or_else(|| {
        let text = format!(
            "the VM {} has no disk at {}",
            vm.name,
            super::attach::slot_text(slot)
        );
        HostError::new(HostErrorKind::Blocked, text)
    })?;
    if !matches!(vm.state, PowerState::Off | PowerState::Saved) || vm.operation.is_some() {
        return Ok(DiskChanges::Everything(FullReason::NotTracked));
    }
    let state = host.host_state()?;
    let ranges = since(host, vm, disk, cursor, &state);
    Ok(match ranges {
        // The disk has no number here: whoever asks knows which one of the point's it is.
        Ok(ranges) => DiskChanges::Ranges {
            ranges,
            previous: 0,
        },
        Err(reason) => DiskChanges::Everything(reason),
    })
}

fn since(
    host: &WmiHost,
    vm: &VmFacts,
    disk: &DiskFacts,
    cursor: &str,
    state: &crate::facts::HostState,
) -> Result<block_io::ByteRanges, FullReason> {
    let known = Cursor::read(cursor).ok_or(FullReason::IdUnknown)?;
    let files = DiskFiles::look(vm, disk, host.bytes.as_ref().map(Arc::clone).as_ref());
    let (Some(disk_id), Some(size_bytes)) = (files.disk_id, files.size_bytes) else {
        // What cannot be opened is not told from what was put in its place.
        return Err(FullReason::DiskReplaced);
    };
    let alone = files.chain_files == 1;
    let now = DiskNow {
        facts: disk,
        disk_id: Some(disk_id),
        size_bytes: Some(size_bytes),
        leaf_path: &disk.path,
        base_path: alone.then_some(disk.path.as_str()),
    };
    let previous = PreviousBackup {
        point: String::new(),
        disks: vec![PreviousDisk {
            number: 0,
            configured_path: known.leaf_path.clone(),
            slot: disk.slot,
            disk_id: Some(known.disk_id.to_string()),
            size_bytes: known.size_bytes,
            cursor: Some(cursor.to_owned()),
        }],
    };
    let request = BackupRequest {
        mode: BackupMode::Tracked,
        ..BackupRequest::default()
    };
    let tracked = tracked_since(vm, state, now, &request, Some(&previous))?;
    let link = Link::of(host);
    ask(&link, &disk.path, &tracked.cursor.tracking_id, size_bytes)
}
