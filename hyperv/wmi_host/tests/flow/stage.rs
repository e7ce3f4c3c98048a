//! A simulated host, a model of what its disks hold, and programs that come and go.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use hyperv_host::{HypervHost as _, VmEntry};
use hyperv_sim::{
    DiskKind, DiskSpec, Ledger, LedgerDifference, Profile, SimClock, SimHost, SimOptions, SimPaths,
    SimSession, SimVss, VmSpec,
};
use tempfile::TempDir;
use uuid::Uuid;
use wmi_host::{WmiHost, WmiHostOptions};

use crate::traced::Traced;

pub(crate) const DISK_BYTES: u64 = 4 << 20;

/// A simulated host and a model of what its disks hold.
pub(crate) struct Stage {
    pub(crate) sim: Arc<SimHost>,
    folder: TempDir,
    model: RefCell<BTreeMap<(Uuid, usize), Vec<u8>>>,
}

impl Stage {
    pub(crate) fn new(profile: Profile) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SimOptions {
            profile,
            ..SimOptions::default()
        };
        let sim = Arc::new(SimHost::create(&folder.path().join("host"), options).unwrap());
        Self {
            sim,
            folder,
            model: RefCell::default(),
        }
    }

    /// Starts a program anew: it knows nothing but its journal.
    pub(crate) fn connect(&self) -> (Arc<SimSession>, WmiHost) {
        self.connect_with_journal(Some("journal"))
    }

    /// As [`Stage::connect`], to a host that does everything at once.
    pub(crate) fn connect_at_once(&self) -> WmiHost {
        let session = SimSession::new(Arc::clone(&self.sim)).unwrap();
        self.connect_session(Arc::new(session.answering_at_once()), Some("journal"))
    }

    /// As [`Stage::connect`], without a way to the host's files.
    pub(crate) fn connect_without_bytes(&self) -> WmiHost {
        let session = Arc::new(SimSession::new(Arc::clone(&self.sim)).unwrap());
        let clock = Arc::new(SimClock::new(Arc::clone(&self.sim)));
        WmiHost::connect(session as _, clock, None, WmiHostOptions::default()).unwrap()
    }

    pub(crate) fn connect_with_journal(&self, journal: Option<&str>) -> (Arc<SimSession>, WmiHost) {
        let session = Arc::new(SimSession::new(Arc::clone(&self.sim)).unwrap());
        let host = self.connect_session(Arc::clone(&session), journal);
        (session, host)
    }

    fn connect_session(&self, session: Arc<SimSession>, journal: Option<&str>) -> WmiHost {
        let options = WmiHostOptions {
            journal: journal.map(|name| self.folder.path().join(name)),
            ..WmiHostOptions::default()
        };
        let clock = Arc::new(SimClock::new(Arc::clone(&self.sim)));
        let bytes = Some(Arc::new(SimPaths::new(Arc::clone(&self.sim))) as _);
        let host = WmiHost::connect(Traced::of(session), clock, bytes, options).unwrap();
        host.with_vss(Arc::new(SimVss::new(Arc::clone(&self.sim))))
    }

    /// Writes a file into the journal.
    pub(crate) fn write_journal(&self, name: &str, text: &str) {
        let folder = self.folder.path().join("journal");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), text).unwrap();
    }

    /// Returns the number of entries in the journal.
    pub(crate) fn journal_entries(&self) -> usize {
        let Ok(files) = std::fs::read_dir(self.folder.path().join("journal")) else {
            return 0;
        };
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".json")).count()
    }

    /// Adds a VM; its virtual disks hold something.
    pub(crate) fn add(&self, spec: &VmSpec) -> Uuid {
        let vm = self.sim.add_vm(spec).unwrap();
        for (number, disk) in self.sim.vm(vm).unwrap().disks.iter().enumerate() {
            if matches!(disk.kind, DiskKind::Vhdx | DiskKind::Vhd) {
                let size = usize::try_from(disk.size_bytes).unwrap();
                self.model.borrow_mut().insert((vm, number), vec![0; size]);
            }
        }
        if spec.running {
            self.write(vm, 1);
        }
        vm
    }

    /// Adds a running Windows VM with two disks.
    pub(crate) fn add_two_disks(&self, name: &str) -> Uuid {
        let spec = VmSpec::new(name)
            .with_disk(DiskSpec::empty(DISK_BYTES))
            .with_disk(DiskSpec::empty(2 * DISK_BYTES));
        self.add(&spec)
    }

    /// Lets the guest write to each of its disks: three places that depend on `seed`.
    pub(crate) fn write(&self, vm: Uuid, seed: u64) {
        let mut model = self.model.borrow_mut();
        for ((owner, disk), content) in model.iter_mut() {
            if *owner != vm {
                continue;
            }
            for nth in 0..3 {
                let number = seed * 31 + nth * 7 + *disk as u64;
                let blocks = content.len() as u64 / 4096;
                let offset = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % blocks * 4096;
                let bytes = vec![u8::try_from(number % 255).unwrap() + 1; 4096];
                self.sim.write(vm, *disk, offset, &bytes).unwrap();
                let at = usize::try_from(offset).unwrap();
                content[at..at + 4096].copy_from_slice(&bytes);
            }
        }
    }

    /// Returns what a disk holds now.
    pub(crate) fn content(&self, vm: Uuid, disk: usize) -> Vec<u8> {
        self.model.borrow()[&(vm, disk)].clone()
    }

    /// Changes what the model thinks that a disk holds.
    pub(crate) fn set_content(&self, vm: Uuid, disk: usize, content: Vec<u8>) {
        self.model.borrow_mut().insert((vm, disk), content);
    }

    /// Returns the entry of a VM in the inventory.
    pub(crate) fn entry(&self, vm: Uuid) -> VmEntry {
        let (_, host) = self.connect();
        let mut vms = host.inventory().unwrap().vms.into_iter();
        vms.find(|entry| entry.identity == vm.to_string()).unwrap()
    }

    /// Lets the host come to rest and lists what it has.
    pub(crate) fn ledger(&self) -> Ledger {
        self.sim.settle().unwrap();
        self.sim.ledger().unwrap()
    }

    /// Returns what is there that was not, and what is not there any more, but for reference points
    /// and files of tracking.
    pub(crate) fn differences(&self, before: &Ledger) -> Vec<LedgerDifference> {
        Ledger::left_behind(before, &self.ledger())
    }

    /// Returns the reference points of a VM.
    pub(crate) fn reference_points(&self, vm: Uuid) -> Vec<Uuid> {
        let vm = self.sim.vm(vm).unwrap();
        vm.reference_points.iter().map(|point| point.id).collect()
    }
}
