//! `lifeboat sim serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hyperv_sim::SimSession;
use hyperv_sim::wsman::{ServerOptions, serve};
use serde_json::json;
use zeroize::Zeroizing;

use super::failed;
use super::folder::SimFolder;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::password::read_secret_file;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat sim serve DIR
  lifeboat sim serve DIR/nodes/HV1
  lifeboat sim serve DIR --listen 127.0.0.1:5985 --user admin

The password comes from the file that LIFEBOAT_HOST_PASSWORD_FILE names; without one it is made and
printed.")]
pub(crate) struct ServeArgs {
    /// Folder of the simulated host
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5985")]
    listen: SocketAddr,
    /// Who may connect
    #[arg(long, value_name = "NAME", default_value = "admin")]
    user: String,
    /// End when standard input ends, as programs want it that start this one
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

pub(super) fn run(invocation: &Invocation, args: &ServeArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let host = SimFolder::open(&args.dir)?.host(&args.dir, None)?;
    host.follow_real_time(true).map_err(failed)?;
    let (password, made) = password()?;
    let mut options = ServerOptions::new(&args.user, password.as_str());
    options.listen = args.listen;
    let session = SimSession::new(host).map_err(failed)?;
    let server = serve(Arc::new(session), options)
        .map_err(|error| CliError::io(args.listen.to_string(), error))?;
    let address = server.local_addr();
    ui.record(
        "listening",
        json!({ "address": address.to_string(), "user": args.user }),
    );
    ui.data(format!("listening on {address} for the user {}", args.user));
    if made {
        ui.data(format!("password: {}", *password));
    }
    ui.data(format!(
        "try: LIFEBOAT_HOST_PASSWORD_FILE=FILE lifeboat vm list --host winrm://{}@{address}",
        args.user
    ));
    let ended = args.until_stdin_closes.then(watch_stdin);
    while !interrupt::asked()
        && !ended
            .as_ref()
            .is_some_and(std::thread::JoinHandle::is_finished)
    {
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(server);
    ui.summary("success", ExitCode::Success, json!({}));
    Ok(ExitCode::Success)
}

/// Ends when standard input does.
fn watch_stdin() -> std::thread::JoinHandle<()> {
    std::thread::spawn(|| drop(std::io::copy(&mut std::io::stdin(), &mut std::io::sink())))
}

/// Returns the password, and whether it was made up here.
fn password() -> Result<(Zeroizing<String>, bool), CliError> {
    if let Some(file) = std::env::var_os("LIFEBOAT_HOST_PASSWORD_FILE") {
        let text = read_secret_file(Path::new(&file))?;
        let line = text.lines().next().unwrap_or_default().to_owned();
        return Ok((Zeroizing::new(line), false));
    }
    Ok((
        Zeroizing::new(uuid::Uuid::new_v4().simple().to_string()),
        true,
    ))
}
