//! `lifeboat repo quota`: how large the repository may grow.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use repository::Settings;
use serde_json::json;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Ui, parse_size, size};
use crate::vm_choice::find_vm;

#[derive(Debug, Subcommand)]
pub(crate) enum QuotaCommand {
    /// Show how large the repository, and the points of single VMs, may grow
    Show(ShowArgs),
    /// Set how large the repository, or the points of a VM, may grow
    Set(SetArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lifeboat repo quota show --repo /backup")]
pub(crate) struct ShowArgs {}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo quota set 4TiB --repo /backup
  lifeboat repo quota set 500GiB --vm SQL01 --repo /backup
  lifeboat repo quota set none --repo /backup

A backup that would pass it says so and does not begin; see --ignore-quota of `lifeboat backup`.")]
pub(crate) struct SetArgs {
    /// The most, such as 4TiB; `none` takes the quota away
    #[arg(value_name = "SIZE")]
    size: String,
    /// Only what the restore points of this VM stored
    #[arg(long, value_name = "VM")]
    vm: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(invocation: &Invocation, command: &QuotaCommand) -> Result<ExitCode, CliError> {
    match command {
        QuotaCommand::Show(_) => {
            let settings = invocation.open_repository()?.settings()?;
            tell(&invocation.ui, &settings, false);
        }
        QuotaCommand::Set(args) => set(invocation, args)?,
    }
    Ok(ExitCode::Success)
}

fn set(invocation: &Invocation, args: &SetArgs) -> Result<(), CliError> {
    let quota = match args.size.as_str() {
        "none" => None,
        text => Some(parse_size(text)?),
    };
    let repository = invocation.open_repository()?;
    let mut settings = repository.settings()?;
    match &args.vm {
        Some(vm) => {
            let vm = find_vm(&repository.catalog()?, vm)?;
            match quota {
                Some(bytes) => drop(settings.quota_vm_bytes.insert(vm.identity, bytes)),
                None => drop(settings.quota_vm_bytes.remove(&vm.identity)),
            }
        }
        None => settings.quota_bytes = quota,
    }
    if !args.dry_run {
        repository.set_settings(&settings, Timestamp::now())?;
    }
    tell(&invocation.ui, &settings, args.dry_run);
    Ok(())
}

fn tell(ui: &Ui, settings: &Settings, dry_run: bool) {
    let all = settings.quota_bytes.map_or_else(|| "none".to_owned(), size);
    ui.data(format!("repository: {all}"));
    for (identity, bytes) in &settings.quota_vm_bytes {
        ui.data(format!("{identity}: {}", size(*bytes)));
    }
    let fields = json!({ "quota_bytes": settings.quota_bytes,
                         "quota_vm_bytes": settings.quota_vm_bytes, "dry_run": dry_run });
    ui.summary("success", ExitCode::Success, fields);
}
