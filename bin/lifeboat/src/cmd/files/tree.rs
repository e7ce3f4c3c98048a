//! `lifeboat files tree`.

use clap::Args;
use file_restore::{Walk, WalkItem};
use guest_files::NodeKind;
use serde_json::json;

use super::compared::{outcome, tell_notes, tell_state};
use super::list::full_path;
use super::listing;
use super::open_point::{GuestArgs, OpenPoint, failed, parse};
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::{count, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat files tree SQL01@latest:/3/etc --repo /backup
  lifeboat files tree SQL01@latest:/3 --depth 2 --repo /backup")]
pub(crate) struct TreeArgs {
    /// A folder: POINT:/N/path or POINT:C:\path
    #[arg(value_name = "POINT:/PATH")]
    path: String,
    /// Show so many levels of folders
    #[arg(long, value_name = "N", default_value_t = 512)]
    depth: usize,
    #[command(flatten)]
    guest: GuestArgs,
}

pub(super) fn run(invocation: &Invocation, args: &TreeArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let path = parse(&args.path)?;
    let open = OpenPoint::open(invocation, &path.point, &args.guest)?;
    let tree = open.tree();
    let found = tree.find(&path.place).map_err(failed)?;
    let system = tree.file_system(found.volume).map_err(failed)?;
    tell_notes(ui, open.guest());
    tell_state(ui, &format!("/{}", tree.name(found.volume)), system);
    let base = full_path(&tree, &found);
    ui.data(base.clone());
    let (mut files, mut folders, mut bytes, mut unreadable) = (0_u64, 0_u64, 0_u64, 0_u64);
    for item in Walk::to_depth(system, &found.node, args.depth) {
        if interrupt::asked() {
            break;
        }
        match item {
            WalkItem::Entry(entry) => {
                match entry.node.kind {
                    NodeKind::Folder => folders += 1,
                    _ => files += 1,
                }
                bytes += entry.node.size_bytes;
                ui.record("file", listing::entry_record(&base, &entry));
                let indent = "  ".repeat(entry.path.len());
                let name = entry
                    .path
                    .last()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                let end = match entry.node.kind {
                    NodeKind::Folder => "/".to_owned(),
                    NodeKind::File => format!("  {}", size(entry.node.size_bytes)),
                    kind => format!("  ({})", listing::kind(kind)),
                };
                ui.data(format!("{indent}{name}{end}"));
            }
            WalkItem::Failed { path, error } => {
                unreadable += 1;
                ui.warning(&format!("{base}/{}: {error}", listing::shown(&path)));
            }
        }
    }
    ui.message(format!(
        "{} in {}, {}",
        count(files, "file"),
        count(folders, "folder"),
        size(bytes)
    ));
    let (outcome, code) = outcome(unreadable);
    let fields = json!({ "point": open.point.id, "files": files, "folders": folders,
                         "bytes": bytes, "unreadable": unreadable });
    ui.summary(outcome, code, fields);
    Ok(code)
}
