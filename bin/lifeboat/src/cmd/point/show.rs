//! `lifeboat point show`.

use std::time::Duration;

use clap::Args;
use repository::{CatalogPoint, PointNotes, RestorePoint, Stream, StreamRead, StreamRole};
use serde_json::{Value, json};
use vm_restore::{needs, offers};

use super::list::{consistency_word, notes_text, run_word};
use super::tree::show_tree;
use crate::cli_error::CliError;
use crate::cmd::backup::figures;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, Ui, count, duration, local_time, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat point show SQL01@latest --repo /backup
  lifeboat point show 3f2a --repo /backup --json")]
pub(crate) struct ShowArgs {
    /// The restore point: VM@latest, VM@latest~1, VM@2026-05-01T22:00 or the beginning of an id
    #[arg(value_name = "POINT")]
    point: String,
}

pub(super) fn run(invocation: &Invocation, args: &ShowArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository_to_add_points()?;
    let found = repository.find_point_with_notes(&args.point)?;
    let point = repository.point_of(&found.summary)?;
    ui.record("point", &point);
    ui.record("notes", &found.notes);
    show_head(ui, &point, &found);
    show_configuration(ui, point.configuration.as_ref());
    show_offers(ui, &point);
    show_tree(ui, &point)?;
    show_streams(ui, &point);
    for stream in point.disks() {
        for part in &stream.skipped {
            ui.data(format!(
                "skipped      disk {}: {} of {} at {} ({})",
                stream.number,
                part.reason,
                part.file_system,
                size(part.volume),
                size(part.bytes)
            ));
        }
    }
    for disk in &point.left_out {
        ui.data(format!("left out     {} ({})", disk.path, disk.reason));
    }
    for warning in &point.warnings {
        ui.data(format!("warning      {warning}"));
    }
    ui.summary("success", ExitCode::Success, json!({ "point": point.id }));
    Ok(ExitCode::Success)
}

fn show_head(ui: &Ui, point: &RestorePoint, found: &CatalogPoint) {
    let bytes_of = |role| -> Option<u64> {
        let streams = point.streams.iter().filter(|stream| stream.role == role);
        streams
            .map(|stream| stream.size_bytes)
            .reduce(|sum, bytes| sum + bytes)
    };
    let kept = |bytes: Option<u64>| bytes.map_or("no".to_owned(), |b| format!("yes ({})", size(b)));
    let lines = [
        ("id", point.id.clone()),
        ("VM", format!("{} ({})", point.vm.name, point.vm.identity)),
        ("host", point.host.clone()),
        ("time", local_time(point.started)),
        ("kind", run_word(&found.summary).replace('-', " ")),
        (
            "consistency",
            format!(
                "{}: {}",
                consistency_word(point.consistency),
                point.consistency_reason
            ),
        ),
        (
            "method",
            point.method.clone().unwrap_or_else(|| "unknown".to_owned()),
        ),
        ("frozen by", stages(point)),
        ("interrupted", interruption(point)),
        ("memory", kept(bytes_of(StreamRole::RuntimeState))),
        ("guest state", kept(bytes_of(StreamRole::GuestState))),
        ("figures", figures(&found.summary.statistics)),
        ("made by", point.program.clone()),
        ("notes", notes(&found.notes)),
    ];
    for (name, text) in lines {
        ui.data(format!("{name:<12} {text}"));
    }
}

/// Says what was said of the point later.
fn notes(notes: &PointNotes) -> String {
    let text = notes_text(notes);
    if text.is_empty() {
        "none".to_owned()
    } else {
        text
    }
}

/// Says what was done to hold the VM still, and how long each step took.
fn stages(point: &RestorePoint) -> String {
    let stages = point.stages.iter().map(|stage| {
        let time = duration(Duration::from_millis(stage.milliseconds));
        format!("{} {time}", stage.name)
    });
    let stages: Vec<String> = stages.collect();
    if stages.is_empty() {
        "no steps were told".to_owned()
    } else {
        stages.join(", ")
    }
}

/// Says for how long the guest did not run.
fn interruption(point: &RestorePoint) -> String {
    match point.interruption_ms {
        Some(milliseconds) if milliseconds > 0 => {
            let time = duration(Duration::from_millis(milliseconds));
            format!("the guest did not run for {time}")
        }
        _ => "no".to_owned(),
    }
}

/// Shows what of the typed configuration people ask for; all of it is in the JSON.
fn show_configuration(ui: &Ui, configuration: Option<&Value>) {
    let Some(configuration) = configuration else {
        ui.data("settings     none: the disk belongs to no configuration");
        return;
    };
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let list = |name: &str| {
        configuration[name]
            .as_array()
            .map_or(0, |list| list.len() as u64)
    };
    ui.data(format!(
        "settings     generation {}, version {}, {}, {} MiB memory, {}, {}",
        number(&configuration["generation"]),
        configuration["version"].as_str().unwrap_or("unknown"),
        count(number(&configuration["processors"]), "processor"),
        number(&configuration["memory"]["startup_mib"]),
        count(list("network_adapters"), "network adapter"),
        count(list("checkpoints"), "checkpoint"),
    ));
}

/// Shows what a host must have for the VM, and which restores the point serves for.
fn show_offers(ui: &Ui, point: &RestorePoint) {
    let offers = offers(point);
    let needs = needs(point);
    ui.record("needs", json!({ "needs": needs }));
    ui.record("offers", json!({ "offers": offers }));
    if let Some(needs) = needs {
        let memory = match needs.maximum_mib {
            Some(most) => format!("{} to {most} MiB memory", needs.startup_mib),
            None => format!("{} MiB memory", needs.startup_mib),
        };
        let switches = match needs.switches.is_empty() {
            true => "no switch".to_owned(),
            false => format!("switches {}", needs.switches.join(", ")),
        };
        ui.data(format!(
            "needs        {}, {memory}, {} of disks with {} of data, version {}, {switches}",
            count(u64::from(needs.processors), "processor"),
            size(needs.disk_bytes),
            size(needs.data_bytes),
            needs.version,
        ));
    }
    for offer in &offers {
        let word = if offer.possible {
            "can restore"
        } else {
            "cannot"
        };
        let note = match offer.note.is_empty() {
            true => String::new(),
            false => format!(": {}", offer.note),
        };
        ui.data(format!("{word:<12} {}{note}", offer.kind));
    }
}

fn show_streams(ui: &Ui, point: &RestorePoint) {
    let mut table = Table::new(&[
        ("DISK OR FILE", Align::Left),
        ("SIZE", Align::Right),
        ("DATA", Align::Right),
        ("SKIPPED", Align::Right),
        ("CHANGED", Align::Right),
        ("STORED", Align::Right),
        ("READ", Align::Left),
        ("NAME", Align::Left),
    ]);
    let disks = point.disks().chain(&point.images);
    for stream in disks.chain(point.files()) {
        let statistics = stream.statistics;
        table.row(vec![
            role_word(stream),
            size(stream.size_bytes),
            size(statistics.data_bytes),
            size(statistics.skipped_bytes),
            size(statistics.changed_bytes),
            size(statistics.stored_bytes),
            how_read(stream),
            stream.name.clone(),
        ]);
    }
    ui.table(&table);
}

fn how_read(stream: &Stream) -> String {
    match &stream.read {
        Some(StreamRead::ChangedRanges { .. }) => "what changed".to_owned(),
        Some(StreamRead::Everything { reason }) => format!("all: {reason}"),
        _ => "all".to_owned(),
    }
}

fn role_word(stream: &Stream) -> String {
    match stream.role {
        StreamRole::Disk => format!("disk {}", stream.number),
        StreamRole::Configuration => "configuration".to_owned(),
        StreamRole::RuntimeState => "memory and state".to_owned(),
        StreamRole::GuestState => "firmware state".to_owned(),
        StreamRole::CheckpointConfiguration => "checkpoint".to_owned(),
        StreamRole::CheckpointState => "checkpoint memory".to_owned(),
        StreamRole::Image => format!("image {}", stream.number),
    }
}
