//! Failures come back as what they are, from whichever call.

use super::stand_in::{component, options};
use super::*;
use crate::{SnapshotKind, VssErrorKind as Kind};

/// The failures of each call up to the snapshots: its method, what the stand-in answers, what comes
/// of it.
const BEFORE: [(VssStep, &str, u32, Kind); 14] = [
    (
        VssStep::Begin,
        "CreateVssBackupComponents",
        0x8007_0005,
        Kind::Denied,
    ),
    (
        VssStep::Begin,
        "CreateVssBackupComponents",
        0x8000_4001,
        Kind::Absent,
    ),
    (
        VssStep::Begin,
        "InitializeForBackup",
        0x8004_2302,
        Kind::Other,
    ),
    (
        VssStep::Begin,
        "EnableWriterClasses",
        0x8004_2301,
        Kind::BadState,
    ),
    (
        VssStep::Begin,
        "SetContext",
        0x8004_231B,
        Kind::NotSupported,
    ),
    (
        VssStep::Begin,
        "SetBackupState",
        0x8004_2301,
        Kind::BadState,
    ),
    (
        VssStep::Writers,
        "GatherWriterMetadata",
        0x8004_2318,
        Kind::Infrastructure,
    ),
    (
        VssStep::Writers,
        "GetComponentInfo",
        0x8007_000E,
        Kind::NoRoom,
    ),
    (
        VssStep::AddComponent,
        "AddComponent",
        0x8004_2308,
        Kind::NotFound,
    ),
    (
        VssStep::StartSet,
        "StartSnapshotSet",
        0x8004_2316,
        Kind::Busy,
    ),
    (
        VssStep::AddVolume,
        "AddToSnapshotSet",
        0x8004_232D,
        Kind::NotLocal,
    ),
    (
        VssStep::Prepare,
        "PrepareForBackup",
        0x8004_2301,
        Kind::BadState,
    ),
    (
        VssStep::Prepare,
        "end PrepareForBackup",
        0x8004_2319,
        Kind::Retryable,
    ),
    (VssStep::Prepare, "QueryStatus", 0x8004_2302, Kind::Other),
];

#[test]
fn each_call_hands_on_its_failure() {
    for (step, method, code, kind) in BEFORE {
        let Some(stand_in) = StandIn::load() else {
            return;
        };
        if method != "QueryStatus" {
            stand_in.tell(method, code);
        }
        let error = try_until_prepared(&stand_in, code, method == "QueryStatus").unwrap_err();
        assert_eq!(
            (error.step(), error.kind()),
            (step, kind),
            "{method}: {error}"
        );
        assert_eq!(error.code(), Some(code), "{method}: {error}");
        stand_in.assert_nothing_is_alive();
        assert!(
            !stand_in
                .record()
                .iter()
                .any(|line| line.contains("REFUSED"))
        );
    }
}

fn try_until_prepared(stand_in: &StandIn, code: u32, at_status: bool) -> Result<(), VssError> {
    let never = || false;
    let mut backup = stand_in.vss.begin(&options(SnapshotKind::Backup))?;
    backup.writers(&never)?;
    backup.add_component(&component())?;
    backup.start_set()?;
    backup.add_volume("C:\\", None)?;
    if at_status {
        stand_in.tell("QueryStatus", code);
    }
    backup.prepare(&never)
}

/// The same from the snapshots on.
const AFTER: [(VssStep, &str, u32, Kind); 9] = [
    (
        VssStep::Snapshot,
        "DoSnapshotSet",
        0x8004_2301,
        Kind::BadState,
    ),
    (
        VssStep::Snapshot,
        "end DoSnapshotSet",
        0x8004_231F,
        Kind::NoRoom,
    ),
    (
        VssStep::WriterStatuses,
        "end GatherWriterStatus",
        0x8004_2315,
        Kind::Infrastructure,
    ),
    (
        VssStep::WriterStatuses,
        "GetWriterStatusEx",
        0x8004_2308,
        Kind::NotFound,
    ),
    (
        VssStep::Snapshots,
        "GetSnapshotProperties",
        0x8004_2308,
        Kind::NotFound,
    ),
    (
        VssStep::SetSucceeded,
        "SetBackupSucceeded",
        0x8004_2308,
        Kind::NotFound,
    ),
    (
        VssStep::Document,
        "SaveAsXML",
        0x8007_0018,
        Kind::NotSupported,
    ),
    (
        VssStep::Complete,
        "end BackupComplete",
        0x8004_2302,
        Kind::Other,
    ),
    (
        VssStep::DeleteSet,
        "DeleteSnapshots",
        0x8004_2306,
        Kind::Provider,
    ),
];

#[test]
fn each_call_after_the_snapshots_hands_on_its_failure() {
    for (step, method, code, kind) in AFTER {
        let Some(stand_in) = StandIn::load() else {
            return;
        };
        let backup = stand_in.prepared();
        stand_in.tell(method, code);
        let error = try_to_the_end(backup).unwrap_err();
        assert_eq!(
            (error.step(), error.kind()),
            (step, kind),
            "{method}: {error}"
        );
        assert_eq!(error.code(), Some(code), "{method}: {error}");
        stand_in.assert_nothing_is_alive();
    }
}

fn try_to_the_end(mut backup: Box<dyn VssBackup>) -> Result<(), VssError> {
    let never = || false;
    backup.snapshot(&never)?;
    backup.writer_statuses(&never)?;
    backup.snapshots()?;
    backup.set_succeeded(&component(), false)?;
    backup.document()?;
    backup.complete(&never)?;
    backup.delete_set()
}

#[test]
fn a_busy_service_can_be_asked_again_in_the_same_backup() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let mut backup = stand_in.begin();
    backup.writers(&|| false).unwrap();
    stand_in.tell("StartSnapshotSet", 0x8004_2316);
    let error = backup.start_set().unwrap_err();
    assert!(error.is_retryable());
    stand_in.tell("StartSnapshotSet", 0);
    backup.start_set().unwrap();
}

#[test]
fn other_calls_hand_on_their_failures_too() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    stand_in.tell("Query", 0x8004_230F);
    let error = stand_in.vss.providers().unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::Provider);
    stand_in.tell("GetRootAndLogicalPrefixPaths", 0x8004_2324);
    let error = stand_in.vss.volume_of(r"\\FS1\VMs\a").unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::NotSupported);
    let path = r"C:\ClusterStorage\Volume1\a";
    stand_in.tell("ClusterPrepareSharedVolumeForBackup", 5951);
    let error = stand_in.vss.volume_of(path).unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::NotLocal);
    stand_in.tell("ClusterPrepareSharedVolumeForBackup", 5949);
    let error = stand_in.vss.volume_of(path).unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::Busy);
    stand_in.tell("components", 1 << 20);
    let error = stand_in.begin().writers(&|| false).unwrap_err();
    assert!(error.to_string().contains("1048576 components"), "{error}");
    stand_in.assert_nothing_is_alive();
}

#[test]
fn a_name_with_a_zero_in_it_goes_nowhere() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let mut backup = stand_in.begin();
    backup.writers(&|| false).unwrap();
    backup.start_set().unwrap();
    let error = backup.add_volume("C:\\\0x", None).unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::NotFound);
    assert!(stand_in.record_of(&["AddToSnapshotSet"]).is_empty());
}
