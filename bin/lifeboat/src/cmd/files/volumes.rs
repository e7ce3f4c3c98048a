//! `lifeboat files volumes`.

use clap::Args;
use guest_files::{GuestFileSystem, State};
use guest_reader::VolumeFacts;
use serde_json::json;
use volume_map::{Content, Origin};

use super::compared::tell_notes;
use super::open_point::{GuestArgs, OpenPoint};
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat files volumes SQL01@latest --repo /backup
  lifeboat files volumes SQL01@latest --checkpoint \"before the update\" --repo /backup
  lifeboat files volumes SQL01@latest --recovery-key-file bitlocker.txt --repo /backup")]
pub(crate) struct VolumesArgs {
    /// The restore point: VM@latest, VM@latest~1, VM@2026-05-01T22:00 or the beginning of an id
    #[arg(value_name = "POINT")]
    point: String,
    #[command(flatten)]
    guest: GuestArgs,
}

pub(super) fn run(invocation: &Invocation, args: &VolumesArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let open = OpenPoint::open(invocation, &args.point, &args.guest)?;
    let mut table = Table::new(&[
        ("PATH", Align::Left),
        ("FILE SYSTEM", Align::Left),
        ("LABEL", Align::Left),
        ("SIZE", Align::Right),
        ("USED", Align::Right),
        ("KNOWN AS", Align::Left),
        ("STATE", Align::Left),
        ("WHERE", Align::Left),
    ]);
    for (number, facts) in (0..).zip(&open.guest().facts().volumes) {
        let shown = Shown::of(&open, number, facts);
        ui.record("volume", shown.record(facts));
        table.row(vec![
            format!("/{}", facts.name),
            match facts.encryption {
                Some(outside) => format!("{} in {}", facts.content.name(), outside.name()),
                None => facts.content.name().to_owned(),
            },
            shown.label,
            size(facts.size_bytes),
            shown.used_bytes.map(size).unwrap_or_default(),
            shown.known_as.join(" "),
            shown.state,
            place(&facts.origin),
        ]);
    }
    ui.table(&table);
    tell_notes(ui, open.guest());
    let volumes = open.guest().facts().volumes.len();
    let fields = json!({ "point": open.point.id, "vm": open.point.vm.name, "volumes": volumes });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

/// What is said of a volume once it was looked into.
struct Shown {
    label: String,
    used_bytes: Option<u64>,
    known_as: Vec<String>,
    state: String,
}

impl Shown {
    fn of(open: &OpenPoint, number: u32, facts: &VolumeFacts) -> Self {
        let letters = open
            .names
            .letters
            .iter()
            .filter(|(_, volume)| **volume == number);
        let mounted = open
            .names
            .mounted
            .iter()
            .filter(|(_, volume)| *volume == number);
        let known_as = letters
            .map(|(letter, _)| format!("{letter}:"))
            .chain(mounted.map(|(path, _)| path.clone()))
            .collect();
        let shown = |label: String, used_bytes, state| Self {
            label,
            used_bytes,
            known_as,
            state,
        };
        if !facts.used_by.is_empty() {
            let state = format!("part of {}", facts.used_by.join(", "));
            return shown(facts.label.clone(), None, state);
        }
        if let Some(obstacle) = &facts.obstacle {
            return shown(facts.label.clone(), None, obstacle.what.clone());
        }
        match open.guest().open(number) {
            Ok(system) => {
                // What it takes to count is read for this list alone.
                let used_bytes = open.guest().used_bytes(number).ok().flatten();
                shown(system.about().label.clone(), used_bytes, state(system))
            }
            Err(error) => shown(facts.label.clone(), None, error.to_string()),
        }
    }

    fn record(&self, facts: &VolumeFacts) -> serde_json::Value {
        json!({
            "path": format!("/{}", facts.name),
            "filesystem": facts.content.name(),
            "encryption": facts.encryption.map(Content::name),
            "label": self.label,
            "size": facts.size_bytes,
            "used": self.used_bytes,
            "state": self.state,
            "known_as": self.known_as,
            "uuid": facts.uuid,
            "origin": facts.origin,
            "obstacle": facts.obstacle,
            "used_by": facts.used_by,
        })
    }
}

fn state(system: &dyn GuestFileSystem) -> String {
    match &system.about().state {
        State::Clean => "clean".to_owned(),
        State::Replayed => "journal replayed in memory".to_owned(),
        State::Behind(why) => why.clone(),
    }
}

fn place(origin: &Origin) -> String {
    match origin {
        Origin::Disk { disk } => format!("disk {disk}, whole"),
        Origin::Partition { disk, number, .. } => format!("disk {disk}, partition {number}"),
        Origin::Lvm { group, volume } => format!("LVM {group}/{volume}"),
        Origin::Md { array, level } => format!("array {array} ({level})"),
        Origin::Ldm {
            group,
            volume,
            layout,
            ..
        } => {
            format!("dynamic disks {group}, {volume} ({layout})")
        }
        Origin::Inner { volume, number, .. } => format!("{volume}, partition {number}"),
    }
}
