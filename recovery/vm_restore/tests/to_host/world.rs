//! A VM on a host, a point of it, and what its guest wrote since.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use block_io::{BlockDevice as _, MemoryDisk, NewImage as _, OsFile, WritableDevice as _};
use disk_image::{ImageFormat, NewImageOptions, OpenOptions, create, open};
use hyperv_host::{PowerState, WriterFiles, WriterRecord};
use object_store::FolderStore;
use repository::{
    Consistency, InitOptions, PasswordCost, PointKind, PointVm, Repository, RestorePoint,
    RunWriter, Stream, StreamObserver, StreamRole, Unlock,
};
use store_faults::{Fault as StoreFault, FaultySystem};
use uuid::Uuid;
use vhdx_format::{GuidSource, VhdxDevice, VhdxDisk};
use vm_config::{
    ControllerKind, Disk, DiskSlot, Memory, NetworkAdapter, VmConfiguration, write_vmcx,
};
use vm_restore::{
    HostRestoreFailure, HostRestoreObserver, HostRestorePlan, HostRestoreReport,
    HostRestoreRequest, plan_host_restore,
};

use crate::host_double::HostDouble;

pub(crate) const VM: &str = "11112222-3333-4444-5555-666677778888";
pub(crate) const FOLDER: &str = r"C:\VMs\web";
pub(crate) const CHUNK: u64 = 64 << 10;
pub(crate) const DISK_BYTES: [u64; 2] = [6 << 20, 3 << 20];

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) repository: Repository,
    pub(crate) point: RestorePoint,
    pub(crate) host: HostDouble,
    /// What the disks hold in the point.
    pub(crate) content: Vec<Vec<u8>>,
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

pub(crate) fn path_of(disk: usize) -> String {
    let name = ["web.vhdx", "data.vhdx"][disk];
    format!(r"{FOLDER}\Virtual Hard Disks\{name}")
}

pub(crate) fn configuration() -> VmConfiguration {
    VmConfiguration {
        name: "web".into(),
        id: Uuid::parse_str(VM).unwrap(),
        generation: 2,
        version: "9.0".into(),
        notes: "the shop".into(),
        processors: 2,
        memory: Memory {
            startup_mib: 512,
            ..Memory::default()
        },
        disks: (0..2)
            .map(|disk| Disk {
                slot: slot(u32::try_from(disk).unwrap()),
                path: path_of(disk),
                pass_through: false,
            })
            .collect(),
        network_adapters: vec![NetworkAdapter {
            name: "Network Adapter".into(),
            mac_address: "00-15-5D-01-02-03".into(),
            mac_is_static: true,
            switch_name: "LAN".into(),
            vlan: None,
            addresses: None,
        }],
        checkpoints: Vec::new(),
        guest_state_file: None,
        secure_boot: true,
        secure_boot_template: None,
    }
}

/// Bytes that do not compress, with a hole in the middle.
pub(crate) fn bytes_of(seed: u64, len: u64) -> Vec<u8> {
    let mut state = seed;
    let mut bytes: Vec<u8> = (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .collect();
    let third = bytes.len() / 3;
    bytes[third..third + (1 << 20)].fill(0);
    bytes
}

/// Makes a VHDX that holds these bytes.
pub(crate) fn make_vhdx(path: &Path, bytes: &[u8], id: u128, format: ImageFormat) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut options = NewImageOptions::new(format, bytes.len() as u64);
    options.disk_id = Some(Uuid::from_u128(id));
    let image = create(path, &options).unwrap();
    for (at, part) in (0_u64..).zip(bytes.chunks(1 << 20)) {
        if part.iter().any(|byte| *byte != 0) {
            image.write_at(at << 20, part).unwrap();
        }
    }
    Box::new(image).finish().unwrap();
}

pub(crate) fn read_disk(path: &Path) -> Vec<u8> {
    let image = open(path, &OpenOptions::default()).unwrap();
    let mut bytes = vec![0; usize::try_from(image.size_bytes()).unwrap()];
    image.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Writes into a VHDX as its guest would.
pub(crate) fn guest_writes(path: &Path, writes: &[(u64, &[u8])]) {
    let file = Arc::new(OsFile::open_writable(path).unwrap());
    let disk = VhdxDisk::open_writable(file, GuidSource::Random).unwrap();
    let disk = VhdxDevice::new(disk).unwrap();
    for (offset, bytes) in writes {
        disk.write_at(*offset, bytes).unwrap();
    }
    disk.close().unwrap();
}

pub(crate) fn store(run: &RunWriter, role: StreamRole, name: &str, bytes: Vec<u8>) -> Stream {
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

/// What all tests have in common and none changes: a repository with a point, and the disks' files.
struct Saved {
    folder: tempfile::TempDir,
    repository: Repository,
    point: RestorePoint,
    content: Vec<Vec<u8>>,
}

impl Saved {
    fn the_one() -> &'static Self {
        static SAVED: OnceLock<Saved> = OnceLock::new();
        SAVED.get_or_init(Self::make)
    }

    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let content: Vec<Vec<u8>> = (1..)
            .zip(DISK_BYTES)
            .map(|(seed, len)| bytes_of(seed, len))
            .collect();
        for (disk, bytes) in content.iter().enumerate() {
            let path = folder.path().join(format!("{disk}.vhdx"));
            make_vhdx(&path, bytes, disk as u128 + 1, ImageFormat::Vhdx);
        }
        let repository = new_repository(&folder.path().join("repository"));
        let run = repository.begin_run(2).unwrap();
        run.publish(&point_of(&run, &content)).unwrap();
        let point = repository.points().unwrap().0.remove(0);
        Self {
            folder,
            repository,
            point,
            content,
        }
    }
}

/// A repository whose flushes are not what is tested.
pub(crate) fn new_repository(root: &Path) -> Repository {
    let system = FaultySystem::new(StoreFault::None);
    let objects = Arc::new(FolderStore::create_with_system(root, system).unwrap());
    let options = InitOptions {
        password_cost: PasswordCost {
            memory_kib: 64,
            passes: 1,
        },
        ..InitOptions::default()
    };
    let unlock = Unlock::Password("correct horse");
    Repository::init(objects, &[unlock], options).unwrap()
}

impl World {
    /// A VM that is off, with two disks of one file each, and a point of it as it is.
    pub(crate) fn new() -> Self {
        let saved = Saved::the_one();
        let folder = tempfile::tempdir().unwrap();
        let host = HostDouble::new(&folder.path().join("host"));
        for disk in 0..saved.content.len() {
            let path = host.local(&path_of(disk));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::copy(saved.folder.path().join(format!("{disk}.vhdx")), path).unwrap();
        }
        host.add(&configuration(), FOLDER, PowerState::Off);
        Self {
            folder,
            repository: saved.repository.clone(),
            point: RestorePoint {
                writer: Some(serde_json::to_value(record()).unwrap()),
                ..saved.point.clone()
            },
            host,
            content: saved.content.clone(),
        }
    }

    /// The guest writes into both disks; returns how many chunks of each differ from the point.
    pub(crate) fn guest_goes_on(&self) -> [u64; 2] {
        let web = self.host.local(&path_of(0));
        guest_writes(
            &web,
            &[
                (5, b"new"),
                (3 * CHUNK - 1, b"ab"),
                ((2 << 20) + 100, b"in the hole"),
            ],
        );
        guest_writes(&self.host.local(&path_of(1)), &[(0, &[0; 1000])]);
        [4, 1]
    }

    pub(crate) fn request(&self) -> HostRestoreRequest {
        HostRestoreRequest {
            run: "r1".to_owned(),
            session_folder: self.folder.path().join("sessions"),
            ..HostRestoreRequest::default()
        }
    }

    pub(crate) fn plan(&self, request: &HostRestoreRequest) -> HostRestorePlan {
        plan_host_restore(&self.repository, &self.point, &self.host, request).unwrap()
    }

    pub(crate) fn run(
        &self,
        request: &HostRestoreRequest,
    ) -> Result<HostRestoreReport, HostRestoreFailure> {
        self.plan(request).execute(&self.host, &())
    }

    /// The VM's disks hold what the point has.
    pub(crate) fn check_content(&self, vm: &str) {
        let vm = self.host.vm(vm).unwrap();
        for (disk, bytes) in self.content.iter().enumerate() {
            let path = &vm.disks[&slot(u32::try_from(disk).unwrap())];
            let found = read_disk(&self.host.local(path));
            let differs = found.iter().zip(bytes).position(|(a, b)| a != b);
            assert_eq!(differs, None, "{path}");
            assert_eq!(found.len(), bytes.len());
            let image = open(&self.host.local(path), &OpenOptions::default()).unwrap();
            assert_eq!(
                image.disk_id(),
                Some(Uuid::from_u128(disk as u128 + 1)),
                "{path}"
            );
            assert!(!image.log_replayed(), "{path}");
        }
    }

    /// No session and no folder of a restore is left.
    pub(crate) fn check_nothing_left(&self) {
        let sessions = self.folder.path().join("sessions");
        if sessions.exists() {
            crate::host_double::files(&sessions, &mut |path| {
                let is_lock = path.extension().is_some_and(|end| end == "lock");
                assert!(is_lock, "{} is left", path.display());
            });
        }
        let left = self.host.ledger();
        let left = left
            .iter()
            .find(|line| line.contains("lifeboat-") || line.contains(".partial"));
        assert_eq!(left, None);
    }
}

/// What the VSS writer said of the VM.
pub(crate) fn record() -> WriterRecord {
    let files = |folder: &str, spec: &str| WriterFiles {
        folder: format!(r"{FOLDER}\{folder}"),
        spec: spec.to_owned(),
        recursive: false,
    };
    WriterRecord {
        version: 1,
        writer: "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de".to_owned(),
        component: VM.to_uppercase(),
        logical_path: String::new(),
        files: vec![
            files("Virtual Machines", &format!("{}.*", VM.to_uppercase())),
            files("Virtual Hard Disks", "web.vhdx"),
            files("Virtual Hard Disks", "data.vhdx"),
        ],
        document: "<DOCUMENT/>".to_owned(),
    }
}

pub(crate) fn point_of(run: &RunWriter, content: &[Vec<u8>]) -> RestorePoint {
    let definition = write_vmcx(&configuration().to_tree()).unwrap();
    let name = format!("Virtual Machines/{}.vmcx", VM.to_uppercase());
    let mut streams = vec![store(run, StreamRole::Configuration, &name, definition)];
    for (disk, bytes) in content.iter().enumerate() {
        let number = u32::try_from(disk).unwrap();
        let path = path_of(disk);
        let name = path.rsplit('\\').next().unwrap();
        streams.push(Stream {
            number,
            source_path: path.clone(),
            slot: Some(serde_json::to_value(slot(number)).unwrap()),
            format: Some("vhdx".to_owned()),
            disk_id: Some(Uuid::from_u128(disk as u128 + 1).to_string()),
            // "then".
            cursor: Some("dGhlbg==".to_owned()),
            ..store(run, StreamRole::Disk, name, bytes.clone())
        });
    }
    point_with(streams)
}

pub(crate) fn point_with(streams: Vec<Stream>) -> RestorePoint {
    let now = "2026-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap();
    RestorePoint {
        version: 1,
        id: RestorePoint::new_id().unwrap(),
        vm: PointVm {
            identity: VM.to_owned(),
            name: "web".to_owned(),
            generation: Some(2),
            configuration_version: Some("9.0".to_owned()),
        },
        host: "HV1".to_owned(),
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
        host_settings: None,
        writer: None,
        stages: Vec::new(),
        interruption_ms: None,
        left_out: Vec::new(),
        configuration: Some(serde_json::to_value(configuration()).unwrap()),
        warnings: Vec::new(),
        program: "test".to_owned(),
    }
}

/// Remembers the steps; fails to live beyond the one that is asked for.
#[derive(Default)]
pub(crate) struct Steps {
    pub(crate) told: Mutex<Vec<String>>,
    pub(crate) die_at: Option<usize>,
    pub(crate) cancel_at: Option<usize>,
}

impl HostRestoreObserver for Steps {
    fn step(&self, _: &str, text: &str) {
        let count = {
            let mut told = self.told.lock().unwrap();
            told.push(text.to_owned());
            told.len()
        };
        assert!(Some(count) != self.die_at, "the program dies");
    }

    fn cancelled(&self) -> bool {
        let told = self.told.lock().unwrap().len();
        self.cancel_at.is_some_and(|at| told >= at)
    }
}
