//! `lifeboat restore vm --to HOST`.

use clap::{Args, ValueEnum};
use hyperv_host::Identity;
use repository::RestorePoint;
use vm_restore::{Destination, HostRestoreRequest, RestorePart, Through};

use super::network_args::NetworkArgs;
use super::start_args::StartArgs;
use super::to_host::ToHost;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::WayArgs;
use crate::invocation::Invocation;

/// By what a VM comes back to a host.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ThroughArg {
    /// An import; the host's VSS writer where the host imports nothing
    Auto,
    /// An import: a planned VM that becomes one
    Import,
    /// The host's VSS writer, of a point that was made through VSS; on the host itself
    Writer,
}

impl From<ThroughArg> for Through {
    fn from(arg: ThroughArg) -> Self {
        match arg {
            ThroughArg::Auto => Self::Auto,
            ThroughArg::Import => Self::Import,
            ThroughArg::Writer => Self::Writer,
        }
    }
}

/// How a VM comes back to a host.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Back to a host")]
pub(crate) struct ToHostArgs {
    /// The host that gets the VM: local, winrm://USER@HOST, sim:FOLDER, or a cluster: cluster:winrm://USER@NODE
    #[arg(long, value_name = "HOST")]
    pub(super) to: Option<String>,
    /// The VM that is on the host gives way: only what differs is written into its disks. One that runs needs --stop
    #[arg(long, requires = "to")]
    in_place: bool,
    /// With --in-place: the old VM stays, under another name, and what comes back is a new VM
    #[arg(long, requires = "in_place")]
    keep_old: bool,
    /// Name of the VM that gives way, to confirm that
    #[arg(long, value_name = "NAME", requires = "to")]
    confirm: Option<String>,
    /// Turn the old VM off where it has to be off
    #[arg(long, requires = "to")]
    stop: bool,
    /// Give the VM a new identity: it is another one, also to its backups
    #[arg(long, requires = "to", conflicts_with = "in_place")]
    new_identity: bool,
    /// Give the VM another name
    #[arg(long, value_name = "NAME", requires = "to")]
    name: Option<String>,
    /// Of a point with checkpoints the latest state alone, each disk one file
    #[arg(long, requires = "to")]
    flatten: bool,
    /// Of a point with checkpoints the state at this one, each disk one file: its name, its id or the beginning of that
    #[arg(
        long,
        value_name = "ID|NAME",
        requires = "to",
        conflicts_with = "memory"
    )]
    checkpoint: Option<String>,
    /// Bring saved memory back as well; on another processor the VM may not resume
    #[arg(long, requires = "to")]
    memory: bool,
    /// Only these disks, by number; may be given several times
    #[arg(long, value_name = "N", requires = "to", value_delimiter = ',')]
    disks: Vec<u32>,
    /// Make a new VM of the same settings, for a host that does not run the point's configuration version; virtual TPM and Secure Boot template are lost
    #[arg(long, requires = "to", conflicts_with = "in_place")]
    as_new_vm: bool,
    /// Write disks whole, also where little of them differs
    #[arg(long, requires = "in_place")]
    full: bool,
    #[command(flatten)]
    start: StartArgs,
    /// By what the VM comes back: an import can do more; the host's VSS writer takes back points made through it; auto imports wherever the host can
    #[arg(long, value_enum, default_value = "auto", requires = "to")]
    through: ThroughArg,
    #[command(flatten)]
    way: WayArgs,
}

/// Restores a VM to the host that `to` names. `path` is a folder of the host.
pub(super) fn run(
    invocation: &Invocation,
    selector: &str,
    args: &ToHostArgs,
    network: &NetworkArgs,
    (to, path): (&str, Option<&str>),
    dry_run: bool,
) -> Result<ExitCode, CliError> {
    let repository = invocation.open_repository()?;
    let point = repository.find_point(selector)?;
    let host = args.way.open(to)?;
    let mut request = HostRestoreRequest {
        part: RestorePart::Vm,
        through: args.through.into(),
        destination: path.map_or(Destination::Original, |path| {
            Destination::Folder(path.to_owned())
        }),
        in_place: args.in_place,
        keep_old: args.keep_old,
        stop_running: args.stop,
        start: args.start.policy(),
        identity: match args.new_identity {
            true => Identity::New,
            false => Identity::Keep,
        },
        name: args.name.clone(),
        flatten: args.flatten,
        checkpoint: args.checkpoint.clone(),
        as_new_vm: args.as_new_vm,
        keep_memory: args.memory.then_some(true),
        disks: Some(args.disks.clone()).filter(|disks| !disks.is_empty()),
        full: args.full,
        run: RestorePoint::new_id()?,
        session_folder: args.way.restore_folder(to)?,
        ..HostRestoreRequest::default()
    };
    network.apply(&mut request);
    let restore = ToHost {
        invocation,
        repository: &repository,
        point: &point,
        host: host.as_restore_host()?,
        request,
        confirm: args.confirm.as_deref(),
        dry_run,
    };
    restore.run()
}
