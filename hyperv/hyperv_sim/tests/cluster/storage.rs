//! Shared volumes and shares.

use disk_image::{DriveMap, HostPaths as _};
use hyperv_sim::{ClusterOptions, DiskSpec, Profile, VmSpec};
use wmi::{CIMV2, WmiSession as _};

use crate::fixture::{Fixture, MIB, all_of};

const VOLUME: &str = "C:\\ClusterStorage\\Volume1";

#[test]
fn every_node_reads_the_files_of_every_other() {
    let test = Fixture::of_nodes(4);
    let vm = test.vm("HV2", "SQL01");
    let mut on_share = VmSpec::new("WEB01").with_disk(DiskSpec::empty(4 * MIB));
    on_share.folder = Some("\\\\nas\\vm\\WEB01".to_owned());
    let on_share = test.cluster.add_vm("HV3", &on_share).unwrap();
    let path = |node: &str, vm| {
        test.cluster.node(node).unwrap().vm(vm).unwrap().disks[0]
            .path
            .clone()
    };
    let paths = [path("HV2", vm), path("HV3", on_share)];
    assert!(paths[0].starts_with(VOLUME), "{paths:?}");
    assert!(paths[1].starts_with("\\\\nas\\vm\\"), "{paths:?}");
    let mut found = Vec::new();
    for (_, host) in test.cluster.nodes() {
        let mut map = DriveMap::new();
        for (prefix, folder) in host.drives().unwrap() {
            map = map.with(&prefix, &folder).unwrap();
        }
        found.push(paths.clone().map(|path| map.locate(&path).unwrap()));
    }
    found.dedup();
    assert_eq!(found.len(), 1);
}

#[test]
fn a_nodes_own_drive_is_its_own() {
    let test = Fixture::of_nodes(2);
    let spec = |name: &str| VmSpec::new(name).with_disk(DiskSpec::empty(4 * MIB));
    let first = test
        .cluster
        .node("HV1")
        .unwrap()
        .add_vm(&spec("A"))
        .unwrap();
    assert_eq!(test.shown_by(first), ["HV1"]);
    let ledger = test.cluster.node("HV2").unwrap().ledger().unwrap();
    assert_eq!(ledger.of_kind(hyperv_sim::LedgerKind::File).count(), 0);
    let all = test.cluster.ledger().unwrap();
    let files: Vec<_> = all.of_kind(hyperv_sim::LedgerKind::File).collect();
    assert_eq!(
        files,
        [("HV1: C:\\Hyper-V\\A\\Virtual Hard Disks\\A.vhdx", "")]
    );
}

#[test]
fn a_shared_volume_is_a_volume_of_each_node() {
    let test = Fixture::of_nodes(2);
    let host = test.cluster.node("HV2").unwrap();
    host.set_free_bytes(VOLUME, 123 * MIB).unwrap();
    for node in ["HV1", "HV2"] {
        let wql = "SELECT * FROM Win32_Volume WHERE FileSystem = 'CSVFS'";
        let volumes = test.session(node).query_all(CIMV2, wql).unwrap();
        assert_eq!(volumes.len(), 1);
        assert_eq!(volumes[0].text("Name"), Some(format!("{VOLUME}\\")));
        assert_eq!(volumes[0].text("DriveLetter"), None);
        assert_eq!(volumes[0].number::<u64>("FreeSpace"), Some(123 * MIB));
        let wql = "SELECT * FROM Win32_LogicalDisk";
        assert_eq!(test.session(node).query_all(CIMV2, wql).unwrap().len(), 1);
    }
    // A new leaf needs more than this.
    let vm = test.vm("HV1", "SQL01");
    test.cluster
        .node("HV1")
        .unwrap()
        .set_free_bytes(VOLUME, MIB)
        .unwrap();
    let error = test
        .cluster
        .node("HV1")
        .unwrap()
        .checkpoint(vm, "x")
        .unwrap_err();
    assert!(error.to_string().contains("0x80070070"), "{error}");
}

#[test]
fn snapshots_of_a_shared_volume_follow_its_rules() {
    let mut options = ClusterOptions::of_nodes(2, Profile::Server2012R2);
    options.volumes.push("Volume2".to_owned());
    let test = Fixture::of(options);
    let file = format!("{}\\SQL01\\x.vhdx", VOLUME.to_lowercase());
    let allowed = |node: &str, volume: &str| test.cluster.csv_snapshot_allowed(node, volume);
    let state = |number: usize| {
        let volumes = all_of(&test.session("HV2"), "MSCluster_ClusterSharedVolume");
        volumes[number].number::<u32>("BackupState")
    };
    // Since 2012 each node may, and several at once.
    allowed("HV2", &file).unwrap();
    test.cluster.begin_csv_backup("HV2", &file).unwrap();
    test.cluster.begin_csv_backup("HV1", "Volume1").unwrap();
    assert_eq!((state(0), state(1)), (Some(1), Some(0)));
    let cluster = all_of(&test.session("HV1"), "MSCluster_Cluster");
    assert_eq!(cluster[0].number::<u32>("BackupInProgress"), Some(1));
    test.cluster.end_csv_backup("HV2", &file).unwrap();
    assert_eq!(state(0), Some(1));
    test.cluster.end_csv_backup("HV1", VOLUME).unwrap();
    assert_eq!(state(0), Some(0));
    test.cluster
        .change_rules(|rules| {
            rules.snapshots_on_any_node = false;
            rules.parallel_volume_backups = false;
        })
        .unwrap();
    assert_eq!(allowed("HV2", &file).unwrap_err().code(), 0x8004_232D);
    allowed("HV2", "C:\\ClusterStorage\\Volume2\\x").unwrap();
    allowed("HV2", "C:\\local\\x.vhdx").unwrap();
    test.cluster.begin_csv_backup("HV1", &file).unwrap();
    assert_eq!(allowed("HV1", &file).unwrap_err().code(), 0x8007_173D);
    test.cluster.end_csv_backup("HV1", &file).unwrap();
    test.cluster.move_volume("Volume1", "HV2").unwrap();
    allowed("HV2", &file).unwrap();
    assert_eq!(allowed("HV1", &file).unwrap_err().code(), 0x8004_232D);
}

#[test]
fn disks_on_shared_storage_are_written_and_read_with_their_parents() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV1", "SQL01");
    let host = test.cluster.node("HV1").unwrap();
    host.write(vm, 0, 0, &[1; 4096]).unwrap();
    host.checkpoint(vm, "one").unwrap();
    host.write(vm, 0, 4096, &[2; 100]).unwrap();
    test.cluster.move_vm(vm, "HV2").unwrap();
    let host = test.cluster.node("HV2").unwrap();
    host.write(vm, 0, 8192, &[3; 100]).unwrap();
    let disk = host.open_disk(vm, 0).unwrap();
    let mut bytes = vec![0; 3 * 4096];
    block_io::BlockDevice::read_at(&disk, 0, &mut bytes).unwrap();
    assert_eq!(
        (bytes[0], bytes[4096], bytes[4196], bytes[8192]),
        (1, 2, 0, 3)
    );
}
