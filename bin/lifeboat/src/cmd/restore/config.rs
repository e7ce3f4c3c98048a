//! `lifeboat restore config` and `lifeboat restore network`.

use clap::Args;
use hyperv_host::Identity;
use repository::RestorePoint;
use vm_restore::{HostRestoreRequest, RestorePart};

use super::network_args::NetworkArgs;
use super::start_args::StartArgs;
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
disks stay as they are. A VM that ran and was turned off for it runs again afterwards.")]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    part: PartArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat restore network SQL01@latest --to local --dry-run --repo E:\\Backup
  lifeboat restore network SQL01@latest --to local --stop --yes --map-switch Prod=Lab --repo E:\\Backup

The VM that is on the host gets its network adapters as the point has them: names, MAC addresses,
switches and VLANs. Addresses that were set inside the guest are in its disks, and stay as they are.
A VM that ran and was turned off for it runs again afterwards.")]
pub(crate) struct NetworkPartArgs {
    #[command(flatten)]
    part: PartArgs,
}

/// A part of a VM that is there.
#[derive(Debug, Args)]
struct PartArgs {
    /// The restore point: VM@latest, VM@latest~1, VM@2026-05-01T22:00 or the beginning of an id
    #[arg(value_name = "POINT")]
    point: String,
    /// The host: local, winrm://USER@HOST, sim:FOLDER, or a cluster: cluster:winrm://USER@NODE
    #[arg(long, value_name = "HOST")]
    to: String,
    /// Turn the VM off where it has to be off
    #[arg(long)]
    stop: bool,
    #[command(flatten)]
    start: StartArgs,
    /// Name of the VM of which something is replaced, to confirm that
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
    args.part.run(invocation, RestorePart::Configuration)
}

pub(super) fn run_network(
    invocation: &Invocation,
    args: &NetworkPartArgs,
) -> Result<ExitCode, CliError> {
    args.part.run(invocation, RestorePart::Network)
}

impl PartArgs {
    fn run(&self, invocation: &Invocation, part: RestorePart) -> Result<ExitCode, CliError> {
        let repository = invocation.open_repository()?;
        let point = repository.find_point(&self.point)?;
        let host = self.way.open(&self.to)?;
        let mut request = HostRestoreRequest {
            part,
            stop_running: self.stop,
            start: self.start.policy(),
            identity: Identity::Keep,
            run: RestorePoint::new_id()?,
            session_folder: self.way.restore_folder(&self.to)?,
            ..HostRestoreRequest::default()
        };
        self.network.apply(&mut request);
        let restore = ToHost {
            invocation,
            repository: &repository,
            point: &point,
            host: host.as_restore_host()?,
            request,
            confirm: self.confirm.as_deref(),
            dry_run: self.dry_run,
        };
        restore.run()
    }
}
