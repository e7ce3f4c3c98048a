//! A host in a temporary folder.

use std::path::PathBuf;

use block_io::BlockDevice;
use hyperv_sim::{
    Changes, Consistency, DiskSpec, Profile, SimError, SimHost, SimOptions, SnapshotSettings,
    VmSpec,
};
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const MIB: u64 = 1 << 20;

pub(crate) struct Fixture {
    pub(crate) host: SimHost,
    folder: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::of(Profile::Server2022)
    }

    pub(crate) fn of(profile: Profile) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SimOptions {
            profile,
            ..SimOptions::default()
        };
        let host = SimHost::create(&folder.path().join("host"), options).unwrap();
        Self { host, folder }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("host")
    }

    /// Where a file of the host lies on this machine.
    pub(crate) fn local(&self, host_path: &str) -> PathBuf {
        let (_, drive) = self.host.drives().unwrap().remove(0);
        drive.join(host_path[3..].replace('\\', "/"))
    }

    /// A running VM with one disk of 8 MiB.
    pub(crate) fn vm(&self) -> Uuid {
        self.vm_with(DiskSpec::empty(8 * MIB))
    }

    pub(crate) fn vm_with(&self, disk: DiskSpec) -> Uuid {
        let spec = VmSpec::new("web").with_disk(disk);
        self.host.add_vm(&spec).unwrap()
    }

    pub(crate) fn recovery(&self, vm: Uuid) -> Uuid {
        self.try_recovery(vm).unwrap()
    }

    pub(crate) fn try_recovery(&self, vm: Uuid) -> Result<Uuid, SimError> {
        let settings = SnapshotSettings::recovery(Consistency::Crash);
        self.host.make_checkpoint(vm, &settings)
    }

    /// Makes a reference point and waits for the merge; returns its GUID and the first disk's id.
    pub(crate) fn reference_point(&self, vm: Uuid) -> (Uuid, String) {
        let snapshot = self.recovery(vm);
        let point = self.host.convert_checkpoint(snapshot).unwrap();
        self.host.settle().unwrap();
        let points = self.host.vm(vm).unwrap().reference_points;
        let made = points.iter().find(|made| made.id == point).unwrap();
        (point, made.disks[0].tracking_id.clone())
    }

    /// The frozen file of a checkpoint's first disk.
    pub(crate) fn frozen(&self, vm: Uuid, snapshot: Uuid) -> String {
        let vm = self.host.vm(vm).unwrap();
        vm.snapshot(snapshot).unwrap().disks[0].path.clone()
    }

    /// What changed from `id` to a new checkpoint, which goes again.
    pub(crate) fn changes_since(&self, vm: Uuid, id: &str) -> Result<Changes, SimError> {
        let snapshot = self.recovery(vm);
        let path = self.frozen(vm, snapshot);
        let size = self.host.vm(vm).unwrap().disks[0].size_bytes;
        let changes = self.host.changes(&path, id, 0, size);
        self.host.delete_checkpoint(snapshot).unwrap();
        self.host.settle().unwrap();
        changes
    }
}

pub(crate) fn bytes_of(device: &dyn BlockDevice) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(device.size_bytes()).unwrap()];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}
