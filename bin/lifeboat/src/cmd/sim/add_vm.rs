//! `lifeboat sim add-vm`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hyperv_sim::{DiskKind, DiskSpec, Guest, VmSpec};
use serde_json::json;

use super::failed;
use super::folder::SimFolder;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::parse_size;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat sim add-vm DIR SQL01 --disk system.vhdx --disk empty:1GiB
  lifeboat sim add-vm DIR WEB01 --disk disk.img --guest linux-daemon
  lifeboat sim add-vm DIR FILE01 --disk disk.img --disk pass-through:1GiB
  lifeboat sim add-vm DIR SQL01 --disk empty:1GiB --clustered --node HV2
  lifeboat sim add-vm DIR WEB02 --disk empty:1GiB --clustered --node HV2 --folder '\\\\nas\\vm\\WEB02'")]
pub(crate) struct AddVmArgs {
    /// Folder of the simulated host or cluster
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Name of the VM
    #[arg(value_name = "NAME")]
    name: String,
    /// A disk: an image that is copied, empty:SIZE, vhd:IMAGE, pass-through:SIZE or shared:SIZE
    #[arg(long, value_name = "IMAGE", required = true)]
    disk: Vec<String>,
    /// What runs inside
    #[arg(long, value_name = "GUEST", default_value = "windows")]
    guest: GuestKind,
    /// 1 or 2
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=2))]
    generation: u32,
    /// Configuration version, such as 5.0; the host's own by default
    #[arg(long = "config-version", value_name = "VERSION")]
    version: Option<String>,
    /// The VM has a virtual TPM
    #[arg(long)]
    tpm: bool,
    /// The VM is off
    #[arg(long)]
    off: bool,
    /// The node of the cluster that gets it
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// The VM is a role of the cluster, on storage that all nodes see
    #[arg(long, requires = "node")]
    clustered: bool,
    /// Folder for its files, as the host names it
    #[arg(long, value_name = "PATH")]
    folder: Option<String>,
    /// Notes
    #[arg(long, value_name = "TEXT", default_value = "")]
    notes: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GuestKind {
    Windows,
    /// Linux without the daemon for backups
    Linux,
    /// Linux with hv_vss_daemon
    LinuxDaemon,
    None,
}

pub(super) fn run(invocation: &Invocation, args: &AddVmArgs) -> Result<ExitCode, CliError> {
    let guest = match args.guest {
        GuestKind::Windows => Guest::Windows,
        GuestKind::Linux => Guest::Linux,
        GuestKind::LinuxDaemon => Guest::LinuxWithDaemon,
        GuestKind::None => Guest::None,
    };
    let mut spec = VmSpec::new(&args.name)
        .with_guest(guest)
        .with_generation(args.generation);
    for disk in &args.disk {
        spec = spec.with_disk(parse_disk(disk)?);
    }
    spec.version.clone_from(&args.version);
    spec.has_tpm = args.tpm;
    spec.running = !args.off;
    spec.notes.clone_from(&args.notes);
    spec.is_clustered = args.clustered;
    spec.folder.clone_from(&args.folder);
    let host = SimFolder::open(&args.dir)?.host(&args.dir, args.node.as_deref())?;
    let id = host.add_vm(&spec).map_err(failed)?;
    let ui = &invocation.ui;
    ui.data(format!("added {} {id}", args.name));
    let fields = json!({ "vm": args.name, "identity": id.to_string() });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

/// Reads what a disk is to be.
fn parse_disk(text: &str) -> Result<DiskSpec, CliError> {
    match text.split_once(':') {
        Some(("empty", size)) => Ok(DiskSpec::empty(parse_size(size)?)),
        Some(("pass-through", size)) => {
            Ok(DiskSpec::empty(parse_size(size)?).of_kind(DiskKind::PassThrough))
        }
        Some(("shared", size)) => {
            Ok(DiskSpec::empty(parse_size(size)?).of_kind(DiskKind::SharedVhdx))
        }
        Some(("vhd", image)) => Ok(DiskSpec::image(image).of_kind(DiskKind::Vhd)),
        _ => Ok(DiskSpec::image(text)),
    }
}
