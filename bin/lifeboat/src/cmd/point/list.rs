//! `lifeboat point list`.

use clap::Args;
use repository::{CatalogPoint, Consistency, PointKind, PointNotes, PointSummary};
use serde_json::{Value, json};

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
    let catalog = repository.catalog()?;
    let unreadable = &catalog.unreadable;
    let asked = args.vm.as_deref().map(str::to_lowercase);
    let is_asked = |point: &&CatalogPoint| {
        let asked = asked.as_ref();
        asked.is_none_or(|asked| is_of(&point.summary, asked))
    };
    let chosen: Vec<&CatalogPoint> = catalog.points.iter().filter(is_asked).collect();
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
        ("NOTES", Align::Left),
    ]);
    for point in &chosen {
        ui.record("point", brief(point));
        table.row(row(point));
    }
    ui.table(&table);
    for error in unreadable {
        ui.warning(&format!("a restore point cannot be read: {error}"));
    }
    let (outcome, code) = if unreadable.is_empty() {
        ("success", ExitCode::Success)
    } else {
        ("partial", ExitCode::Damaged)
    };
    if catalog.foreign > 0 {
        let points = count(catalog.foreign, "restore point");
        ui.message(format!("{points} of other domains are not shown"));
    }
    let fields = json!({ "points": chosen.len(), "unreadable": unreadable.len(),
                         "other_domains": catalog.foreign });
    ui.summary(outcome, code, fields);
    Ok(code)
}

fn is_of(point: &PointSummary, asked: &str) -> bool {
    let identity = point.vm.identity.to_lowercase();
    point.vm.name.to_lowercase() == asked || (asked.len() >= 4 && identity.starts_with(asked))
}

fn row(point: &CatalogPoint) -> Vec<String> {
    let summary = &point.summary;
    vec![
        summary.id.chars().take(ID_DIGITS).collect(),
        summary.vm.name.clone(),
        local_time(summary.started),
        run_word(summary).replace('-', " "),
        consistency_word(summary.consistency).to_owned(),
        summary.disks.to_string(),
        size(summary.size_bytes),
        size(summary.statistics.changed_bytes),
        size(summary.statistics.stored_bytes),
        summary.warnings.len().to_string(),
        notes_text(&point.notes),
    ]
}

/// Returns what a listing says of a point: no maps, no configuration.
fn brief(point: &CatalogPoint) -> Value {
    let summary = &point.summary;
    json!({
        "id": summary.id,
        "vm": summary.vm,
        "host": summary.host,
        "started": summary.started,
        "finished": summary.finished,
        "kind": summary.kind,
        "run": run_word(summary),
        "method": summary.method,
        "all_checkpoints": summary.tree,
        "interruption_ms": summary.interruption_ms,
        "consistency": summary.consistency,
        "parent": summary.parent,
        "disks": summary.disks,
        "size_bytes": summary.size_bytes,
        "statistics": summary.statistics,
        "warnings": summary.warnings,
        "written": point.written,
        "notes": point.notes,
    })
}

/// Says in a few words what was said of a point: `pinned, hold "audit", verified`.
pub(super) fn notes_text(notes: &PointNotes) -> String {
    let mut words = Vec::new();
    if notes.pinned {
        words.push("pinned".to_owned());
    }
    for hold in &notes.holds {
        let until = hold
            .until
            .map(|until| format!(" until {}", local_time(until)));
        words.push(format!("hold {:?}{}", hold.name, until.unwrap_or_default()));
    }
    match &notes.verified {
        Some(verified) if verified.good => words.push("verified".to_owned()),
        Some(_) => words.push("found bad".to_owned()),
        None => {}
    }
    if notes.unknown > 0 {
        words.push(count(u64::from(notes.unknown), "unknown note"));
    }
    words.extend(notes.comment.clone());
    words.join(", ")
}

/// Returns how a point was read: the first one of its VM, all of the VM again, or what changed.
/// Each of them restores alone, so there is no differential one.
pub(super) fn run_word(point: &PointSummary) -> &'static str {
    match point.kind {
        PointKind::Full => "first-full",
        PointKind::Incremental if point.whole => "full",
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
