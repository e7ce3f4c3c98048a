//! `lifeboat files diff`.

use clap::Args;
use file_restore::{
    Change, Changed, DiffItem, GuestPath, PointPath, Reading, TreeDiff, TreeError, VolumeChanges,
    VolumeFiles, VolumeMatch, VolumePair, match_volumes, volume_files,
};
use guest_files::{GuestFileSystem, Node, NodeKind};
use repository::Repository;
use serde_json::{Value, json};

use super::compared::{ComparedPoint, GuestArgs, differences, outcome, tell_notes, tell_state};
use super::listing;
use super::open_point::{OpenPoint, failed, parse};
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::{Ui, count, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat files diff SQL01@latest~1 SQL01@latest --repo /backup
  lifeboat files diff SQL01@latest~1:/3/etc SQL01@latest --repo /backup
  lifeboat files diff 'SQL01@2026-05-01:C:\\Users' SQL01@latest --repo /backup")]
pub(crate) struct DiffArgs {
    /// The older restore point; with a path, that folder or file alone is compared: A:/N/path
    #[arg(value_name = "A[:/PATH]")]
    old: String,
    /// The newer restore point
    #[arg(value_name = "B")]
    new: String,
    /// Read files whose places cannot tell whether they changed (encrypted volumes, all checkpoints), byte by byte
    #[arg(long)]
    contents: bool,
    #[command(flatten)]
    guest: GuestArgs,
}

pub(super) fn run(invocation: &Invocation, args: &DiffArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let (old, new) = (parse(&args.old)?, parse(&args.new)?);
    if new.place.volume.is_some() {
        return Err(
            CliError::usage("the path stands behind the older point alone")
                .hint("write files diff A:/N/path B"),
        );
    }
    let repository = invocation.open_repository()?;
    let mut diff = Diff {
        ui,
        reading: match args.contents {
            true => Reading::Everything,
            false => Reading::WhatChanged,
        },
        tally: Tally::default(),
    };
    let points = diff.points(&repository, &old, &new, args)?;
    let tally = &diff.tally;
    ui.message(tally.text());
    let (outcome, code) = outcome(tally.unreadable);
    let mut fields = tally.record();
    if let (Some(fields), Value::Object(points)) = (fields.as_object_mut(), points) {
        fields.extend(points);
    }
    ui.summary(outcome, code, fields);
    Ok(code)
}

/// How much of what was found.
#[derive(Default)]
struct Tally {
    /// By [`Change`], in its order: how many, and how many bytes they have.
    changes: [(u64, u64); 4],
    compared: u64,
    same_volumes: u64,
    /// Files that were compared by size and time alone.
    not_read: u64,
    unreadable: u64,
}

impl Tally {
    fn text(&self) -> String {
        let [added, removed, content, attributes] = self.changes;
        let not_read = match self.not_read {
            0 => String::new(),
            files => format!(
                "; {} compared by size and time alone: --contents reads them",
                count(files, "file")
            ),
        };
        format!(
            "{} added ({}), {} removed ({}), {} changed ({}), {} in times or attributes alone; {} files and folders compared, {} unchanged{not_read}",
            added.0,
            size(added.1),
            removed.0,
            size(removed.1),
            content.0,
            size(content.1),
            attributes.0,
            self.compared,
            count(self.same_volumes, "volume"),
        )
    }

    fn record(&self) -> Value {
        let [added, removed, content, attributes] = self.changes;
        json!({
            "added": added.0, "added_bytes": added.1,
            "removed": removed.0, "removed_bytes": removed.1,
            "changed": content.0, "changed_bytes": content.1,
            "attributes": attributes.0, "compared": self.compared,
            "same_volumes": self.same_volumes, "not_read": self.not_read, "unreadable": self.unreadable,
        })
    }
}

struct Diff<'a> {
    ui: &'a Ui,
    reading: Reading,
    tally: Tally,
}

impl Diff<'_> {
    /// Compares two points; returns what the summary says of them.
    fn points(
        &mut self,
        repository: &Repository,
        old: &PointPath,
        new: &PointPath,
        args: &DiffArgs,
    ) -> Result<Value, CliError> {
        let place = &old.place;
        let (old, new) = (
            repository.find_point(&old.point)?,
            repository.find_point(&new.point)?,
        );
        let ids = json!({ "old": old.id, "new": new.id });
        let Some(changed) = differences(repository, &old, &new, &args.guest)? else {
            if place.volume.is_some() {
                let open = OpenPoint::of(self.ui, repository, old, &args.guest)?;
                exists(&open, place)?;
            }
            self.ui.message("the disks of both points are the same");
            return Ok(ids);
        };
        let old = ComparedPoint::open(self.ui, repository, old, &changed, &args.guest)?;
        let new = ComparedPoint::open(self.ui, repository, new, &changed, &args.guest)?;
        tell_notes(self.ui, new.guest());
        if old.guest().facts().notes != new.guest().facts().notes {
            tell_notes(self.ui, old.guest());
        }
        let matches = match_volumes(old.guest().facts(), new.guest().facts());
        if place.volume.is_none() {
            for volume in matches {
                self.volume(&old, &new, volume, place)?;
            }
        } else {
            let volume = named(&old, &new, place, &matches)?;
            self.volume(&old, &new, volume, place)?;
        }
        Ok(ids)
    }

    /// Compares a volume, or a place in it.
    fn volume(
        &mut self,
        old: &ComparedPoint,
        new: &ComparedPoint,
        volume: VolumeMatch,
        place: &GuestPath,
    ) -> Result<(), CliError> {
        let (old_number, new_number) = match (volume.old, volume.new) {
            (Some(old), Some(new)) => (old, new),
            (old_number, new_number) => {
                self.only_one(old, old_number, true);
                self.only_one(new, new_number, false);
                return Ok(());
            }
        };
        let name = new.volume_name(new_number);
        let changes = new.changes_since(new_number, old, old_number);
        if changes.is_nothing() {
            self.tally.same_volumes += 1;
            return Ok(());
        }
        for (point, number) in [(old, old_number), (new, new_number)] {
            match point.volume(number).map(volume_files) {
                Some(VolumeFiles::Readable) => {}
                Some(VolumeFiles::Hidden(why)) => {
                    self.unreadable(&format!(
                        "volume {name} changed, and cannot be compared: {why}"
                    ));
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
        let systems = (old.guest().open(old_number), new.guest().open(new_number));
        let (Ok(old_system), Ok(new_system)) = systems else {
            for error in [systems.0.err(), systems.1.err()].into_iter().flatten() {
                self.unreadable(&format!("volume {name}: {error}"));
            }
            return Ok(());
        };
        tell_state(self.ui, &name, old_system);
        tell_state(self.ui, &name, new_system);
        if let Some(why) = new.why_unknown(new_number, old, old_number) {
            self.ui
                .message(format!("what changed of volume {name} is not known: {why}"));
        }
        let pair = VolumePair {
            old: old_system,
            new: new_system,
            changes,
        };
        let tops = (
            top(old, old_system, old_number, place)?,
            top(new, new_system, new_number, place)?,
        );
        if tops.0.is_none() && tops.1.is_none() {
            let what = format!(
                "there is no {} in volume {name} of either point",
                place.names.join("/")
            );
            return Err(failed(TreeError::NotFound(what)));
        }
        let base = match place.names.as_slice() {
            [] => name,
            names => format!("{name}/{}", names.join("/")),
        };
        self.trees(&pair, tops.0.as_ref(), tops.1.as_ref(), &base);
        Ok(())
    }

    fn trees(&mut self, pair: &VolumePair<'_>, old: Option<&Node>, new: Option<&Node>, base: &str) {
        let mut diff = TreeDiff::new(pair, old, new, self.reading);
        for item in diff.by_ref() {
            if interrupt::asked() {
                break;
            }
            match item {
                DiffItem::Changed(changed) => self.changed(base, &changed),
                DiffItem::Failed { path, error } => {
                    let path = listing::shown(&path);
                    self.unreadable(&format!("{base}/{path}: {error}"));
                }
            }
        }
        self.tally.compared += diff.compared();
        self.tally.not_read += diff.not_read();
    }

    fn changed(&mut self, base: &str, changed: &Changed) {
        let (letter, word, slot) = match changed.change {
            Change::Added => ("A", "added", 0),
            Change::Removed => ("D", "removed", 1),
            Change::Content => ("M", "changed", 2),
            Change::Attributes => ("m", "attributes", 3),
        };
        let Some(node) = changed.new.as_ref().or(changed.old.as_ref()) else {
            return;
        };
        let bytes = if node.kind == NodeKind::File {
            node.size_bytes
        } else {
            0
        };
        if let Some((files, sum)) = self.tally.changes.get_mut(slot) {
            *files += 1;
            *sum = sum.saturating_add(bytes);
        }
        let path = match changed.path.as_slice() {
            [] => base.to_owned(),
            path => format!("{base}/{}", listing::shown(path)),
        };
        let mut record = listing::record(&path, node);
        if let Some(record) = record.as_object_mut() {
            record.insert("change".to_owned(), json!(word));
            let old = changed.old.as_ref().map(|old| listing::record(&path, old));
            record.insert("old".to_owned(), json!(old));
        }
        self.ui.record("change", record);
        let sizes = match (&changed.old, &changed.new) {
            _ if node.kind == NodeKind::Folder => String::new(),
            _ if node.kind != NodeKind::File => listing::kind(node.kind).to_owned(),
            (Some(old), Some(new)) if old.size_bytes != new.size_bytes => {
                format!("{} -> {}", size(old.size_bytes), size(new.size_bytes))
            }
            _ => size(node.size_bytes),
        };
        let end = if node.kind == NodeKind::Folder {
            "/"
        } else {
            ""
        };
        self.ui.data(format!("{letter}  {sizes:>24}  {path}{end}"));
    }

    /// Lists a volume that one of the points alone has.
    fn only_one(&mut self, point: &ComparedPoint, number: Option<u32>, is_old: bool) {
        let Some(number) = number else { return };
        let name = point.volume_name(number);
        match point.volume(number).map(volume_files) {
            Some(VolumeFiles::Readable) => {}
            Some(VolumeFiles::Hidden(why)) => {
                self.unreadable(&format!(
                    "volume {name} is in one of the points alone: {why}"
                ));
                return;
            }
            _ => return,
        }
        let opened = point.guest().open(number);
        let top = opened.and_then(|system| Ok((system, system.node(system.root())?)));
        let (system, top) = match top {
            Ok(top) => top,
            Err(error) => return self.unreadable(&format!("volume {name}: {error}")),
        };
        tell_state(self.ui, &name, system);
        let pair = VolumePair {
            old: system,
            new: system,
            changes: VolumeChanges::Unknown,
        };
        match is_old {
            true => self.trees(&pair, Some(&top), None, &name),
            false => self.trees(&pair, None, Some(&top), &name),
        }
    }

    fn unreadable(&mut self, text: &str) {
        self.tally.unreadable += 1;
        self.ui.warning(text);
    }
}

/// Makes sure that a point has what is compared, as far as that can be told: what cannot be read may
/// be there.
fn exists(open: &OpenPoint, place: &GuestPath) -> Result<(), CliError> {
    match open.tree().find(place) {
        Err(error @ (TreeError::NoVolume(_) | TreeError::NotFound(_))) => Err(failed(error)),
        _ => Ok(()),
    }
}

/// Finds the volume that a path names in the newer point, or in the older one.
fn named(
    old: &ComparedPoint,
    new: &ComparedPoint,
    place: &GuestPath,
    matches: &[VolumeMatch],
) -> Result<VolumeMatch, CliError> {
    let Some(name) = &place.volume else {
        return Err(CliError::usage("no volume is named"));
    };
    // The path stands behind the older point.
    let found = match old.open.tree().volume(name) {
        Ok(number) => matches.iter().find(|volume| volume.old == Some(number)),
        Err(error) => {
            let number = new.open.tree().volume(name).map_err(|_| failed(error))?;
            matches.iter().find(|volume| volume.new == Some(number))
        }
    };
    let what = || CliError::usage(format!("volume {name} holds no files of its own"));
    found.copied().ok_or_else(what)
}

/// Finds what is compared; `None` where the point does not have it.
fn top(
    point: &ComparedPoint,
    system: &dyn GuestFileSystem,
    number: u32,
    place: &GuestPath,
) -> Result<Option<Node>, CliError> {
    if place.names.is_empty() {
        return system
            .node(system.root())
            .map(Some)
            .map_err(|error| failed(error.into()));
    }
    let name = point.volume(number).map(|facts| facts.name.clone());
    let place = GuestPath {
        volume: name.map(file_restore::VolumeName::Listed),
        names: place.names.clone(),
    };
    match point.open.tree().find(&place) {
        Ok(found) => Ok(Some(found.node)),
        Err(TreeError::NotFound(_)) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}
