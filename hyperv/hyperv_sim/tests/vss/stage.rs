//! A host with VMs, and a requester.

use std::sync::Arc;

use block_io::BlockDevice;
use disk_image::OpenOptions;
use hyperv_sim::{DiskSpec, Ledger, Profile, SimHost, SimOptions, SimPaths, SimVss, VmSpec};
use tempfile::TempDir;
use uuid::Uuid;
use vss::{
    BackupType, ComponentId, HYPERV_WRITER, RequestOptions, SnapshotKind, VssBackup, VssError,
    VssService as _, Writer, WriterStatus,
};

pub(crate) const MIB: u64 = 1 << 20;

pub(crate) fn never() -> bool {
    false
}

pub(crate) struct Stage {
    pub(crate) host: Arc<SimHost>,
    pub(crate) vss: SimVss,
    _folder: TempDir,
}

impl Stage {
    pub(crate) fn new(profile: Profile) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SimOptions {
            profile,
            ..SimOptions::default()
        };
        let host = SimHost::create(&folder.path().join("host"), options).unwrap();
        let host = Arc::new(host);
        let vss = SimVss::new(Arc::clone(&host));
        Self {
            host,
            vss,
            _folder: folder,
        }
    }

    /// A running VM of generation 2 with a disk of 4 MiB.
    pub(crate) fn vm(&self, name: &str) -> Uuid {
        self.add(&VmSpec::new(name).with_disk(DiskSpec::empty(4 * MIB)))
    }

    pub(crate) fn add(&self, spec: &VmSpec) -> Uuid {
        self.host.add_vm(spec).unwrap()
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.host.settle().unwrap();
        self.host.ledger().unwrap()
    }

    pub(crate) fn begin(&self) -> Box<dyn VssBackup> {
        self.vss.begin(&options(SnapshotKind::Backup)).unwrap()
    }

    /// Begins a backup of these VMs and of `C:\`, up to `Prepare`.
    pub(crate) fn prepared(&self, vms: &[Uuid]) -> Box<dyn VssBackup> {
        let mut backup = self.begin();
        self.prepare(&mut *backup, vms).unwrap();
        backup
    }

    pub(crate) fn prepare(&self, backup: &mut dyn VssBackup, vms: &[Uuid]) -> Result<(), VssError> {
        let writers = backup.writers(&never)?;
        for vm in vms {
            backup.add_component(&component(&writers, *vm))?;
        }
        backup.start_set()?;
        let volume = self.vss.volume_of("C:\\Hyper-V")?;
        backup.add_volume(&volume.name, None)?;
        backup.prepare(&never)
    }

    /// Makes the snapshots of these VMs; the writer is well.
    pub(crate) fn snapped(&self, vms: &[Uuid]) -> Box<dyn VssBackup> {
        let mut backup = self.prepared(vms);
        backup.snapshot(&never).unwrap();
        let status = hyperv(&mut *backup);
        assert!(status.state.is_well(), "{status:?}");
        assert_eq!(status.failure, 0, "{status:?}");
        backup
    }

    /// Snaps `C:\` without asking any writer.
    pub(crate) fn snapped_without_writers(&self) -> Box<dyn VssBackup> {
        let options = options(SnapshotKind::WithoutWriters);
        let mut backup = self.vss.begin(&options).unwrap();
        backup.start_set().unwrap();
        let volume = self.vss.volume_of("C:\\").unwrap();
        backup.add_volume(&volume.name, None).unwrap();
        backup.snapshot(&never).unwrap();
        backup
    }

    /// Reads a disk in the first snapshot: a path below `C:\` with all its parents.
    pub(crate) fn read(&self, backup: &mut dyn VssBackup, path: &str) -> Vec<u8> {
        let device = backup.snapshots().unwrap()[0].device.clone();
        let path = path.replacen("C:", &device, 1);
        let paths = SimPaths::new(Arc::clone(&self.host));
        let located = disk_image::HostPaths::locate(&paths, &path);
        let located = located.unwrap_or_else(|| panic!("{path} is not there"));
        let options = OpenOptions::on_host(Arc::new(paths));
        let image = disk_image::open(&located, &options).unwrap();
        let mut bytes = vec![0; usize::try_from(image.size_bytes()).unwrap()];
        image.read_at(0, &mut bytes).unwrap();
        bytes
    }

    /// What happened, by the names of events; what merges is left out, since it takes its time.
    pub(crate) fn events(&self) -> Vec<&'static str> {
        let events = self.host.trace().unwrap();
        let names = events.iter().map(|event| event.kind.name());
        names.filter(|name| *name != "merged").collect()
    }
}

pub(crate) fn options(kind: SnapshotKind) -> RequestOptions {
    RequestOptions {
        kind,
        backup_type: BackupType::Copy,
        writers: vec![HYPERV_WRITER],
    }
}

/// The component of a VM.
pub(crate) fn component(writers: &[Writer], vm: Uuid) -> ComponentId {
    let name = vm.to_string().to_uppercase();
    let components = writers.iter().flat_map(|writer| &writer.components);
    let mut found = components.filter(|component| component.id.name == name);
    found.next().unwrap().id.clone()
}

/// Where the writer of Hyper-V is.
pub(crate) fn hyperv(backup: &mut dyn VssBackup) -> WriterStatus {
    let statuses = backup.writer_statuses(&never).unwrap();
    let mut own = statuses.into_iter().filter(|own| own.id == HYPERV_WRITER);
    own.next().unwrap()
}

/// The component of a VM, made by hand.
pub(crate) fn component_of(vm: Uuid) -> ComponentId {
    ComponentId {
        instance: HYPERV_WRITER,
        writer: HYPERV_WRITER,
        kind: vss::ComponentKind::FileGroup,
        logical_path: String::new(),
        name: vm.to_string().to_uppercase(),
    }
}

/// Plans what goes wrong, as people write it.
pub(crate) fn plan(stage: &Stage, fault: &str) {
    stage.host.plan_fault(fault.parse().unwrap()).unwrap();
}
