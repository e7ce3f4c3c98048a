//! `lifeboat files ls`.

use std::collections::BTreeSet;

use clap::Args;
use file_restore::{Found, Tree, Walk, WalkItem};
use guest_files::NodeKind;
use serde_json::json;

use super::compared::{tell_notes, tell_state};
use super::listing;
use super::open_point::{GuestArgs, OpenPoint, failed, parse};
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat files ls SQL01@latest:/3/var/log --repo /backup
  lifeboat files ls 'SQL01@latest:C:\\Users' --repo /backup
  lifeboat files ls 'SQL01@latest:/3/etc/*.conf' --repo /backup")]
pub(crate) struct ListArgs {
    /// A folder or file, with * and ? where several are meant: POINT:/N/path or POINT:C:\path; `files volumes` names the volumes
    #[arg(value_name = "POINT:/PATH")]
    path: String,
    #[command(flatten)]
    guest: GuestArgs,
}

pub(super) fn run(invocation: &Invocation, args: &ListArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let path = parse(&args.path)?;
    let open = OpenPoint::open(invocation, &path.point, &args.guest)?;
    let tree = open.tree();
    let found = tree.matching(&path.place).map_err(failed)?;
    tell_notes(ui, open.guest());
    for volume in found
        .iter()
        .map(|found| found.volume)
        .collect::<BTreeSet<_>>()
    {
        let system = tree.file_system(volume).map_err(failed)?;
        tell_state(ui, &format!("/{}", tree.name(volume)), system);
    }
    let mut table = listing::table();
    let (mut entries, mut unreadable) = (0_u64, 0_u64);
    let mut show = |name: String, full: String, node: &guest_files::Node| {
        ui.record("file", listing::record(&full, node));
        table.row(listing::row(name, node));
        entries += 1;
    };
    for found in &found {
        let full = full_path(&tree, found);
        match (
            found.node.kind,
            path.place.names.is_empty() || is_one(&path.place.names),
        ) {
            (NodeKind::Folder, true) => {
                let system = tree.file_system(found.volume).map_err(failed)?;
                for item in Walk::one_folder(system, &found.node) {
                    match item {
                        WalkItem::Entry(entry) => {
                            let name = listing::shown(&entry.path);
                            show(name.clone(), format!("{full}/{name}"), &entry.node);
                        }
                        WalkItem::Failed { path, error } => {
                            unreadable += 1;
                            let name = listing::shown(&path);
                            ui.warning(&format!("{full}/{name}: {error}"));
                        }
                    }
                }
            }
            _ => show(listing::shown(&found.path), full, &found.node),
        }
    }
    ui.table(&table);
    let (outcome, code) = if unreadable == 0 {
        ("success", ExitCode::Success)
    } else {
        ("partial", ExitCode::Partial)
    };
    let fields = json!({ "point": open.point.id, "entries": entries, "unreadable": unreadable });
    ui.summary(outcome, code, fields);
    Ok(code)
}

/// Returns whether a path is one place: then a folder is shown by what is in it.
fn is_one(names: &[String]) -> bool {
    !names.iter().any(|name| name.contains(['*', '?', '[']))
}

/// Writes a path from the volume on.
pub(super) fn full_path(tree: &Tree<'_>, found: &Found) -> String {
    let volume = tree.name(found.volume);
    match found.path.as_slice() {
        [] => format!("/{volume}"),
        path => format!("/{volume}/{}", listing::shown(path)),
    }
}
