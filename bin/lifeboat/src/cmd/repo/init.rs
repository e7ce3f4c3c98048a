//! `lifeboat repo init`: make a repository in an empty place.

use std::path::PathBuf;

use clap::Args;
use repository::{InitOptions, RecoveryKey, Repository, RepositoryErrorKind, Unlock};
use serde_json::json;
use store_conformance::replaces_nothing;
use zeroize::Zeroizing;

use crate::cli_error::CliError;
use crate::cmd::repo::key::write_page;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::Ui;
use crate::{recovery_key_file, secret_file};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo init --repo /backup --recovery-key-file /safe/lifeboat-key.txt
  lifeboat repo init --repo E:\\Backup --recovery-key-page D:\\key.svg
  lifeboat repo init --repo \"s3://backups/hyperv?region=eu-central-1\"

The password comes from LIFEBOAT_PASSWORD_FILE, LIFEBOAT_PASSWORD_COMMAND, LIFEBOAT_PASSWORD (last
resort), or is asked for.")]
pub(crate) struct InitArgs {
    /// Write the recovery key to this new file, outside the repository
    #[arg(long, value_name = "FILE")]
    recovery_key_file: Option<PathBuf>,
    /// Write a page with the recovery key and its QR code to this new SVG file, to be printed
    #[arg(long, value_name = "FILE.svg")]
    recovery_key_page: Option<PathBuf>,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn run(invocation: &Invocation, args: &InitArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let place = invocation.repository_place()?;
    if args.dry_run {
        ui.data(format!("would make a repository in {place}"));
        let fields = json!({ "repository": place.to_string(), "dry_run": true });
        ui.summary("success", ExitCode::Success, fields);
        return Ok(ExitCode::Success);
    }
    let outside = [&args.recovery_key_file, &args.recovery_key_page];
    for file in outside.into_iter().flatten() {
        secret_file::refuse_inside_repository(file, &place)?;
    }
    let password = invocation.new_password()?;
    let key = RecoveryKey::generate()?;
    // Durable before the repository is: nobody can end up with backups and no key to them.
    if let Some(file) = &args.recovery_key_file {
        recovery_key_file::write(file, &key, &place)?;
    }
    let unlocks = [Unlock::Password(&password), Unlock::RecoveryKey(&key)];
    let store = place.create()?;
    if place.folder().is_none() && store.retention().is_none() && !replaces_nothing(&*store)? {
        ui.warning(
            "this store replaces an object that is there already when it is written again; names \
             are random, so nothing depends on it, but a second defence is missing",
        );
    }
    let made = Repository::init(store, &unlocks, InitOptions::default());
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
    if let Some(page) = &args.recovery_key_page {
        write_page(page, &key, &repository, invocation).inspect_err(|_| {
            // The repository is made, and this may be the only place that has its key.
            if args.recovery_key_file.is_none() {
                show_key(ui, &key);
            }
        })?;
        ui.message(format!(
            "Print {} and remove the file: whoever has it and the repository can read the backups.",
            page.display()
        ));
    }
    match &args.recovery_key_file {
        Some(file) => ui.message(format!(
            "The recovery key is in {}. Move it to a safe place: without it and without the \
             password nobody can read the backups.",
            file.display()
        )),
        None if args.recovery_key_page.is_some() => {}
        None => show_key(ui, &key),
    }
    let fields = json!({ "repository": repository.location(), "id": repository.id(),
                         "recovery_key_file": args.recovery_key_file,
                         "recovery_key_page": args.recovery_key_page });
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
