//! What the service tells comes back whole.

use super::stand_in::id;
use super::*;
use crate::{
    ComponentKind, FileSet, HYPERV_WRITER, ProviderKind, VolumeKind, WriterState, WriterStatus,
};

#[test]
fn writers_tell_of_their_components_and_files() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let writers = stand_in.begin().writers(&|| false).unwrap();
    let [hyperv, system] = writers.as_slice() else {
        panic!("{writers:?}");
    };
    assert_eq!((hyperv.instance, hyperv.id), (id(0x10), HYPERV_WRITER));
    assert_eq!(hyperv.name, "Microsoft Hyper-V VSS Writer");
    assert_eq!((system.instance, system.id), (id(0x11), id(0x21)));
    assert!(system.components.is_empty());
    // The third is of a type that nobody knows.
    let [vm, database] = hyperv.components.as_slice() else {
        panic!("{:?}", hyperv.components);
    };
    assert_eq!(vm.id.name, "11111111-2222-3333-4444-555555555555");
    assert_eq!(vm.id.kind, ComponentKind::FileGroup);
    assert_eq!((vm.id.instance, vm.id.writer), (id(0x10), HYPERV_WRITER));
    assert_eq!(vm.id.logical_path, "");
    assert_eq!(vm.caption, r"Online\Füße");
    assert!(vm.is_selectable && !database.is_selectable);
    let file = |path: &str, spec: &str, is_recursive| FileSet {
        path: path.to_owned(),
        spec: spec.to_owned(),
        is_recursive,
    };
    let files = [
        file(r"C:\VMs\", "a.vhdx", false),
        file(r"C:\VMs\Snapshots", "*", true),
    ];
    assert_eq!(vm.files, files);
    assert_eq!(database.id.kind, ComponentKind::Database);
    assert_eq!(database.id.logical_path, r"logical\path");
    let files = [
        file(r"D:\db", "x.mdf", false),
        file(r"L:\log", "x.ldf", false),
    ];
    assert_eq!(database.files, files);
}

#[test]
fn snapshots_come_in_the_order_of_their_volumes() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let mut backup = stand_in.prepared();
    backup.snapshot(&|| false).unwrap();
    let snapshots = backup.snapshots().unwrap();
    let ids: Vec<_> = snapshots.iter().map(|snapshot| snapshot.id).collect();
    assert_eq!(ids, [id(0x40), id(0x41)]);
    let first = &snapshots[0];
    let device = r"\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy64";
    assert_eq!(first.device, device);
    assert_eq!(first.volume, r"\\?\Volume{a}\");
    assert_eq!((first.set, first.provider), (id(0x30), id(0x50)));
    assert_eq!(first.attributes, 0x0042_0000);
    assert_eq!(first.created.to_string(), "2024-02-29T12:34:56.789Z");
    assert_eq!(backup.document().unwrap(), "<BACKUP_COMPONENTS é/>");
    drop(backup);
    stand_in.assert_nothing_is_alive();
}

#[test]
fn providers_are_listed_with_their_kinds() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let providers = stand_in.vss.providers().unwrap();
    let [own, array] = providers.as_slice() else {
        panic!("{providers:?}");
    };
    assert_eq!((own.id, own.kind), (id(0x50), ProviderKind::System));
    assert_eq!(
        (own.name.as_str(), own.version.as_str()),
        ("Microsoft", "1.0.0.7")
    );
    assert_eq!((array.id, array.kind), (id(0x51), ProviderKind::Hardware));
    assert_eq!(
        (array.name.as_str(), array.version.as_str()),
        ("Array", "2")
    );
    let queries = stand_in.record_of(&["Query"]);
    assert_eq!(
        queries,
        ["Query {00000000-0000-0000-0000-000000000000} 1 4"]
    );
    stand_in.assert_nothing_is_alive();
}

#[test]
fn shares_and_shared_volumes_are_found() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let share = stand_in.vss.volume_of(r"\\FS1\VMs\a\b.vhdx").unwrap();
    assert_eq!(share.kind, VolumeKind::FileShare);
    assert_eq!(
        (share.mount.as_str(), share.name.as_str()),
        (r"\\FS1\VMs\", r"\\FS1\VMs\")
    );
    let asked = stand_in.record_of(&["GetRootAndLogicalPrefixPaths"]);
    assert_eq!(
        asked,
        [r"GetRootAndLogicalPrefixPaths '\\FS1\VMs\a\b.vhdx' 0"]
    );
    stand_in.assert_nothing_is_alive();

    let path = r"C:\ClusterStorage\Volume1\vm\a.vhdx";
    let shared = stand_in.vss.volume_of(path).unwrap();
    assert_eq!(shared.kind, VolumeKind::ClusterShared);
    assert_eq!(shared.mount, r"C:\ClusterStorage\Volume1\");
    assert_eq!(shared.name, r"\\?\Volume{c}\");
    let asked = stand_in.record_of(&["ClusterPrepareSharedVolumeForBackup"]);
    let expected = format!("ClusterPrepareSharedVolumeForBackup '{path}' 32768 32768");
    assert_eq!(asked, [expected]);
    let local = stand_in.vss.volume_of(r"C:\windows").unwrap();
    assert_eq!(local.kind, VolumeKind::Local);
}

#[test]
fn writers_say_where_they_are() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let mut backup = stand_in.prepared();
    stand_in.tell("state 0", 5);
    stand_in.tell("state 1", 9);
    stand_in.tell("failure 1", 0x8004_23F4);
    stand_in.tell("application 1", 0x8007_0070);
    stand_in.tell("message 1", 1);
    let statuses = backup.writer_statuses(&|| false).unwrap();
    let expected = [
        WriterStatus {
            instance: id(0x10),
            id: HYPERV_WRITER,
            name: "Hyper-V".to_owned(),
            state: WriterState::WaitingForBackupComplete,
            failure: 0,
            message: None,
            failed_components: Vec::new(),
        },
        WriterStatus {
            instance: id(0x11),
            id: id(0x21),
            name: "System".to_owned(),
            state: WriterState::FailedAtFreeze,
            failure: 0x8004_23F4,
            message: Some("said why (0x80070070)".to_owned()),
            failed_components: Vec::new(),
        },
    ];
    assert_eq!(statuses, expected);
}

#[test]
fn a_windows_without_later_interfaces_says_what_it_can() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    stand_in.tell("no Ex3", 1);
    stand_in.tell("no Ex4", 1);
    stand_in.tell("failure 0", 0x8004_23F3);
    stand_in.tell("message 0", 1);
    let mut backup = stand_in.prepared();
    let statuses = backup.writer_statuses(&|| false).unwrap();
    assert_eq!(statuses[0].failure, 0x8004_23F3);
    assert_eq!(statuses[0].message, None);
    let asked = stand_in.record_of(&["GetWriterStatus", "GetWriterStatusEx"]);
    assert_eq!(asked, ["GetWriterStatus 0", "GetWriterStatus 1"]);
    let error = stand_in.vss.volume_of(r"\\FS1\VMs\a").unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::NotSupported);
}

#[test]
fn components_that_failed_are_named_and_everything_is_given_back() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    stand_in.tell("state 0", 11);
    stand_in.tell("failure 0", 0x8004_2336);
    let mut backup = stand_in.prepared();
    let statuses = backup.writer_statuses(&|| false).unwrap();
    let failed = [("vm-that-fails".to_owned(), 0x8004_23F3)];
    assert_eq!(statuses[0].failed_components, failed);
    // The release arrives at the second base, once for each.
    let released = stand_in.record_of(&["ReleaseWriterComponents"]);
    assert_eq!(
        released,
        ["ReleaseWriterComponents 0", "ReleaseWriterComponents 1"]
    );
    drop(backup);
    stand_in.assert_nothing_is_alive();
}
