//! The hidden `lifeboat point bench-store`, for `cargo xtask bench`: a next point from an image and
//! a list of what changed in it, as a host's tracking gives one.

use std::path::PathBuf;
use std::time::Instant;

use block_io::ByteRanges;
use clap::Args;
use jiff::Timestamp;
use repository::{PointKind, RestorePoint, StreamObserver};
use serde_json::json;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

#[derive(Debug, Args)]
pub(crate) struct BenchStoreArgs {
    /// The restore point before
    point: String,
    /// The first disk as it is now
    #[arg(long)]
    image: PathBuf,
    /// A file with offset and length of a changed range on each line, both decimal
    #[arg(long)]
    ranges: PathBuf,
}

struct Quiet;

impl StreamObserver for Quiet {
    fn advanced(&self, _: u64, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

pub(super) fn run(invocation: &Invocation, args: &BenchStoreArgs) -> Result<ExitCode, CliError> {
    let changed = read_ranges(args)?;
    let repository = invocation.open_repository()?;
    let begun = Instant::now();
    let before = repository.find_point(&args.point)?;
    let image = disk_image::open(&args.image, &disk_image::OpenOptions::default())?;
    let run = repository.begin_run(0)?;
    let mut next = before.clone();
    let stream = next
        .streams
        .iter_mut()
        .find(|stream| stream.root.is_some())
        .ok_or_else(|| CliError::usage("the restore point has no disk"))?;
    let stored = run.store_changed(&image, stream, &changed, &Quiet)?;
    stream.root = stored.root;
    stream.statistics = stored.statistics;
    next.id = RestorePoint::new_id()?;
    next.parent = Some(before.id);
    next.kind = PointKind::Incremental;
    (next.started, next.finished) = (Timestamp::now(), Timestamp::now());
    run.publish(&next)?;
    let seconds = begun.elapsed().as_secs_f64();
    let answer = json!({ "point": next.id, "seconds": seconds, "statistics": stored.statistics });
    invocation.ui.data(answer.to_string());
    invocation.ui.summary("success", ExitCode::Success, answer);
    Ok(ExitCode::Success)
}

fn read_ranges(args: &BenchStoreArgs) -> Result<ByteRanges, CliError> {
    let name = args.ranges.display().to_string();
    let text = std::fs::read_to_string(&args.ranges).map_err(|error| CliError::io(&name, error))?;
    let mut changed = ByteRanges::new();
    for line in text.lines() {
        let range = line
            .split_once(' ')
            .and_then(|(offset, len)| Some((offset.parse().ok()?, len.parse().ok()?)));
        let (offset, len) = range.ok_or_else(|| {
            CliError::usage(format!("{name}: expected offset and length on each line"))
        })?;
        changed.insert(offset, len);
    }
    Ok(changed)
}
