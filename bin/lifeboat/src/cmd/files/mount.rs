//! `lifeboat files mount`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use super::view_args::ViewArgs;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

#[derive(Debug, Args)]
#[command(
    override_usage = "lifeboat files mount [OPTIONS] POINT... DIR
       lifeboat files mount [OPTIONS] --all DIR
       lifeboat files mount [OPTIONS] --vm VM DIR",
    after_help = "Examples:
  lifeboat files mount SQL01@latest /mnt/sql01 --repo /backup
  lifeboat files mount SQL01@latest SQL01@latest~1 /mnt/sql01 --repo /backup
  lifeboat files mount --all /mnt/backups --repo /backup

Each restore point is a folder at the top, in it one for each volume. Nothing can be changed, and
nobody else can read it. Until Ctrl-C, or until somebody unmounts it. On Linux, through FUSE; elsewhere
see `lifeboat files serve`."
)]
pub(crate) struct MountArgs {
    /// Restore points, unless --all or --vm says which, and then the folder to mount on: an empty one, or one that is made for it
    #[arg(value_name = "POINT... DIR", required = true, num_args = 1..)]
    points_and_folder: Vec<String>,
    #[command(flatten)]
    view: ViewArgs,
    /// Show owners, set-id bits and all attributes as they are in the guest, not as yours
    #[arg(long)]
    owners: bool,
}

pub(super) fn run(invocation: &Invocation, args: &MountArgs) -> Result<ExitCode, CliError> {
    let Some((folder, points)) = args.points_and_folder.split_last() else {
        return Err(CliError::usage("no folder is named"));
    };
    let view = args.view.view(invocation, points)?;
    let folder = MountFolder::prepare(Path::new(folder))?;
    mount(invocation, view, &folder, args.owners)
}

#[cfg(target_os = "linux")]
fn mount(
    invocation: &Invocation,
    view: file_view::FileView,
    folder: &MountFolder,
    as_in_guest: bool,
) -> Result<ExitCode, CliError> {
    use std::sync::Arc;
    use std::time::Duration;

    use file_mount::{MountOptions, Mounted};
    use serde_json::json;

    use crate::interrupt;

    let ui = &invocation.ui;
    let points = view.points().count();
    let told = {
        let ui = ui.clone();
        Box::new(move |what: &str| ui.warning(what))
    };
    let options = MountOptions { as_in_guest };
    let mounted = Mounted::mount(Arc::new(view), &folder.path, options, told);
    let mut mounted = mounted.map_err(|error| cannot_mount(&folder.path, &error))?;
    let place = mounted.folder().display().to_string();
    ui.record("mounted", json!({ "folder": place, "points": points }));
    ui.data(&place);
    ui.message(format!(
        "{points} restore point{} can be read there; Ctrl-C unmounts",
        if points == 1 { "" } else { "s" }
    ));
    while !interrupt::asked() && !mounted.is_over() {
        std::thread::sleep(Duration::from_millis(50));
    }
    let failure = mounted.failure();
    let by = if mounted.is_over() {
        "somebody else"
    } else {
        "request"
    };
    mounted.unmount().map_err(|error| {
        let what = format!("{place} could not be unmounted: {error}");
        CliError::new(ExitCode::Failed, "cannot-unmount", what)
            .hint(format!("unmount it with: fusermount3 -u {place}"))
    })?;
    ui.message(format!("unmounted {place}"));
    if let Some(error) = failure {
        let what = format!("{place} could not be read to the end: the mount failed: {error}");
        return Err(CliError::new(ExitCode::Failed, "mount-failed", what));
    }
    let fields = json!({ "folder": place, "points": points, "ended_by": by });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

#[cfg(not(target_os = "linux"))]
fn mount(
    _: &Invocation,
    _: file_view::FileView,
    folder: &MountFolder,
    _: bool,
) -> Result<ExitCode, CliError> {
    let error = io::Error::from(io::ErrorKind::Unsupported);
    Err(cannot_mount(&folder.path, &error))
}

fn cannot_mount(folder: &Path, error: &io::Error) -> CliError {
    let hint = match error.kind() {
        io::ErrorKind::Unsupported => {
            "mounting is for Linux: `lifeboat files serve --webdav` is for every system"
        }
        io::ErrorKind::NotFound => {
            "FUSE is needed: load it with `modprobe fuse`, install the package fuse3; or use `lifeboat files serve --webdav`"
        }
        _ => {
            "the package fuse3 lets others than root mount; `lifeboat files serve --webdav` needs no rights"
        }
    };
    let what = format!("{} cannot be mounted on: {error}", folder.display());
    CliError::new(ExitCode::Failed, "cannot-mount", what).hint(hint)
}

/// The folder that is mounted on. One that was made for it is removed afterwards.
struct MountFolder {
    path: PathBuf,
    is_ours: bool,
}

impl MountFolder {
    fn prepare(path: &Path) -> Result<Self, CliError> {
        let name = path.display();
        let entries = match fs::read_dir(path) {
            Ok(entries) => Some(entries),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                let what = format!("{name} is still mounted by a program that has ended");
                return Err(CliError::new(ExitCode::TargetExists, "mounted", what)
                    .hint(format!("free it with: fusermount3 -u {name}")));
            }
            Err(error) => return Err(CliError::io(name.to_string(), error)),
        };
        let is_ours = entries.is_none();
        if entries.is_some_and(|mut entries| entries.next().is_some()) {
            let what = format!("{name} is not empty; a mount would hide what is in it");
            return Err(CliError::new(ExitCode::TargetExists, "target-exists", what));
        }
        if is_ours {
            fs::create_dir(path).map_err(|error| CliError::io(name.to_string(), error))?;
        }
        Ok(Self {
            path: path.to_owned(),
            is_ours,
        })
    }
}

impl Drop for MountFolder {
    fn drop(&mut self) {
        if self.is_ours {
            // One that is not empty, or still mounted, stays.
            drop(fs::remove_dir(&self.path));
        }
    }
}
