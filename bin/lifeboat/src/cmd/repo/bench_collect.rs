//! The hidden `lifeboat repo bench-collect`, for `cargo xtask bench`: drops points, or collects what
//! nothing needs any more, as if nobody else wrote. Both without a question, so only where
//! `bench-fill` has made every point.

use std::collections::HashSet;

use clap::Args;
use repository::{CollectObserver, CollectOptions, CollectStage, RestorePoint};
use serde_json::json;

use crate::cli_error::CliError;
use crate::cmd::repo::bench_fill;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

#[derive(Debug, Args)]
pub(crate) struct BenchCollectArgs {
    /// Drop the first point of each VM, and collect nothing
    #[arg(long)]
    drop_first_points: bool,
}

struct Quiet;

impl CollectObserver for Quiet {
    fn advanced(&self, _: CollectStage, _: u64, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

pub(super) fn run(invocation: &Invocation, args: &BenchCollectArgs) -> Result<ExitCode, CliError> {
    let repository = invocation.open_repository()?;
    let (points, unreadable) = repository.points()?;
    let is_made_up = |point: &RestorePoint| point.host == bench_fill::HOST;
    if points.is_empty() || !unreadable.is_empty() || !points.iter().all(is_made_up) {
        return Err(
            CliError::usage("this is not a repository that was made for measuring").hint(
                "`lifeboat repo collect` and `lifeboat prune` are for those that hold backups",
            ),
        );
    }
    let answer = if args.drop_first_points {
        let mut seen = HashSet::new();
        let first = points
            .iter()
            .filter(|point| seen.insert(&point.vm.identity));
        let dropped = first.map(|point| repository.remove_point(point));
        json!({ "dropped": dropped.collect::<Result<Vec<()>, _>>()?.len() })
    } else {
        let options = CollectOptions {
            no_other_writers: true,
            ..CollectOptions::default()
        };
        json!(repository.collect(&options, &Quiet)?)
    };
    invocation.ui.data(answer.to_string());
    invocation.ui.summary("success", ExitCode::Success, answer);
    Ok(ExitCode::Success)
}
