//! `lifeboat files get`.

use std::collections::BTreeSet;
use std::io::stdout;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use file_restore::{
    ArchiveFile, ArchiveOut, FileTarget, FolderOptions, FolderTarget, Found, PointPath,
    TakeOutObserver, TakeOutReport, TarTarget, TargetError, ToStream, Tree, ZipTarget, ZstdOut,
    outermost, take_out,
};
use guest_files::{FileName, State};
use serde_json::{Value, json};

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
  lifeboat files get 'SQL01@latest:C:\\Users\\*\\Documents' -o . --repo /backup
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
    /// Replace files that exist, each once the new one is whole
    #[arg(long)]
    overwrite: bool,
    /// Give files in a folder the owners, set-id bits and security attributes that they have in the guest (as root); an archive always has them
    #[arg(long)]
    owners: bool,
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
    let to_stdout = args.output == Path::new("-");
    if to_stdout && ui.has_stdout() {
        let what = "with --json (or --progress json) standard output is for records";
        return Err(CliError::usage(what).hint("write the archive to a file"));
    }
    let open = OpenPoint::open(invocation, &first.point, &args.guest)?;
    let tree = open.tree();
    let (found, unread) = find(ui, &tree, &paths)?;
    let behind = behind(ui, &tree, &found);
    let target = target(args, to_stdout)?;
    let progress = ui.progress("files", Some(&open.point.vm.name), 0);
    let observer = Observer {
        progress: &progress,
    };
    let report = match take_out(&tree, &found, target, &observer) {
        Ok(report) => report,
        // Whoever reads it had enough.
        Err(error) if to_stdout && error.is_hung_up() => return Ok(ExitCode::Success),
        Err(error) => return Err(target_failed(error)),
    };
    progress.finish();
    Ok(Told {
        ui,
        open: &open,
        args,
        unread,
        behind,
    }
    .tell(&report))
}

/// Returns what is taken out, and how much of what could fit a pattern could not be read.
fn find(ui: &Ui, tree: &Tree<'_>, paths: &[PointPath]) -> Result<(Vec<Found>, u64), CliError> {
    let mut unread = 0;
    let mut found = Vec::new();
    for path in paths {
        let matching = tree.matching_with(&path.place, &mut |path, error| {
            unread += 1;
            let why = error.to_string();
            ui.record("failed", json!({ "path": path, "why": why }));
            ui.warning(&format!("{path}: {why}"));
        });
        found.extend(matching.map_err(failed)?);
    }
    Ok((outermost(found), unread))
}

/// Says of which volumes older files are shown than the guest wrote, and why.
fn behind(ui: &Ui, tree: &Tree<'_>, found: &[Found]) -> Vec<Value> {
    let volumes: BTreeSet<u32> = found.iter().map(|found| found.volume).collect();
    let told = volumes.into_iter().filter_map(|volume| {
        let system = tree.file_system(volume).ok()?;
        let why = behind_of(system.about().state.clone())?;
        let path = format!("/{}", tree.name(volume));
        ui.warning(&format!("volume {path}: {why}"));
        Some(json!({ "volume": path, "why": why }))
    });
    told.collect()
}

/// Returns why what is shown may be older than what was written last.
pub(super) fn behind_of(state: State) -> Option<String> {
    match state {
        State::Behind(why) => Some(why),
        State::Clean | State::Replayed => None,
    }
}

fn target(args: &GetArgs, to_stdout: bool) -> Result<Box<dyn FileTarget>, CliError> {
    match args.format {
        Format::Folder if to_stdout => Err(CliError::usage(
            "a folder cannot be written to standard output",
        )
        .hint("add --format tar.zst, or write one file with `files cat`")),
        Format::Folder => {
            let options = FolderOptions {
                overwrite: args.overwrite,
                owners: args.owners,
            };
            let folder = FolderTarget::new(&args.output, options);
            Ok(Box::new(folder.map_err(target_failed)?))
        }
        _ if to_stdout => archive(args.format, ToStream::new(stdout())),
        _ => {
            let file = ArchiveFile::create(&args.output, args.overwrite);
            archive(args.format, file.map_err(target_failed)?)
        }
    }
}

fn archive<W: ArchiveOut + 'static>(
    format: Format,
    out: W,
) -> Result<Box<dyn FileTarget>, CliError> {
    Ok(match format {
        Format::TarZst => {
            let out = ZstdOut::new(out, ZSTD_LEVEL).map_err(target_failed)?;
            Box::new(TarTarget::new(out))
        }
        Format::Zip => Box::new(ZipTarget::new(out)),
        Format::Tar | Format::Folder => Box::new(TarTarget::new(out)),
    })
}

fn target_failed(error: TargetError) -> CliError {
    let message = error.to_string();
    if error.is_exists() {
        return CliError::new(ExitCode::TargetExists, "exists", message)
            .hint("name another file, or add --overwrite");
    }
    if error.is_full() {
        return CliError::new(ExitCode::NoSpace, "no-space", message)
            .hint("make room and run the command again; no file is there by half");
    }
    CliError::new(ExitCode::Failed, "target", message)
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

/// What is told at the end, besides the report.
struct Told<'a> {
    ui: &'a Ui,
    open: &'a OpenPoint,
    args: &'a GetArgs,
    /// How much could not be looked into for what a pattern fits.
    unread: u64,
    /// Volumes whose last state is not shown.
    behind: Vec<Value>,
}

impl Told<'_> {
    /// Says what was taken out, and what is there of it.
    fn outcome(&self, report: &TakeOutReport) -> String {
        let (point, output) = (&self.open.point, &self.args.output);
        if report.cancelled && self.args.format != Format::Folder {
            return if output == Path::new("-") {
                "stopped: the archive on standard output is not whole".to_owned()
            } else {
                format!("stopped: {} was not made", output.display())
            };
        }
        format!(
            "took {} in {} out of {} {}, {}, to {}",
            count(report.files, "file"),
            count(report.folders, "folder"),
            point.vm.name,
            point.id,
            size(report.bytes),
            output.display()
        )
    }

    fn tell(self, report: &TakeOutReport) -> ExitCode {
        let (ui, point) = (self.ui, &self.open.point);
        let failed = report.failed.len() as u64 + report.more_failed + self.unread;
        for (path, why) in &report.failed {
            ui.record("failed", json!({ "path": path, "why": why }));
            ui.warning(&format!("{path}: {why}"));
        }
        if report.more_failed > 0 {
            let more = count(report.more_failed, "file");
            ui.warning(&format!("{more} more failed"));
        }
        for (path, what, number) in &report.lost.sorts {
            ui.record(
                "lost",
                json!({ "first": path, "what": what, "files": number }),
            );
            let of = count(*number, "file");
            ui.warning(&format!("not kept for {of}, {path} first: {what}"));
        }
        // Standard output may have the archive.
        ui.message(self.outcome(report));
        let (outcome, code) = if report.cancelled {
            ("cancelled", ExitCode::Cancelled)
        } else if failed > 0 {
            ("partial", ExitCode::Partial)
        } else {
            ("success", ExitCode::Success)
        };
        let fields = json!({
            "point": point.id,
            "path": self.args.output,
            "files": report.files,
            "folders": report.folders,
            "links": report.links,
            "bytes": report.bytes,
            "failed": failed,
            "behind": self.behind,
        });
        ui.summary(outcome, code, fields);
        code
    }
}
