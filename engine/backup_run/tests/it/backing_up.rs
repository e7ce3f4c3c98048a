//! Runs over a host that is made up.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use backup_run::{BackupOptions, Outcome, RunReport, back_up};
use block_io::{
    BlockDevice, DiskError, DiskErrorKind, Extent, ExtentKind, FileStamp, ImageFile, MemoryDisk,
    MemoryFile,
};
use hyperv_host::{
    BackupMethod, BackupRequest, Consistency, DiskChanges, DiskSource, FileRole, FileSource,
    Finding, FrozenVm, FullReason, HostError, HostErrorKind, HypervHost, Inventory, LeftOut,
    PreviousBackup, Reached, SavedState, Sealed, Stage, StepObserver, VmEntry, VmPlan, VmSource,
};
use jiff::Timestamp;
use repository::Repository;

use crate::quiet::Quiet;
use crate::repository_in_folder::repository;

/// Several chunks, and a part of one.
const DISK_BYTES: usize = 5 * 65_536 + 100;

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

/// Its VMs are called `quiet`, `busy`, `huge`, `tracked`, `lied`, `cramped`, `saved`, `paused` and
/// `slow`; each has an empty file and a full one. It writes down what is asked of it.
#[derive(Default)]
struct MadeUpHost {
    calls: Arc<Mutex<Vec<String>>>,
}

fn entry(name: &str) -> VmEntry {
    VmEntry {
        identity: name.to_owned(),
        name: name.to_owned(),
        state: None,
        node: None,
        generation: None,
        version: None,
        disks: Vec::new(),
        checkpoints: 0,
        findings: Vec::new(),
    }
}

/// A VM that is held still, in a way of its own.
struct HeldVm {
    source: VmSource,
    writes: Arc<AtomicU64>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl HeldVm {
    fn note(&self, call: &str) {
        let line = format!("{call} {}", self.source.entry.name);
        self.calls.lock().unwrap().push(line);
    }
}

impl FrozenVm for HeldVm {
    fn source(&self) -> &VmSource {
        &self.source
    }
    fn check_bearable(&self) -> Result<(), HostError> {
        if self.source.entry.name == "cramped" {
            return Err(HostError::new(HostErrorKind::NoRoom, "C: is about to fill"));
        }
        Ok(())
    }
    fn seal(&mut self) -> Result<Sealed, HostError> {
        self.note("seal");
        if self.writes.load(Ordering::SeqCst) > 0 {
            let changed = DiskError::new(DiskErrorKind::Changed, "a file changed");
            return Err(HostError::new(HostErrorKind::Disk, "a file changed").caused_by(changed));
        }
        Ok(Sealed {
            cursors: vec![Some("{\"id\":7}".to_owned())],
            writer: None,
            findings: Vec::new(),
        })
    }
    fn commit(self: Box<Self>) -> Vec<Finding> {
        self.note("commit");
        Vec::new()
    }
    fn abandon(self: Box<Self>) -> Vec<Finding> {
        self.note("abandon");
        Vec::new()
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

    fn plan(
        &self,
        _: &VmEntry,
        _: &BackupRequest,
        _: Option<&PreviousBackup>,
    ) -> Result<VmPlan, HostError> {
        Err(HostError::new(HostErrorKind::Refused, "nobody plans here"))
    }

    fn begin_backup(
        &self,
        vm: &VmEntry,
        request: &BackupRequest,
        previous: Option<&PreviousBackup>,
        _: &dyn StepObserver,
    ) -> Result<Box<dyn FrozenVm>, HostError> {
        if request.saved_state == SavedState::Allow {
            self.calls
                .lock()
                .unwrap()
                .push(format!("may save {}", vm.name));
        }
        let writes = Arc::new(AtomicU64::new(0));
        let mut bytes = vec![7; DISK_BYTES];
        if previous.is_some() {
            bytes[..10].fill(8);
        }
        if previous.is_some() && vm.name == "lied" {
            bytes[DISK_BYTES - 10..].fill(9);
        }
        let bytes = MemoryDisk::new(bytes);
        let device: Arc<dyn BlockDevice> = match vm.name.as_str() {
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
        let known = previous.and_then(|previous| previous.disks[0].cursor.clone());
        let changes = match known.as_deref() {
            Some("{\"id\":7}") => DiskChanges::Ranges {
                ranges: std::iter::once(0..10).collect(),
                previous: 0,
            },
            Some(other) => panic!("the cursor came back as {other}"),
            None => DiskChanges::Everything(FullReason::FirstBackup),
        };
        let source = VmSource {
            entry: entry(&vm.name),
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
                changes,
                check_unchanged: Box::new(|| Ok(())),
            }],
            images: Vec::new(),
            tree: None,
            files: vec![file("empty.vmrs", b""), file("full.vmrs", b"state")],
            stages: stages(&vm.name),
            interruption: match vm.name.as_str() {
                "saved" | "paused" => Some(Duration::from_millis(8400)),
                _ => None,
            },
            // The host's own time, which need not be ours.
            taken: Timestamp::from_second(previous.map_or(100, |_| 200)).unwrap(),
            method: match vm.name.as_str() {
                "saved" | "paused" => BackupMethod::SavedState,
                "slow" => BackupMethod::VssOnline,
                _ => BackupMethod::RecoveryCheckpoint,
            },
            consistency: Reached {
                level: Consistency::Application,
                reason: "writers took part".to_owned(),
            },
            left_out: vec![LeftOut {
                slot: None,
                path: "PhysicalDrive1".to_owned(),
                reason: "pass-through".to_owned(),
            }],
            findings: Vec::new(),
        };
        Ok(Box::new(HeldVm {
            source,
            writes,
            calls: Arc::clone(&self.calls),
        }))
    }
}

/// Says what was done to hold a VM still.
fn stages(vm: &str) -> Vec<Stage> {
    let named: &[(&str, u64)] = match vm {
        "saved" => &[("saved", 5000), ("volume-snapshot", 900), ("resumed", 2500)],
        "paused" => &[("paused", 100), ("volume-snapshot", 8200)],
        "slow" => &[("prepare", 1000), ("volume-snapshot", 200_000)],
        _ => &[],
    };
    let stage = |(name, milliseconds): &(&str, u64)| Stage {
        name: (*name).to_owned(),
        duration: Duration::from_millis(*milliseconds),
    };
    named.iter().map(stage).collect()
}

fn run(repository: &Repository, vms: &[&str]) -> RunReport {
    let vms: Vec<VmEntry> = vms.iter().map(|name| entry(name)).collect();
    let host = MadeUpHost::default();
    back_up(&host, repository, &vms, &BackupOptions::default(), &Quiet).unwrap()
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

#[test]
fn a_point_says_how_it_was_taken_and_the_second_reads_what_changed() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path());
    let first = run(&repository, &["tracked"]);
    assert_eq!(first.items[0].disks[0].full, Some(FullReason::FirstBackup));
    let second = run(&repository, &["tracked"]);
    let disk = &second.items[0].disks[0];
    assert_eq!(disk.full, None, "{disk:?}");
    assert_eq!(disk.changed_ranges_bytes, Some(10));
    assert_eq!(disk.statistics.read_bytes, 65_536 + disk.proved_bytes);
    let points = repository.points_of("tracked").unwrap();
    assert_eq!(points[1].method.as_deref(), Some("recovery-checkpoint"));
    assert_eq!(points[1].consistency, repository::Consistency::Application);
    assert_eq!(points[1].started.as_second(), 200);
    assert_eq!(points[1].left_out[0].reason, "pass-through");
    let stored = repository
        .open_stream(points[1].disks().next().unwrap())
        .unwrap();
    let mut bytes = vec![0; DISK_BYTES];
    stored.read_at(0, &mut bytes).unwrap();
    assert!(bytes[..10].iter().all(|byte| *byte == 8));
    assert!(bytes[10..].iter().all(|byte| *byte == 7));
}

#[test]
fn a_host_that_calls_changes_unchanged_is_found_out_and_the_disk_read_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path());
    run(&repository, &["lied"]);
    // Random chunks alone may miss one; these prove every one of them.
    let mut options = BackupOptions::default();
    options.proof.random_chunks = 64;
    let host = MadeUpHost::default();
    let report = back_up(&host, &repository, &[entry("lied")], &options, &Quiet).unwrap();
    let item = &report.items[0];
    assert_eq!(item.outcome, Outcome::Warning, "{item:?}");
    assert_eq!(item.disks[0].full, Some(FullReason::TrackingWrong));
    assert!(
        item.warnings[0].starts_with("DISK-TRACKING-WRONG"),
        "{item:?}"
    );
    let points = repository.points_of("lied").unwrap();
    let stored = repository
        .open_stream(points[1].disks().next().unwrap())
        .unwrap();
    let mut end = [0; 10];
    stored.read_at(DISK_BYTES as u64 - 10, &mut end).unwrap();
    assert_eq!(end, [9; 10]);
}

#[test]
fn a_vm_is_let_go_after_its_point_or_given_up_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path());
    let host = MadeUpHost::default();
    let vms = ["quiet", "cramped", "busy"].map(entry);
    let options = BackupOptions {
        vms_at_once: 1,
        ..BackupOptions::default()
    };
    let report = back_up(&host, &repository, &vms, &options, &Quiet).unwrap();
    let calls = host.calls.lock().unwrap().clone();
    let expected = [
        "seal quiet",
        "commit quiet",
        "abandon cramped",
        "seal busy",
        "abandon busy",
    ];
    assert_eq!(calls, expected);
    let failure = report.items[1].failure.as_ref().unwrap();
    assert_eq!(failure.host, Some(HostErrorKind::NoRoom), "{failure:?}");
    assert_eq!(report.items[1].outcome, Outcome::Failed);
}

#[test]
fn several_vms_at_once_all_get_their_points_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path());
    let names: Vec<String> = (0..12).map(|n| format!("vm{n}")).collect();
    let vms: Vec<VmEntry> = names.iter().map(|name| entry(name)).collect();
    let options = BackupOptions {
        vms_at_once: 4,
        ..BackupOptions::default()
    };
    let host = MadeUpHost::default();
    let report = back_up(&host, &repository, &vms, &options, &Quiet).unwrap();
    assert_eq!(report.outcome, Outcome::Success, "{report:?}");
    let done: Vec<&str> = report.items.iter().map(|item| item.vm.as_str()).collect();
    assert_eq!(done, names);
    assert!(
        names
            .iter()
            .all(|name| repository.points_of(name).unwrap().len() == 1)
    );
}

#[test]
fn a_vm_that_was_saved_says_for_how_long_and_that_its_uptime_began_anew() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path());
    let report = run(&repository, &["saved", "paused", "quiet"]);
    let item = &report.items[0];
    assert_eq!(item.outcome, Outcome::Warning);
    assert_eq!(item.method.as_deref(), Some("saved-state"));
    assert_eq!(item.interruption_seconds, Some(8.4));
    assert_eq!(item.warnings.len(), 1, "{item:?}");
    let text = &item.warnings[0];
    assert!(text.starts_with("VM-INTERRUPTED: "), "{text}");
    assert!(
        text.contains("8.4 s") && text.contains("00:00:00"),
        "{text}"
    );
    let names: Vec<&str> = item.stages.iter().map(|stage| &*stage.name).collect();
    assert_eq!(names, ["saved", "volume-snapshot", "resumed"]);
    // What is paused keeps its memory, and its uptime.
    let text = &report.items[1].warnings[0];
    assert!(
        text.contains("paused") && !text.contains("00:00:00"),
        "{text}"
    );
    assert_eq!(report.items[2].interruption_seconds, None);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["items"][0]["stages"][0]["seconds"], 5.0);

    let point = repository.points_of("saved").unwrap().remove(0);
    assert_eq!(point.interruption_ms, Some(8400));
    assert_eq!(point.stages[2].milliseconds, 2500);
    assert_eq!(point.version, 1, "programs of before read it");
    assert_eq!(point.warnings, item.warnings);
}

#[test]
fn a_provider_that_takes_most_of_the_time_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path());
    let report = run(&repository, &["slow"]);
    let warnings = &report.items[0].warnings;
    assert!(
        warnings[0].starts_with("VSS-PROVIDER-SLOW: "),
        "{warnings:?}"
    );
    assert_eq!(repository.points_of("slow").unwrap()[0].warnings, *warnings);
}

#[test]
fn only_the_vms_that_are_named_may_be_saved() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path());
    let host = MadeUpHost::default();
    let vms = ["quiet", "slow"].map(entry);
    let options = BackupOptions {
        allow_saved: vec!["SLOW".to_owned()],
        vms_at_once: 1,
        ..BackupOptions::default()
    };
    back_up(&host, &repository, &vms, &options, &Quiet).unwrap();
    let calls = host.calls.lock().unwrap().clone();
    let may: Vec<_> = calls
        .iter()
        .filter(|call| call.starts_with("may"))
        .collect();
    assert_eq!(may, ["may save slow"]);
}
