//! A cluster in a temporary folder.

use std::path::PathBuf;

use hyperv_sim::{
    ClusterOptions, Consistency, DiskSpec, Profile, SimCluster, SimSession, SnapshotSettings,
    VmSpec,
};
use tempfile::TempDir;
use uuid::Uuid;
use wmi::{CLUSTER, Instance, ObjectPath, VIRTUALIZATION, WmiSession as _};

pub(crate) const MIB: u64 = 1 << 20;

pub(crate) struct Fixture {
    pub(crate) cluster: SimCluster,
    folder: TempDir,
}

impl Fixture {
    pub(crate) fn of_nodes(count: usize) -> Self {
        Self::of(ClusterOptions::of_nodes(count, Profile::Server2022))
    }

    pub(crate) fn of(options: ClusterOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cluster = SimCluster::create(&folder.path().join("cluster"), options).unwrap();
        Self { cluster, folder }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("cluster")
    }

    /// A running role with one disk of 4 MiB.
    pub(crate) fn vm(&self, node: &str, name: &str) -> Uuid {
        let spec = VmSpec::new(name).with_disk(DiskSpec::empty(4 * MIB));
        self.cluster.add_vm(node, &spec).unwrap()
    }

    pub(crate) fn session(&self, node: &str) -> SimSession {
        SimSession::new(self.cluster.node(node).unwrap()).unwrap()
    }

    /// The names of the nodes that show a VM.
    pub(crate) fn shown_by(&self, vm: Uuid) -> Vec<String> {
        let shows = |node: &&str| {
            let wql = format!(
                "SELECT * FROM Msvm_ComputerSystem WHERE Name = '{}'",
                guid(vm)
            );
            let session = self.session(node);
            let found = session.query_all(VIRTUALIZATION, &wql).unwrap();
            found.len() == 1
        };
        let nodes = self.cluster.nodes().map(|(name, _)| name).filter(shows);
        nodes.map(str::to_owned).collect()
    }

    /// The names of the nodes that show a VM, of those that are up.
    pub(crate) fn shown_by_up(&self, vm: Uuid) -> Vec<String> {
        let has = |(_, host): &(&str, &std::sync::Arc<hyperv_sim::SimHost>)| host.vm(vm).is_ok();
        let nodes = self.cluster.nodes().filter(has);
        nodes.map(|(name, _)| name.to_owned()).collect()
    }

    /// Makes a recovery checkpoint on the node that has the VM.
    pub(crate) fn recovery(&self, vm: Uuid) -> Uuid {
        let settings = SnapshotSettings::recovery(Consistency::Crash);
        let host = self.cluster.owner_host(vm).unwrap();
        host.make_checkpoint(vm, &settings).unwrap()
    }
}

pub(crate) fn guid(id: Uuid) -> String {
    id.to_string().to_uppercase()
}

/// All of a class of the cluster, without the host in their paths.
pub(crate) fn all_of(session: &SimSession, class: &str) -> Vec<Instance> {
    let found = session.query_all(CLUSTER, &format!("SELECT * FROM {class}"));
    let strip = |mut instance: Instance| {
        instance.path = None;
        instance
    };
    found.unwrap().into_iter().map(strip).collect()
}

/// The resource of a VM.
pub(crate) fn resource(session: &SimSession, vm: Uuid) -> Instance {
    let wql = format!(
        "SELECT * FROM MSCluster_Resource WHERE Type = 'Virtual Machine' AND \
         PrivateProperties.VmID = '{vm}'"
    );
    let mut found = session.query_all(CLUSTER, &wql).unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

/// The path of a VM on a node.
pub(crate) fn system(vm: Uuid) -> ObjectPath {
    ObjectPath::new(VIRTUALIZATION, "Msvm_ComputerSystem")
        .with_key("CreationClassName", "Msvm_ComputerSystem")
        .with_key("Name", guid(vm))
}
