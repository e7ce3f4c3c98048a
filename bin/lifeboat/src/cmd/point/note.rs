//! `lifeboat point pin`, `unpin`, `hold`, `release` and `comment`: what is said of a point.

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use repository::{CatalogPoint, Note};
use serde_json::json;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::local_time;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat point pin SQL01@latest --repo /backup")]
pub(crate) struct PinArgs {
    #[command(flatten)]
    about: About,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat point unpin SQL01@2026-05-01 --repo /backup")]
pub(crate) struct UnpinArgs {
    #[command(flatten)]
    about: About,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat point hold SQL01@latest --name audit --until 2027-12-31 --repo /backup
  lifeboat point hold 3f2a --name \"case 4711\" --repo /backup")]
pub(crate) struct HoldArgs {
    #[command(flatten)]
    about: About,
    /// Why it is kept
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Until when: 2027-12-31 (to the end of that day) or a time; without it until it is released
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat point release SQL01@2026-05-01 --name audit --repo /backup")]
pub(crate) struct ReleaseArgs {
    #[command(flatten)]
    about: About,
    /// Which hold
    #[arg(long, value_name = "NAME")]
    name: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat point comment SQL01@latest \"before the update\" --repo /backup
  lifeboat point comment SQL01@latest \"\" --repo /backup")]
pub(crate) struct CommentArgs {
    #[command(flatten)]
    about: About,
    /// What to say; nothing takes the last comment away
    #[arg(value_name = "TEXT")]
    text: String,
}

/// Which point, and whether to do it.
#[derive(Debug, Args)]
struct About {
    /// The restore point: VM@latest, VM@latest~1, VM@2026-05-01T22:00 or the beginning of an id
    #[arg(value_name = "POINT")]
    point: String,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn pin(invocation: &Invocation, args: &PinArgs) -> Result<ExitCode, CliError> {
    say(invocation, &args.about, |_| {
        Ok((Note::Pin(true), "pinned".to_owned()))
    })
}

pub(super) fn unpin(invocation: &Invocation, args: &UnpinArgs) -> Result<ExitCode, CliError> {
    say(invocation, &args.about, |_| {
        Ok((Note::Pin(false), "not pinned".to_owned()))
    })
}

pub(super) fn hold(invocation: &Invocation, args: &HoldArgs) -> Result<ExitCode, CliError> {
    let until = args.until.as_deref().map(parse_until).transpose()?;
    say(invocation, &args.about, |_| {
        let name = args.name.clone();
        let told = match until {
            Some(until) => format!("held for {name:?} until {}", local_time(until)),
            None => format!("held for {name:?} until it is released"),
        };
        Ok((Note::Hold { name, until }, told))
    })
}

pub(super) fn release(invocation: &Invocation, args: &ReleaseArgs) -> Result<ExitCode, CliError> {
    say(invocation, &args.about, |found| {
        let name = args.name.clone();
        if !found.notes.holds.iter().any(|hold| hold.name == name) {
            let message = format!("the restore point has no hold {name:?}");
            return Err(CliError::usage(message).hint("`lifeboat point show` shows its holds"));
        }
        let told = format!("not held for {name:?} any more");
        Ok((Note::Release { name }, told))
    })
}

pub(super) fn comment(invocation: &Invocation, args: &CommentArgs) -> Result<ExitCode, CliError> {
    say(invocation, &args.about, |_| {
        let note = Note::Comment(args.text.clone());
        Ok((note, format!("comment {:?}", args.text)))
    })
}

fn say(
    invocation: &Invocation,
    about: &About,
    what: impl FnOnce(&CatalogPoint) -> Result<(Note, String), CliError>,
) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let found = repository.find_point_with_notes(&about.point)?;
    let (note, told) = what(&found)?;
    let summary = &found.summary;
    if !about.dry_run {
        repository.add_note(&summary.id, &note, Timestamp::now())?;
    }
    let would = if about.dry_run { "would be " } else { "" };
    ui.data(format!("{} {}: {would}{told}", summary.vm.name, summary.id));
    let fields = json!({ "point": summary.id, "vm": summary.vm.name, "dry_run": about.dry_run });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

/// Reads until when: to the end of a day, or a time.
fn parse_until(text: &str) -> Result<Timestamp, CliError> {
    let parse = || {
        if let Ok(time) = text.parse::<Timestamp>() {
            return Some(time);
        }
        let end = match text.parse::<Date>() {
            Ok(date) if !text.contains(['T', ' ', ':']) => date
                .tomorrow()
                .ok()?
                .to_datetime(jiff::civil::Time::midnight()),
            _ => text.parse().ok()?,
        };
        Some(TimeZone::system().to_zoned(end).ok()?.timestamp())
    };
    parse().ok_or_else(|| {
        CliError::usage(format!("{text:?} is no time"))
            .hint("write it like 2027-12-31 or 2027-12-31T12:00")
    })
}
