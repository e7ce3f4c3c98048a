//! `lifeboat disk convert`.

use std::path::PathBuf;

use block_io::BlockDevice as _;
use clap::Args;
use disk_image::{ImageFormat, convert, open};
use serde_json::json;

use super::SourceArgs;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::size;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat disk convert disk.vhd -o disk.vhdx
  lifeboat disk convert disk.avhdx --root /srv/vms --format raw -o disk.img
  lifeboat disk convert disk.vhdx -o disk.qcow2")]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// The image to make; it must not exist
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// vhdx, vhdx-fixed, vhd, vhd-fixed, raw, qcow2 or vmdk; by default what the name of OUT says, else vhdx
    #[arg(long, value_name = "FORMAT")]
    format: Option<ImageFormat>,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(invocation: &Invocation, args: &ConvertArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let (options, out) = (args.source.options(), args.output.display());
    let format = args
        .format
        .or_else(|| ImageFormat::from_extension(&args.output))
        .unwrap_or(ImageFormat::Vhdx);
    // Opened twice: the size is wanted before the work begins.
    let image = open(&args.source.file, &options)?;
    let (source, size_bytes) = (args.source.file.display(), image.size_bytes());
    drop(image);
    if args.dry_run {
        ui.data(format!(
            "would convert {source} ({}) to {out} as {format}",
            size(size_bytes)
        ));
        let fields = json!({ "path": args.output, "format": format, "dry_run": true });
        ui.summary("success", ExitCode::Success, fields);
        return Ok(ExitCode::Success);
    }
    let threads = std::thread::available_parallelism().map_or(2, usize::from) + 1;
    let progress = ui.progress("convert", None, size_bytes);
    let report = convert(
        &args.source.file,
        &options,
        &args.output,
        format,
        &progress,
        threads,
    )?;
    progress.finish();
    ui.data(format!(
        "converted {source} to {out}: {} as {format}, {} written",
        size(report.size_bytes),
        size(report.bytes_written)
    ));
    let fields = json!({ "path": args.output, "format": format, "report": report });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}
