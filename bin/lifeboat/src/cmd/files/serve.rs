//! `lifeboat files serve`.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use file_webdav::DavServer;
use serde_json::json;

use super::network_drive::NetworkDrive;
use super::view_args::ViewArgs;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat files serve SQL01@latest --webdav --repo /backup
  lifeboat files serve --all --webdav --port 8080 --repo /backup
  lifeboat files serve --vm SQL01 --webdav --drive --repo 'B:\\backup'

Each restore point is a folder, in it one for each volume. Nothing can be changed. Only this machine is
listened to, and only who knows the address, which has a random word in it, is answered. Until Ctrl-C.")]
pub(crate) struct ServeArgs {
    /// Restore points, unless --all or --vm says which: VM@latest, VM@2026-05-01T22:00 or the beginning of an id
    #[arg(value_name = "POINT", required_unless_present_any = ["all", "vm"])]
    points: Vec<String>,
    #[command(flatten)]
    view: ViewArgs,
    /// By WebDAV, which file managers and browsers know
    #[arg(long, required = true)]
    webdav: bool,
    /// The port to listen on; without it the first free one from 8437 on
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// On Windows: give it the next free drive letter, until Ctrl-C
    #[arg(long)]
    drive: bool,
}

pub(super) fn run(invocation: &Invocation, args: &ServeArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    if args.drive && !cfg!(windows) {
        return Err(
            CliError::usage("--drive gives a drive letter, which Windows alone has")
                .hint("`lifeboat files mount` shows restore points as folders on Linux"),
        );
    }
    let view = args.view.view(invocation, &args.points)?;
    let points = view.points().count();
    let told = {
        let ui = ui.clone();
        Box::new(move |what: &str| ui.warning(what))
    };
    let server = DavServer::start(Arc::new(view), args.port, told).map_err(|error| {
        let port = args.port.map(|port| format!(" {port}")).unwrap_or_default();
        let what = format!("port{port} of this machine cannot be listened on: {error}");
        CliError::new(ExitCode::Failed, "cannot-listen", what)
    })?;
    let url = server.url();
    let drive = match args.drive {
        true => Some(NetworkDrive::map(&url)?),
        false => None,
    };
    let letter = drive.as_ref().map(NetworkDrive::letter);
    ui.record(
        "listening",
        json!({ "url": url, "address": server.address().to_string(), "points": points,
                "drive": letter.map(|letter| format!("{letter}:")) }),
    );
    ui.data(&url);
    if let Some(letter) = letter {
        ui.data(format!("{letter}:"));
    }
    ui.message(format!(
        "{points} restore point{} can be read there by who knows this address; Ctrl-C ends it",
        if points == 1 { "" } else { "s" }
    ));
    while !interrupt::asked() && !server.is_over() {
        std::thread::sleep(Duration::from_millis(50));
    }
    if let Some(Err(why)) = drive.map(NetworkDrive::release) {
        ui.warning(&why);
    }
    if server.is_over() {
        let what = "the server ended of itself; nothing can be read there any more";
        return Err(CliError::new(ExitCode::Failed, "server-ended", what));
    }
    drop(server);
    ui.summary("success", ExitCode::Success, json!({ "points": points }));
    Ok(ExitCode::Success)
}
