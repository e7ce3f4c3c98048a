//! `lifeboat point serve`.

use std::time::Duration;

use clap::Args;
use nbd_server::{Export, Limits, ListenAddress, NbdServer};
use serde_json::json;
use vm_restore::open_disk;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::size;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat point serve SQL01@latest --disk 0 --nbd --repo /backup
  lifeboat point serve SQL01@latest --nbd unix:/run/sql01.nbd --repo /backup
  qemu-img convert -O qcow2 nbd://127.0.0.1:10809/disk0 sql01.qcow2

Reads what a client asks for and nothing else, until Ctrl-C. Nothing proves who connects, so only
this machine is listened to.")]
pub(crate) struct ServeArgs {
    /// The restore point: VM@latest, VM@latest~1, VM@2026-05-01T22:00 or the beginning of an id
    #[arg(value_name = "POINT")]
    point: String,
    /// Which disk, from 0 by controller and slot
    #[arg(long, value_name = "N", default_value_t = 0)]
    disk: u32,
    /// As it was at this checkpoint: its name, its id or the beginning of that; only where the point holds all checkpoints
    #[arg(long, value_name = "ID|NAME")]
    checkpoint: Option<String>,
    /// By the NBD protocol, at an address of this machine (127.0.0.1:10809 unless another is named)
    #[arg(long, value_name = "ADDRESS|unix:PATH", required = true, num_args = 0..=1,
          default_missing_value = "127.0.0.1:10809")]
    nbd: ListenAddress,
}

pub(super) fn run(invocation: &Invocation, args: &ServeArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let point = repository.find_point(&args.point)?;
    let disk = open_disk(&repository, &point, args.disk, args.checkpoint.as_deref())?.device;
    let size_bytes = disk.size_bytes();
    let name = format!("disk{}", args.disk);
    let description = format!(
        "disk {} of {}, restore point {}",
        args.disk, point.vm.name, point.id
    );
    let export = Export::read_only(&name, &description, disk);
    let server = NbdServer::start(vec![export], &args.nbd, Limits::default())?;
    let url = server.url(&name);
    ui.record(
        "listening",
        json!({ "url": url, "address": server.address().to_string(), "export": name,
                "point": point.id, "disk": args.disk, "size_bytes": size_bytes }),
    );
    ui.data(&url);
    ui.message(format!(
        "serving {description} ({}); Ctrl-C ends it",
        size(size_bytes)
    ));
    while !interrupt::asked() {
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(server);
    ui.summary("success", ExitCode::Success, json!({ "point": point.id }));
    Ok(ExitCode::Success)
}
