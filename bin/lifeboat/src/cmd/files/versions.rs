//! `lifeboat files versions`.

use std::collections::BTreeMap;

use clap::Args;
use file_restore::{GuestPath, History, Reading, TreeError, Version, VolumeName, VolumePair};
use guest_files::{FileError, FileErrorKind, GuestFileSystem, Node, NodeKind};
use jiff::Timestamp;
use repository::{Repository, RestorePoint};
use serde_json::{Value, json};

use super::compared::{ComparedPoint, GuestArgs, differences, outcome, points_of_vms, tell_state};
use super::followed_volume::FollowedVolume;
use super::listing;
use super::open_point::{failed, parse};
use super::time_bounds::parse_time;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, Ui, count, local_time, size};

const BUFFER_BYTES: usize = 1 << 20;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat files versions SQL01@latest:/3/etc/fstab --repo /backup
  lifeboat files versions 'SQL01@latest:C:\\data\\plan.xlsx' --since 2026-05-01 --repo /backup
  lifeboat files versions SQL01@latest:/3/srv/plan.ods --last 10 --hash --repo /backup")]
pub(crate) struct VersionsArgs {
    /// A file: POINT:/N/path or POINT:C:\path; all points of that VM are looked into
    #[arg(value_name = "POINT:/PATH")]
    path: String,
    /// Only points of this time or later: 2026-05-01 or 2026-05-01T22:00
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only the newest so many points
    #[arg(long, value_name = "N", conflicts_with = "since")]
    last: Option<usize>,
    /// Show the BLAKE3 hash of each version, for which it is read
    #[arg(long)]
    hash: bool,
    #[command(flatten)]
    guest: GuestArgs,
}

pub(super) fn run(invocation: &Invocation, args: &VersionsArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let path = parse(&args.path)?;
    let since = args.since.as_deref().map(parse_time).transpose()?;
    if path.place.volume.is_none() {
        return Err(
            CliError::usage("no file is named").hint("write POINT:/N/path or POINT:C:\\path")
        );
    }
    let repository = invocation.open_repository()?;
    let named = repository.find_point(&path.point)?;
    let points = points(&repository, &named, since, args.last)?;
    let mut search = Search {
        ui,
        repository: &repository,
        args,
        place: &path.place,
        volume: FollowedVolume::named(ui, &repository, named, &path.place, &args.guest)?,
        history: History::default(),
        places: BTreeMap::new(),
        hashes: BTreeMap::new(),
        unreadable: 0,
        asked: 0,
    };
    search
        .volume
        .find_before(&repository, &points, &args.guest)?;
    search.all(&points)?;
    search.tell(&points)
}

/// Returns the points that are looked into, the oldest first.
fn points(
    repository: &Repository,
    named: &RestorePoint,
    since: Option<Timestamp>,
    last: Option<usize>,
) -> Result<Vec<RestorePoint>, CliError> {
    let is_asked = |point: &repository::CatalogPoint| {
        point.summary.vm.identity == named.vm.identity
            && since.is_none_or(|since| point.summary.started >= since)
    };
    // A VM that was renamed stands there with each of its names.
    let mut points: Vec<RestorePoint> = points_of_vms(repository, &is_asked)?
        .into_iter()
        .flatten()
        .collect();
    points.sort_by(|one, other| (one.started, &one.id).cmp(&(other.started, &other.id)));
    if let Some(last) = last {
        points.drain(..points.len().saturating_sub(last));
    }
    Ok(points)
}

struct Search<'a> {
    ui: &'a Ui,
    repository: &'a Repository,
    args: &'a VersionsArgs,
    place: &'a GuestPath,
    volume: FollowedVolume,
    history: History,
    /// The file's place in each point that has it.
    places: BTreeMap<usize, String>,
    /// By the number of the version.
    hashes: BTreeMap<usize, String>,
    unreadable: u64,
    /// How many points were looked into so far.
    asked: usize,
}

impl Search<'_> {
    fn all(&mut self, points: &[RestorePoint]) -> Result<(), CliError> {
        let mut before: Option<Seen> = None;
        for (number, point) in points.iter().enumerate() {
            if interrupt::asked() {
                break;
            }
            self.asked = number + 1;
            let changed = match number.checked_sub(1).and_then(|at| points.get(at)) {
                Some(last) => differences(self.repository, last, point, &self.args.guest)?,
                None => Some(Vec::new()),
            };
            let Some(changed) = changed else {
                // All disks are the same, so what was seen of the point before is seen of this one.
                if self.history.goes_on(number)
                    && let Some(place) = number.checked_sub(1).and_then(|at| self.places.get(&at))
                {
                    self.places.insert(number, place.clone());
                }
                continue;
            };
            let point = point.clone();
            let seen =
                ComparedPoint::open(self.ui, self.repository, point, &changed, &self.args.guest);
            let seen = match seen {
                Ok(open) => self.look(number, open, before.as_ref()),
                Err(error) => Err(error),
            };
            before = match seen {
                Ok(seen) => Some(seen),
                Err(error) => {
                    self.unreadable += 1;
                    let id = points.get(number).map_or("", |point| &point.id);
                    self.ui.warning(&format!("point {id}: {error}"));
                    None
                }
            };
        }
        Ok(())
    }

    /// Looks for the file in a point.
    fn look(
        &mut self,
        number: usize,
        open: ComparedPoint,
        before: Option<&Seen>,
    ) -> Result<Seen, CliError> {
        let Some(volume) = self.volume.number_in(&open) else {
            return Ok(Seen { open, file: None });
        };
        let name = open.open.tree().name(volume).to_owned();
        let place = GuestPath {
            volume: Some(VolumeName::Listed(name.clone())),
            names: self.place.names.clone(),
        };
        let found = match open.open.tree().find(&place) {
            Ok(found) => found,
            Err(TreeError::NotFound(_)) => {
                return Ok(Seen { open, file: None });
            }
            Err(error) => return Err(failed(error)),
        };
        let of_file = |error: FileError| failed(error.into());
        let system = open.guest().open(volume).map_err(of_file)?;
        tell_state(self.ui, &format!("/{name} of {}", open.point().id), system);
        let is_same = match before {
            Some(before) => before
                .has_same(&open, volume, system, &found.node)
                .map_err(of_file)?,
            None => false,
        };
        self.history.has(number, found.node.clone(), is_same);
        let place = place_text(&place, self.place, &open, volume);
        self.places.insert(number, place);
        if self.args.hash && !is_same && found.node.kind == NodeKind::File {
            let hash = hash(system, &found.node).map_err(of_file)?;
            let version = self.history.versions().len().saturating_sub(1);
            self.hashes.insert(version, hash);
        }
        let file = Some((volume, found.node));
        Ok(Seen { open, file })
    }

    fn tell(&self, points: &[RestorePoint]) -> Result<ExitCode, CliError> {
        let versions = self.history.versions();
        if versions.is_empty() && self.unreadable == 0 && !interrupt::asked() {
            let what = format!("no point has it, of {} looked into", points.len());
            return Err(failed(TreeError::NotFound(what)));
        }
        let mut table = Table::new(&[
            ("POINTS", Align::Right),
            ("FROM", Align::Left),
            ("TO", Align::Left),
            ("SIZE", Align::Right),
            ("MODIFIED", Align::Left),
            ("TAKE OUT WITH", Align::Left),
        ]);
        for (number, version) in versions.iter().enumerate().rev() {
            let (Some(first), Some(last)) = (points.get(version.first), points.get(version.last))
            else {
                continue;
            };
            let place = self.places.get(&version.last);
            let take_out = format!("{}:{}", last.id, place.map_or("/", String::as_str));
            self.ui.record(
                "version",
                self.record(number, version, first, last, &take_out),
            );
            let shown = listing::row(String::new(), &version.node);
            let modified = shown.into_iter().nth(2).unwrap_or_default();
            table.row(vec![
                version.points().to_string(),
                local_time(first.started),
                local_time(last.started),
                size(version.node.size_bytes),
                modified,
                quoted(&take_out),
            ]);
            if let Some(hash) = self.hashes.get(&number) {
                table.row(vec![String::new(), format!("blake3 {hash}")]);
            }
        }
        self.ui.table(&table);
        let gone = self.tell_gone(points);
        self.ui.message(format!(
            "{} in {}",
            count(versions.len() as u64, "version"),
            count(self.asked as u64, "point")
        ));
        let (outcome, code) = outcome(self.unreadable);
        let fields = json!({ "versions": versions.len(), "points": self.asked,
                             "gone_since": gone, "unreadable": self.unreadable });
        self.ui.summary(outcome, code, fields);
        Ok(code)
    }

    /// Says since when the file is gone; returns the first point that does not have it any more.
    fn tell_gone(&self, points: &[RestorePoint]) -> Option<String> {
        let last = self.history.versions().last()?;
        if self.history.current(self.asked).is_some() {
            return None;
        }
        let first_without = points.get(last.last.checked_add(1)?)?;
        self.ui.message(format!(
            "gone since {} (point {})",
            local_time(first_without.started),
            first_without.id
        ));
        Some(first_without.id.clone())
    }

    fn record(
        &self,
        number: usize,
        version: &Version,
        first: &RestorePoint,
        last: &RestorePoint,
        take_out: &str,
    ) -> Value {
        let mut record = version_record(take_out, version, first, last);
        if let (Some(record), Some(hash)) = (record.as_object_mut(), self.hashes.get(&number)) {
            record.insert("blake3".to_owned(), json!(hash));
        }
        record
    }
}

/// Returns what programs are told of a version.
pub(super) fn version_record(
    take_out: &str,
    version: &Version,
    first: &RestorePoint,
    last: &RestorePoint,
) -> Value {
    let mut record = listing::record(take_out, &version.node);
    if let Some(record) = record.as_object_mut() {
        let point = |point: &RestorePoint| json!({ "point": point.id, "time": point.started });
        record.insert("points".to_owned(), json!(version.points()));
        record.insert("first".to_owned(), point(first));
        record.insert("last".to_owned(), point(last));
    }
    record
}

/// A point that was looked into, with what it has of the file.
struct Seen {
    open: ComparedPoint,
    file: Option<(u32, Node)>,
}

impl Seen {
    /// Returns whether the next point has the file as this one does.
    fn has_same(
        &self,
        next: &ComparedPoint,
        volume: u32,
        system: &dyn GuestFileSystem,
        node: &Node,
    ) -> Result<bool, FileError> {
        let Some((own_volume, own)) = &self.file else {
            return Ok(false);
        };
        let pair = VolumePair {
            old: self.open.guest().open(*own_volume)?,
            new: system,
            changes: next.changes_since(volume, &self.open, *own_volume),
        };
        pair.is_same_version(own, node, Reading::WhatChanged)
    }
}

/// Reads all of a file.
fn hash(system: &dyn GuestFileSystem, node: &Node) -> Result<String, FileError> {
    let file = system.open(node.id, None)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut at = 0;
    loop {
        let read = file.read_at(at, &mut buffer)?;
        if read == 0 {
            return Ok(hasher.finalize().to_hex().to_string());
        }
        if interrupt::asked() {
            return Err(FileError::new(
                FileErrorKind::Unreadable,
                "stopped while it was read",
            ));
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
        at += read as u64;
    }
}

/// Writes a place of a point: as it was given where a drive letter means the same volume there.
fn place_text(place: &GuestPath, given: &GuestPath, open: &ComparedPoint, volume: u32) -> String {
    match (&given.volume, &place.volume) {
        (Some(VolumeName::Letter(letter)), _)
            if open.open.names.letters.get(letter) == Some(&volume) =>
        {
            format!("{letter}:\\{}", given.names.join("\\"))
        }
        (_, Some(name)) => format!("{name}/{}", place.names.join("/")),
        (_, None) => "/".to_owned(),
    }
}

/// Writes an argument as shells take it.
pub(super) fn quoted(argument: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/:.-_@~+,=%".contains(letter);
    match argument.chars().all(is_plain) {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', "'\\''")),
    }
}
