//! `lifeboat point diff`.

use clap::Args;
use repository::{Difference, DifferenceKind, Repository, RestorePoint, Stream, StreamRole};
use serde_json::json;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, Ui, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat point diff SQL01@latest~1 SQL01@latest --repo /backup
  lifeboat point diff 3f2a 91bc -v --repo /backup")]
pub(crate) struct DiffArgs {
    /// The older restore point
    #[arg(value_name = "A")]
    old: String,
    /// The newer restore point
    #[arg(value_name = "B")]
    new: String,
}

pub(super) fn run(invocation: &Invocation, args: &DiffArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let (old, new) = (
        repository.find_point(&args.old)?,
        repository.find_point(&args.new)?,
    );
    let mut table = Table::new(&[
        ("DISK", Align::Right),
        ("SIZE", Align::Right),
        ("CHANGED", Align::Right),
        ("CLEARED", Align::Right),
        ("RANGES", Align::Right),
        ("NAME", Align::Left),
    ]);
    let mut changed_bytes = 0;
    for disk in parts(&new) {
        let row = match parts(&old).find(|other| is_same(other, disk)) {
            Some(other) => {
                let found = compare(&repository, other, disk)?;
                changed_bytes += sum(&found, DifferenceKind::Changed);
                show_ranges(ui, disk, &found);
                row(disk, Some(&found))
            }
            None => row(disk, None),
        };
        table.row(row);
    }
    ui.table(&table);
    show_missing(ui, &old, &new);
    let fields = json!({ "old": old.id, "new": new.id, "changed_bytes": changed_bytes });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

/// Returns what of a point is compared: its disks, or the image files of its checkpoint tree.
fn parts(point: &RestorePoint) -> impl Iterator<Item = &Stream> {
    point.disks().chain(&point.images)
}

/// Returns whether two streams of different points are the same disk or file. A disk keeps its
/// number; an image file keeps its name, and its number changes with every checkpoint.
fn is_same(one: &Stream, other: &Stream) -> bool {
    match (one.role, other.role) {
        (StreamRole::Image, StreamRole::Image) => one.name == other.name,
        (StreamRole::Disk, StreamRole::Disk) => one.number == other.number,
        _ => false,
    }
}

/// Returns the ranges that people would notice.
fn compare(
    repository: &Repository,
    old: &Stream,
    new: &Stream,
) -> Result<Vec<Difference>, CliError> {
    let mut found = repository.compare_streams(old, new)?;
    found.retain(|difference| difference.kind != DifferenceKind::ReadsTheSame);
    Ok(found)
}

fn sum(found: &[Difference], kind: DifferenceKind) -> u64 {
    let of_kind = found.iter().filter(|difference| difference.kind == kind);
    of_kind.map(|difference| difference.len_bytes).sum()
}

fn row(disk: &Stream, found: Option<&[Difference]>) -> Vec<String> {
    let figure = |text: Option<String>| text.unwrap_or_else(|| "new disk".to_owned());
    vec![
        disk.number.to_string(),
        size(disk.size_bytes),
        figure(found.map(|found| size(sum(found, DifferenceKind::Changed)))),
        size(found.map_or(0, |found| sum(found, DifferenceKind::Cleared))),
        found.map_or(0, <[Difference]>::len).to_string(),
        disk.name.clone(),
    ]
}

fn show_ranges(ui: &Ui, disk: &Stream, found: &[Difference]) {
    for range in found {
        ui.record(
            "difference",
            json!({ "disk": disk.number, "offset": range.offset,
                    "len_bytes": range.len_bytes, "kind": range.kind }),
        );
        if ui.is_verbose() {
            let kind = match range.kind {
                DifferenceKind::Changed => "changed",
                DifferenceKind::Cleared => "cleared",
                DifferenceKind::ReadsTheSame => "reads the same",
            };
            let (disk, offset) = (disk.number, range.offset);
            ui.data(format!(
                "disk {disk}  offset {offset:>14}  {:>10}  {kind}",
                size(range.len_bytes)
            ));
        }
    }
}

fn show_missing(ui: &Ui, old: &RestorePoint, new: &RestorePoint) {
    for disk in parts(old) {
        if !parts(new).any(|other| is_same(other, disk)) {
            ui.message(format!(
                "disk {} ({}) is only in the older point",
                disk.number, disk.name
            ));
        }
    }
}
