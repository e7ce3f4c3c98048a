//! Each call arrives at its method, with its arguments, in order.

use super::stand_in::{component, id, options, text};
use super::*;
use crate::{BackupType, ComponentId, ComponentKind, HYPERV_WRITER, SnapshotKind};

#[test]
fn a_whole_backup_makes_these_calls_and_leaves_nothing() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let never = || false;
    let mut backup = stand_in.prepared();
    backup.snapshot(&never).unwrap();
    backup.writer_statuses(&never).unwrap();
    backup.snapshots().unwrap();
    backup.set_succeeded(&component(), true).unwrap();
    backup.document().unwrap();
    backup.complete(&never).unwrap();
    backup.delete_set().unwrap();
    drop(backup);
    stand_in.assert_nothing_is_alive();
    let hyperv = text(HYPERV_WRITER);
    let nil = text(id(0));
    let named = format!("{} {hyperv} 2 null 'Füße'", text(id(0x10)));
    let expected = [
        "CreateVssBackupComponents".to_owned(),
        "InitializeForBackup null".to_owned(),
        format!("EnableWriterClasses {hyperv}"),
        "SetContext 0".to_owned(),
        // Components are chosen, no bootable state, VSS_BT_COPY, no partial files.
        "SetBackupState 1 0 5 0".to_owned(),
        "GatherWriterMetadata".to_owned(),
        "Wait GatherWriterMetadata 100".to_owned(),
        "GetWriterMetadataCount".to_owned(),
        "GetWriterMetadata 0".to_owned(),
        "GetComponent 0".to_owned(),
        "GetComponentInfo 0".to_owned(),
        "FreeComponentInfo 0".to_owned(),
        "GetFile 0".to_owned(),
        "GetFile 1".to_owned(),
        "GetComponent 1".to_owned(),
        "GetComponentInfo 1".to_owned(),
        "FreeComponentInfo 1".to_owned(),
        "GetDatabaseFile 0".to_owned(),
        "GetDatabaseLogFile 0".to_owned(),
        "GetComponent 2".to_owned(),
        "GetComponentInfo 2".to_owned(),
        "FreeComponentInfo 2".to_owned(),
        "GetWriterMetadata 1".to_owned(),
        "FreeWriterMetadata".to_owned(),
        format!("AddComponent {named}"),
        "StartSnapshotSet".to_owned(),
        format!(r"AddToSnapshotSet '\\?\Volume{{a}}\' {nil}"),
        format!(r"AddToSnapshotSet '\\?\Volume{{b}}\' {}", text(id(0x99))),
        "PrepareForBackup".to_owned(),
        "Wait PrepareForBackup 100".to_owned(),
        "DoSnapshotSet".to_owned(),
        "Wait DoSnapshotSet 100".to_owned(),
        "GatherWriterStatus".to_owned(),
        "Wait GatherWriterStatus 100".to_owned(),
        "GetWriterStatusCount".to_owned(),
        "GetWriterStatusEx 0".to_owned(),
        "GetWriterStatus 0".to_owned(),
        "GetWriterStatusEx 1".to_owned(),
        "GetWriterStatus 1".to_owned(),
        "FreeWriterStatus".to_owned(),
        format!("GetSnapshotProperties {}", text(id(0x40))),
        format!("GetSnapshotProperties {}", text(id(0x41))),
        format!("SetBackupSucceeded {named} 1"),
        "SaveAsXML".to_owned(),
        "BackupComplete".to_owned(),
        "Wait BackupComplete 100".to_owned(),
        // VSS_OBJECT_SNAPSHOT_SET, by force.
        format!("DeleteSnapshots {} 2 1", text(id(0x30))),
    ];
    let record = stand_in.record();
    for (at, (found, expected)) in record.iter().zip(&expected).enumerate() {
        assert_eq!(found, expected, "call {at}");
    }
    assert_eq!(record.len(), expected.len(), "{record:#?}");
}

#[test]
fn without_writers_none_are_asked() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let never = || false;
    let mut backup = stand_in
        .vss
        .begin(&options(SnapshotKind::WithoutWriters))
        .unwrap();
    assert!(backup.writers(&never).unwrap().is_empty());
    backup.start_set().unwrap();
    backup.add_volume("C:\\", None).unwrap();
    backup.prepare(&never).unwrap();
    backup.snapshot(&never).unwrap();
    assert!(backup.writer_statuses(&never).unwrap().is_empty());
    backup.complete(&never).unwrap();
    backup.delete_set().unwrap();
    let calls: Vec<String> = stand_in
        .record()
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .filter(|word| word != "ALIVE")
        .collect();
    let expected = [
        "CreateVssBackupComponents",
        "InitializeForBackup",
        "SetContext",
        "SetBackupState",
        "StartSnapshotSet",
        "AddToSnapshotSet",
        "DoSnapshotSet",
        "Wait",
        "DeleteSnapshots",
    ];
    assert_eq!(calls, expected);
    assert_eq!(stand_in.record_of(&["SetContext"]), ["SetContext 16"]);
}

#[test]
fn what_a_backup_is_to_be_arrives() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let options = RequestOptions {
        backup_type: BackupType::Full,
        writers: Vec::new(),
        ..options(SnapshotKind::Backup)
    };
    let mut backup = stand_in.vss.begin(&options).unwrap();
    backup.writers(&|| false).unwrap();
    let database = ComponentId {
        kind: ComponentKind::Database,
        logical_path: r"logical\path".to_owned(),
        name: "db".to_owned(),
        ..component()
    };
    backup.add_component(&database).unwrap();
    let record = stand_in.record_of(&["EnableWriterClasses", "SetBackupState", "AddComponent"]);
    let added = format!(
        r"AddComponent {} {} 1 'logical\path' 'db'",
        text(id(0x10)),
        text(HYPERV_WRITER)
    );
    assert_eq!(record, ["SetBackupState 1 0 1 0".to_owned(), added]);
}

#[test]
fn a_call_out_of_order_never_reaches_the_service() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let mut backup = stand_in.begin();
    let before = stand_in.record();
    let error = backup.prepare(&|| false).unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::BadState);
    assert!(error.to_string().contains("expected: writers"), "{error}");
    assert_eq!(stand_in.record(), before);
}

#[test]
fn an_aborted_backup_is_aborted_once_and_its_set_removed() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let mut backup = stand_in.prepared();
    backup.snapshot(&|| false).unwrap();
    backup.abort();
    backup.abort();
    drop(backup);
    stand_in.assert_nothing_is_alive();
    let deleted = format!("DeleteSnapshots {} 2 1", text(id(0x30)));
    let record = stand_in.record_of(&["AbortBackup", "DeleteSnapshots", "BackupComplete"]);
    assert_eq!(record, ["AbortBackup".to_owned(), deleted]);
}

#[test]
fn a_backup_that_is_dropped_is_aborted_unless_it_was_completed() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    drop(stand_in.begin());
    stand_in.assert_nothing_is_alive();
    assert_eq!(stand_in.record_of(&["AbortBackup"]).len(), 1);
    let mut backup = stand_in.prepared();
    backup.snapshot(&|| false).unwrap();
    backup.complete(&|| false).unwrap();
    drop(backup);
    // The service removes what is left when the object goes.
    stand_in.assert_nothing_is_alive();
    assert_eq!(stand_in.record_of(&["AbortBackup"]).len(), 1);
}
