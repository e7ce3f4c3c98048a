//! What the demonstration does, step by step.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup_run::{BackupOptions, back_up, select_vms};
use disk_image::{ImageFormat, OpenOptions, open};
use folder_host::FolderHost;
use hyperv_host::HypervHost as _;
use object_store::FolderStore;
use repository::{InitOptions, RecoveryKey, Repository, RestorePoint, Unlock};
use serde::Serialize;
use serde_json::{Value, json};
use vm_restore::{plan_vm_restore, restore_disk};

use super::machine::{DISK_BYTES, DemoMachine, VM_NAME};
use super::{PASSWORD, proof};
use crate::cli_error::CliError;
use crate::cmd::backup::exit_code;
use crate::cmd::version::PROGRAM;
use crate::observers::Silent;
use crate::ui::{Ui, size};

/// The figures of one backup.
#[derive(Debug, Clone, Serialize)]
struct BackupFigures {
    point: String,
    read_bytes: u64,
    changed_bytes: u64,
    stored_bytes: u64,
    /// What the repository grew by, with everything that belongs to it.
    growth_bytes: u64,
}

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
        self.ui.record(
            "step",
            json!({ "step": step, "text": text, "figures": fields }),
        );
    }

    /// Goes through all steps, says what happened, and returns the figures. The first proof that
    /// does not hold ends it.
    pub(super) fn tell(&self) -> Result<Value, CliError> {
        let mut machine = DemoMachine::make(&self.host_folder())?;
        self.tell_machine("made-vm", "Made", &machine);
        let first_leaf = machine.leaf().to_owned();
        let before = proof::hash_files(&self.host_folder())?;
        let first = self.back_up()?;
        self.tell_backup("first-backup", "First backup", &first);

        machine.add_checkpoint()?;
        self.tell_machine(
            "changed-vm",
            "Took another checkpoint and wrote to",
            &machine,
        );
        let changed = proof::hash_files(&self.host_folder())?;
        let second = self.back_up()?;
        self.tell_backup("second-backup", "Second backup", &second);

        self.restore(&first, &first_leaf, "first", ImageFormat::Vhdx)?;
        self.restore(&second, machine.leaf(), "second", ImageFormat::Raw)?;
        self.restore_vm(&second, machine.leaf())?;
        for figures in [&first, &second] {
            self.verify(figures)?;
        }
        self.check()?;
        let now = proof::hash_files(&self.host_folder())?;
        proof::unchanged(&changed, &now)?;
        let disks = |hashes: &proof::FileHashes| -> proof::FileHashes {
            // The configuration names the newest checkpoint: the demonstration itself changed it.
            let is_disk = |path: &Path| path.extension().is_some_and(|e| e != "vmcx");
            let files = hashes.iter().filter(|(path, _)| is_disk(path));
            files.map(|(path, hash)| (path.clone(), *hash)).collect()
        };
        proof::unchanged(&disks(&before), &now)?;
        self.step(
            "source-unchanged",
            "The VM's own files are as they were.",
            json!({}),
        );
        Ok(json!({ "first": first, "second": second }))
    }

    fn host_folder(&self) -> PathBuf {
        self.folder.join("host")
    }

    fn tell_machine(&self, step: &str, verb: &str, machine: &DemoMachine) {
        let files = machine.chain_files();
        let text = format!(
            "{verb} the VM \"{VM_NAME}\": one disk of {}, a base and {} checkpoints.",
            size(DISK_BYTES),
            files - 1
        );
        self.step(
            step,
            &text,
            json!({ "disk_bytes": DISK_BYTES, "chain_files": files }),
        );
    }

    fn tell_backup(&self, step: &str, what: &str, figures: &BackupFigures) {
        let text = format!(
            "{what}: read {}, found {} changed, stored {}; the repository grew by {}.",
            size(figures.read_bytes),
            size(figures.changed_bytes),
            size(figures.stored_bytes),
            size(figures.growth_bytes)
        );
        self.step(step, &text, json!(figures));
    }

    fn back_up(&self) -> Result<BackupFigures, CliError> {
        let host = FolderHost::open(&self.host_folder())?;
        let vms = select_vms(&host.inventory()?, &[VM_NAME.to_owned()], false)?;
        let options = BackupOptions {
            workers: 0,
            program: PROGRAM.to_owned(),
        };
        let size_before = self.repository.statistics()?.total_bytes;
        let report = back_up(&host, &self.repository, &vms, &options, &Silent)?;
        let item = report.items.first();
        let (Some(item), Some(point)) = (item, item.and_then(|item| item.point.clone())) else {
            let failure = item.and_then(|item| item.failure.as_ref());
            let why = failure.map(|failure| failure.messages.join(": "));
            let message = format!("the backup failed: {}", why.unwrap_or_default());
            let code = exit_code(&report, false);
            return Err(CliError::new(code, "backup-failed", message));
        };
        for warning in &item.warnings {
            self.ui.warning(warning);
        }
        Ok(BackupFigures {
            point,
            read_bytes: item.statistics.read_bytes,
            changed_bytes: item.statistics.changed_bytes,
            stored_bytes: item.statistics.stored_bytes,
            growth_bytes: self
                .repository
                .statistics()?
                .total_bytes
                .saturating_sub(size_before),
        })
    }

    fn point(&self, figures: &BackupFigures) -> Result<RestorePoint, CliError> {
        Ok(self.repository.find_point(&figures.point)?)
    }

    /// Restores the disk of a point and compares it with the chain that it was taken from.
    fn restore(
        &self,
        figures: &BackupFigures,
        leaf: &Path,
        name: &str,
        format: ImageFormat,
    ) -> Result<(), CliError> {
        let out = self.folder.join(format!("{name}.{format}"));
        let point = self.point(figures)?;
        let report = restore_disk(&self.repository, &point, 0, &out, format, &Silent)?;
        let restored = open(&out, &OpenOptions::default())?;
        let source = open(leaf, &OpenOptions::below(self.host_folder()))?;
        let hash = proof::same_disk(&format!("the {name} restore point"), &source, &restored)?;
        let text = format!(
            "Restored the disk of the {name} restore point as {format}, {} written: equal to the \
             VM's disk, BLAKE3 {}.",
            size(report.copy.bytes_written),
            hash.get(..16).unwrap_or(&hash)
        );
        self.step(
            "restored-disk",
            &text,
            json!({ "report": report, "blake3": hash }),
        );
        Ok(())
    }

    /// Restores the VM into a folder, which then is a host with the same VM and the same disk.
    fn restore_vm(&self, figures: &BackupFigures, leaf: &Path) -> Result<(), CliError> {
        let folder = self.folder.join("restored");
        let plan = plan_vm_restore(&self.repository, &self.point(figures)?, &folder)?;
        let report = plan.execute(&Silent)?;
        let host = FolderHost::open(&folder)?;
        let vms = select_vms(&host.inventory()?, &[VM_NAME.to_owned()], false)?;
        let vm = vms
            .first()
            .map(|vm| host.open_vm(&vm.identity))
            .transpose()?;
        let disk = vm.as_ref().and_then(|vm| vm.disks.first());
        let disk = disk.ok_or_else(|| proof::failed("the restored VM has no disk".to_owned()))?;
        let source = open(leaf, &OpenOptions::below(self.host_folder()))?;
        proof::same_disk("the restored VM", &source, &disk.device)?;
        let text = format!(
            "Restored the VM into a folder, {} files: its configuration reads, its disk is equal.",
            report.files.len()
        );
        self.step("restored-vm", &text, json!(report));
        Ok(())
    }

    fn verify(&self, figures: &BackupFigures) -> Result<(), CliError> {
        let point = self.point(figures)?;
        let report = self.repository.verify_point(&point, &Silent)?;
        if let Some(damage) = report.damage.first() {
            return Err(proof::failed(format!("verify: {}", damage.text)));
        }
        let text = format!(
            "Verified restore point {}: {} read back, authenticated and hashed.",
            point.id,
            size(report.data_bytes)
        );
        self.step(
            "verified",
            &text,
            json!({ "point": point.id, "report": report }),
        );
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
}
