//! Volume snapshots of what nodes share.

use std::sync::Arc;
use std::time::Duration;

use disk_image::HostPaths as _;
use hyperv_sim::{ClusterOptions, DiskSpec, Profile, SimPaths, SimVss, TraceKind, VmSpec};
use uuid::Uuid;
use vss::{
    BackupType, HYPERV_WRITER, RequestOptions, SnapshotKind, VolumeKind, VssBackup, VssErrorKind,
    VssService as _,
};

use crate::fixture::{Fixture, MIB, all_of};

fn never() -> bool {
    false
}

/// Takes a backup of one VM on its node to its snapshots.
fn snapped(vss: &SimVss, vm: Uuid, path: &str) -> Box<dyn VssBackup> {
    let options = RequestOptions {
        kind: SnapshotKind::Backup,
        backup_type: BackupType::Copy,
        writers: vec![HYPERV_WRITER],
    };
    let mut backup = vss.begin(&options).unwrap();
    let writers = backup.writers(&never).unwrap();
    let name = vm.to_string();
    let mut components = writers.iter().flat_map(|writer| &writer.components);
    let component = components.find(|own| own.id.name.eq_ignore_ascii_case(&name));
    backup.add_component(&component.unwrap().id).unwrap();
    backup.start_set().unwrap();
    let volume = vss.volume_of(path).unwrap();
    backup.add_volume(&volume.name, None).unwrap();
    backup.prepare(&never).unwrap();
    backup.snapshot(&never).unwrap();
    backup
}

#[test]
fn a_shared_volume_and_a_share_are_snapped_on_the_node_that_has_the_vm() {
    let test = Fixture::of_nodes(2);
    let on_volume = test.vm("HV2", "SQL01");
    let mut on_share = VmSpec::new("WEB01").with_disk(DiskSpec::empty(4 * MIB));
    on_share.folder = Some("\\\\nas\\vm\\WEB01".to_owned());
    let on_share = test.cluster.add_vm("HV2", &on_share).unwrap();
    let host = test.cluster.node("HV2").unwrap();
    let vss = SimVss::new(Arc::clone(&host));
    let paths = SimPaths::new(Arc::clone(&host));
    for (vm, mount, kind) in [
        (
            on_volume,
            "C:\\ClusterStorage\\Volume1",
            VolumeKind::ClusterShared,
        ),
        (on_share, "\\\\nas\\vm", VolumeKind::FileShare),
    ] {
        let disk = host.vm(vm).unwrap().disks[0].path.clone();
        assert_eq!(vss.volume_of(&disk).unwrap().kind, kind);
        let mut backup = snapped(&vss, vm, &disk);
        let state = |test: &Fixture| {
            let volumes = all_of(&test.session("HV1"), "MSCluster_ClusterSharedVolume");
            volumes[0].number::<u32>("BackupState").unwrap()
        };
        assert_eq!(state(&test), u32::from(kind == VolumeKind::ClusterShared));
        let device = backup.snapshots().unwrap()[0].device.clone();
        let frozen = disk.replacen(mount, &device, 1);
        let found = paths.locate(&frozen);
        assert!(found.is_some(), "{frozen}");
        assert_ne!(found, paths.locate(&disk));
        drop(backup);
        assert_eq!(state(&test), 0);
    }
    assert!(test.cluster.surprises().unwrap().is_empty());
}

#[test]
fn away_from_the_coordinator_the_old_rule_refuses_a_snapshot() {
    let test = Fixture::of(ClusterOptions::of_nodes(2, Profile::Server2012R2));
    test.cluster
        .change_rules(|rules| rules.snapshots_on_any_node = false)
        .unwrap();
    let vss = |node: &str| SimVss::new(test.cluster.node(node).unwrap());
    let path = "C:\\ClusterStorage\\Volume1\\x.vhdx";
    let add = |node: &str| {
        let vss = vss(node);
        let options = RequestOptions {
            kind: SnapshotKind::Backup,
            backup_type: BackupType::Copy,
            writers: vec![HYPERV_WRITER],
        };
        let mut backup = vss.begin(&options).unwrap();
        backup.writers(&never).unwrap();
        backup.start_set().unwrap();
        let volume = vss.volume_of(path)?;
        backup.add_volume(&volume.name, None).map(|_| ())
    };
    add("HV1").unwrap();
    let error = add("HV2").unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::NotLocal);
    assert_eq!(error.code(), Some(0x8004_232D));
    test.cluster.move_volume("Volume1", "HV2").unwrap();
    add("HV2").unwrap();
}

#[test]
fn a_writer_that_saves_a_vm_surprises_no_cluster_and_a_person_is_traced() {
    let test = Fixture::of(ClusterOptions::of_nodes(2, Profile::Server2012));
    let mut spec = VmSpec::new("OLD").with_disk(DiskSpec::empty(4 * MIB));
    spec = spec.with_guest(hyperv_sim::Guest::Linux);
    let vm = test.cluster.add_vm("HV1", &spec).unwrap();
    let host = test.cluster.node("HV1").unwrap();
    let vss = SimVss::new(Arc::clone(&host));
    let disk = host.vm(vm).unwrap().disks[0].path.clone();
    drop(snapped(&vss, vm, &disk));
    let kinds = |kind: &TraceKind| {
        let trace = host.trace().unwrap();
        trace.iter().filter(|event| event.kind == *kind).count()
    };
    assert_eq!(
        (kinds(&TraceKind::Saved), kinds(&TraceKind::Resumed)),
        (1, 1)
    );
    assert_eq!(kinds(&TraceKind::ClusterSurprise), 0);
    host.save(vm).unwrap();
    assert_eq!(kinds(&TraceKind::ClusterSurprise), 1);
    test.cluster.advance(Duration::from_secs(10)).unwrap();
    assert_eq!(test.shown_by(vm), ["HV2"]);
}

#[test]
fn what_a_snapshot_holds_stays_when_another_node_writes() {
    let test = Fixture::of_nodes(2);
    let (vm, other) = (test.vm("HV1", "SQL01"), test.vm("HV2", "WEB01"));
    let host = test.cluster.node("HV1").unwrap();
    let vss = SimVss::new(Arc::clone(&host));
    let disk = host.vm(vm).unwrap().disks[0].path.clone();
    let mut backup = snapped(&vss, vm, &disk);
    let device = backup.snapshots().unwrap()[0].device.clone();
    let writer = test.cluster.node("HV2").unwrap();
    let theirs = writer.vm(other).unwrap().disks[0].path.clone();
    let frozen = theirs.replacen("C:\\ClusterStorage\\Volume1", &device, 1);
    let paths = SimPaths::new(Arc::clone(&host));
    let frozen = paths.locate(&frozen).unwrap();
    let before = std::fs::read(&frozen).unwrap();
    writer.write(other, 0, 0, &[9; 1 << 16]).unwrap();
    assert_eq!(std::fs::read(&frozen).unwrap(), before);
    assert_ne!(
        std::fs::read(paths.locate(&theirs).unwrap()).unwrap(),
        before
    );
}
