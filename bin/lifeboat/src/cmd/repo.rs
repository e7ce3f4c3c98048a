//! `lifeboat repo`: make and look after a repository.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use object_store::FolderStore;
use repository::{Damage, InitOptions, RecoveryKey, Repository, RepositoryErrorKind, Unlock};
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::recovery_key_file;
use crate::ui::{Align, Table, Ui, count, size};

#[derive(Debug, Subcommand)]
pub(crate) enum RepoCommand {
    /// Make a repository in an empty folder
    Init(InitArgs),
    /// Check that everything in the repository is as it was written
    Check(CheckArgs),
    /// Show how large the repository is, and why
    Stats(StatsArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo init --repo /backup --recovery-key-file /safe/lifeboat-key.txt
  lifeboat repo init --repo E:\\Backup

The password comes from LIFEBOAT_PASSWORD_FILE, LIFEBOAT_PASSWORD_COMMAND, LIFEBOAT_PASSWORD (last
resort), or is asked for.")]
pub(crate) struct InitArgs {
    /// Write the recovery key to this new file, outside the repository
    #[arg(long, value_name = "FILE")]
    recovery_key_file: Option<PathBuf>,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo check --repo /backup
  lifeboat repo check --read-data --repo /backup --json")]
pub(crate) struct CheckArgs {
    /// Read, decrypt and decode every stored byte
    #[arg(long)]
    read_data: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lifeboat repo stats --repo /backup")]
pub(crate) struct StatsArgs {}

pub(crate) fn run(invocation: &Invocation, command: &RepoCommand) -> Result<ExitCode, CliError> {
    match command {
        RepoCommand::Init(args) => init(invocation, args),
        RepoCommand::Check(args) => check(invocation, args),
        RepoCommand::Stats(_) => stats(invocation),
    }
}

fn init(invocation: &Invocation, args: &InitArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let folder = invocation.repository_folder()?;
    if args.dry_run {
        ui.data(format!("would make a repository in {}", folder.display()));
        let fields = json!({ "repository": folder, "dry_run": true });
        ui.summary("success", ExitCode::Success, fields);
        return Ok(ExitCode::Success);
    }
    let password = invocation.new_password()?;
    let key = RecoveryKey::generate()?;
    // Durable before the repository is: nobody can end up with backups and no key to them.
    if let Some(file) = &args.recovery_key_file {
        recovery_key_file::write(file, &key, folder)?;
    }
    let unlocks = [Unlock::Password(&password), Unlock::RecoveryKey(&key)];
    let store = FolderStore::create(folder)?;
    let made = Repository::init(Arc::new(store), &unlocks, InitOptions::default());
    if let (Err(error), Some(file)) = (&made, &args.recovery_key_file)
        && error.kind() == RepositoryErrorKind::Exists
    {
        // Nothing was made, so the key opens nothing. After any other failure it may open what is
        // there, and stays.
        drop(std::fs::remove_file(file));
    }
    let repository = made?;
    ui.data(format!(
        "made repository {} in {}",
        repository.id(),
        repository.location()
    ));
    match &args.recovery_key_file {
        Some(file) => ui.message(format!(
            "The recovery key is in {}. Move it to a safe place: without it and without the \
             password nobody can read the backups.",
            file.display()
        )),
        None => show_key(ui, &key),
    }
    let fields = json!({ "repository": repository.location(), "id": repository.id(),
                         "recovery_key_file": args.recovery_key_file });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

/// Shows the key, even where only data was asked for: it cannot be shown again.
fn show_key(ui: &Ui, key: &RecoveryKey) {
    ui.notice("Recovery key, shown this once and stored nowhere:");
    ui.notice("");
    ui.notice(&Zeroizing::new(format!(
        "  {}",
        *Zeroizing::new(key.to_text())
    )));
    ui.notice("");
    ui.notice(
        "Write it down and keep it in a safe place, not with the repository. Without it and \
         without the password nobody can read the backups.",
    );
}

fn check(invocation: &Invocation, args: &CheckArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    // What a check is to find may keep the sizes from being added up.
    let statistics = repository.statistics().unwrap_or_default();
    let total = if args.read_data {
        statistics.pack_bytes
    } else {
        0
    };
    let progress = ui.progress("check", None, total);
    let report = repository.check(args.read_data, &progress)?;
    progress.finish();
    ui.message(format!(
        "looked at {}, {} and {} of packs",
        count(report.points, "restore point"),
        count(report.packs, "pack"),
        size(report.read_bytes)
    ));
    let code = show_damage(ui, &report.damage);
    if code == ExitCode::Success {
        let depth = if args.read_data {
            "every stored byte is as it was written"
        } else {
            "all that the restore points need is there (--read-data reads it all)"
        };
        ui.data(format!("the repository is good: {depth}"));
    }
    ui.summary(outcome(code), code, &report);
    Ok(code)
}

/// Shows damage and returns what the command ends with.
pub(crate) fn show_damage(ui: &Ui, damage: &[Damage]) -> ExitCode {
    if damage.is_empty() {
        return ExitCode::Success;
    }
    for one in damage {
        ui.record("damage", one);
        let mut place = Vec::new();
        place.extend(one.vm.iter().map(|vm| format!("VM {vm}")));
        place.extend(
            one.point
                .iter()
                .map(|point| format!("restore point {point}")),
        );
        place.extend(one.stream.clone());
        if let (Some(offset), Some(len)) = (one.offset, one.len_bytes) {
            place.push(format!("{} at offset {offset}", size(len)));
        }
        let place = if place.is_empty() {
            String::new()
        } else {
            format!("{}: ", place.join(", "))
        };
        ui.data(format!("damaged: {place}{}", one.text));
    }
    ui.message(format!(
        "{} found. Restore points that are not named here are not affected; \
         move a damaged pack out of the repository, and the next backup stores again what the \
         VMs still have of it.",
        count(damage.len() as u64, "damaged place")
    ));
    ExitCode::Damaged
}

pub(crate) fn outcome(code: ExitCode) -> &'static str {
    if code == ExitCode::Success {
        "success"
    } else {
        "failed"
    }
}

fn stats(invocation: &Invocation) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let statistics = repository.statistics()?;
    let mut table = Table::new(&[("WHAT", Align::Left), ("SIZE", Align::Right)]);
    let rows = [
        ("disks of all restore points", statistics.provisioned_bytes),
        ("data in them", statistics.data_bytes),
        ("unique data", statistics.unique_bytes),
        ("stored, compressed and encrypted", statistics.stored_bytes),
        ("packs", statistics.pack_bytes),
        ("index", statistics.index_bytes),
        ("repository as a whole", statistics.total_bytes),
    ];
    for (what, bytes) in rows {
        table.row(vec![what.to_owned(), size(bytes)]);
    }
    ui.message(format!(
        "{}: {} of {} in {}",
        repository.location(),
        count(statistics.points, "restore point"),
        count(statistics.vms, "VM"),
        count(statistics.packs, "pack"),
    ));
    ui.table(&table);
    ui.summary("success", ExitCode::Success, &statistics);
    Ok(ExitCode::Success)
}
