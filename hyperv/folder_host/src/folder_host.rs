//! The host that a folder stands for.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use disk_image::OpenOptions;
use hyperv_host::{
    BackupMethod, BackupRequest, DiskSource, FrozenVm, HostError, HostErrorKind, HypervHost,
    Inventory, PreviousBackup, Severity, StepObserver, VmEntry, VmPlan, VmSource,
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::catalog::{Catalog, ConfigFile, whole};
use crate::checkpoint::disk_files;
use crate::diagnosis::finding;
use crate::disk_source::disk_source;
use crate::folder_plan;
use crate::kept_files::kept_files;
use crate::loose_chain::{self, IDENTITY_PREFIX, loose_chains};
use crate::machine::{Machine, OpenedDisk, identity, left_out, unreadable_entry};
use crate::open_vm::OpenVm;

/// A folder of VMs as a host.
#[derive(Debug)]
pub struct FolderHost {
    name: String,
    /// With all links resolved.
    root: PathBuf,
}

impl FolderHost {
    /// Takes a folder as a host. Its name is `dir:` and the path as given.
    ///
    /// # Errors
    ///
    /// `Unreachable` where the path is no folder that may be read.
    pub fn open(path: &Path) -> Result<Self, HostError> {
        let name = path.display().to_string();
        let unreachable = |text: String| HostError::new(HostErrorKind::Unreachable, text);
        let root = fs::canonicalize(path).map_err(|error| {
            unreachable(format!("{name}: cannot find this folder")).caused_by(error)
        })?;
        if !root.is_dir() {
            return Err(unreachable(format!("{name}: this is not a folder")));
        }
        Ok(Self {
            name: format!("dir:{name}"),
            root,
        })
    }

    /// Opens a VM of the inventory for reading. Nothing of it is changed.
    ///
    /// # Errors
    ///
    /// `NoSuchVm`, `Configuration`, `Disk`.
    pub fn open_vm(&self, identity: &str) -> Result<VmSource, HostError> {
        let catalog = Catalog::scan(&self.root)?;
        if identity.starts_with(IDENTITY_PREFIX) {
            return open_loose(&catalog, identity);
        }
        let no_such_vm = || {
            HostError::new(
                HostErrorKind::NoSuchVm,
                format!("{}: no VM has the identity {identity}", self.name),
            )
        };
        let id = Uuid::parse_str(identity).map_err(|_| no_such_vm())?;
        if let Some(file) = catalog.unreadable.iter().find(|file| file.id == id) {
            return Err(HostError::new(
                HostErrorKind::Configuration,
                file.finding.text.clone(),
            ));
        }
        let by_id = by_id(&catalog);
        let distinct = distinct(&catalog, by_id.get(&id).ok_or_else(no_such_vm)?);
        match distinct.as_slice() {
            [config] => open_machine(&catalog, config),
            _ => Err(HostError::new(
                HostErrorKind::Configuration,
                duplicate(&distinct).text,
            )),
        }
    }
}

impl HypervHost for FolderHost {
    fn name(&self) -> &str {
        &self.name
    }

    fn inventory(&self) -> Result<Inventory, HostError> {
        let catalog = Catalog::scan(&self.root)?;
        let mut vms: Vec<VmEntry> = catalog
            .unreadable
            .iter()
            .map(|file| unreadable_entry(file.id, file.finding.clone()))
            .collect();
        let mut claimed: HashSet<PathBuf> = catalog
            .checkpoints
            .iter()
            .flat_map(|checkpoint| disk_files(&catalog, checkpoint))
            .collect();
        for configs in by_id(&catalog).values() {
            let distinct = distinct(&catalog, configs);
            for config in &distinct {
                let mut machine = Machine::open(&catalog, config);
                if distinct.len() > 1 {
                    let problem = duplicate(&distinct);
                    machine.entry.findings.push(problem);
                }
                claimed.extend(machine.files);
                vms.push(machine.entry);
            }
        }
        vms.extend(loose_chains(&catalog, &claimed));
        vms.sort_by(|one, other| (&one.name, &one.identity).cmp(&(&other.name, &other.identity)));
        Ok(Inventory {
            vms,
            findings: catalog.findings,
        })
    }

    fn plan(
        &self,
        vm: &VmEntry,
        request: &BackupRequest,
        _previous: Option<&PreviousBackup>,
    ) -> Result<VmPlan, HostError> {
        Ok(folder_plan::plan(vm, request))
    }

    fn begin_backup(
        &self,
        vm: &VmEntry,
        request: &BackupRequest,
        _previous: Option<&PreviousBackup>,
        _observer: &dyn StepObserver,
    ) -> Result<Box<dyn FrozenVm>, HostError> {
        if let Some(finding) = folder_plan::plan(vm, request).block() {
            return Err(HostError::blocked(finding));
        }
        let mut source = self.open_vm(&vm.identity)?;
        let excluded = |slot| request.exclude.contains(&slot);
        let (out, read) = source
            .disks
            .into_iter()
            .partition(|disk| disk.slot.is_some_and(excluded));
        source.disks = read;
        let out: Vec<DiskSource> = out;
        let out = out
            .iter()
            .map(|disk| left_out(disk.slot, &disk.configured_path, "excluded"));
        source.left_out.extend(out);
        Ok(Box::new(OpenVm::new(source)?))
    }
}

fn by_id(catalog: &Catalog) -> BTreeMap<Uuid, Vec<&ConfigFile>> {
    let mut by_id: BTreeMap<Uuid, Vec<&ConfigFile>> = BTreeMap::new();
    for config in &catalog.machines {
        let id = config.reading.configuration.id;
        by_id.entry(id).or_default().push(config);
    }
    by_id
}

/// Returns the configurations of one id without those that are byte for byte like an earlier one.
fn distinct<'a>(catalog: &Catalog, configs: &[&'a ConfigFile]) -> Vec<&'a ConfigFile> {
    if configs.len() < 2 {
        return configs.to_vec();
    }
    let mut seen = Vec::new();
    let mut distinct = Vec::new();
    for config in configs {
        let bytes = catalog
            .open(&config.path)
            .and_then(|file| whole(&file))
            .ok();
        // What cannot be read again cannot be told to be the same.
        if bytes.is_none() || !seen.contains(&bytes) {
            seen.push(bytes);
            distinct.push(*config);
        }
    }
    distinct
}

fn duplicate(configs: &[&ConfigFile]) -> hyperv_host::Finding {
    let paths: Vec<String> = configs
        .iter()
        .map(|config| config.path.display().to_string())
        .collect();
    let id = configs
        .first()
        .map(|config| identity(config.reading.configuration.id));
    finding(
        "VM-DUPLICATE-ID",
        Severity::Block,
        format!(
            "different configurations have the id {}: {}",
            id.unwrap_or_default(),
            paths.join(", ")
        ),
        "name a folder that holds only one of them",
    )
}

fn open_machine(catalog: &Catalog, config: &ConfigFile) -> Result<VmSource, HostError> {
    let machine = Machine::open(catalog, config);
    let files = kept_files(catalog, &machine)?;
    let Machine {
        entry,
        disks,
        left_out,
        ..
    } = machine;
    let disks = entry
        .disks
        .iter()
        .zip(disks)
        .map(|(entry, disk)| disk_source(entry, disk))
        .collect::<Result<_, HostError>>()?;
    Ok(VmSource {
        entry,
        configuration: Some(config.reading.configuration.clone()),
        disks,
        images: Vec::new(),
        tree: None,
        files,
        taken: Timestamp::now(),
        method: BackupMethod::Files,
        consistency: folder_plan::reached(),
        left_out,
        stages: Vec::new(),
        interruption: None,
        findings: Vec::new(),
    })
}

fn open_loose(catalog: &Catalog, identity: &str) -> Result<VmSource, HostError> {
    let leaf = loose_chain::by_identity(catalog, identity).ok_or_else(|| {
        HostError::new(
            HostErrorKind::NoSuchVm,
            format!("no disk below {} is {identity}", catalog.root.display()),
        )
    })?;
    let image = disk_image::open(leaf, &OpenOptions::below(&catalog.root));
    let entry = loose_chain::entry(catalog, leaf, image.as_ref());
    let disk = OpenedDisk {
        configured_path: catalog.below(leaf),
        image,
    };
    let disks = match entry.disks.first() {
        Some(place) => vec![disk_source(place, disk)?],
        None => Vec::new(),
    };
    Ok(VmSource {
        entry,
        configuration: None,
        disks,
        images: Vec::new(),
        tree: None,
        files: Vec::new(),
        taken: Timestamp::now(),
        method: BackupMethod::Files,
        consistency: folder_plan::reached(),
        left_out: Vec::new(),
        stages: Vec::new(),
        interruption: None,
        findings: Vec::new(),
    })
}
