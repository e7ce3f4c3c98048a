//! `lifeboat files find`.

use std::ops::RangeInclusive;

use clap::Args;
use file_restore::{FileFilter, TreeError, VolumeFiles, VolumeName, Walk, WalkItem, volume_files};
use guest_files::{FileName, GuestFileSystem, Node, Time};
use guest_reader::VolumeFacts;
use jiff::Timestamp;
use repository::{CatalogPoint, RestorePoint};
use serde_json::json;

use super::compared::{outcome, points_of_vms, tell_notes, tell_state};
use super::find_all::search_all;
use super::listing;
use super::open_point::{GuestArgs, OpenPoint, failed};
use super::time_bounds::{parse_duration, parse_time};
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::{Ui, count, parse_size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat files find '*.docx' SQL01@latest --repo /backup
  lifeboat files find '/3/etc/**/*.conf' SQL01@latest --newer 7d --repo /backup
  lifeboat files find '*' SQL01@latest --size +1GiB --repo /backup
  lifeboat files find 'invoice*' --vm SQL01 --all-points --repo /backup")]
pub(crate) struct FindArgs {
    /// A name with * and ? for any letters; with a slash in it a path, in which ** is any number of folders; case does not count
    #[arg(value_name = "PATTERN")]
    name: String,
    /// The restore point; without it --vm or --all-points says where
    #[arg(
        value_name = "POINT",
        required_unless_present_any = ["vm", "all_points"],
        conflicts_with_all = ["vm", "all_points"]
    )]
    point: Option<String>,
    /// In the newest point of this VM; with --all-points in all of its points
    #[arg(long, value_name = "VM")]
    vm: Option<String>,
    /// In all points: each file once, with the versions that it has in them
    #[arg(long)]
    all_points: bool,
    /// Files of this size; +10MiB is more than that, -1KiB less
    #[arg(long, value_name = "[+-]SIZE", allow_hyphen_values = true)]
    size: Option<String>,
    /// Changed at this time or later: 2026-05-01 or 2026-05-01T22:00
    #[arg(long, value_name = "TIME")]
    modified_after: Option<String>,
    /// Changed before this time
    #[arg(long, value_name = "TIME")]
    modified_before: Option<String>,
    /// Changed in so long a time before the point was made: 90m, 12h, 7d, 2w
    #[arg(long, value_name = "DURATION", conflicts_with = "modified_after")]
    newer: Option<String>,
    #[command(flatten)]
    pub(super) guest: GuestArgs,
}

impl FindArgs {
    /// Returns whether what is looked for depends on when a point was made.
    pub(super) fn depends_on_time(&self) -> bool {
        self.newer.is_some()
    }

    /// Returns what is looked for in a point.
    pub(super) fn filter(&self, point: &RestorePoint) -> Result<FileFilter, CliError> {
        let size = self.size.as_deref().map(size_range).transpose()?;
        let newer = self.newer.as_deref().map(parse_duration).transpose()?;
        let after = self.modified_after.as_deref().map(parse_time).transpose()?;
        let before = self
            .modified_before
            .as_deref()
            .map(parse_time)
            .transpose()?;
        let from = match newer {
            Some(newer) => point.started.checked_sub(newer).ok(),
            None => after,
        };
        let filter = FileFilter::new(&self.name).map_err(failed)?;
        Ok(filter
            .of_size(size)
            .modified(from.map(time), before.map(time)))
    }
}

fn time(timestamp: Timestamp) -> Time {
    let nanoseconds = timestamp.as_nanosecond().rem_euclid(1_000_000_000);
    Time {
        seconds: timestamp
            .as_nanosecond()
            .div_euclid(1_000_000_000)
            .try_into()
            .unwrap_or(i64::MAX),
        nanoseconds: nanoseconds.try_into().unwrap_or(0),
    }
}

fn size_range(text: &str) -> Result<RangeInclusive<u64>, CliError> {
    if let Some(more) = text.strip_prefix('+') {
        return Ok(parse_size(more)?.saturating_add(1)..=u64::MAX);
    }
    if let Some(less) = text.strip_prefix('-') {
        let less = parse_size(less)?;
        // Less than nothing is no size.
        return Ok(match less.checked_sub(1) {
            Some(most) => 0..=most,
            None => RangeInclusive::new(1, 0),
        });
    }
    let exactly = parse_size(text)?;
    Ok(exactly..=exactly)
}

pub(super) fn run(invocation: &Invocation, args: &FindArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    if args.all_points {
        let is_asked = |point: &CatalogPoint| {
            let name = &point.summary.vm.name;
            args.vm
                .as_ref()
                .is_none_or(|vm| vm.eq_ignore_ascii_case(name))
        };
        let vms = points_of_vms(&repository, &is_asked)?;
        if let (Some(vm), true) = (&args.vm, vms.is_empty()) {
            return Err(
                CliError::usage(format!("there is no restore point of a VM {vm:?}"))
                    .hint("`lifeboat point list` shows which VMs there are"),
            );
        }
        return search_all(ui, &repository, &vms, args);
    }
    let name = match (&args.point, &args.vm) {
        (Some(point), _) => point.clone(),
        (None, Some(vm)) => format!("{vm}@latest"),
        (None, None) => return Err(CliError::usage("no restore point is named")),
    };
    let point = repository.find_point(&name)?;
    let filter = args.filter(&point)?;
    ui.message(format!("looking in {} {}", point.vm.name, point.id));
    let open = OpenPoint::of(ui, &repository, point, &args.guest)?;
    tell_notes(ui, open.guest());
    has_volume(&open, &filter).map_err(failed)?;
    let (mut found, mut unreadable) = (0_u64, 0_u64);
    for (number, facts) in (0..).zip(&open.guest().facts().volumes) {
        if !is_asked(&open, &filter, number, facts) {
            continue;
        }
        let system = match look_into(ui, &open, number, facts) {
            Looked::At(system) => system,
            Looked::AtNothing => continue,
            Looked::AtWhatIsHidden(why) => {
                unreadable += 1;
                ui.warning(&why);
                continue;
            }
        };
        unreadable += each_fitting(ui, system, &filter, &facts.name, &mut |path, node| {
            found += 1;
            let path = listing::shown(path);
            let path = format!("{}:/{}/{path}", open.point.id, facts.name);
            let mut record = listing::record(&path, node);
            if let Some(record) = record.as_object_mut() {
                record.insert("point".to_owned(), json!(open.point.id));
                record.insert("vm".to_owned(), json!(open.point.vm.name));
            }
            ui.record("file", record);
            ui.data(listing::row(path, node).join("  "));
        });
    }
    ui.message(format!("{} found", count(found, "file")));
    let (outcome, code) = outcome(unreadable);
    ui.summary(
        outcome,
        code,
        json!({ "found": found, "unreadable": unreadable }),
    );
    Ok(code)
}

/// Returns whether a volume is looked into at all.
pub(super) fn is_asked(
    open: &OpenPoint,
    filter: &FileFilter,
    number: u32,
    facts: &VolumeFacts,
) -> bool {
    match filter.volume() {
        Some(VolumeName::Letter(letter)) => open.names.letters.get(letter) == Some(&number),
        _ => filter.fits_volume(&facts.name),
    }
}

/// Makes sure that a point has a volume that is looked for.
///
/// # Errors
///
/// `NoVolume`, with those that there are.
pub(super) fn has_volume(open: &OpenPoint, filter: &FileFilter) -> Result<(), TreeError> {
    let mut volumes = (0..).zip(&open.guest().facts().volumes);
    match filter.volume() {
        Some(name) if !volumes.any(|(number, facts)| is_asked(open, filter, number, facts)) => {
            open.tree().volume(name).map(|_| ())
        }
        _ => Ok(()),
    }
}

/// What there is to look at in a volume.
pub(super) enum Looked<'g> {
    At(&'g dyn GuestFileSystem),
    AtNothing,
    /// Why it cannot be looked at.
    AtWhatIsHidden(String),
}

/// Opens a volume to look through it.
pub(super) fn look_into<'g>(
    ui: &Ui,
    open: &'g OpenPoint,
    number: u32,
    facts: &VolumeFacts,
) -> Looked<'g> {
    let name = &facts.name;
    match volume_files(facts) {
        VolumeFiles::None => Looked::AtNothing,
        VolumeFiles::Hidden(why) => {
            Looked::AtWhatIsHidden(format!("volume /{name} was not looked into: {why}"))
        }
        VolumeFiles::Readable => match open.guest().open(number) {
            Ok(system) => {
                tell_state(ui, &format!("/{name}"), system);
                Looked::At(system)
            }
            Err(error) => Looked::AtWhatIsHidden(format!("volume /{name}: {error}")),
        },
    }
}

/// Walks a file system and hands over what fits, each with its path; returns how much could not be
/// read.
pub(super) fn each_fitting(
    ui: &Ui,
    system: &dyn GuestFileSystem,
    filter: &FileFilter,
    volume: &str,
    found: &mut dyn FnMut(&[FileName], &Node),
) -> u64 {
    let mut unreadable = 0;
    let top = match system.node(system.root()) {
        Ok(top) => top,
        Err(error) => {
            ui.warning(&format!("volume /{volume}: {error}"));
            return 1;
        }
    };
    for item in Walk::new(system, &top) {
        if interrupt::asked() {
            break;
        }
        match item {
            WalkItem::Entry(entry) => {
                if filter.fits(volume, &entry.path, &entry.node) {
                    found(&entry.path, &entry.node);
                }
            }
            WalkItem::Failed { path, error } => {
                unreadable += 1;
                ui.warning(&format!("/{volume}/{}: {error}", listing::shown(&path)));
            }
        }
    }
    unreadable
}
