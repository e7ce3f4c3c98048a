//! Runs over a host that is made up.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use backup_run::{BackupOptions, Outcome, RunEvent, RunObserver, RunReport, back_up};
use block_io::{
    BlockDevice, DiskError, DiskErrorKind, Extent, ExtentKind, FileStamp, ImageFile, MemoryDisk,
    MemoryFile,
};
use hyperv_host::{
    DiskSource, FileRole, FileSource, HostError, HypervHost, Inventory, VmEntry, VmSource,
};
use object_store::FolderStore;
use repository::{InitOptions, PasswordCost, Repository, Unlock};
use store_faults::{Fault, FaultySystem};

/// A file that says how often it was written.
struct StampedFile {
    bytes: MemoryFile,
    writes: Arc<AtomicU64>,
}

impl ImageFile for StampedFile {
    fn name(&self) -> &str {
        self.bytes.name()
    }
    fn size_bytes(&self) -> io::Result<u64> {
        self.bytes.size_bytes()
    }
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.bytes.read_exact_at(offset, buf)
    }
    fn stamp(&self) -> io::Result<Option<FileStamp>> {
        let writes = Duration::from_secs(self.writes.load(Ordering::SeqCst));
        Ok(Some(FileStamp {
            size_bytes: self.bytes.size_bytes()?,
            modified: Some(SystemTime::UNIX_EPOCH + writes),
            replaced: false,
        }))
    }
}

/// A disk during whose reading somebody writes a file.
struct BusyDisk {
    bytes: MemoryDisk,
    writes: Arc<AtomicU64>,
}

impl BlockDevice for BusyDisk {
    fn size_bytes(&self) -> u64 {
        self.bytes.size_bytes()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.bytes.read_at(offset, buf)
    }
    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        self.bytes.extent_at(offset, max_bytes)
    }
}

/// A disk that is larger than a repository can hold.
struct HugeDisk;

impl BlockDevice for HugeDisk {
    fn size_bytes(&self) -> u64 {
        1 << 60
    }
    fn read_at(&self, _: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        buf.fill(0);
        Ok(())
    }
    fn extent_at(&self, _: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        Ok(Extent {
            kind: ExtentKind::NotAllocated,
            len_bytes: max_bytes,
        })
    }
}

/// Its VMs are called `quiet`, `busy` and `huge`; each has an empty file and a full one.
struct MadeUpHost;

fn entry(name: &str) -> VmEntry {
    VmEntry {
        identity: name.to_owned(),
        name: name.to_owned(),
        generation: None,
        version: None,
        disks: Vec::new(),
        checkpoints: 0,
        findings: Vec::new(),
    }
}

impl HypervHost for MadeUpHost {
    fn name(&self) -> &str {
        "made up"
    }

    fn inventory(&self) -> Result<Inventory, HostError> {
        Ok(Inventory {
            vms: ["quiet", "busy", "huge"].map(entry).to_vec(),
            findings: Vec::new(),
        })
    }

    fn open_vm(&self, identity: &str) -> Result<VmSource, HostError> {
        let writes = Arc::new(AtomicU64::new(0));
        let bytes = MemoryDisk::new(vec![7; 100_000]);
        let device: Arc<dyn BlockDevice> = match identity {
            "huge" => Arc::new(HugeDisk),
            "busy" => Arc::new(BusyDisk {
                bytes,
                writes: Arc::clone(&writes),
            }),
            _ => Arc::new(bytes),
        };
        let file = |name: &str, bytes: &[u8]| FileSource {
            role: FileRole::RuntimeState,
            relative_path: name.to_owned(),
            file: Arc::new(StampedFile {
                bytes: MemoryFile::new(name, bytes.to_vec()),
                writes: Arc::clone(&writes),
            }),
        };
        Ok(VmSource {
            entry: entry(identity),
            configuration: None,
            disks: vec![DiskSource {
                number: 0,
                slot: None,
                configured_path: "disk.vhdx".to_owned(),
                base_name: "disk.vhdx".to_owned(),
                format: "vhdx".to_owned(),
                disk_id: None,
                chain: Vec::new(),
                device,
                check_unchanged: Box::new(|| Ok(())),
            }],
            files: vec![file("empty.vmrs", b""), file("full.vmrs", b"state")],
        })
    }
}

struct Quiet;

impl RunObserver for Quiet {
    fn event(&self, _: RunEvent<'_>) {}
    fn cancelled(&self) -> bool {
        false
    }
}

fn repository(folder: &Path) -> Repository {
    let system = FaultySystem::new(Fault::None);
    let store = Arc::new(FolderStore::with_system(folder, system).unwrap());
    let options = InitOptions {
        password_cost: PasswordCost {
            memory_kib: 64,
            passes: 1,
        },
        ..InitOptions::default()
    };
    Repository::init(store, &[Unlock::Password("correct horse")], options).unwrap()
}

fn run(repository: &Repository, vms: &[&str]) -> RunReport {
    let vms: Vec<VmEntry> = vms.iter().map(|name| entry(name)).collect();
    back_up(
        &MadeUpHost,
        repository,
        &vms,
        &BackupOptions::default(),
        &Quiet,
    )
    .unwrap()
}

#[test]
fn an_empty_file_is_part_of_a_point_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path());
    let report = run(&repository, &["quiet"]);
    assert_eq!(report.outcome, Outcome::Success, "{report:?}");
    let points = repository.points_of("quiet").unwrap();
    let sizes: Vec<u64> = points[0].files().map(|file| file.size_bytes).collect();
    assert_eq!(sizes, [0, 5]);
}

#[test]
fn a_file_that_changes_while_a_disk_is_read_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path());
    let report = run(&repository, &["busy", "quiet"]);
    let failure = report.items[0].failure.as_ref().unwrap();
    assert_eq!(failure.disk, Some(DiskErrorKind::Changed));
    assert!(repository.points_of("busy").unwrap().is_empty());
    assert_eq!(report.outcome, Outcome::Partial);
}

#[test]
fn a_disk_that_is_too_large_fails_its_vm_alone() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path());
    let report = run(&repository, &["huge", "quiet"]);
    let outcomes: Vec<Outcome> = report.items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Success]);
    let failure = report.items[0].failure.as_ref().unwrap();
    assert_eq!(failure.kind, "unsupported");
    assert_eq!(failure.repository, None);
}
