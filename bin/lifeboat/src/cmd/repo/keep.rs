//! `lifeboat repo keep`: how many restore points are kept.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use pruning::rules_of;
use repository::{KeepRules, Settings};
use serde_json::json;

use crate::cli_error::CliError;
use crate::cmd::keep_args::KeepArgs;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::Ui;
use crate::vm_choice::find_vm;

#[derive(Debug, Subcommand)]
pub(crate) enum KeepCommand {
    /// Show the rules by which restore points are kept
    Show(ShowArgs),
    /// Set the rules by which restore points are kept
    Set(SetArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lifeboat repo keep show --repo /backup")]
pub(crate) struct ShowArgs {}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo keep set --keep-last 3 --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --repo /backup
  lifeboat repo keep set --vm SQL01 --keep-daily 30 --time-zone Europe/Berlin --repo /backup
  lifeboat repo keep set --vm SQL01 --clear --repo /backup

Nothing is removed until `lifeboat prune` is run.")]
pub(crate) struct SetArgs {
    #[command(flatten)]
    keep: KeepArgs,
    /// Only for this VM, which then follows these rules alone
    #[arg(long, value_name = "VM")]
    vm: Option<String>,
    /// Take the rules away
    #[arg(long)]
    clear: bool,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(invocation: &Invocation, command: &KeepCommand) -> Result<ExitCode, CliError> {
    match command {
        KeepCommand::Show(_) => show(invocation),
        KeepCommand::Set(args) => set(invocation, args),
    }
}

fn show(invocation: &Invocation) -> Result<ExitCode, CliError> {
    let settings = invocation.open_repository()?.settings()?;
    tell(&invocation.ui, &settings)?;
    let fields = json!({ "keep": settings.keep, "keep_vm": settings.keep_vm });
    invocation.ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

fn set(invocation: &Invocation, args: &SetArgs) -> Result<ExitCode, CliError> {
    let keep = args.keep.rules()?;
    if keep.is_some() == args.clear {
        return Err(CliError::usage("name what is kept, or --clear")
            .hint("for example --keep-daily 7 --keep-weekly 4"));
    }
    let repository = invocation.open_repository()?;
    let mut settings = repository.settings()?;
    match &args.vm {
        Some(vm) => {
            let vm = find_vm(&repository.catalog()?, vm)?;
            match keep {
                Some(keep) => drop(settings.keep_vm.insert(vm.identity, keep)),
                None => drop(settings.keep_vm.remove(&vm.identity)),
            }
        }
        None => settings.keep = keep,
    }
    if !args.dry_run {
        repository.set_settings(&settings, Timestamp::now())?;
    }
    tell(&invocation.ui, &settings)?;
    let fields = json!({ "keep": settings.keep, "keep_vm": settings.keep_vm,
                         "dry_run": args.dry_run });
    invocation.ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

fn tell(ui: &Ui, settings: &Settings) -> Result<(), CliError> {
    let words = |keep: &KeepRules| rules_of(keep).map(|rules| rules.to_string());
    let all = settings
        .keep
        .as_ref()
        .map_or_else(|| Ok("no rules: everything is kept".to_owned()), words)?;
    ui.data(format!("all VMs: {all}"));
    for (identity, keep) in &settings.keep_vm {
        ui.data(format!("{identity}: {}", words(keep)?));
    }
    Ok(())
}
