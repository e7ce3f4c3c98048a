//! `lifeboat vm plan`.

use backup_run::{plan_backup, select_vms};
use clap::Args;
use serde_json::json;

use crate::cli_error::CliError;
use crate::cmd::backup::{PolicyArgs, show_plan, show_room};
use crate::exit_code::ExitCode;
use crate::host_choice::HostArgs;
use crate::invocation::Invocation;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat vm plan --host local
  lifeboat vm plan --host winrm://admin@hv1 SQL01 --require application --json
  lifeboat vm plan --host sim:DIR --repo /backup

With a repository the plan says what of each disk will be read; without one everything is new.")]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    host: HostArgs,
    /// The VMs; all of them where none is named
    #[arg(value_name = "VM")]
    vms: Vec<String>,
    #[command(flatten)]
    policy: PolicyArgs,
}

pub(super) fn run(invocation: &Invocation, args: &PlanArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let host = args.host.open()?;
    let inventory = host.as_host().inventory()?;
    let vms = select_vms(&inventory, &args.vms, args.vms.is_empty())?;
    let repository = invocation.open_repository_if_named()?;
    let options = args.policy.options()?;
    let planned = plan_backup(host.as_host(), repository.as_ref(), &vms, &options)?;
    show_plan(ui, &planned);
    if let Some(repository) = &repository {
        show_room(ui, repository, &planned)?;
    }
    let blocked = planned
        .iter()
        .filter(|vm| vm.plan.block().is_some())
        .count();
    let fields = json!({ "vms": planned.len(), "blocked": blocked });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}
