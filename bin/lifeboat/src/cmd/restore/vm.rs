//! `lifeboat restore vm`.

use std::path::{Path, PathBuf};

use clap::Args;
use disk_image::ImageFormat;
use serde_json::json;
use vm_restore::{DomainOrder, ElsewhereOrder, plan_vm_restore};

use super::elsewhere;
use super::import_hint::import_commands;
use super::network_args::NetworkArgs;
use super::say_skipped;
use super::vm_to_host::{self, ToHostArgs};
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, count, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat restore vm SQL01@latest --to local --dry-run --repo E:\\Backup
  lifeboat restore vm SQL01@latest~1 --to local --in-place --stop --confirm SQL01 --repo E:\\Backup
  lifeboat restore vm SQL01@latest --to winrm://admin@hv2 --host-files 'D:\\=/mnt/hv2-d' --path 'D:\\VMs' --map-switch Prod=Lab --repo /backup
  lifeboat restore vm SQL01@latest --to local --through writer --dry-run --repo E:\\Backup
  lifeboat restore vm SQL01@latest --path /srv/restored --repo /backup
  lifeboat restore vm SQL01@latest~1 --path D:\\Restored --dry-run --repo E:\\Backup
  lifeboat restore vm SQL01@latest --path /srv/sql01 --libvirt --repo /backup
  lifeboat restore vm SQL01@latest --path /srv/sql01 --libvirt --map-switch LAN=br0-net --repo /backup
  lifeboat restore vm SQL01@latest --path /srv/sql01 --format vmdk --repo /backup

A VM that runs gives way to --in-place only with --stop, and runs again afterwards unless --no-start
is given. One that was off stays off unless --start is.

With --format or --libvirt the VM is made ready for another hypervisor: its disks come back flat and
in one format, and no file of Hyper-V's own comes with them. --libvirt adds a domain for
`virsh define`, a script that starts QEMU alone, and a note.")]
pub(crate) struct VmArgs {
    /// The restore point: VM@latest, VM@latest~1, VM@2026-05-01T22:00 or the beginning of an id
    #[arg(value_name = "POINT")]
    point: String,
    /// The folder to restore into; no file in it is replaced. With --to a folder of the host, else
    /// where the VM was
    #[arg(long, value_name = "FOLDER", required_unless_present = "to")]
    path: Option<PathBuf>,
    /// For another hypervisor: all disks in this format (qcow2, raw, vmdk, vhd, vhdx and the fixed ones)
    #[arg(long, value_name = "FORMAT", conflicts_with = "to")]
    format: Option<ImageFormat>,
    /// For libvirt and QEMU: a domain beside the disks, which are qcow2 unless --format says otherwise
    #[arg(long, conflicts_with = "to")]
    libvirt: bool,
    /// The guest has virtio's drivers: SCSI disks and network adapters become virtio's, not SATA and e1000
    #[arg(long, requires = "libvirt")]
    virtio: bool,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    host: ToHostArgs,
}

impl VmArgs {
    /// Returns what is asked for another hypervisor; `None` where nothing is.
    fn elsewhere(&self) -> Option<ElsewhereOrder> {
        if !self.libvirt && self.format.is_none() {
            return None;
        }
        let domain = self.libvirt.then(|| DomainOrder {
            networks: self.network.map_switch.clone(),
            disconnected: self.network.disconnect,
            new_mac: self.network.new_mac,
            virtio: self.virtio,
        });
        Some(ElsewhereOrder {
            format: self.format.unwrap_or(ImageFormat::Qcow2),
            domain,
        })
    }
}

pub(super) fn run(invocation: &Invocation, args: &VmArgs) -> Result<ExitCode, CliError> {
    if let Some(to) = &args.host.to {
        let path = args.path.as_deref().map(Path::to_string_lossy);
        let place = (to.as_str(), path.as_deref());
        let (host, network) = (&args.host, &args.network);
        return vm_to_host::run(invocation, &args.point, host, network, place, args.dry_run);
    }
    let path = args.path.as_deref().ok_or_else(|| {
        CliError::usage("neither a host nor a folder is named")
            .hint("name a host with --to, or a folder with --path")
    })?;
    to_folder(invocation, args, path)
}

/// Writes the VM's files and nothing else.
fn to_folder(invocation: &Invocation, args: &VmArgs, path: &Path) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let point = repository.find_point(&args.point)?;
    if args.network.is_asked() && !args.libvirt {
        let text = "--map-switch and the like do nothing here: files alone are in no network";
        return Err(CliError::usage(text).hint("name a host with --to, or add --libvirt"));
    }
    if let Some(order) = args.elsewhere() {
        return elsewhere::run(invocation, &repository, &point, path, &order, args.dry_run);
    }
    let plan = plan_vm_restore(&repository, &point, path)?;
    let files = count(plan.files.len() as u64, "file");
    if args.dry_run || ui.is_verbose() {
        let mut table = Table::new(&[("SIZE", Align::Right), ("FILE", Align::Left)]);
        for file in &plan.files {
            table.row(vec![size(file.size_bytes), file.path.display().to_string()]);
        }
        ui.table(&table);
    }
    ui.record("plan", &plan);
    if args.dry_run {
        ui.message(format!("would restore {} with {files}", point.vm.name));
        let fields = json!({ "point": point.id, "path": path, "dry_run": true });
        ui.summary("success", ExitCode::Success, fields);
        return Ok(ExitCode::Success);
    }
    let total = plan.files.iter().map(|file| file.size_bytes).sum();
    let progress = ui.progress("restore", Some(&point.vm.name), total);
    let report = plan.execute(&progress)?;
    progress.finish();
    for note in report.notes.iter().chain(&report.lost_parents) {
        ui.warning(note);
    }
    ui.data(format!(
        "restored {} {} to {}: {}, {} written",
        point.vm.name,
        point.id,
        path.display(),
        count(report.files.len() as u64, "file"),
        size(report.written_bytes)
    ));
    say_skipped(ui, point.disks());
    let import = import_commands(&plan, path);
    if let Some(commands) = &import {
        ui.message("to import it on a host, in an elevated PowerShell there, with the paths as it sees them:");
        commands
            .iter()
            .for_each(|line| ui.message(format!("  {line}")));
    }
    let fields = json!({ "point": point.id, "vm": point.vm.name, "report": report,
                         "import": import });
    let outcome = if report.lost_parents.is_empty() {
        "success"
    } else {
        "warning"
    };
    ui.summary(outcome, ExitCode::Success, fields);
    Ok(ExitCode::Success)
}
