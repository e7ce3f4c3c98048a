//! `lifeboat repo key`: what opens the repository.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand};
use jiff::Timestamp;
use repository::{KeyFile, KeyInfo, PasswordCost, RecoveryKey, Repository, Unlock};
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::opened_by::read_key_file;
use crate::recovery_key_page::{PageFacts, svg, terminal};
use crate::ui::{Align, Table, local_time};
use crate::{recovery_key_file, secret_file};

/// Random bytes of a key file that is made.
const KEY_FILE_BYTES: usize = 64;
/// Digits of a slot that are enough to name it.
const SLOT_DIGITS_MIN: usize = 4;

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List the passwords, key files and recovery keys that open the repository
    List(ListArgs),
    /// Make one more password, key file or recovery key open the repository
    Add(AddArgs),
    /// Make a password, key file or recovery key open the repository no more
    Remove(RemoveArgs),
    /// Put a new password in the place of an old one
    ChangePassword(ChangePasswordArgs),
    /// Encrypt what is backed up from now on with a new key
    NewDataKey(NewDataKeyArgs),
    /// Make a recovery key and a page with it to print
    RecoveryKey(RecoveryKeyArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lifeboat repo key list --repo /backup")]
pub(crate) struct ListArgs {}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo key add --password --label office --repo /backup
  lifeboat repo key add --key-file /media/stick/lifeboat.key --repo /backup
  lifeboat repo key add --recovery-key-file /safe/second-key.txt --repo /backup

A new password comes from LIFEBOAT_NEW_PASSWORD_FILE, or is asked for. The repository is opened
with what opened it so far.")]
#[command(group = ArgGroup::new("what").required(true).multiple(false))]
pub(crate) struct AddArgs {
    /// Add a password
    #[arg(long, group = "what")]
    password: bool,
    /// Add this file as a key; made, of random bytes, if there is none
    #[arg(long, value_name = "FILE", group = "what")]
    key_file: Option<PathBuf>,
    /// Add a new recovery key, and write it to this new file
    #[arg(long, value_name = "FILE", group = "what")]
    recovery_key_file: Option<PathBuf>,
    /// What to call it in the list; anybody with the store can read it
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo key remove 3f2a --dry-run --repo /backup
  lifeboat repo key remove 3f2a --yes --repo /backup

The key that the repository is opened with is never removed, so one that works always stays.")]
pub(crate) struct RemoveArgs {
    /// The slot, or its beginning, as `repo key list` shows it
    #[arg(value_name = "SLOT")]
    slot: String,
    /// Say which key would be removed, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo key change-password --repo /backup
  lifeboat repo key change-password --slot 3f2a --repo /backup

The new password comes from LIFEBOAT_NEW_PASSWORD_FILE, or is asked for. Nothing is encrypted anew.
If the old one has leaked, read docs/operate/keys.md.")]
pub(crate) struct ChangePasswordArgs {
    /// The password to replace; else the one that opened the repository, or the only one
    #[arg(long, value_name = "SLOT")]
    slot: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo key new-data-key --repo /backup
  lifeboat repo key new-data-key --domain finance --repo /backup")]
pub(crate) struct NewDataKeyArgs {
    /// The domain that gets the key
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo key recovery-key --print /safe/key.svg --repo /backup
  lifeboat repo key recovery-key --terminal --repo /backup
  lifeboat repo key recovery-key --print /safe/key.svg --from /safe/lifeboat-key.txt --repo /backup")]
#[command(group = ArgGroup::new("where").required(true).multiple(false))]
pub(crate) struct RecoveryKeyArgs {
    /// Write a page with a QR code to this new SVG file, outside the repository
    #[arg(long, value_name = "FILE.svg", group = "where")]
    print: Option<PathBuf>,
    /// Show the QR code and the key here
    #[arg(long, group = "where")]
    terminal: bool,
    /// Print the key in this file, instead of making a new one
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// What to call a new one in the list; anybody with the store can read it
    #[arg(long, value_name = "TEXT", conflicts_with = "from")]
    label: Option<String>,
}

pub(crate) fn run(invocation: &Invocation, command: &KeyCommand) -> Result<ExitCode, CliError> {
    match command {
        KeyCommand::List(_) => list(invocation),
        KeyCommand::Add(args) => add(invocation, args),
        KeyCommand::Remove(args) => remove(invocation, args),
        KeyCommand::ChangePassword(args) => change_password(invocation, args),
        KeyCommand::NewDataKey(args) => new_data_key(invocation, args),
        KeyCommand::RecoveryKey(args) => recovery_key(invocation, args),
    }
}

fn list(invocation: &Invocation) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let keys = invocation.open_repository()?.keys()?;
    let mut table = Table::new(&[
        ("SLOT", Align::Left),
        ("KIND", Align::Left),
        ("LABEL", Align::Left),
        ("ADDED", Align::Left),
        ("", Align::Left),
    ]);
    for key in &keys {
        ui.record("key", key);
        table.row(vec![
            key.slot.clone(),
            key.kind.clone(),
            key.label.clone().unwrap_or_default(),
            key.created.map(local_time).unwrap_or_default(),
            if key.opened { "opened with it" } else { "" }.to_owned(),
        ]);
    }
    ui.table(&table);
    ui.summary("success", ExitCode::Success, json!({ "keys": keys.len() }));
    Ok(ExitCode::Success)
}

fn add(invocation: &Invocation, args: &AddArgs) -> Result<ExitCode, CliError> {
    let repository = invocation.open_repository()?;
    let label = args.label.as_deref();
    let cost = PasswordCost::default();
    let (slot, file) = if let Some(file) = &args.key_file {
        let (key, made) = key_file(invocation, file)?;
        let added = repository.add_key(&Unlock::KeyFile(&key), label, cost);
        (added.inspect_err(|_| remove_made(file, made))?, Some(file))
    } else if let Some(file) = &args.recovery_key_file {
        let key = RecoveryKey::generate()?;
        // Durable before it opens anything, so that nobody has a key that is nowhere.
        recovery_key_file::write(file, &key, &invocation.repository_place()?)?;
        let added = repository.add_key(&Unlock::RecoveryKey(&key), label, cost);
        (added.inspect_err(|_| remove_made(file, true))?, Some(file))
    } else {
        let password = invocation.changed_password()?;
        let unlock = Unlock::Password(&password);
        (repository.add_key(&unlock, label, cost)?, None)
    };
    let ui = &invocation.ui;
    ui.data(format!("added key {slot}"));
    let fields = json!({ "slot": slot, "file": file });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

/// Reads a key file, or makes one; says whether it was made.
fn key_file(invocation: &Invocation, path: &Path) -> Result<(KeyFile, bool), CliError> {
    let place = invocation.repository_place()?;
    secret_file::refuse_inside_repository(path, &place)?;
    if path.exists() {
        return Ok((read_key_file(path)?, false));
    }
    let mut bytes = Zeroizing::new([0; KEY_FILE_BYTES]);
    getrandom::fill(bytes.as_mut()).map_err(|error| {
        let message = format!("the system gives no random bytes: {error}");
        CliError::new(ExitCode::Failed, "random", message)
    })?;
    secret_file::write_new(path, bytes.as_ref(), &place)?;
    invocation.ui.message(format!(
        "Made the key file {}. Keep a copy in a safe place, not with the repository.",
        path.display()
    ));
    Ok((read_key_file(path)?, true))
}

/// Removes a file that this command made and that opens nothing.
fn remove_made(file: &Path, made: bool) {
    if made {
        drop(std::fs::remove_file(file));
    }
}

/// Finds the slot that a person named by its beginning.
fn named_slot(repository: &Repository, named: &str) -> Result<KeyInfo, CliError> {
    let keys = repository.keys()?;
    let named = named.to_ascii_lowercase();
    let long_enough = named.len() >= SLOT_DIGITS_MIN;
    let mut found = keys
        .into_iter()
        .filter(|key| long_enough && key.slot.starts_with(&named));
    let hint = "`lifeboat repo key list` shows the slots; four digits are enough";
    match (found.next(), found.next()) {
        (Some(key), None) => Ok(key),
        (None, _) => Err(CliError::usage(format!("there is no key {named}")).hint(hint)),
        (Some(_), Some(_)) => {
            let message = format!("several keys begin with {named}");
            Err(CliError::usage(message).hint(hint))
        }
    }
}

fn remove(invocation: &Invocation, args: &RemoveArgs) -> Result<ExitCode, CliError> {
    let repository = invocation.open_repository()?;
    let key = named_slot(&repository, &args.slot)?;
    repository.may_remove_key(&key.slot)?;
    let ui = &invocation.ui;
    let label = key.label.as_deref().unwrap_or("no label");
    let fields = json!({ "slot": key.slot, "kind": key.kind, "dry_run": args.dry_run });
    if args.dry_run {
        ui.data(format!(
            "would remove key {} ({}, {label})",
            key.slot, key.kind
        ));
        ui.summary("success", ExitCode::Success, fields);
        return Ok(ExitCode::Success);
    }
    let question = format!("Remove key {} ({}, {label})?", key.slot, key.kind);
    if !invocation.agreed(&question)? {
        return Err(CliError::usage("no key was removed").hint("run it again with --yes"));
    }
    repository.remove_key(&key.slot)?;
    ui.data(format!("removed key {} ({})", key.slot, key.kind));
    ui.message(
        "Whoever copied the repository's folder `keys` before can still use the old key: if it has \
         leaked, read docs/operate/keys.md.",
    );
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

fn change_password(
    invocation: &Invocation,
    args: &ChangePasswordArgs,
) -> Result<ExitCode, CliError> {
    let repository = invocation.open_repository()?;
    let named = args
        .slot
        .as_deref()
        .map(|slot| named_slot(&repository, slot));
    let named = named.transpose()?.map(|key| key.slot);
    let password = invocation.changed_password()?;
    let cost = PasswordCost::default();
    let slot = repository.change_password(&password, named.as_deref(), cost)?;
    let ui = &invocation.ui;
    ui.data(format!("changed the password; its slot is {slot}"));
    ui.summary("success", ExitCode::Success, json!({ "slot": slot }));
    Ok(ExitCode::Success)
}

fn new_data_key(invocation: &Invocation, args: &NewDataKeyArgs) -> Result<ExitCode, CliError> {
    let repository = invocation.open_repository()?;
    let repository = match &args.domain {
        Some(name) => repository.in_domain(name)?,
        None => repository,
    };
    let data_keys = repository.new_data_key()?;
    let ui = &invocation.ui;
    let domain = repository.domain();
    ui.data(format!("made data key {data_keys} of domain {domain}"));
    let fields = json!({ "domain": domain, "data_keys": data_keys });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

fn recovery_key(invocation: &Invocation, args: &RecoveryKeyArgs) -> Result<ExitCode, CliError> {
    let repository = invocation.open_repository()?;
    let place = invocation.repository_place()?;
    let key = match &args.from {
        Some(file) => {
            let key = recovery_key_file::read(file)?;
            // A page with a key that opens nothing is worse than none.
            Repository::open(place.open()?, &Unlock::RecoveryKey(&key))?;
            key
        }
        None => RecoveryKey::generate()?,
    };
    if let Some(file) = &args.print {
        write_page(file, &key, &repository, invocation)?;
    }
    let slot = if args.from.is_none() {
        let unlock = Unlock::RecoveryKey(&key);
        let added = repository.add_key(&unlock, args.label.as_deref(), PasswordCost::default());
        Some(added.inspect_err(|_| {
            if let Some(file) = &args.print {
                remove_made(file, true);
            }
        })?)
    } else {
        None
    };
    let ui = &invocation.ui;
    if args.terminal {
        ui.drawing(&terminal(&key)?);
        ui.notice(&Zeroizing::new(format!(
            "  {}\n",
            *Zeroizing::new(key.to_text())
        )));
    }
    if let Some(file) = &args.print {
        ui.message(format!(
            "Print {} and remove the file: whoever has it and the repository can read the backups.",
            file.display()
        ));
    }
    if let Some(slot) = &slot {
        ui.data(format!("added key {slot}"));
    }
    ui.summary(
        "success",
        ExitCode::Success,
        json!({ "slot": slot, "file": args.print }),
    );
    Ok(ExitCode::Success)
}

/// Writes the page with a recovery key to a new file.
pub(super) fn write_page(
    file: &Path,
    key: &RecoveryKey,
    repository: &Repository,
    invocation: &Invocation,
) -> Result<(), CliError> {
    let page = svg(
        key,
        &PageFacts {
            repository_id: repository.id(),
            location: &repository.location(),
            printed: Timestamp::now(),
        },
    )?;
    secret_file::write_new(file, page.as_bytes(), &invocation.repository_place()?)
}
