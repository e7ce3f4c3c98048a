//! What the demonstration does, step by step.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup_run::{BackupOptions, RunItem, RunReport, back_up, plan_backup, select_vms};
use block_io::MemoryDisk;
use disk_image::{ImageFormat, OpenOptions, open};
use folder_host::FolderHost;
use hyperv_host::HypervHost;
use hyperv_sim::{Ledger, LedgerKind};
use object_store::FolderStore;
use repository::{InitOptions, RecoveryKey, Repository, Unlock};
use serde_json::{Value, json};
use vm_restore::{plan_vm_restore, restore_disk};
use wmi_host::WmiHost;

use super::scene::Scene;
use super::{PASSWORD, proof};
use crate::cli_error::CliError;
use crate::cmd::backup::exit_code;
use crate::cmd::sim::failed;
use crate::cmd::version::PROGRAM;
use crate::exit_code::ExitCode;
use crate::host_choice::connect_simulated;
use crate::observers::Silent;
use crate::ui::{Align, Table, Ui, size};

/// The steps of the demonstration.
pub(super) struct Story<'a> {
    ui: &'a Ui,
    folder: PathBuf,
    repository: Repository,
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

    fn step(&self, step: &str, text: &str, fields: Value) {
        self.ui.data(text);
        let fields = json!({ "step": step, "text": text, "figures": fields });
        self.ui.record("step", fields);
    }

    /// Goes through all steps, says what happened, and returns the figures. The first proof that
    /// does not hold ends it.
    pub(super) fn tell(&self) -> Result<Value, CliError> {
        let mut scene = Scene::make(&self.folder.join("host"))?;
        let journal = self.folder.join("journal");
        let host = connect_simulated(Arc::clone(&scene.host), journal)?;
        self.introduce(&scene, &host)?;
        let before = scene.host.ledger().map_err(failed)?;
        let first = self.back_up(&host, "first-backup", "First backup:")?;
        scene.host.settle().map_err(failed)?;
        scene.work()?;
        self.step(
            "guests-wrote",
            "\nThe guests wrote a log, a table and a file.",
            json!({}),
        );
        let second = self.back_up(&host, "second-backup", "Second backup:")?;
        self.prove_disks(&scene, &second)?;
        self.restore_vm(&scene, &second)?;
        self.check()?;
        self.look_for_residue(&scene, &before)?;
        Ok(json!({ "first": first, "second": second }))
    }

    /// Shows who is there, and what a backup would do.
    fn introduce(&self, scene: &Scene, host: &WmiHost) -> Result<(), CliError> {
        let text = "A simulated host with real disks; nothing real is touched. Who is there, and what a backup will do:";
        self.step("made-host", text, json!({ "vms": scene.actors.len() }));
        let vms = host.inventory()?.vms;
        let planned = plan_backup(host, Some(&self.repository), &vms, &options())?;
        let mut table = Table::new(&[
            ("VM", Align::Left),
            ("IS THERE TO SHOW", Align::Left),
            ("METHOD", Align::Left),
            ("CONSISTENCY", Align::Left),
        ]);
        for actor in &scene.actors {
            let plan = planned
                .iter()
                .find(|vm| vm.vm == actor.name)
                .map(|vm| &vm.plan);
            table.row(vec![
                actor.name.to_owned(),
                actor.shows.to_owned(),
                plan.map_or("?", |plan| plan.method.name()).to_owned(),
                plan.map_or("?", |plan| plan.consistency.level.name())
                    .to_owned(),
            ]);
        }
        self.ui.table(&table);
        Ok(())
    }

    fn back_up(&self, host: &WmiHost, step: &str, text: &str) -> Result<RunReport, CliError> {
        let vms = select_vms(&host.inventory()?, &[], true)?;
        let report = back_up(host, &self.repository, &vms, &options(), &Silent)?;
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
        let actor = scene.actors.iter().find(|actor| actor.name == name);
        let item = report.items.iter().find(|item| item.vm == name);
        let (Some(actor), Some(point)) = (actor, item.and_then(|item| item.point.as_deref()))
        else {
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
        scene.host.settle().map_err(failed)?;
        let after = scene.host.ledger().map_err(failed)?;
        // What stays is meant to: a reference point for each VM, and Hyper-V's own tracking files.
        let meant = [LedgerKind::ReferencePoint, LedgerKind::TrackingFile];
        let left = Ledger::difference(before, &after)
            .into_iter()
            .find(|thing| !meant.contains(&thing.kind));
        if let Some(thing) = left {
            let message = format!("something is left on the host: {thing}");
            return Err(CliError::new(ExitCode::Residue, "residue", message));
        }
        let text = "On the host nothing is left but a reference point for each VM that is tracked.";
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
