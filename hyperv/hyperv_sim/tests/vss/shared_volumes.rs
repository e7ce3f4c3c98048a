//! Volumes that nodes of a cluster share.

use hyperv_sim::{ClusterOptions, DiskSpec, Profile, SimCluster, SimVss, VmSpec};
use vss::{SnapshotKind, VolumeKind, VssErrorKind, VssService as _};

use crate::stage::{MIB, component, never, options};

#[test]
fn only_the_coordinator_snaps_a_shared_volume_and_the_cluster_counts_it() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = ClusterOptions::of_nodes(2, Profile::Server2022);
    let cluster = SimCluster::create(&folder.path().join("cluster"), cluster).unwrap();
    cluster
        .change_rules(|rules| rules.snapshots_on_any_node = false)
        .unwrap();
    let facts = cluster.facts().unwrap();
    let coordinator = facts.volumes[0].coordinator.clone();
    let spec = VmSpec::new("web").with_disk(DiskSpec::empty(MIB));
    let vm = cluster.add_vm(&coordinator, &spec).unwrap();
    let host = cluster.node(&coordinator).unwrap();
    let path = host.vm(vm).unwrap().disks[0].path.clone();
    for (name, node) in cluster.nodes() {
        let vss = SimVss::new(node.clone());
        let found = vss.volume_of(&path);
        if name == coordinator {
            assert_eq!(found.unwrap().kind, VolumeKind::ClusterShared);
        } else {
            assert_eq!(found.unwrap_err().kind(), VssErrorKind::NotLocal);
        }
    }
    let vss = SimVss::new(host.clone());
    let mut backup = vss.begin(&options(SnapshotKind::Backup)).unwrap();
    let writers = backup.writers(&never).unwrap();
    backup.add_component(&component(&writers, vm)).unwrap();
    backup.start_set().unwrap();
    let volume = vss.volume_of(&path).unwrap();
    backup.add_volume(&volume.name, None).unwrap();
    backup.prepare(&never).unwrap();
    backup.snapshot(&never).unwrap();
    assert_eq!(cluster.facts().unwrap().volumes[0].backups.len(), 1);
    backup.complete(&never).unwrap();
    drop(backup);
    assert_eq!(cluster.facts().unwrap().volumes[0].backups.len(), 0);
}
