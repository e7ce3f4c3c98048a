//! `lifeboat repo check`: see that everything is as it was written.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use repository::{CheckDepth, check_bytes};

use crate::cli_error::CliError;
use crate::cmd::repo::damage::{outcome, show_damage, show_lost};
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{count, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo check --repo /backup
  lifeboat repo check --read-data --repo /backup --json
  lifeboat repo check --read-data=5% --repo /backup
  lifeboat repo check --read-data-subset 3/12 --repo /backup
  lifeboat repo check --without-key --repo /backup

Without an option: every restore point, index and disk map is read, and of the packs it is seen that
they are there and whole in length. --without-key needs no password: it compares checksums and
names, and cannot tell what somebody did who computed the checksums anew, or that objects are gone.")]
pub(crate) struct CheckArgs {
    /// Read, decrypt and decode every stored byte, or about this share of the packs
    #[arg(long, value_name = "N%", num_args = 0..=1, require_equals = true, default_missing_value = "100%", value_parser = percent)]
    read_data: Option<u32>,
    /// Read part K of N parts of the packs: N checks in turn read everything
    #[arg(long, value_name = "K/N", value_parser = part, conflicts_with = "read_data")]
    read_data_subset: Option<(u32, u32)>,
    /// Compare the checksum of every object, without a password
    #[arg(long, conflicts_with_all = ["read_data", "read_data_subset"])]
    without_key: bool,
}

fn percent(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse().ok();
    number
        .filter(|percent| (1..=100).contains(percent))
        .ok_or_else(|| "a share is from 1% to 100%".to_owned())
}

fn part(text: &str) -> Result<(u32, u32), String> {
    let numbers = text.split_once('/').and_then(|(part, of)| {
        let (part, of): (u32, u32) = (part.parse().ok()?, of.parse().ok()?);
        (1..=of).contains(&part).then_some((part, of))
    });
    numbers.ok_or_else(|| "a part is written K/N, such as 3/12".to_owned())
}

impl CheckArgs {
    fn depth(&self) -> CheckDepth {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        match (self.read_data, self.read_data_subset) {
            (_, Some((part, of))) => CheckDepth::Part { part, of },
            (None, None) => CheckDepth::Structure,
            (Some(100), None) => CheckDepth::AllData,
            (Some(percent), None) => CheckDepth::Share {
                percent,
                seed: now.map_or(0, |now| now.as_secs()),
            },
        }
    }
}

pub(crate) fn run(invocation: &Invocation, args: &CheckArgs) -> Result<ExitCode, CliError> {
    if args.without_key {
        return without_key(invocation);
    }
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let depth = args.depth();
    let total = repository.check_bytes_to_read(depth)?;
    let progress = ui.progress("check", None, total);
    let report = repository.check(depth, &progress)?;
    progress.finish();
    ui.message(format!(
        "looked at {}, {} of disk maps, {}; read {} of packs",
        count(report.points, "restore point"),
        count(report.nodes, "node"),
        count(report.packs, "pack"),
        size(report.read_bytes)
    ));
    if report.other_domains > 0 {
        ui.message(format!(
            "{} of domains whose keys this key does not open: little was checked of them; \
             --without-key compares their checksums",
            count(report.other_domains, "object")
        ));
    }
    let code = show_damage(ui, &report.damage);
    show_lost(ui, &report.lost);
    if code == ExitCode::Success {
        let depth = match depth {
            CheckDepth::Structure => {
                "all that the restore points need is there (--read-data reads it all)".to_owned()
            }
            CheckDepth::AllData => "every stored byte is as it was written".to_owned(),
            CheckDepth::Part { .. } | CheckDepth::Share { .. } => format!(
                "all that the restore points need is there, and {} of {} are as they were written",
                report.packs_read,
                count(report.packs, "pack")
            ),
        };
        ui.data(format!("the repository is good: {depth}"));
    }
    ui.summary(outcome(code), code, &report);
    Ok(code)
}

fn without_key(invocation: &Invocation) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let store = invocation.repository_place()?.open()?;
    let mut total = 0;
    store
        .list("", &mut |object| total += object.size_bytes)
        .map_err(repository::RepositoryError::from)?;
    let progress = ui.progress("check", None, total);
    let report = check_bytes(&*store, &progress)?;
    progress.finish();
    ui.message(format!(
        "compared the checksums of {} ({}); {} have none; {} quarantined; {} not ours",
        count(report.objects, "object"),
        size(report.read_bytes),
        report.without_checksum,
        report.quarantined,
        report.unknown
    ));
    let code = show_damage(ui, &report.damage);
    if code == ExitCode::Success {
        ui.data(
            "every object is as it was written and lies under its name. Only a key tells whether \
             objects are missing, or were made anew by somebody who wanted to deceive",
        );
    }
    ui.summary(outcome(code), code, &report);
    Ok(code)
}
