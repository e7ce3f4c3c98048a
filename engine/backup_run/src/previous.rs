//! The last point of a VM, as its host must know it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyperv_host::{BackupMode, PreviousBackup, PreviousDisk};
use repository::{Repository, RepositoryError, RestorePoint, Stream};

/// Finds the point that was made last among those that a run in this mode compares with: what
/// holds disks does not help a checkpoint tree, and the other way round. So a run of the one kind
/// between two of the other costs these nothing. Hosts' clocks may be wrong by years, so it is the
/// time at which all of it was stored, not the time that the data is of.
pub(crate) fn latest(
    repository: &Repository,
    identity: &str,
    mode: BackupMode,
) -> Result<Option<RestorePoint>, RepositoryError> {
    let wants_tree = mode == BackupMode::AllCheckpoints;
    let fits = |point: &RestorePoint| point.checkpoints.is_some() == wants_tree;
    repository.newest_point_of(identity, fits)
}

/// Says what a point has, in the host's words. What the repository keeps for the host comes back
/// to it as it was.
pub(crate) fn previous_backup(point: &RestorePoint) -> PreviousBackup {
    PreviousBackup {
        point: point.id.clone(),
        disks: point.disks().map(previous_disk).collect(),
    }
}

fn previous_disk(stream: &Stream) -> PreviousDisk {
    let slot = stream.slot.clone();
    PreviousDisk {
        number: stream.number,
        configured_path: stream.source_path.clone(),
        slot: slot.and_then(|slot| serde_json::from_value(slot).ok()),
        disk_id: stream.disk_id.clone(),
        size_bytes: stream.size_bytes,
        cursor: stream.cursor.as_deref().and_then(opened),
    }
}

/// Packs a host's cursor as points keep it.
pub(crate) fn packed(cursor: &str) -> String {
    STANDARD.encode(cursor)
}

/// Unpacks a cursor. One that is not as it was packed is none: then the disk is read in full.
fn opened(packed: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(packed).ok()?).ok()
}
