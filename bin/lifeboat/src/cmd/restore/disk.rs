//! `lifeboat restore disk`.

use std::path::{Path, PathBuf};

use block_io::BlockDevice as _;
use clap::Args;
use disk_image::ImageFormat;
use serde_json::json;
use vm_restore::open_disk;

use super::attach::{self, AttachArgs};
use super::say_skipped;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{count, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat restore disk SQL01@latest --disk 0 -o sql01.vhdx --repo /backup
  lifeboat restore disk SQL01@2026-05-01 --disk 1 -o data.raw --format raw --repo /backup
  lifeboat restore disk SQL01@latest --disk 0 -o sql01.qcow2 --repo /backup
  lifeboat restore disk SQL01@latest --disk 0 -o rest.vhdx --allow-damaged --repo /backup
  lifeboat restore disk SQL01@latest --checkpoint \"before the update\" -o old.vhdx --repo /backup
  lifeboat restore disk SQL01@latest --disk 1 --attach-to SQL01 --to local --repo E:\\Backup")]
pub(crate) struct DiskArgs {
    /// The restore point: VM@latest, VM@latest~1, VM@2026-05-01T22:00 or the beginning of an id
    #[arg(value_name = "POINT")]
    point: String,
    /// Which disk, from 0 by controller and slot
    #[arg(long, value_name = "N", default_value_t = 0)]
    disk: u32,
    /// As it was at this checkpoint: its name, its id or the beginning of that; only where the point holds all checkpoints
    #[arg(long, value_name = "ID|NAME", conflicts_with = "attach_to")]
    checkpoint: Option<String>,
    /// The image to make; it must not exist
    #[arg(
        short,
        long,
        value_name = "FILE",
        required_unless_present = "attach_to",
        conflicts_with = "attach_to"
    )]
    output: Option<PathBuf>,
    /// vhdx, vhdx-fixed, vhd, vhd-fixed, raw, qcow2 or vmdk; by default what the name of FILE says, else vhdx
    #[arg(long, value_name = "FORMAT", conflicts_with = "attach_to")]
    format: Option<ImageFormat>,
    /// Write zeros for what the repository has lost, and say where; without it that is an error
    #[arg(long, conflicts_with = "attach_to")]
    allow_damaged: bool,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    attach: AttachArgs,
}

pub(super) fn run(invocation: &Invocation, args: &DiskArgs) -> Result<ExitCode, CliError> {
    match &args.output {
        Some(output) => to_file(invocation, args, output),
        None => attach::run(
            invocation,
            &args.point,
            args.disk,
            &args.attach,
            args.dry_run,
        ),
    }
}

fn to_file(invocation: &Invocation, args: &DiskArgs, output: &Path) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let point = repository.find_point(&args.point)?;
    let format = args
        .format
        .or_else(|| ImageFormat::from_extension(output))
        .unwrap_or(ImageFormat::Vhdx);
    let checkpoint = args.checkpoint.as_deref();
    let mut disk = open_disk(&repository, &point, args.disk, checkpoint)?;
    let chunk_bytes = repository.chunk_bytes();
    let damaged = args.allow_damaged.then(|| disk.allow_damage(chunk_bytes));
    let total = disk.device.size_bytes();
    let at = checkpoint.map_or_else(String::new, |name| format!(" at checkpoint {name:?}"));
    let out = output.display();
    if args.dry_run {
        ui.data(format!(
            "would restore disk {} of {}{at} ({}) as {format} to {out}",
            args.disk,
            point.vm.name,
            size(total)
        ));
        let fields = json!({ "point": point.id, "path": output, "dry_run": true });
        ui.summary("success", ExitCode::Success, fields);
        return Ok(ExitCode::Success);
    }
    let progress = ui.progress("restore", Some(&point.vm.name), total);
    let report = disk.restore(output, format, &progress)?;
    progress.finish();
    ui.data(format!(
        "restored disk {} of {} {}{at} to {out}: {} as {format}, {} written",
        args.disk,
        point.vm.name,
        point.id,
        size(report.copy.size_bytes),
        size(report.copy.bytes_written)
    ));
    let skipped = point.disks().filter(|stream| stream.number == args.disk);
    say_skipped(ui, skipped);
    let fields = json!({ "point": point.id, "vm": point.vm.name, "disk": args.disk,
                         "checkpoint": checkpoint, "chain": disk.chain, "report": report });
    let zeroed = damaged.map(|damaged| damaged.zeroed()).unwrap_or_default();
    if zeroed.zeroed_bytes == 0 {
        ui.summary("success", ExitCode::Success, fields);
        return Ok(ExitCode::Success);
    }
    ui.record("zeroed", &zeroed);
    for (offset, len_bytes) in &zeroed.ranges {
        let len = size(*len_bytes);
        ui.data(format!(
            "lost, and written as zeros: {len} at offset {offset}"
        ));
    }
    ui.warning(&format!(
        "{} of the disk are lost and were written as zeros, in {}: this is not what the VM had",
        size(zeroed.zeroed_bytes),
        count(zeroed.ranges.len() as u64 + zeroed.more_ranges, "range")
    ));
    ui.summary("partial", ExitCode::Partial, fields);
    Ok(ExitCode::Partial)
}
