//! `lifeboat point list`.

use clap::Args;
use repository::{
    Consistency, PointKind, RepositoryError, RepositoryErrorKind, RestorePoint, StreamRead,
    StreamStatistics,
};
use serde_json::{Value, json};
use vm_restore::disk_count;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, count, local_time, size};

/// Digits of an id that are shown: enough to be one of ten thousand, short enough to type.
const ID_DIGITS: usize = 10;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat point list --repo /backup
  lifeboat point list SQL01 --repo /backup")]
pub(crate) struct ListArgs {
    /// Only the points of this VM: its name, or the beginning of its identity
    #[arg(value_name = "VM")]
    vm: Option<String>,
}

pub(super) fn run(invocation: &Invocation, args: &ListArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository_to_add_points()?;
    let (points, unreadable) = repository.points()?;
    let is_other = |error: &RepositoryError| error.kind() == RepositoryErrorKind::OtherDomain;
    let (of_others, unreadable): (Vec<_>, Vec<_>) = unreadable.into_iter().partition(is_other);
    let asked = args.vm.as_deref().map(str::to_lowercase);
    let chosen: Vec<&RestorePoint> = points
        .iter()
        .filter(|point| asked.as_ref().is_none_or(|asked| is_of(point, asked)))
        .collect();
    if let (Some(vm), true) = (&args.vm, chosen.is_empty()) {
        return Err(
            CliError::usage(format!("there is no restore point of a VM {vm}"))
                .hint("`lifeboat point list` without a name lists all of them"),
        );
    }
    let mut table = Table::new(&[
        ("ID", Align::Left),
        ("VM", Align::Left),
        ("TIME", Align::Left),
        ("KIND", Align::Left),
        ("CONSISTENCY", Align::Left),
        ("DISKS", Align::Right),
        ("SIZE", Align::Right),
        ("CHANGED", Align::Right),
        ("STORED", Align::Right),
        ("WARNINGS", Align::Right),
    ]);
    for point in &chosen {
        ui.record("point", brief(point));
        table.row(row(point));
    }
    ui.table(&table);
    for error in &unreadable {
        ui.warning(&format!("a restore point cannot be read: {error}"));
    }
    if !of_others.is_empty() {
        let many = count(of_others.len() as u64, "restore point");
        ui.message(format!("{many} of other domains are not shown"));
    }
    let (outcome, code) = if unreadable.is_empty() {
        ("success", ExitCode::Success)
    } else {
        ("partial", ExitCode::Damaged)
    };
    let fields = json!({ "points": chosen.len(), "unreadable": unreadable.len(),
                         "other_domains": of_others.len() });
    ui.summary(outcome, code, fields);
    Ok(code)
}

fn is_of(point: &RestorePoint, asked: &str) -> bool {
    let identity = point.vm.identity.to_lowercase();
    point.vm.name.to_lowercase() == asked || (asked.len() >= 4 && identity.starts_with(asked))
}

fn row(point: &RestorePoint) -> Vec<String> {
    let total = total(point);
    vec![
        point.id.chars().take(ID_DIGITS).collect(),
        point.vm.name.clone(),
        local_time(point.started),
        run_word(point).replace('-', " "),
        consistency_word(point.consistency).to_owned(),
        disk_count(point).to_string(),
        size(disk_bytes(point)),
        size(total.changed_bytes),
        size(total.stored_bytes),
        point.warnings.len().to_string(),
    ]
}

/// Returns what a listing says of a point: no maps, no configuration.
fn brief(point: &RestorePoint) -> Value {
    json!({
        "id": point.id,
        "vm": point.vm,
        "host": point.host,
        "started": point.started,
        "finished": point.finished,
        "kind": point.kind,
        "run": run_word(point),
        "method": point.method,
        "all_checkpoints": point.checkpoints.is_some(),
        "interruption_ms": point.interruption_ms,
        "consistency": point.consistency,
        "parent": point.parent,
        "disks": disk_count(point),
        "size_bytes": disk_bytes(point),
        "statistics": total(point),
        "warnings": point.warnings,
    })
}

fn disk_bytes(point: &RestorePoint) -> u64 {
    let disks = point.disks().chain(&point.images);
    disks.map(|disk| disk.size_bytes).sum()
}

/// Returns the sum over all disks and files.
pub(super) fn total(point: &RestorePoint) -> StreamStatistics {
    let mut total = StreamStatistics::default();
    for stream in point.all_streams() {
        total += stream.statistics;
    }
    total
}

/// Returns how a point was read: the first one of its VM, all of the VM again, or what changed.
/// Each of them restores alone, so there is no differential one.
pub(super) fn run_word(point: &RestorePoint) -> &'static str {
    let read = || point.disks().chain(&point.images).map(|disk| &disk.read);
    let all = |read: &Option<StreamRead>| matches!(read, Some(StreamRead::Everything { .. }));
    match point.kind {
        PointKind::Full => "first-full",
        PointKind::Incremental if read().next().is_some() && read().all(all) => "full",
        PointKind::Incremental => "incremental",
    }
}

pub(super) fn consistency_word(consistency: Consistency) -> &'static str {
    match consistency {
        Consistency::Application => "application",
        Consistency::FileSystem => "file-system",
        Consistency::Crash => "crash",
    }
}
