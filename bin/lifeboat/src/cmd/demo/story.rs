//! What the demonstration does, step by step.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup_run::{BackupOptions, RunItem, RunReport, back_up, plan_backup, select_vms};
use block_io::MemoryDisk;
use disk_image::{ImageFormat, OpenOptions, open};
use folder_host::FolderHost;
use hyperv_host::{BackupMode, HypervHost};
use hyperv_sim::Ledger;
use object_store::FolderStore;
use repository::{InitOptions, RecoveryKey, Repository, Unlock};
use serde_json::{Value, json};
use vm_restore::{open_disk, plan_vm_restore, restore_disk};

use super::scene::{NODES, Scene};
use super::{PASSWORD, proof, to_host};
use crate::cli_error::CliError;
use crate::cmd::backup::exit_code;
use crate::cmd::sim::failed;
use crate::cmd::version::PROGRAM;
use crate::exit_code::ExitCode;
use crate::host_choice::open_sim_cluster;
use crate::observers::Silent;
use crate::ui::{Align, Table, Ui, size};

/// The steps of the demonstration.
pub(super) struct Story<'a> {
    ui: &'a Ui,
    pub(super) folder: PathBuf,
    pub(super) repository: Repository,
}

impl<'a> Story<'a> {
    /// Makes an empty repository in the folder.
    pub(super) fn begin(ui: &'a Ui, folder: &Path) -> Result<Self, CliError> {
        ui.message(format!("Working in {}", folder.display()));
        let store = FolderStore::create(&folder.join("repository"))?;
        let key = RecoveryKey::generate()?;
        let unlocks = [Unlock::Password(PASSWORD), Unlock::RecoveryKey(&key)];
        let repository = Repository::init(Arc::new(store), &unlocks, InitOptions::default())?;
        Ok(Self {
            ui,
            folder: folder.to_owned(),
            repository,
        })
    }

    pub(super) fn step(&self, step: &str, text: &str, fields: Value) {
        self.ui.data(text);
        let fields = json!({ "step": step, "text": text, "figures": fields });
        self.ui.record("step", fields);
    }

    /// Goes through all steps, says what happened, and returns the figures. The first proof that
    /// does not hold ends it.
    pub(super) fn tell(&self) -> Result<Value, CliError> {
        let mut scene = Scene::make(&self.folder.join("host"))?;
        let journal = self.folder.join("journal");
        let host = open_sim_cluster(&self.folder.join("host"), Some(&journal))?;
        self.introduce(&scene, &host)?;
        let before = scene.cluster.ledger().map_err(failed)?;
        let first = self.back_up(&host, &[], options(), "first-backup", "First backup:")?;
        scene.cluster.settle().map_err(failed)?;
        scene.work()?;
        let (from, to) = scene.migrate("WEB01")?;
        self.step(
            "guests-wrote",
            &format!(
                "\nThe guests wrote a log, a table and a file, and WEB01 moved from {from} to {to}."
            ),
            json!({ "moved": "WEB01", "from": from, "to": to }),
        );
        let second = self.back_up(&host, &[], options(), "second-backup", "Second backup:")?;
        self.prove_disks(&scene, &second)?;
        self.restore_vm(&scene, &second)?;
        to_host::restore(self, &scene, &second)?;
        let tree = self.back_up_tree(&scene, &host)?;
        self.check()?;
        self.look_for_residue(&scene, &before)?;
        Ok(json!({ "first": first, "second": second, "tree": tree }))
    }

    /// Backs one VM up with all its checkpoints, through the host's VSS writer, and compares what
    /// the disk was at each of them.
    fn back_up_tree(&self, scene: &Scene, host: &dyn HypervHost) -> Result<RunReport, CliError> {
        let actor = scene.part("ERP")?;
        let mut options = options();
        options.request.mode = BackupMode::AllCheckpoints;
        let names = [actor.name.to_owned()];
        let text = "ERP once more, with all its checkpoints, through a snapshot of its volume:";
        let report = self.back_up(host, &names, options, "tree-backup", text)?;
        let item = report.items.first();
        let point = item.and_then(|item| item.point.as_deref());
        let point = self.repository.find_point(point.unwrap_or_default())?;
        let states = actor.checkpoints.iter();
        let states = states.map(|(name, disk)| (Some(*name), disk));
        for (checkpoint, disk) in states.chain([(None, &actor.disk)]) {
            let stored = open_disk(&self.repository, &point, 0, checkpoint)?;
            let what = checkpoint.unwrap_or("the latest state");
            proof::same_disk(what, &MemoryDisk::new(disk.clone()), &stored.device)?;
        }
        let text = format!(
            "Its disk is in the point as it was at each of {} checkpoints, and as it is now.",
            actor.checkpoints.len()
        );
        let figures = json!({ "checkpoints": actor.checkpoints.len() });
        self.step("proved-tree", &text, figures);
        Ok(report)
    }

    /// Shows who is there, and what a backup would do.
    fn introduce(&self, scene: &Scene, host: &dyn HypervHost) -> Result<(), CliError> {
        let text = format!(
            "A simulated cluster, {} with the nodes {}, and real disks; nothing real is touched. \
             Who is there, and what a backup will do:",
            scene.cluster.name(),
            NODES.join(" and ")
        );
        let figures = json!({ "vms": scene.actors.len(), "nodes": NODES });
        self.step("made-host", &text, figures);
        let vms = host.inventory()?.vms;
        let planned = plan_backup(host, Some(&self.repository), &vms, &options())?;
        let mut table = Table::new(&[
            ("VM", Align::Left),
            ("NODE", Align::Left),
            ("IS THERE TO SHOW", Align::Left),
            ("METHOD", Align::Left),
            ("CONSISTENCY", Align::Left),
        ]);
        for actor in &scene.actors {
            let plan = planned
                .iter()
                .find(|vm| vm.vm == actor.name)
                .map(|vm| &vm.plan);
            let listed = vms.iter().find(|vm| vm.name == actor.name);
            let node = listed.and_then(|vm| vm.node.as_deref());
            table.row(vec![
                actor.name.to_owned(),
                node.unwrap_or("?").to_owned(),
                actor.shows.to_owned(),
                plan.map_or("?", |plan| plan.method.name()).to_owned(),
                plan.map_or("?", |plan| plan.consistency.level.name())
                    .to_owned(),
            ]);
        }
        self.ui.table(&table);
        Ok(())
    }

    /// Backs the named VMs up; without a name all of them.
    fn back_up(
        &self,
        host: &dyn HypervHost,
        names: &[String],
        options: BackupOptions,
        step: &str,
        text: &str,
    ) -> Result<RunReport, CliError> {
        let vms = select_vms(&host.inventory()?, names, names.is_empty())?;
        let report = back_up(host, &self.repository, &vms, &options, &Silent)?;
        if let Some(item) = report.items.iter().find(|item| item.point.is_none()) {
            let why = item
                .failure
                .as_ref()
                .map(|failure| failure.messages.join(": "));
            let message = format!(
                "the backup of {} failed: {}",
                item.vm,
                why.unwrap_or_default()
            );
            return Err(CliError::new(
                exit_code(&report, false),
                "backup-failed",
                message,
            ));
        }
        self.step(step, &format!("\n{text}"), json!(report));
        let mut table = Table::new(&[
            ("VM", Align::Left),
            ("READ", Align::Right),
            ("STORED", Align::Right),
            ("CONSISTENCY", Align::Left),
            ("WHAT WAS READ", Align::Left),
        ]);
        for item in &report.items {
            table.row(row(item));
        }
        self.ui.table(&table);
        Ok(report)
    }

    /// Reads every VM's first disk out of the repository and compares it with what the guest wrote.
    fn prove_disks(&self, scene: &Scene, report: &RunReport) -> Result<(), CliError> {
        for actor in &scene.actors {
            let item = report.items.iter().find(|item| item.vm == actor.name);
            let point = item
                .and_then(|item| item.point.as_deref())
                .unwrap_or_default();
            let point = self.repository.find_point(point)?;
            let disk = point.disks().next();
            let disk = disk.ok_or_else(|| proof::failed(format!("{}: no disk", actor.name)))?;
            let stored = self.repository.open_stream(disk)?;
            let written = MemoryDisk::new(actor.disk.clone());
            proof::same_disk(actor.name, &written, &stored)?;
        }
        let text = format!(
            "\nEvery one of the {} disks is in its restore point as its guest wrote it.",
            scene.actors.len()
        );
        self.step(
            "proved-disks",
            &text,
            json!({ "disks": scene.actors.len() }),
        );
        Ok(())
    }

    /// Restores a VM into a folder, which then is a host with the same VM and the same disk.
    fn restore_vm(&self, scene: &Scene, report: &RunReport) -> Result<(), CliError> {
        let name = "ERP";
        let actor = scene.part(name)?;
        let item = report.items.iter().find(|item| item.vm == name);
        let Some(point) = item.and_then(|item| item.point.as_deref()) else {
            return Err(proof::failed(format!("{name} has no point")));
        };
        let point = self.repository.find_point(point)?;
        let folder = self.folder.join("restored");
        let files = plan_vm_restore(&self.repository, &point, &folder)?.execute(&Silent)?;
        let restored = FolderHost::open(&folder)?;
        let vms = select_vms(&restored.inventory()?, &[name.to_owned()], false)?;
        let vm = vms
            .first()
            .map(|vm| restored.open_vm(&vm.identity))
            .transpose()?;
        let disk = vm.as_ref().and_then(|vm| vm.disks.first());
        let disk = disk.ok_or_else(|| proof::failed("the restored VM has no disk".to_owned()))?;
        let written = MemoryDisk::new(actor.disk.clone());
        proof::same_disk("the restored VM", &written, &disk.device)?;
        let out = self.folder.join("erp.vhdx");
        restore_disk(
            &self.repository,
            &point,
            0,
            &out,
            ImageFormat::Vhdx,
            &Silent,
        )?;
        let hash = proof::same_disk(
            "the restored disk",
            &written,
            &open(&out, &OpenOptions::default())?,
        )?;
        let text = format!(
            "Restored {name} into a folder, {} files: its configuration reads, its disk is equal, BLAKE3 {}.",
            files.files.len(),
            hash.get(..16).unwrap_or(&hash)
        );
        self.step("restored-vm", &text, json!(files));
        Ok(())
    }

    fn check(&self) -> Result<(), CliError> {
        let report = self.repository.check(true, &Silent)?;
        if let Some(damage) = report.damage.first() {
            return Err(proof::failed(format!("check: {}", damage.text)));
        }
        let text = format!(
            "Checked the repository: {} packs, every one of {} stored is as it was written.",
            report.packs,
            size(report.read_bytes)
        );
        self.step("checked", &text, json!(report));
        Ok(())
    }

    /// Compares what the host has now with what it had before the first backup.
    fn look_for_residue(&self, scene: &Scene, before: &Ledger) -> Result<(), CliError> {
        scene.cluster.settle().map_err(failed)?;
        let after = scene.cluster.ledger().map_err(failed)?;
        if let Some(thing) = Ledger::left_behind(before, &after).first() {
            let message = format!("something is left on the host: {thing}");
            return Err(CliError::new(ExitCode::Residue, "residue", message));
        }
        let surprises = scene.cluster.surprises().map_err(failed)?;
        if !surprises.is_empty() {
            let message = format!("the cluster was surprised {} times", surprises.len());
            return Err(CliError::new(ExitCode::Residue, "surprises", message));
        }
        let text =
            "On the cluster nothing is left but a reference point for each VM that is tracked.";
        self.step("nothing-left", text, json!({}));
        Ok(())
    }
}

fn options() -> BackupOptions {
    BackupOptions {
        program: PROGRAM.to_owned(),
        ..BackupOptions::default()
    }
}

fn row(item: &RunItem) -> Vec<String> {
    let mut why: Vec<String> = Vec::new();
    for disk in &item.disks {
        if !why.contains(&disk.why) {
            why.push(disk.why.clone());
        }
    }
    if !item.images.is_empty() {
        why.push(format!("{} image files, as they are", item.images.len()));
    }
    why.extend(
        item.left_out
            .iter()
            .map(|disk| format!("without a disk: {}", disk.reason)),
    );
    let level = item.consistency.as_ref();
    vec![
        item.vm.clone(),
        size(item.statistics.read_bytes),
        size(item.statistics.stored_bytes),
        level.map_or("?", |reached| reached.level.name()).to_owned(),
        why.join("; "),
    ]
}
