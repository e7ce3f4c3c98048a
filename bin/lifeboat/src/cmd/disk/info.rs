//! `lifeboat disk info`.

use clap::Args;
use disk_image::{ChainFile, Description, open};
use serde_json::json;

use super::SourceArgs;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Ui, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat disk info disk.vhdx
  lifeboat disk info snapshots/disk_1.avhdx --root /srv/vms --json")]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) fn run(invocation: &Invocation, args: &InfoArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let image = open(&args.source.file, &args.source.options())?;
    let description = image.describe();
    ui.record("image", &description);
    show(ui, &description);
    let fields = json!({ "file": args.source.file });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

fn show(ui: &Ui, image: &Description) {
    let id = |id: Option<uuid::Uuid>| id.map_or_else(|| "none".to_owned(), |id| id.to_string());
    let lines = [
        ("format", image.format.to_string()),
        (
            "size",
            format!("{} ({} bytes)", size(image.size_bytes), image.size_bytes),
        ),
        (
            "sectors",
            format!(
                "{} bytes, physical {}",
                image.sector_bytes, image.physical_sector_bytes
            ),
        ),
        ("disk id", id(image.disk_id)),
        ("content id", id(image.content_id)),
        (
            "log",
            if image.log_replayed {
                "not empty: replayed in memory, the file is as it was"
            } else {
                "clean"
            }
            .to_owned(),
        ),
    ];
    for (name, text) in lines {
        ui.data(format!("{name:<12} {text}"));
    }
    for (number, file) in image.chain.iter().enumerate() {
        show_file(ui, number, file);
    }
}

fn show_file(ui: &Ui, number: usize, file: &ChainFile) {
    let what = if number == 0 { "file" } else { "parent" };
    ui.data(format!(
        "{what:<12} {} ({}, {} on disk)",
        file.path.display(),
        file.format,
        size(file.file_bytes)
    ));
    if let Some(bytes) = file.block_bytes {
        ui.data(format!("{:<12} {}", "  blocks", size(u64::from(bytes))));
    }
    if let Some(creator) = &file.creator {
        ui.data(format!("{:<12} {creator}", "  made by"));
    }
    for path in &file.parent_paths {
        ui.data(format!("{:<12} {path}", "  names"));
    }
    for note in &file.notes {
        ui.warning(&format!("{}: {note}", file.path.display()));
    }
}
