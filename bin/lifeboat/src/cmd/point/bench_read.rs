//! The hidden `lifeboat point bench-read`, for `cargo xtask bench`: random reads of a point.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde_json::json;
use vm_restore::open_disk;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

const READ_BYTES: usize = 4096;

#[derive(Debug, Args)]
pub(crate) struct BenchReadArgs {
    /// The restore point
    point: String,
    /// Which disk
    #[arg(long, default_value_t = 0)]
    disk: u32,
    /// A file with one decimal offset per line
    #[arg(long)]
    offsets: PathBuf,
}

pub(super) fn run(invocation: &Invocation, args: &BenchReadArgs) -> Result<ExitCode, CliError> {
    let name = args.offsets.display().to_string();
    let text =
        std::fs::read_to_string(&args.offsets).map_err(|error| CliError::io(&name, error))?;
    let offsets: Vec<u64> = text
        .lines()
        .map(|line| line.trim().parse())
        .collect::<Result<_, _>>()
        .map_err(|_| CliError::usage(format!("{name}: expected a decimal offset on each line")))?;
    let repository = invocation.open_repository()?;
    let point = repository.find_point(&args.point)?;
    let disk = open_disk(&repository, &point, args.disk, None)?.device;
    let mut buffer = [0; READ_BYTES];
    let begun = Instant::now();
    for offset in &offsets {
        disk.read_at(*offset, &mut buffer)?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let answer = json!({ "reads": offsets.len(), "seconds": seconds });
    invocation.ui.data(answer.to_string());
    invocation.ui.summary("success", ExitCode::Success, answer);
    Ok(ExitCode::Success)
}
