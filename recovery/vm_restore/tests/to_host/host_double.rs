//! A host in a folder that does what an import must, and fails or dies on demand.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use block_io::ByteRanges;
use hyperv_host::{
    AdapterOrder, DiskChanges, Finding, FullReason, HostError, HostErrorKind, Identity,
    ImportOrder, NewVmOrder, PowerState, RestoreHost, RestoredVm, StepObserver, SwitchKind,
    SwitchSettings, TargetHost, TargetVm, TargetVolume, WriterOrder, WriterRestore,
    WriterRestoreHost, WriterWay,
};
use uuid::Uuid;
use vm_config::{DiskSlot, NetworkAdapter, VmConfiguration, write_vmcx};

#[derive(Debug, Clone)]
pub(crate) struct DoubleVm {
    pub(crate) name: String,
    pub(crate) state: PowerState,
    pub(crate) folder: String,
    pub(crate) disks: BTreeMap<DiskSlot, String>,
    pub(crate) checkpoints: BTreeMap<String, BTreeMap<DiskSlot, String>>,
    pub(crate) adapters: Vec<AdapterOrder>,
    pub(crate) configuration: VmConfiguration,
    pub(crate) is_clustered: bool,
    pub(crate) is_replicated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Fail,
    /// It is done, and the answer is that it is not.
    FailAfter,
    DieAfter,
    /// The writer gives no answer, and does it later: see `HostDouble::late`.
    Late,
}

#[derive(Default)]
struct State {
    vms: BTreeMap<String, DoubleVm>,
    made: u128,
    calls: usize,
    fault: Option<(usize, Fault)>,
}

pub(crate) struct HostDouble {
    root: PathBuf,
    pub(crate) facts: Mutex<TargetHost>,
    /// What the host says of a disk that changed, by its path.
    pub(crate) changes: Mutex<BTreeMap<String, ByteRanges>>,
    /// Taking a VM from the host merges what its checkpoints have apart, as Hyper-V does.
    pub(crate) merges: Mutex<bool>,
    /// What its VSS writer is to restores; `None`: it cannot be spoken to.
    pub(crate) way: Mutex<Option<WriterWay>>,
    /// What a VM is doing that the writer has registered.
    pub(crate) registers_as: Mutex<PowerState>,
    /// The VM that the writer was asked to take away, and has not yet.
    pub(crate) late: Mutex<Option<String>>,
    state: Mutex<State>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn adapter(adapter: &NetworkAdapter) -> AdapterOrder {
    AdapterOrder {
        name: adapter.name.clone(),
        switch: Some(adapter.switch_name.clone()),
        mac_address: Some(adapter.mac_address.replace('-', "")),
        mac_is_static: adapter.mac_is_static,
        vlan: adapter.vlan,
    }
}

fn error(kind: HostErrorKind, text: &str) -> HostError {
    HostError::new(kind, text)
}

impl HostDouble {
    pub(crate) fn new(root: &Path) -> Self {
        fs::create_dir_all(root.join("C")).unwrap();
        let switch = |name: &str| SwitchSettings {
            name: name.to_owned(),
            id: String::new(),
            kind: SwitchKind::Private,
            notes: String::new(),
        };
        let facts = TargetHost {
            computer: "HV1".to_owned(),
            versions: vec!["8.0".to_owned(), "9.0".to_owned()],
            logical_processors: 8,
            memory_bytes: 64 << 30,
            volumes: vec![TargetVolume {
                mount: "C:\\".to_owned(),
                free_bytes: 1 << 40,
            }],
            switches: vec![switch("LAN"), switch("Lab")],
            disk_folder: r"C:\Default\Disks".to_owned(),
            configuration_folder: r"C:\Default".to_owned(),
            ..TargetHost::default()
        };
        Self {
            root: root.to_owned(),
            facts: Mutex::new(facts),
            changes: Mutex::default(),
            merges: Mutex::new(true),
            way: Mutex::new(Some(WriterWay::Possible)),
            registers_as: Mutex::new(PowerState::Off),
            late: Mutex::default(),
            state: Mutex::default(),
        }
    }

    /// Puts a VM on the host, with its definition file.
    pub(crate) fn add(&self, configuration: &VmConfiguration, folder: &str, state: PowerState) {
        let disks = configuration.disks.iter();
        let vm = DoubleVm {
            name: configuration.name.clone(),
            state,
            folder: folder.to_owned(),
            disks: disks.map(|disk| (disk.slot, disk.path.clone())).collect(),
            checkpoints: BTreeMap::new(),
            adapters: configuration.network_adapters.iter().map(adapter).collect(),
            configuration: configuration.clone(),
            is_clustered: false,
            is_replicated: false,
        };
        self.register(configuration.id.to_string(), vm);
    }

    fn register(&self, id: String, vm: DoubleVm) {
        let file = self.definition_of(&id, &vm.folder);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, write_vmcx(&vm.configuration.to_tree()).unwrap()).unwrap();
        lock(&self.state).vms.insert(id, vm);
    }

    fn definition_of(&self, id: &str, folder: &str) -> PathBuf {
        let name = format!(r"{folder}\Virtual Machines\{}.vmcx", id.to_uppercase());
        self.local(&name)
    }

    pub(crate) fn local(&self, path: &str) -> PathBuf {
        let (drive, rest) = path
            .split_once(":\\")
            .unwrap_or((path.trim_end_matches(':'), ""));
        let parts = rest.split('\\').filter(|part| !part.is_empty());
        parts.fold(self.root.join(drive.to_uppercase()), |path, part| {
            path.join(part)
        })
    }

    pub(crate) fn vm(&self, id: &str) -> Option<DoubleVm> {
        lock(&self.state).vms.get(id).cloned()
    }

    pub(crate) fn vms(&self) -> BTreeMap<String, DoubleVm> {
        lock(&self.state).vms.clone()
    }

    /// Takes all VMs from the host, with their files.
    pub(crate) fn forget_all(&self) {
        lock(&self.state).vms.clear();
        fs::remove_dir_all(self.root.join("C")).unwrap();
        fs::create_dir_all(self.root.join("C")).unwrap();
    }

    /// Takes a VM from the host; its files stay.
    pub(crate) fn take(&self, id: &str) {
        lock(&self.state).vms.remove(id);
    }

    pub(crate) fn put_vm(&self, id: &str, vm: DoubleVm) {
        lock(&self.state).vms.insert(id.to_owned(), vm);
    }

    pub(crate) fn change_vm(&self, id: &str, change: impl FnOnce(&mut DoubleVm)) {
        change(lock(&self.state).vms.get_mut(id).unwrap());
    }

    pub(crate) fn fail_at(&self, fault: Option<(usize, Fault)>) {
        let mut state = lock(&self.state);
        state.calls = 0;
        state.fault = fault;
    }

    /// All that is on the host: VMs, and files by content.
    pub(crate) fn ledger(&self) -> Vec<String> {
        let vms = self.vms().into_iter();
        let mut lines: Vec<String> = vms
            .map(|(id, vm)| {
                let DoubleVm {
                    name,
                    state,
                    disks,
                    checkpoints,
                    adapters,
                    ..
                } = vm;
                format!("{id} {name} {state:?} {disks:?} {checkpoints:?} {adapters:?}")
            })
            .collect();
        files(&self.root, &mut |path| {
            let mut hash = DefaultHasher::new();
            fs::read(path).unwrap().hash(&mut hash);
            lines.push(format!("{} {:x}", path.display(), hash.finish()));
        });
        lines
    }

    /// Does `work` as one call of the host, unless it is the one that goes wrong.
    fn call<T>(&self, work: impl FnOnce() -> Result<T, HostError>) -> Result<T, HostError> {
        let fault = {
            let mut state = lock(&self.state);
            state.calls += 1;
            let at = state.calls;
            state
                .fault
                .filter(|(call, _)| *call == at)
                .map(|(_, fault)| fault)
        };
        if fault == Some(Fault::Fail) {
            return Err(error(HostErrorKind::Refused, "asked to fail"));
        }
        let done = work();
        assert!(fault != Some(Fault::DieAfter), "the program dies");
        if fault == Some(Fault::FailAfter) {
            done?;
            return Err(error(
                HostErrorKind::Refused,
                "asked to fail after it was done",
            ));
        }
        done
    }

    /// Says whether the next call is one that gets no answer.
    fn is_late(&self) -> bool {
        let state = lock(&self.state);
        state.fault == Some((state.calls + 1, Fault::Late))
    }

    fn with_vm<T>(
        &self,
        id: &str,
        work: impl FnOnce(&mut DoubleVm) -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        self.call(|| {
            let mut state = lock(&self.state);
            let vm = state.vms.get_mut(id);
            work(vm.ok_or_else(|| error(HostErrorKind::NoSuchVm, "no such VM"))?)
        })
    }

    /// Merges a disk's files into the lowest one.
    fn merge(&self, leaf: &str) {
        let leaf = self.local(leaf);
        let bytes = super::world::read_disk(&leaf);
        let image = disk_image::open(&leaf, &disk_image::OpenOptions::default()).unwrap();
        let id = image.disk_id().unwrap().as_u128();
        let files: Vec<PathBuf> = image.chain().iter().map(|own| own.path.clone()).collect();
        drop(image);
        let Some((base, above)) = files.split_last().filter(|(_, above)| !above.is_empty()) else {
            return;
        };
        above.iter().for_each(|file| fs::remove_file(file).unwrap());
        fs::remove_file(base).unwrap();
        super::world::make_vhdx(base, &bytes, id, disk_image::ImageFormat::Vhdx);
    }

    fn check_disks<'a>(&self, disks: impl Iterator<Item = &'a String>) -> Result<(), HostError> {
        for disk in disks {
            if !self.local(disk).is_file() {
                return Err(error(
                    HostErrorKind::Refused,
                    &format!("{disk} is not there"),
                ));
            }
        }
        Ok(())
    }
}

pub(crate) fn files(folder: &Path, found: &mut dyn FnMut(&Path)) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else {
            found(&path);
        }
    }
}

impl RestoreHost for HostDouble {
    fn name(&self) -> &str {
        "hv1.test"
    }

    fn target(&self) -> Result<TargetHost, HostError> {
        let mut target = lock(&self.facts).clone();
        target.vms = self
            .vms()
            .into_iter()
            .map(|(identity, vm)| TargetVm {
                identity,
                name: vm.name,
                state: vm.state,
                node: None,
                is_clustered: vm.is_clustered,
                is_replicated: vm.is_replicated,
                configuration_folder: vm.folder,
                disks: vm.disks.into_iter().collect(),
                checkpoints: vm.checkpoints.len(),
            })
            .collect();
        Ok(target)
    }

    fn local_path(&self, host_path: &str) -> Result<PathBuf, HostError> {
        if !host_path.to_uppercase().starts_with("C:") {
            return Err(error(HostErrorKind::Blocked, "this drive is not reached"));
        }
        Ok(self.local(host_path))
    }

    fn import(
        &self,
        order: &ImportOrder,
        observer: &dyn StepObserver,
    ) -> Result<RestoredVm, HostError> {
        observer.step("importing");
        self.call(|| {
            let bytes = fs::read(self.local(&order.definition)).unwrap();
            let mut configuration = VmConfiguration::from_bytes("definition", &bytes).unwrap();
            let mut state = lock(&self.state);
            if order.identity == Identity::New {
                state.made += 1;
                configuration.id = Uuid::from_u128(0xABCD_0000 + state.made);
            }
            let id = configuration.id.to_string();
            if state.vms.contains_key(&id) {
                return Err(error(HostErrorKind::Blocked, "the identity exists"));
            }
            drop(state);
            self.check_disks(order.disks.iter().map(|disk| &disk.path))?;
            let known: Vec<String> = lock(&self.facts)
                .switches
                .iter()
                .map(|one| one.name.clone())
                .collect();
            let mut wanted = order
                .adapters
                .iter()
                .filter_map(|adapter| adapter.switch.as_ref());
            if wanted.any(|switch| !known.contains(switch)) {
                return Err(error(HostErrorKind::Refused, "no such switch"));
            }
            let mut checkpoints: BTreeMap<String, BTreeMap<DiskSlot, String>> = BTreeMap::new();
            let mut disks = BTreeMap::new();
            for disk in &order.disks {
                match &disk.checkpoint {
                    None => disks.insert(disk.slot, disk.path.clone()),
                    Some(id) => {
                        let folder = self.local(order.checkpoint_folder.as_ref().unwrap());
                        let name = format!("{}.vmcx", id.to_uppercase());
                        assert!(folder.join(name).is_file(), "a checkpoint's definition");
                        let own = checkpoints.entry(id.clone()).or_default();
                        own.insert(disk.slot, disk.path.clone())
                    }
                };
            }
            let name = order
                .name
                .clone()
                .unwrap_or_else(|| configuration.name.clone());
            let vm = DoubleVm {
                name: name.clone(),
                state: if order.keep_memory {
                    PowerState::Saved
                } else {
                    PowerState::Off
                },
                folder: order.configuration_folder.clone(),
                disks,
                checkpoints,
                adapters: order.adapters.clone(),
                configuration,
                is_clustered: false,
                is_replicated: false,
            };
            self.register(id.clone(), vm);
            Ok(RestoredVm {
                identity: id,
                name,
                findings: Vec::new(),
            })
        })
    }

    fn create(&self, order: &NewVmOrder, _: &dyn StepObserver) -> Result<RestoredVm, HostError> {
        self.call(|| {
            self.check_disks(order.disks.iter().map(|disk| &disk.path))?;
            let mut configuration = order.configuration.clone();
            configuration.id = Uuid::from_u128(0xEEEE);
            let disks = order.disks.iter();
            let vm = DoubleVm {
                name: order.name.clone(),
                state: PowerState::Off,
                folder: order.configuration_folder.clone(),
                disks: disks.map(|disk| (disk.slot, disk.path.clone())).collect(),
                checkpoints: BTreeMap::new(),
                adapters: order.adapters.clone(),
                configuration,
                is_clustered: false,
                is_replicated: false,
            };
            let id = vm.configuration.id.to_string();
            self.register(id.clone(), vm);
            let name = order.name.clone();
            Ok(RestoredVm {
                identity: id,
                name,
                findings: Vec::new(),
            })
        })
    }

    fn unregister(&self, vm: &str, _: &dyn StepObserver) -> Result<(), HostError> {
        self.call(|| {
            let mut state = lock(&self.state);
            let known = state.vms.get(vm);
            let known = known.ok_or_else(|| error(HostErrorKind::NoSuchVm, "no such VM"))?;
            if !matches!(known.state, PowerState::Off | PowerState::Saved) {
                return Err(error(HostErrorKind::Blocked, "it runs"));
            }
            fs::remove_file(self.definition_of(vm, &known.folder)).unwrap();
            let gone = state.vms.remove(vm).unwrap();
            if !gone.checkpoints.is_empty() && *lock(&self.merges) {
                gone.disks.values().for_each(|leaf| self.merge(leaf));
            }
            Ok(())
        })
    }

    fn set_power(
        &self,
        vm: &str,
        wanted: PowerState,
        _: &dyn StepObserver,
    ) -> Result<PowerState, HostError> {
        self.with_vm(vm, |vm| Ok(std::mem::replace(&mut vm.state, wanted)))
    }

    fn rename(&self, vm: &str, name: &str) -> Result<(), HostError> {
        self.with_vm(vm, |vm| {
            name.clone_into(&mut vm.name);
            Ok(())
        })
    }

    fn attach_disk(
        &self,
        vm: &str,
        slot: Option<DiskSlot>,
        host_path: &str,
    ) -> Result<DiskSlot, HostError> {
        self.with_vm(vm, |vm| {
            let mut slot = slot.unwrap_or(super::world::slot(0));
            while vm.disks.contains_key(&slot) {
                slot.slot += 1;
            }
            vm.disks.insert(slot, host_path.to_owned());
            Ok(slot)
        })
    }

    fn detach_disk(&self, vm: &str, slot: DiskSlot) -> Result<(), HostError> {
        self.with_vm(vm, |vm| {
            vm.disks.remove(&slot).unwrap();
            Ok(())
        })
    }

    fn set_adapters(&self, vm: &str, adapters: &[AdapterOrder]) -> Result<Vec<Finding>, HostError> {
        self.with_vm(vm, |vm| {
            assert_eq!(vm.state, PowerState::Off);
            vm.adapters = adapters.to_vec();
            Ok(Vec::new())
        })
    }

    fn create_switch(&self, _: &SwitchSettings) -> Result<Vec<Finding>, HostError> {
        Ok(Vec::new())
    }

    fn changes_since(
        &self,
        vm: &str,
        slot: DiskSlot,
        cursor: &str,
    ) -> Result<DiskChanges, HostError> {
        let known = self
            .vm(vm)
            .ok_or_else(|| error(HostErrorKind::NoSuchVm, "no such VM"))?;
        assert_eq!(cursor, "then");
        let ranges = lock(&self.changes).get(&known.disks[&slot]).cloned();
        Ok(match ranges {
            Some(ranges) => DiskChanges::Ranges {
                ranges,
                previous: 0,
            },
            None => DiskChanges::Everything(FullReason::IdUnknown),
        })
    }

    fn settle_restores(&self) -> Result<Vec<Finding>, HostError> {
        Ok(Vec::new())
    }

    fn as_writer_restore(&self) -> Option<&dyn WriterRestoreHost> {
        lock(&self.way).as_ref()?;
        Some(self)
    }
}

impl WriterRestoreHost for HostDouble {
    fn way(&self) -> Result<WriterWay, HostError> {
        lock(&self.way).ok_or_else(|| error(HostErrorKind::Blocked, "no service"))
    }

    fn begin<'a>(
        &'a self,
        order: &WriterOrder,
        _: &dyn StepObserver,
    ) -> Result<Box<dyn WriterRestore + 'a>, HostError> {
        assert_eq!(order.record.document, "<DOCUMENT/>");
        self.call(|| {
            let order = order.clone();
            Ok(Box::new(DoubleWriter {
                host: self,
                order,
                is_unsettled: false,
            }) as _)
        })
    }
}

/// A writer that finds files where they were, or where it was told that they went.
struct DoubleWriter<'a> {
    host: &'a HostDouble,
    order: WriterOrder,
    is_unsettled: bool,
}

impl DoubleWriter<'_> {
    fn place(&self, folder: &str, name: &str) -> String {
        let mut moved = self.order.moved.iter();
        let stem = |spec: &str| spec.trim_end_matches('*').to_lowercase();
        let moved = moved.find(|own| {
            own.files.folder.eq_ignore_ascii_case(folder)
                && name.to_lowercase().starts_with(&stem(&own.files.spec))
        });
        let folder = moved.map_or(folder, |own| &own.folder);
        format!("{folder}\\{name}")
    }
}

impl WriterRestore for DoubleWriter<'_> {
    fn pre_restore(&mut self, _: &dyn StepObserver) -> Result<(), HostError> {
        let is_late = self.host.is_late();
        self.is_unsettled = is_late;
        self.host.call(|| {
            if is_late {
                *lock(&self.host.late) = Some(self.order.vm.clone());
                return Err(error(HostErrorKind::Busy, "no answer"));
            }
            let gone = lock(&self.host.state).vms.remove(&self.order.vm);
            if let Some(gone) = gone {
                let file = self.host.definition_of(&self.order.vm, &gone.folder);
                fs::remove_file(file).unwrap();
            }
            Ok(())
        })
    }

    fn post_restore(&mut self, _: &dyn StepObserver) -> Result<RestoredVm, HostError> {
        let is_late = self.host.is_late();
        self.is_unsettled = is_late;
        self.host.call(|| {
            if is_late {
                return Err(error(HostErrorKind::Busy, "no answer"));
            }
            let was_at = &self.order.record.files[0].folder;
            let name = format!("{}.vmcx", self.order.vm.to_uppercase());
            let definition = self.place(was_at, &name);
            let bytes = fs::read(self.host.local(&definition)).unwrap();
            let configuration = VmConfiguration::from_bytes("definition", &bytes).unwrap();
            let disks = configuration.disks.iter().map(|disk| {
                let (folder, name) = disk.path.rsplit_once('\\').unwrap();
                (disk.slot, self.place(folder, name))
            });
            let disks: BTreeMap<DiskSlot, String> = disks.collect();
            self.host.check_disks(disks.values())?;
            let folder = definition.rsplitn(3, '\\').nth(2).unwrap().to_owned();
            let vm = DoubleVm {
                name: configuration.name.clone(),
                state: *lock(&self.host.registers_as),
                is_clustered: false,
                is_replicated: false,
                folder,
                disks,
                checkpoints: BTreeMap::new(),
                adapters: configuration.network_adapters.iter().map(adapter).collect(),
                configuration,
            };
            let name = vm.name.clone();
            lock(&self.host.state).vms.insert(self.order.vm.clone(), vm);
            Ok(RestoredVm {
                identity: self.order.vm.clone(),
                name,
                findings: Vec::new(),
            })
        })
    }

    fn is_unsettled(&self) -> bool {
        self.is_unsettled
    }

    fn give_up(self: Box<Self>) -> Vec<Finding> {
        Vec::new()
    }
}
