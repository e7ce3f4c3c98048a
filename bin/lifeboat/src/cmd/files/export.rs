//! `lifeboat files export`.

use std::path::PathBuf;

use block_io::{BlockDevice, NewImage as _};
use clap::Args;
use disk_image::{ImageFormat, NewImageOptions, copy, create};
use file_restore::GuestPath;
use serde_json::json;

use super::open_point::{GuestArgs, OpenPoint, failed, parse};
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::size;

#[derive(Debug, Args)]
#[command(
    after_help = "A volume comes out as it is, also one that nothing here reads; an encrypted one that was opened comes out in clear text.

Examples:
  lifeboat files export SQL01@latest:/3 -o data.img --repo /backup
  lifeboat files export SQL01@latest:D: -o data.vhdx --repo /backup"
)]
pub(crate) struct ExportArgs {
    /// A volume: POINT:/N or POINT:C:
    #[arg(value_name = "POINT:/N")]
    volume: String,
    /// The image to make; it must not exist
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// vhdx, vhdx-fixed, vhd, vhd-fixed, raw, qcow2 or vmdk; by default what the name of OUT says, else raw
    #[arg(long, value_name = "FORMAT")]
    format: Option<ImageFormat>,
    #[command(flatten)]
    guest: GuestArgs,
}

pub(super) fn run(invocation: &Invocation, args: &ExportArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let path = parse(&args.volume)?;
    let GuestPath {
        volume: Some(volume),
        names,
    } = &path.place
    else {
        return Err(CliError::usage("which volume? POINT:/N")
            .hint("lifeboat files volumes POINT says which there are"));
    };
    if !names.is_empty() {
        return Err(CliError::usage("a volume is exported whole")
            .hint("lifeboat files get takes folders and files out"));
    }
    let open = OpenPoint::open(invocation, &path.point, &args.guest)?;
    let tree = open.tree();
    let number = tree.volume(volume).map_err(failed)?;
    let device = open.guest().volume(number);
    let device = device.map_err(|error| failed(error.into()))?;
    let format = args
        .format
        .or_else(|| ImageFormat::from_extension(&args.output))
        .unwrap_or(ImageFormat::Raw);
    let target = create(&args.output, &options(&*device, format))?;
    // The reader answers one question at a time.
    let threads = 2;
    let progress = ui.progress("export", Some(&open.point.vm.name), device.size_bytes());
    let report = copy(&*device, &target, &progress, threads)?;
    Box::new(target).finish()?;
    progress.finish();
    let (name, out) = (tree.name(number), args.output.display());
    ui.data(format!(
        "exported volume {name} of {} {} to {out}: {} as {format}, {} written",
        open.point.vm.name,
        open.point.id,
        size(report.size_bytes),
        size(report.bytes_written)
    ));
    let fields = json!({ "point": open.point.id, "vm": open.point.vm.name, "volume": name,
                         "path": args.output, "format": format, "report": report });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

/// A volume ends where its file system says; only a raw image may end inside a sector.
fn options(device: &dyn BlockDevice, format: ImageFormat) -> NewImageOptions {
    let sector_bytes = device.sector_bytes();
    NewImageOptions {
        format,
        size_bytes: match format {
            ImageFormat::Raw => device.size_bytes(),
            _ => device.size_bytes().next_multiple_of(sector_bytes.into()),
        },
        sector_bytes,
        physical_sector_bytes: device.physical_sector_bytes(),
        disk_id: None,
    }
}
