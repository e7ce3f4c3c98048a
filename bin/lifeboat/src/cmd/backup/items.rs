//! What a run did with each VM.

use backup_run::{CommandReport, DiskItem, Outcome, RunFailure, RunItem, RunReport, VolumeItem};
use repository::StreamStatistics;
use serde_json::json;

use super::outcome::code_of;
use crate::cli_error::catalog_code;
use crate::ui::{Ui, count, size};

pub(super) fn show_item(ui: &Ui, item: &RunItem) {
    ui.record("item", item);
    for warning in &item.warnings {
        ui.warning(&format!("{}: {warning}", item.vm));
    }
    let vm = &item.vm;
    match (&item.point, &item.failure) {
        (Some(point), _) => show_point(ui, item, point),
        (None, Some(_)) if item.outcome == Outcome::Cancelled => {
            ui.message(format!(
                "{vm}: cancelled; what was stored until now is kept"
            ));
        }
        (None, Some(failure)) => show_failure(ui, Some(vm), failure),
        (None, None) => ui.message(format!(
            "{vm}: skipped, because the run ended before its turn"
        )),
    }
}

/// Shows what a VM's point is like, and why each disk was read as it was.
fn show_point(ui: &Ui, item: &RunItem, point: &str) {
    let level = item.consistency.as_ref();
    let level = level.map_or("unknown", |reached| reached.level.name());
    ui.data(format!(
        "{}: restore point {point}, {level}-consistent, {}",
        item.vm,
        figures(&item.statistics)
    ));
    for disk in &item.disks {
        ui.data(format!("  {}", disk_line(disk)));
        for line in skipped_lines(disk) {
            ui.data(format!("    {line}"));
        }
    }
    if !item.images.is_empty() {
        let bytes = item.images.iter().map(|image| image.size_bytes).sum();
        ui.data(format!(
            "  all checkpoints: {} of {}",
            count(item.images.len() as u64, "image file"),
            size(bytes)
        ));
    }
    for disk in &item.left_out {
        let name = if disk.path.is_empty() {
            "a disk"
        } else {
            &disk.path
        };
        ui.data(format!("  {name}: not in the point ({})", disk.reason));
    }
}

fn disk_line(disk: &DiskItem) -> String {
    let mut line = format!("disk {} {}: read {}", disk.number, disk.name, disk.why);
    if let (None, Some(bytes)) = (disk.full, disk.changed_ranges_bytes) {
        line.push_str(&format!(", {}", size(bytes)));
    }
    if disk.proved_bytes > 0 {
        line.push_str(&format!("; proved {} of the rest", size(disk.proved_bytes)));
    }
    line
}

/// Says of each volume what was left out of it. Why something was not is a warning.
fn skipped_lines(disk: &DiskItem) -> Vec<String> {
    let volumes = disk
        .volumes
        .iter()
        .filter(|volume| !volume.skipped.is_empty());
    let line = |volume: &VolumeItem| {
        let parts = volume.skipped.iter();
        let parts: Vec<String> = parts
            .map(|part| format!("{} {}", part.reason, size(part.bytes)))
            .collect();
        format!(
            "left out of {} at {}: {}",
            volume.file_system,
            size(volume.offset),
            parts.join(", ")
        )
    };
    volumes.map(line).collect()
}

fn show_failure(ui: &Ui, vm: Option<&str>, failure: &RunFailure) {
    let code = code_of(failure);
    let message = failure.messages.first().map_or("failed", String::as_str);
    let causes = failure.messages.get(1..).unwrap_or_default();
    let name = catalog_code(failure.host, message);
    ui.record(
        "error",
        json!({ "vm": vm, "code": name, "exit": code, "kind": failure.kind,
                "text": message, "causes": causes, "hint": failure.hint }),
    );
    let name = name.map_or_else(String::new, |name| format!("{name} "));
    let of = vm.unwrap_or("no VM was begun");
    ui.trouble(format!("error: {name}{of}: {message}"));
    // A cause that the message has already is not said twice.
    let said = |cause: &&String| !message.contains(cause.as_str());
    causes
        .iter()
        .filter(said)
        .for_each(|cause| ui.trouble(format!("  cause: {cause}")));
    if let Some(hint) = &failure.hint {
        ui.trouble(format!("  do: {hint}"));
    }
}

/// Says what was read and stored.
pub(crate) fn figures(statistics: &StreamStatistics) -> String {
    format!(
        "read {}, changed {}, new {}, stored {}",
        size(statistics.read_bytes),
        size(statistics.changed_bytes),
        size(statistics.new_bytes),
        size(statistics.stored_bytes)
    )
}

/// Shows what a command of the person's own did: what it printed, and what went wrong with it.
pub(super) fn show_command(ui: &Ui, report: &CommandReport) {
    ui.record("command", report);
    if report.output_cut {
        ui.message("  | …");
    }
    for line in report.output.lines() {
        ui.message(format!("  | {line}"));
    }
    if !report.succeeded() && !report.ignored {
        ui.warning(&report.trouble());
    }
}

pub(super) fn show_total(ui: &Ui, report: &RunReport) {
    if let Some(failure) = &report.failure {
        show_failure(ui, None, failure);
    }
    for finding in &report.findings {
        ui.warning(&format!("{}: {}", finding.id, finding.text));
    }
    if report.items.len() < 2 {
        return;
    }
    let made = report
        .items
        .iter()
        .filter(|item| item.point.is_some())
        .count();
    ui.message(format!(
        "{made} of {} have a new restore point",
        count(report.items.len() as u64, "VM")
    ));
}
