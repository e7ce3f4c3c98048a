//! A small repository with a VM in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use block_io::MemoryDisk;
use object_store::FolderStore;
use repository::{
    Consistency, InitOptions, PasswordCost, PointKind, PointVm, Repository, RestorePoint,
    RunWriter, Stream, StreamObserver, StreamRole, Unlock,
};
use store_faults::{Fault, FaultySystem};
use uuid::Uuid;
use vm_config::{Checkpoint, ControllerKind, Disk, DiskSlot, Memory, VmConfiguration, write_vmcx};

const PASSWORD: Unlock<'static> = Unlock::Password("correct horse");
pub(crate) const DISK_BYTES: usize = 3 << 20;

/// Two disks of one name, a configuration that names a checkpoint's leaf, a state file without a
/// byte and a checkpoint's configuration.
pub(crate) struct SavedVm {
    pub(crate) repository: Repository,
    pub(crate) point: RestorePoint,
    folder: tempfile::TempDir,
}

struct Quiet;

impl StreamObserver for Quiet {
    fn advanced(&self, _: u64, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

pub(crate) fn slot(slot: u32) -> DiskSlot {
    DiskSlot {
        kind: ControllerKind::Scsi,
        controller: 0,
        slot,
    }
}

/// Bytes that do not compress, so that the disks' pack is the largest.
pub(crate) fn disk_bytes(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..DISK_BYTES).map(|_| next()).collect()
}

pub(crate) fn configuration() -> VmConfiguration {
    let disk = |number, path: &str| Disk {
        slot: slot(number),
        path: path.to_owned(),
        pass_through: false,
    };
    VmConfiguration {
        name: "web".into(),
        id: Uuid::from_u128(7),
        generation: 2,
        version: "9.0".into(),
        notes: String::new(),
        processors: 1,
        memory: Memory::default(),
        disks: vec![
            disk(0, r"C:\first\data_0F1E.avhdx"),
            disk(1, r"D:\second\data.vhdx"),
        ],
        network_adapters: Vec::new(),
        checkpoints: vec![Checkpoint {
            id: Uuid::from_u128(9),
            name: "before the update".into(),
        }],
        guest_state_file: None,
        secure_boot: false,
        secure_boot_template: None,
    }
}

pub(crate) fn configuration_bytes() -> Vec<u8> {
    write_vmcx(&configuration().to_tree()).unwrap()
}

fn store(run: &RunWriter, role: StreamRole, name: &str, bytes: Vec<u8>) -> Stream {
    let size_bytes = bytes.len() as u64;
    let stored = run
        .store_stream(&MemoryDisk::new(bytes), None, &Quiet)
        .unwrap();
    Stream {
        root: stored.root,
        statistics: stored.statistics,
        ..Stream::of_file(role, name, name, size_bytes)
    }
}

fn store_disk(run: &RunWriter, number: u32) -> Stream {
    let name = "data.vhdx";
    let stream = store(run, StreamRole::Disk, name, disk_bytes(u64::from(number)));
    Stream {
        number,
        source_path: configuration().disks[number as usize].path.clone(),
        slot: Some(serde_json::to_value(slot(number)).unwrap()),
        format: Some("vhdx".to_owned()),
        ..stream
    }
}

impl SavedVm {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repository");
        // What is flushed is not what is tested.
        let system = FaultySystem::new(Fault::None);
        let objects = Arc::new(FolderStore::create_with_system(&root, system).unwrap());
        let options = InitOptions {
            password_cost: PasswordCost {
                memory_kib: 64,
                passes: 1,
            },
            ..InitOptions::default()
        };
        let repository = Repository::init(objects, &[PASSWORD], options).unwrap();
        let run = repository.begin_run(2).unwrap();
        let streams = vec![
            store(
                &run,
                StreamRole::Configuration,
                "Virtual Machines/7.vmcx",
                configuration_bytes(),
            ),
            store(&run, StreamRole::RuntimeState, "7.vmrs", Vec::new()),
            store(
                &run,
                StreamRole::CheckpointConfiguration,
                "Snapshots/8.vmcx",
                b"checkpoint".to_vec(),
            ),
            store_disk(&run, 0),
            store_disk(&run, 1),
        ];
        let now = "2026-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap();
        let point = RestorePoint {
            version: 1,
            id: RestorePoint::new_id().unwrap(),
            vm: PointVm {
                identity: "7".to_owned(),
                name: "web".to_owned(),
                generation: Some(2),
                configuration_version: Some("9.0".to_owned()),
            },
            host: "test".to_owned(),
            started: now,
            finished: now,
            kind: PointKind::Full,
            method: None,
            consistency: Consistency::Crash,
            consistency_reason: String::new(),
            parent: None,
            streams,
            images: Vec::new(),
            checkpoints: None,
            stages: Vec::new(),
            interruption_ms: None,
            host_settings: None,
            writer: None,
            left_out: Vec::new(),
            configuration: Some(serde_json::to_value(configuration()).unwrap()),
            warnings: Vec::new(),
            program: "test".to_owned(),
        };
        run.publish(&point).unwrap();
        Self {
            repository,
            point,
            folder,
        }
    }

    /// Returns a folder that is not there yet, beside the repository.
    pub(crate) fn target(&self) -> PathBuf {
        self.folder.path().join("deep/restored")
    }

    /// Changes a byte in the pack that holds the disks.
    pub(crate) fn damage_disks(&self) {
        let packs = files(&self.folder.path().join("repository/packs"));
        let size = |path: &&PathBuf| path.metadata().unwrap().len();
        let pack = packs.iter().max_by_key(size).unwrap();
        let mut bytes = std::fs::read(pack).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(pack, bytes).unwrap();
    }
}

/// Returns all files below a folder, in order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Returns the files below a folder as names with `/`.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let name = |path: &PathBuf| {
        let below = path.strip_prefix(folder).unwrap();
        below.to_str().unwrap().replace('\\', "/")
    };
    files(folder).iter().map(name).collect()
}
