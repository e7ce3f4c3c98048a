//! `lifeboat files get`.

use std::fs::File;
use std::io::{BufWriter, Write, stdout};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use file_restore::{
    FileTarget, FolderTarget, TakeOutObserver, TakeOutReport, TarTarget, TargetError, ZipTarget,
    take_out,
};
use guest_files::FileName;
use serde_json::json;

use super::open_point::{GuestArgs, OpenPoint, failed, parse};
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::{Ui, count, size};

/// As repositories have it: quick, and most of what can be saved.
const ZSTD_LEVEL: i32 = 3;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat files get SQL01@latest:/3/etc -o restored --repo /backup
  lifeboat files get 'SQL01@latest:C:\\Users\\ann\\*.docx' -o . --repo /backup
  lifeboat files get SQL01@latest:/3/srv --format zip -o srv.zip --repo /backup
  lifeboat files get SQL01@latest:/3/srv --format tar.zst -o - --repo /backup")]
pub(crate) struct GetArgs {
    /// Files and folders, with * and ? where several are meant: POINT:/N/path or POINT:C:\path
    #[arg(value_name = "POINT:/PATH", required = true)]
    paths: Vec<String>,
    /// The folder to write into, or the archive to make; - writes an archive to standard output
    #[arg(short, long, value_name = "DIR|FILE|-")]
    output: PathBuf,
    /// What to make; by default a folder
    #[arg(long, value_enum, default_value_t = Format::Folder)]
    format: Format,
    /// Replace files that exist in the folder
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    guest: GuestArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Files and folders as they are
    Folder,
    /// A tar archive, compressed: keeps names, times, owners, modes, links, attributes and ACLs
    #[value(name = "tar.zst")]
    TarZst,
    /// A tar archive
    Tar,
    /// A zip archive
    Zip,
}

pub(super) fn run(invocation: &Invocation, args: &GetArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let paths = args
        .paths
        .iter()
        .map(|text| parse(text))
        .collect::<Result<Vec<_>, _>>()?;
    let Some(first) = paths.first() else {
        return Err(CliError::usage("no file is named"));
    };
    if paths.iter().any(|path| path.point != first.point) {
        return Err(CliError::usage("all files have to be of one restore point")
            .hint("run the command once for each point"));
    }
    let open = OpenPoint::open(invocation, &first.point, &args.guest)?;
    let tree = open.tree();
    let mut found = Vec::new();
    for path in &paths {
        found.extend(tree.matching(&path.place).map_err(failed)?);
    }
    let mut target = target(args)?;
    let progress = ui.progress("files", Some(&open.point.vm.name), 0);
    let observer = Observer {
        progress: &progress,
    };
    let mut reports = Vec::new();
    for found in &found {
        let system = tree.file_system(found.volume).map_err(failed)?;
        let report = take_out(system, found, &mut *target, &observer).map_err(target_failed)?;
        let is_cancelled = report.cancelled;
        reports.push(report);
        if is_cancelled {
            break;
        }
    }
    target.finish().map_err(target_failed)?;
    progress.finish();
    Ok(tell(ui, &open, args, &reports))
}

fn target(args: &GetArgs) -> Result<Box<dyn FileTarget>, CliError> {
    let to_stdout = args.output == Path::new("-");
    match args.format {
        Format::Folder if to_stdout => Err(CliError::usage(
            "a folder cannot be written to standard output",
        )
        .hint("add --format tar.zst, or write one file with `files cat`")),
        Format::Folder => Ok(Box::new(
            FolderTarget::new(&args.output, args.overwrite).map_err(target_failed)?,
        )),
        Format::Tar => Ok(Box::new(TarTarget::new(out(args, to_stdout)?))),
        Format::TarZst => {
            let encoder = zstd::Encoder::new(out(args, to_stdout)?, ZSTD_LEVEL);
            let encoder = encoder.map_err(|error| CliError::io("the archive", error))?;
            Ok(Box::new(TarTarget::new(encoder.auto_finish())))
        }
        Format::Zip => Ok(Box::new(ZipTarget::new(out(args, to_stdout)?))),
    }
}

fn out(args: &GetArgs, to_stdout: bool) -> Result<Box<dyn Write>, CliError> {
    if to_stdout {
        return Ok(Box::new(BufWriter::new(stdout())));
    }
    let name = args.output.display().to_string();
    let file = if args.overwrite {
        File::create(&args.output)
    } else {
        File::create_new(&args.output)
    };
    let file = file.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            CliError::new(ExitCode::TargetExists, "exists", format!("{name} exists"))
                .hint("name another file, or add --overwrite")
        }
        _ => CliError::io(&name, error),
    })?;
    Ok(Box::new(BufWriter::new(file)))
}

fn target_failed(error: TargetError) -> CliError {
    CliError::new(ExitCode::Failed, "target", error.to_string())
}

struct Observer<'a> {
    progress: &'a crate::ui::Progress,
}

impl TakeOutObserver for Observer<'_> {
    fn advanced(&self, bytes: u64) {
        self.progress.advance(bytes, 0);
    }

    fn finished(&self, _path: &[FileName]) {}

    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}

fn tell(ui: &Ui, open: &OpenPoint, args: &GetArgs, reports: &[TakeOutReport]) -> ExitCode {
    let sum = |of: fn(&TakeOutReport) -> u64| reports.iter().map(of).sum::<u64>();
    let files = sum(|report| report.files);
    let bytes = sum(|report| report.bytes);
    let unread = sum(|report| report.failed.len() as u64 + report.more_failed);
    for (path, why) in reports.iter().flat_map(|report| &report.failed) {
        ui.record("failed", json!({ "path": path, "why": why }));
        ui.warning(&format!("{path}: {why}"));
    }
    for (path, what, number) in reports.iter().flat_map(|report| &report.lost) {
        ui.record(
            "lost",
            json!({ "first": path, "what": what, "files": number }),
        );
        let of = count(*number, "file");
        ui.warning(&format!("not kept for {of}, {path} first: {what}"));
    }
    let text = format!(
        "took {} in {} out of {} {}, {}, to {}",
        count(files, "file"),
        count(sum(|report| report.folders), "folder"),
        open.point.vm.name,
        open.point.id,
        size(bytes),
        args.output.display()
    );
    // Standard output has the archive.
    ui.message(text);
    let (outcome, code) = if reports.iter().any(|report| report.cancelled) {
        ("cancelled", ExitCode::Cancelled)
    } else if unread > 0 {
        ("partial", ExitCode::Partial)
    } else {
        ("success", ExitCode::Success)
    };
    if args.output != Path::new("-") {
        let fields = json!({ "point": open.point.id, "path": args.output, "files": files,
                             "bytes": bytes, "failed": unread });
        ui.summary(outcome, code, fields);
    }
    code
}
