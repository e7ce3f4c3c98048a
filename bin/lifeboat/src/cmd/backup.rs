//! `lifeboat backup`.

mod command_args;
mod items;
mod outcome;
mod plan_table;
mod policy;
mod room;
mod run_view;

use backup_run::{BackupOptions, back_up, plan_backup, select_vms};
use clap::Args;
use serde_json::json;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::HostArgs;
use crate::invocation::Invocation;
use command_args::CommandArgs;
pub(crate) use items::figures;
pub(crate) use outcome::exit_code;
pub(crate) use plan_table::show_plan;
pub(crate) use policy::PolicyArgs;
pub(crate) use room::show_room;
pub(crate) use run_view::RunView;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat backup --host local --all --repo E:\\Backup
  lifeboat backup --host dir:/srv/vms SQL01 WEB01 --repo /backup
  lifeboat backup --host winrm://admin@hv1 --host-files C:\\=/mnt/hv1-c --all --repo /backup
  lifeboat backup --host sim:DIR --all --require application --on-missed warn --repo /backup
  lifeboat backup --host local SQL01 --mode all-checkpoints --repo E:\\Backup
  lifeboat backup --host local --all --allow-saved-state OLD01 --repo E:\\Backup
  lifeboat backup --host local --all --before C:\\Jobs\\quiet.cmd --after C:\\Jobs\\resume.cmd --repo E:\\Backup
  lifeboat backup --host local --all --skip page-files,swap,free-space --repo E:\\Backup
  lifeboat backup --host local SQL01 --domain finance --repo E:\\Backup
  lifeboat backup --host local --all --dry-run

A VM is named by its name, its GUID or the beginning of it.")]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    host: HostArgs,
    /// Back up every VM of the host
    #[arg(long, conflicts_with = "vms")]
    all: bool,
    /// The VMs to back up
    #[arg(value_name = "VM", required_unless_present = "all")]
    vms: Vec<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    commands: CommandArgs,
    /// Begin also where the run is likely to pass a quota, or not to fit
    #[arg(long)]
    ignore_quota: bool,
    /// Back up into this domain, which shares nothing with others; see `repo domain`
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    /// End with code 4 where there are warnings
    #[arg(long)]
    strict: bool,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn run(invocation: &Invocation, args: &BackupArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    if !args.dry_run {
        // Said before a large host is listed.
        invocation.repository_place()?;
    }
    let host = args.host.open()?;
    let inventory = host.as_host().inventory()?;
    let vms = select_vms(&inventory, &args.vms, args.all)?;
    args.policy.check_names(&vms)?;
    let options = BackupOptions {
        commands: args.commands.policy()?,
        ..args.policy.options()?
    };
    let repository = match (invocation.open_repository_if_named()?, &args.domain) {
        (Some(repository), Some(domain)) => Some(repository.in_domain(domain)?),
        (repository, _) => repository,
    };
    let planned = plan_backup(host.as_host(), repository.as_ref(), &vms, &options)?;
    show_plan(ui, &planned);
    let foreseen = repository.as_ref();
    let foreseen = foreseen.map(|repository| show_room(ui, repository, &planned));
    let foreseen = foreseen.transpose()?;
    let Some(repository) = repository.filter(|_| !args.dry_run) else {
        let fields = json!({ "vms": vms.len(), "dry_run": true });
        ui.summary("success", ExitCode::Success, fields);
        return Ok(ExitCode::Success);
    };
    if let Some(foreseen) = foreseen.filter(|_| !args.ignore_quota) {
        room::refuse_shortfall(&foreseen)?;
    }
    let view = RunView::new(ui);
    let report = back_up(host.as_host(), &repository, &vms, &options, &view)?;
    let code = exit_code(&report, args.strict);
    items::show_total(ui, &report);
    ui.summary(report.outcome.name(), code, &report);
    Ok(code)
}
