//! Restores: each call arrives at its method, with its arguments, in order.

use super::stand_in::{component, text};
use super::*;
use crate::{FileSet, HYPERV_WRITER, VssErrorKind, WriterState};

const DOCUMENT: &str = "<BACKUP_COMPONENTS é/>";

fn files() -> FileSet {
    FileSet {
        path: r"C:\VMs".to_owned(),
        spec: "*.vhdx".to_owned(),
        is_recursive: true,
    }
}

fn never() -> bool {
    false
}

/// Makes all calls of a restore, as far as they succeed.
fn all_calls(restore: &mut dyn VssRestore) -> Result<(), VssError> {
    restore.select(&component())?;
    restore.add_new_target(&component(), &files(), r"D:\VMs")?;
    restore.pre_restore(&never)?;
    restore.writer_statuses(&never)?;
    restore.set_restored(&component(), true)?;
    restore.post_restore(&never)
}

#[test]
fn a_whole_restore_makes_these_calls_and_leaves_nothing() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let mut restore = stand_in.vss.begin_restore(DOCUMENT).unwrap();
    all_calls(&mut *restore).unwrap();
    drop(restore);
    stand_in.assert_nothing_is_alive();
    let named = format!("{} 2 null 'Füße'", text(HYPERV_WRITER));
    let expected = [
        "CreateVssBackupComponents".to_owned(),
        format!("InitializeForRestore '{DOCUMENT}'"),
        "GatherWriterMetadata".to_owned(),
        "Wait GatherWriterMetadata 100".to_owned(),
        format!("SetSelectedForRestore {named} 1"),
        format!(r"AddNewTarget {named} 'C:\VMs' '*.vhdx' 1 'D:\VMs'"),
        "PreRestore".to_owned(),
        "Wait PreRestore 100".to_owned(),
        "GatherWriterStatus".to_owned(),
        "Wait GatherWriterStatus 100".to_owned(),
        "GetWriterStatusCount".to_owned(),
        "GetWriterStatusEx 0".to_owned(),
        "GetWriterStatus 0".to_owned(),
        "GetWriterStatusEx 1".to_owned(),
        "GetWriterStatus 1".to_owned(),
        "FreeWriterStatus".to_owned(),
        // VSS_RS_ALL
        format!("SetFileRestoreStatus {named} 2"),
        "PostRestore".to_owned(),
        "Wait PostRestore 100".to_owned(),
    ];
    assert_eq!(stand_in.record(), expected);
}

#[test]
fn files_that_are_not_in_place_are_said_to_have_failed() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let mut restore = stand_in.vss.begin_restore(DOCUMENT).unwrap();
    restore.select(&component()).unwrap();
    restore.pre_restore(&never).unwrap();
    restore.set_restored(&component(), false).unwrap();
    let told = stand_in.record_of(&["SetFileRestoreStatus"]);
    assert!(told[0].ends_with(" 3"), "{told:?}");
}

#[test]
fn a_restore_that_cannot_begin_says_which_call_failed_and_leaves_nothing() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    for call in [
        "CreateVssBackupComponents",
        "InitializeForRestore",
        "GatherWriterMetadata",
    ] {
        // VSS_E_INVALID_XML_DOCUMENT
        stand_in.tell(call, 0x8004_2311);
        let error = stand_in.vss.begin_restore(DOCUMENT).err().unwrap();
        stand_in.tell(call, 0);
        assert_eq!(error.step(), VssStep::BeginRestore, "{call}");
        assert_eq!(error.code(), Some(0x8004_2311), "{call}");
        assert!(error.to_string().contains(call), "{error}");
        stand_in.assert_nothing_is_alive();
    }
}

#[test]
fn each_call_that_fails_is_named_and_no_later_one_is_made() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let table = [
        ("SetSelectedForRestore", VssStep::Select),
        ("AddNewTarget", VssStep::AddNewTarget),
        ("PreRestore", VssStep::PreRestore),
        ("end PreRestore", VssStep::PreRestore),
        ("GatherWriterStatus", VssStep::WriterStatuses),
        ("SetFileRestoreStatus", VssStep::SetRestored),
        ("PostRestore", VssStep::PostRestore),
        ("end PostRestore", VssStep::PostRestore),
    ];
    for (call, step) in table {
        let mut restore = stand_in.vss.begin_restore(DOCUMENT).unwrap();
        // VSS_E_WRITERERROR_NONRETRYABLE
        stand_in.tell(call, 0x8004_23F4);
        let error = all_calls(&mut *restore).unwrap_err();
        stand_in.tell(
            call,
            if call.starts_with("end ") {
                0x0004_230A
            } else {
                0
            },
        );
        assert_eq!(error.step(), step, "{call}");
        assert_eq!(error.kind(), VssErrorKind::NotRetryable, "{call}");
        let name = call.trim_start_matches("end ");
        assert!(error.to_string().contains(name), "{error}");
        if matches!(step, VssStep::PreRestore | VssStep::PostRestore) {
            let again = restore.pre_restore(&never).unwrap_err();
            assert_eq!(again.kind(), VssErrorKind::BadState, "{call}");
        }
        drop(restore);
        stand_in.assert_nothing_is_alive();
    }
}

#[test]
fn a_writer_that_failed_at_the_restore_says_so() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    // VSS_WS_FAILED_AT_PRE_RESTORE
    stand_in.tell("state 0", 13);
    stand_in.tell("failure 0", 0x8004_23F4);
    stand_in.tell("message 0", 1);
    let mut restore = stand_in.vss.begin_restore(DOCUMENT).unwrap();
    restore.select(&component()).unwrap();
    restore.pre_restore(&never).unwrap();
    let statuses = restore.writer_statuses(&never).unwrap();
    assert_eq!(statuses[0].state, WriterState::FailedAtPreRestore);
    assert_eq!(statuses[0].failure, 0x8004_23F4);
    assert_eq!(statuses[0].message.as_deref(), Some("said why"));
}

#[test]
fn a_call_out_of_order_never_reaches_the_service() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let mut restore = stand_in.vss.begin_restore(DOCUMENT).unwrap();
    let before = stand_in.record().len();
    let early = [
        restore.pre_restore(&never).unwrap_err(),
        restore.post_restore(&never).unwrap_err(),
        restore.set_restored(&component(), true).unwrap_err(),
    ];
    for error in early {
        assert_eq!(error.kind(), VssErrorKind::BadState);
    }
    assert_eq!(stand_in.record().len(), before);
}

#[test]
fn a_restore_that_is_stopped_is_cancelled_and_waited_for() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    stand_in.tell("pending PreRestore", u32::MAX);
    let mut restore = stand_in.vss.begin_restore(DOCUMENT).unwrap();
    restore.select(&component()).unwrap();
    let error = restore.pre_restore(&|| true).unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::Cancelled, "{error}");
    assert_eq!(stand_in.record_of(&["Cancel"]), ["Cancel PreRestore"]);
    drop(restore);
    stand_in.assert_nothing_is_alive();
}
