//! What the simulated host, its guests and its administrators do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use block_io::BlockDevice as _;
use clap::Args;
use disk_image::OpenOptions;
use hyperv_sim::{SimError, SimHost};
use serde_json::json;
use uuid::Uuid;

use super::failed;
use super::folder::SimFolder;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{parse_size, size};

/// Most bytes of one write.
const WRITE_BYTES_MAX: usize = 64 << 20;

/// A VM of a simulated host.
#[derive(Debug, Args)]
pub(crate) struct VmArgs {
    /// Folder of the simulated host or cluster
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Name or GUID of the VM
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat sim apply DIR SQL01 --disk 0 monday.img")]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    vm: VmArgs,
    /// Number of the disk, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    disk: usize,
    /// What the disk shall hold: an image of the same size
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat sim write DIR SQL01 --offset 1MiB --size 64KiB
  lifeboat sim write DIR SQL01 --offset 0 --size 64KiB --count 100 --every 8MiB --seed 7")]
pub(crate) struct WriteArgs {
    #[command(flatten)]
    vm: VmArgs,
    /// Number of the disk, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    disk: usize,
    /// Where the first write begins
    #[arg(long, value_name = "SIZE", default_value = "0")]
    offset: String,
    /// Bytes of each write; they do not compress
    #[arg(long, value_name = "SIZE", default_value = "64KiB")]
    size: String,
    /// Number of writes
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: u64,
    /// From the beginning of one write to that of the next; what leaves the disk begins anew at its front
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    every: String,
    /// What the bytes come from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct PowerArgs {
    #[command(flatten)]
    vm: VmArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat sim checkpoint DIR SQL01 --name \"before update\"")]
pub(crate) struct CheckpointArgs {
    #[command(flatten)]
    vm: VmArgs,
    /// Name of the checkpoint
    #[arg(long = "name", value_name = "TEXT", default_value = "checkpoint")]
    checkpoint: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat sim fault DIR \"CreateSnapshot vm=SQL01 first=2 conflict\"
  lifeboat sim fault DIR \"ConvertToReferencePoint nth=1 job=32768\"
  lifeboat sim fault DIR/nodes/HV1 \"CreateSnapshot vm=SQL01 nth=1 moves=HV2\"
  lifeboat sim fault DIR --clear")]
pub(crate) struct FaultArgs {
    /// Folder of the simulated host
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// What goes wrong
    #[arg(value_name = "FAULT", required_unless_present = "clear")]
    fault: Option<String>,
    /// Forget all plans
    #[arg(long)]
    clear: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat sim crash DIR
  lifeboat sim crash DIR --lose-tracking
  lifeboat sim crash DIR/nodes/HV2")]
pub(crate) struct CrashArgs {
    /// Folder of the simulated host
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// What was tracked is lost too, not only coarser
    #[arg(long)]
    lose_tracking: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat sim settle DIR")]
pub(crate) struct HostArgs {
    /// Folder of the simulated host or cluster
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

impl VmArgs {
    fn open(&self) -> Result<(Arc<SimHost>, Uuid), CliError> {
        SimFolder::open(&self.dir)?.find_vm(&self.name)
    }
}

pub(super) fn apply(invocation: &Invocation, args: &ApplyArgs) -> Result<ExitCode, CliError> {
    let (host, vm) = args.vm.open()?;
    let image = disk_image::open(&args.image, &OpenOptions::default())?;
    let written = host.apply(vm, args.disk, &image).map_err(failed)?;
    let ui = &invocation.ui;
    ui.data(format!(
        "{}: the guest wrote {} to disk {}",
        args.vm.name,
        size(written),
        args.disk
    ));
    let fields = json!({ "vm": args.vm.name, "disk": args.disk, "written_bytes": written });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

pub(super) fn write(invocation: &Invocation, args: &WriteArgs) -> Result<ExitCode, CliError> {
    let (host, vm) = args.vm.open()?;
    let (offset, every) = (parse_size(&args.offset)?, parse_size(&args.every)?);
    let bytes = parse_size(&args.size)?;
    let length = usize::try_from(bytes)
        .ok()
        .filter(|length| *length <= WRITE_BYTES_MAX);
    let length = length.ok_or_else(|| {
        CliError::usage(format!("{} is too much for one write", args.size))
            .hint("write less, with a larger --count")
    })?;
    let disk_bytes = host.open_disk(vm, args.disk).map_err(failed)?.size_bytes();
    let room = disk_bytes.saturating_sub(bytes).max(1);
    let mut data = vec![0; length];
    for number in 0..args.count {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&args.seed.to_le_bytes());
        hasher.update(&number.to_le_bytes());
        hasher.finalize_xof().fill(&mut data);
        // On whole sectors, as guests write.
        let place = offset.saturating_add(every.saturating_mul(number)) % room / 4096 * 4096;
        host.write(vm, args.disk, place, &data).map_err(failed)?;
    }
    let text = format!(
        "{}: the guest wrote {} to disk {}",
        args.vm.name,
        size(bytes.saturating_mul(args.count)),
        args.disk
    );
    say(invocation, &args.vm.dir, &text)
}

pub(super) fn start(invocation: &Invocation, args: &PowerArgs) -> Result<ExitCode, CliError> {
    power(invocation, args, "started", SimHost::start)
}

pub(super) fn stop(invocation: &Invocation, args: &PowerArgs) -> Result<ExitCode, CliError> {
    power(invocation, args, "turned off", SimHost::stop)
}

pub(super) fn save(invocation: &Invocation, args: &PowerArgs) -> Result<ExitCode, CliError> {
    power(invocation, args, "saved", SimHost::save)
}

pub(super) fn pause(invocation: &Invocation, args: &PowerArgs) -> Result<ExitCode, CliError> {
    power(invocation, args, "paused", SimHost::pause)
}

fn power(
    invocation: &Invocation,
    args: &PowerArgs,
    done: &str,
    change: impl Fn(&SimHost, Uuid) -> Result<(), SimError>,
) -> Result<ExitCode, CliError> {
    let (host, vm) = args.vm.open()?;
    change(&host, vm).map_err(failed)?;
    say(
        invocation,
        &args.vm.dir,
        &format!("{} is {done}", args.vm.name),
    )
}

pub(super) fn checkpoint(
    invocation: &Invocation,
    args: &CheckpointArgs,
) -> Result<ExitCode, CliError> {
    let (host, vm) = args.vm.open()?;
    host.checkpoint(vm, &args.checkpoint).map_err(failed)?;
    let text = format!(
        "made the checkpoint {} of {}",
        args.checkpoint, args.vm.name
    );
    say(invocation, &args.vm.dir, &text)
}

pub(super) fn fault(invocation: &Invocation, args: &FaultArgs) -> Result<ExitCode, CliError> {
    let host = SimFolder::open(&args.dir)?.host(&args.dir, None)?;
    if args.clear {
        host.clear_faults().map_err(failed)?;
    }
    if let Some(fault) = &args.fault {
        let fault = fault
            .parse()
            .map_err(|why: String| CliError::usage(format!("{fault:?} is no fault: {why}")))?;
        host.plan_fault(fault).map_err(failed)?;
    }
    say(invocation, &args.dir, "noted")
}

pub(super) fn crash(invocation: &Invocation, args: &CrashArgs) -> Result<ExitCode, CliError> {
    SimFolder::open(&args.dir)?
        .host(&args.dir, None)?
        .crash_host(args.lose_tracking)
        .map_err(failed)?;
    say(
        invocation,
        &args.dir,
        "the host crashed and is up again; its VMs are off",
    )
}

pub(super) fn settle(invocation: &Invocation, args: &HostArgs) -> Result<ExitCode, CliError> {
    let settled = match SimFolder::open(&args.dir)? {
        SimFolder::Host(host) => host.settle(),
        SimFolder::Cluster(cluster) => cluster.settle(),
    };
    settled.map_err(failed)?;
    say(invocation, &args.dir, "no job and no merge is left")
}

fn say(invocation: &Invocation, dir: &Path, text: &str) -> Result<ExitCode, CliError> {
    invocation.ui.data(text);
    let fields = json!({ "dir": dir.display().to_string(), "text": text });
    invocation.ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}
