//! `lifeboat demo`: the whole path, with the same library calls as the commands.

mod proof;
mod scene;
mod story;
mod to_host;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Ui, duration};
use story::Story;

const PASSWORD: &str = "demo";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat demo
  lifeboat demo --dir lifeboat-demo

Takes a few seconds, needs no network and no Hyper-V, and touches nothing outside its folder.")]
pub(crate) struct DemoArgs {
    /// Work in this new or empty folder and keep it; by default a temporary one is removed at the end
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(invocation: &Invocation, args: &DemoArgs) -> Result<ExitCode, CliError> {
    let begun = Instant::now();
    let temporary = tempfile::Builder::new().prefix("lifeboat-demo-").tempdir();
    let temporary = temporary.map_err(|error| CliError::io("the temporary folder", error))?;
    let folder = match &args.dir {
        Some(dir) => new_folder(dir)?,
        None => temporary.path().to_owned(),
    };
    let figures = Story::begin(&invocation.ui, &folder)?.tell()?;
    let ui = &invocation.ui;
    ui.data("");
    ui.data(format!(
        "Everything came back byte for byte, in {}.",
        duration(begun.elapsed())
    ));
    where_next(ui, args.dir.as_deref());
    ui.summary("success", ExitCode::Success, figures);
    Ok(ExitCode::Success)
}

fn new_folder(dir: &Path) -> Result<PathBuf, CliError> {
    let name = dir.display().to_string();
    let io = |error| CliError::io(&name, error);
    std::fs::create_dir_all(dir).map_err(io)?;
    if std::fs::read_dir(dir).map_err(io)?.next().is_some() {
        let message = format!("{name}: this folder is not empty");
        return Err(CliError::new(ExitCode::TargetExists, "exists", message)
            .hint("choose a new or an empty folder"));
    }
    Ok(dir.to_owned())
}

fn where_next(ui: &Ui, kept: Option<&Path>) {
    if let Some(dir) = kept {
        let repository = dir.join("repository");
        ui.data(format!(
            "The folder is kept; the repository's password is \"{PASSWORD}\". Look around:"
        ));
        ui.data(format!(
            "  lifeboat point list --repo {}",
            repository.display()
        ));
        return;
    }
    ui.data("Where to go next:");
    ui.data("  lifeboat demo --dir lifeboat-demo                          the same, and keeps the files");
    ui.data("  lifeboat vm list --host dir:FOLDER                         your own VMs, or exports of them");
    ui.data("  lifeboat repo init --repo DIR --recovery-key-file FILE     a repository for them");
    ui.data("  lifeboat backup --host dir:FOLDER --all --repo DIR         the first backup");
}
