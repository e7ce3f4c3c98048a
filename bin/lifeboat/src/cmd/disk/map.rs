//! `lifeboat disk map`.

use block_io::ExtentKind;
use clap::Args;
use disk_image::{map, open};
use serde_json::json;

use super::SourceArgs;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::size;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat disk map disk.vhdx
  lifeboat disk map disk.vhdx --plain")]
pub(crate) struct MapArgs {
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) fn run(invocation: &Invocation, args: &MapArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let image = open(&args.source.file, &args.source.options())?;
    let (mut data, mut zero, mut nothing) = (0, 0, 0);
    // A map can be long: each line is printed as it is found.
    for extent in map(&image) {
        let extent = extent?;
        let (kind, sum) = match extent.kind {
            ExtentKind::Data => ("data", &mut data),
            ExtentKind::Zero => ("zero", &mut zero),
            ExtentKind::NotAllocated => ("not-allocated", &mut nothing),
        };
        *sum += extent.len_bytes;
        let (offset, len) = (extent.offset, extent.len_bytes);
        ui.record(
            "extent",
            json!({ "offset": offset, "len_bytes": len, "kind": kind }),
        );
        ui.map_line(offset, len, kind);
        if interrupt::asked() {
            return Err(CliError::new(ExitCode::Cancelled, "cancelled", "cancelled"));
        }
    }
    ui.message(format!(
        "{} data, {} zero, {} not allocated",
        size(data),
        size(zero),
        size(nothing)
    ));
    let fields = json!({ "data_bytes": data, "zero_bytes": zero, "not_allocated_bytes": nothing });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}
