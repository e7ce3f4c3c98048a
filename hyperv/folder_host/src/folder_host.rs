//! The host that a folder stands for.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use disk_image::{DiskImage, OpenOptions};
use hyperv_host::{
    BackupMethod, BackupMode, BackupRequest, FrozenVm, HostError, HostErrorKind, HypervHost,
    Inventory, PreviousBackup, Severity, StepObserver, VmEntry, VmPlan, VmSource,
};
use jiff::Timestamp;
use uuid::Uuid;
use vm_config::DiskSlot;

use crate::catalog::{Catalog, ConfigFile, whole};
use crate::checkpoint::disk_files;
use crate::diagnosis::finding;
use crate::disk_source::disk_source;
use crate::folder_plan;
use crate::kept_files::kept_files;
use crate::loose_chain::{self, IDENTITY_PREFIX, loose_chains};
use crate::machine::{Machine, OpenedDisk, identity, unreadable_entry};
use crate::open_vm::OpenVm;
use crate::tree::Tree;

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
        let (source, _) = self.open_as(identity, &Wanted::Disks)?;
        Ok(source)
    }

    /// Opens a VM: its disks, or the image files of its tree with the chains that they belong to.
    fn open_as(
        &self,
        identity: &str,
        wanted: &Wanted<'_>,
    ) -> Result<(VmSource, Vec<DiskImage>), HostError> {
        let catalog = Catalog::scan(&self.root)?;
        if identity.starts_with(IDENTITY_PREFIX) {
            return open_loose(&catalog, identity, wanted);
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
            [config] => open_machine(&catalog, config, wanted),
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
        let mut plan = folder_plan::plan(vm, request);
        if request.mode == BackupMode::AllCheckpoints {
            let opened = self.open_as(&vm.identity, &Wanted::Tree(&request.exclude));
            folder_plan::plan_tree(&mut plan, opened.as_ref().map(|(source, _)| source));
        }
        Ok(plan)
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
        let wanted = match request.mode {
            BackupMode::AllCheckpoints => Wanted::Tree(&request.exclude),
            BackupMode::Tracked | BackupMode::Standard => Wanted::Disks,
        };
        let (mut source, chains) = self.open_as(&vm.identity, &wanted)?;
        source.disks.retain(|disk| {
            !disk
                .slot
                .is_some_and(|slot| request.exclude.contains(&slot))
        });
        source.left_out.extend(folder_plan::excluded(vm, request));
        Ok(Box::new(OpenVm::new(source, chains)?))
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

/// What of a VM is to be read.
enum Wanted<'a> {
    /// Its disks as they are now.
    Disks,
    /// The image files of all checkpoints, but of the disks in these slots.
    Tree(&'a [DiskSlot]),
}

fn open_machine(
    catalog: &Catalog,
    config: &ConfigFile,
    wanted: &Wanted<'_>,
) -> Result<(VmSource, Vec<DiskImage>), HostError> {
    let mut machine = Machine::open(catalog, config);
    let files = kept_files(catalog, &machine)?;
    let mut source = empty_source(machine.entry.clone());
    source.configuration = Some(config.reading.configuration.clone());
    source.files = files;
    source.left_out = std::mem::take(&mut machine.left_out);
    match wanted {
        Wanted::Disks => {
            source.disks = machine
                .entry
                .disks
                .iter()
                .zip(machine.disks)
                .map(|(entry, disk)| disk_source(entry, disk))
                .collect::<Result<_, HostError>>()?;
            Ok((source, Vec::new()))
        }
        Wanted::Tree(exclude) => Ok(with_tree(
            source,
            Tree::of_machine(catalog, machine, exclude)?,
        )),
    }
}

fn open_loose(
    catalog: &Catalog,
    identity: &str,
    wanted: &Wanted<'_>,
) -> Result<(VmSource, Vec<DiskImage>), HostError> {
    let leaf = loose_chain::by_identity(catalog, identity).ok_or_else(|| {
        HostError::new(
            HostErrorKind::NoSuchVm,
            format!("no disk below {} is {identity}", catalog.root.display()),
        )
    })?;
    let image = disk_image::open(leaf, &OpenOptions::below(&catalog.root));
    let entry = loose_chain::entry(catalog, leaf, image.as_ref());
    let mut source = empty_source(entry);
    let configured_path = catalog.below(leaf);
    match wanted {
        Wanted::Disks => {
            let disk = OpenedDisk {
                configured_path,
                image,
            };
            if let Some(place) = source.entry.disks.first() {
                source.disks.push(disk_source(place, disk)?);
            }
            Ok((source, Vec::new()))
        }
        Wanted::Tree(_) => {
            let image = image.map_err(HostError::of_disk)?;
            Ok(with_tree(
                source,
                Tree::of_chain(catalog, configured_path, image)?,
            ))
        }
    }
}

fn with_tree(mut source: VmSource, tree: Tree) -> (VmSource, Vec<DiskImage>) {
    source.images = tree.images;
    source.tree = Some(tree.tree);
    source.findings = tree.findings;
    (source, tree.chains)
}

/// Makes the source of a VM of which nothing was opened yet.
fn empty_source(entry: VmEntry) -> VmSource {
    VmSource {
        entry,
        configuration: None,
        disks: Vec::new(),
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
    }
}
