//! `lifeboat restore config` and `lifeboat restore network`.

use clap::Args;
use hyperv_host::Identity;
use repository::RestorePoint;
use vm_restore::{HostRestoreRequest, RestorePart};

use super::network_args::NetworkArgs;
use super::to_host::ToHost;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::WayArgs;
use crate::invocation::Invocation;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat restore config SQL01@latest --to local --dry-run --repo E:\\Backup
  lifeboat restore config SQL01@latest --to local --stop --confirm SQL01 --repo E:\\Backup

The VM that is on the host gets processors, memory, adapters and the rest as the point has them; its
disks stay as they are.")]
pub(crate) struct ConfigArgs {
    /// The restore point: VM@latest, VM@latest~1, VM@2026-05-01T22:00 or the beginning of an id
    #[arg(value_name = "POINT")]
    point: String,
    /// The host: local, winrm://USER@HOST, sim:FOLDER, or a cluster: cluster:winrm://USER@NODE
    #[arg(long, value_name = "HOST")]
    to: String,
    /// Turn the VM off where it has to be off
    #[arg(long)]
    stop: bool,
    /// Name of the VM whose configuration is replaced, to confirm that
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    way: WayArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat restore network SQL01@latest --to local --dry-run --repo E:\\Backup
  lifeboat restore network SQL01@latest --to local --stop --map-switch Prod=Lab --repo E:\\Backup

The VM that is on the host gets its network adapters as the point has them: names, MAC addresses,
switches and VLANs. Addresses that were set inside the guest are in its disks, and stay as they are.")]
pub(crate) struct NetworkPartArgs {
    /// The restore point: VM@latest, VM@latest~1, VM@2026-05-01T22:00 or the beginning of an id
    #[arg(value_name = "POINT")]
    point: String,
    /// The host: local, winrm://USER@HOST, sim:FOLDER, or a cluster: cluster:winrm://USER@NODE
    #[arg(long, value_name = "HOST")]
    to: String,
    /// Turn the VM off where it has to be off
    #[arg(long)]
    stop: bool,
    /// Name of the VM, to confirm that something of it is replaced
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    way: WayArgs,
}

pub(super) fn run(invocation: &Invocation, args: &ConfigArgs) -> Result<ExitCode, CliError> {
    let part = Part {
        part: RestorePart::Configuration,
        point: &args.point,
        to: &args.to,
        stop: args.stop,
        confirm: args.confirm.as_deref(),
        dry_run: args.dry_run,
        network: &args.network,
        way: &args.way,
    };
    part.run(invocation)
}

pub(super) fn run_network(
    invocation: &Invocation,
    args: &NetworkPartArgs,
) -> Result<ExitCode, CliError> {
    let part = Part {
        part: RestorePart::Network,
        point: &args.point,
        to: &args.to,
        stop: args.stop,
        confirm: args.confirm.as_deref(),
        dry_run: args.dry_run,
        network: &args.network,
        way: &args.way,
    };
    part.run(invocation)
}

/// What the two have in common.
struct Part<'a> {
    part: RestorePart,
    point: &'a str,
    to: &'a str,
    stop: bool,
    confirm: Option<&'a str>,
    dry_run: bool,
    network: &'a NetworkArgs,
    way: &'a WayArgs,
}

impl Part<'_> {
    fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let repository = invocation.open_repository()?;
        let point = repository.find_point(self.point)?;
        let host = self.way.open(self.to)?;
        let mut request = HostRestoreRequest {
            part: self.part,
            stop_running: self.stop,
            identity: Identity::Keep,
            run: RestorePoint::new_id()?,
            session_folder: self.way.restore_folder(self.to)?,
            ..HostRestoreRequest::default()
        };
        self.network.apply(&mut request);
        let restore = ToHost {
            invocation,
            repository: &repository,
            point: &point,
            host: host.as_restore_host()?,
            request,
            confirm: self.confirm,
            dry_run: self.dry_run,
            start: false,
        };
        restore.run()
    }
}
