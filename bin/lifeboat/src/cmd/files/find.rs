//! `lifeboat files find`.

use clap::Args;
use file_restore::{NamePattern, Walk, WalkItem};
use repository::{CatalogPoint, Repository, RestorePoint};
use serde_json::json;

use super::listing;
use super::open_point::{GuestArgs, OpenPoint, failed};
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::{Ui, count};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat files find '*.docx' SQL01@latest --repo /backup
  lifeboat files find 'invoice*' --vm SQL01 --all-points --repo /backup
  lifeboat files find fstab SQL01@latest --repo /backup")]
pub(crate) struct FindArgs {
    /// A name, with * and ? for any letters; case does not count
    #[arg(value_name = "NAME")]
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
    /// In all points, the newest first: each file with the points that have it as it is there
    #[arg(long)]
    all_points: bool,
    #[command(flatten)]
    guest: GuestArgs,
}

pub(super) fn run(invocation: &Invocation, args: &FindArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let pattern = NamePattern::new(&args.name).map_err(failed)?;
    let repository = invocation.open_repository()?;
    let points = points(&repository, args)?;
    let mut search = Search {
        ui,
        pattern,
        found: 0,
        unreadable: 0,
    };
    for point in points {
        if interrupt::asked() {
            break;
        }
        ui.message(format!("looking in {} {}", point.vm.name, point.id));
        let open = OpenPoint::of(ui, &repository, point, &args.guest)?;
        search.point(&open);
    }
    ui.message(format!("{} found", count(search.found, "file")));
    let (outcome, code) = match (interrupt::asked(), search.unreadable) {
        (true, _) => ("cancelled", ExitCode::Cancelled),
        (false, 0) => ("success", ExitCode::Success),
        (false, _) => ("partial", ExitCode::Partial),
    };
    let fields = json!({ "found": search.found, "unreadable": search.unreadable });
    ui.summary(outcome, code, fields);
    Ok(code)
}

/// Returns the points that are looked into, the newest first.
fn points(repository: &Repository, args: &FindArgs) -> Result<Vec<RestorePoint>, CliError> {
    if let Some(point) = &args.point {
        return Ok(vec![repository.find_point(point)?]);
    }
    if let (Some(vm), false) = (&args.vm, args.all_points) {
        return Ok(vec![repository.find_point(&format!("{vm}@latest"))?]);
    }
    let catalog = repository.catalog()?;
    let is_asked = |point: &&CatalogPoint| {
        let name = &point.summary.vm.name;
        args.vm
            .as_ref()
            .is_none_or(|vm| vm.eq_ignore_ascii_case(name))
    };
    let newest_first = catalog.points.iter().rev().filter(is_asked);
    let ids = newest_first.map(|point| point.summary.id.clone());
    let points = ids.map(|id| repository.find_point(&id));
    Ok(points.collect::<Result<_, _>>()?)
}

struct Search<'a> {
    ui: &'a Ui,
    pattern: NamePattern,
    found: u64,
    unreadable: u64,
}

impl Search<'_> {
    /// Looks through all volumes of a point. What cannot be read is said, and the rest is looked through.
    fn point(&mut self, open: &OpenPoint) {
        for (number, facts) in (0..).zip(&open.guest().facts().volumes) {
            if facts.obstacle.is_some() || !facts.used_by.is_empty() {
                continue;
            }
            let base = format!("/{}", facts.name);
            let system = match open.guest().open(number) {
                Ok(system) => system,
                Err(error) => {
                    self.unreadable += 1;
                    self.ui.warning(&format!("volume {base}: {error}"));
                    continue;
                }
            };
            let top = match system.node(system.root()) {
                Ok(top) => top,
                Err(error) => {
                    self.unreadable += 1;
                    self.ui.warning(&format!("volume {base}: {error}"));
                    continue;
                }
            };
            for item in Walk::new(system, &top) {
                if interrupt::asked() {
                    return;
                }
                self.item(open, &base, item);
            }
        }
    }

    fn item(&mut self, open: &OpenPoint, base: &str, item: WalkItem) {
        match item {
            WalkItem::Entry(entry) => {
                let fits = entry
                    .path
                    .last()
                    .is_some_and(|name| self.pattern.fits(name));
                if !fits {
                    return;
                }
                self.found += 1;
                let path = format!("{}:{base}/{}", open.point.id, listing::shown(&entry.path));
                let mut record = listing::record(&path, &entry.node);
                if let Some(record) = record.as_object_mut() {
                    record.insert("point".to_owned(), json!(open.point.id));
                    record.insert("vm".to_owned(), json!(open.point.vm.name));
                }
                self.ui.record("file", record);
                self.ui.data(listing::row(path, &entry.node).join("  "));
            }
            WalkItem::Failed { path, error } => {
                self.unreadable += 1;
                let path = listing::shown(&path);
                self.ui.warning(&format!("{base}/{path}: {error}"));
            }
        }
    }
}
