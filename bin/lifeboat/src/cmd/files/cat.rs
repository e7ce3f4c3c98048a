//! `lifeboat files cat`.

use std::io::{Write as _, stdout};

use clap::Args;
use guest_files::FileName;

use super::open_point::{GuestArgs, OpenPoint, failed, parse};
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

const BUFFER_BYTES: usize = 1 << 20;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat files cat SQL01@latest:/3/etc/fstab --repo /backup
  lifeboat files cat 'SQL01@latest:C:\\setup.exe' --stream Zone.Identifier --repo /backup")]
pub(crate) struct CatArgs {
    /// A file: POINT:/N/path or POINT:C:\path
    #[arg(value_name = "POINT:/PATH")]
    path: String,
    /// A named stream of the file (NTFS), not its content
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    #[command(flatten)]
    guest: GuestArgs,
}

pub(super) fn run(invocation: &Invocation, args: &CatArgs) -> Result<ExitCode, CliError> {
    let path = parse(&args.path)?;
    let stream = args.stream.as_ref().map(|name| {
        FileName::new(name.as_bytes())
            .ok_or_else(|| CliError::usage(format!("no stream is called {name:?}")))
    });
    let stream = stream.transpose()?;
    let open = OpenPoint::open(invocation, &path.point, &args.guest)?;
    let tree = open.tree();
    let found = tree.find(&path.place).map_err(failed)?;
    let system = tree.file_system(found.volume).map_err(failed)?;
    let file = system.open(found.node.id, stream.as_ref());
    let file = file.map_err(|error| failed(error.into()))?;
    let mut out = stdout().lock();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut at = 0;
    loop {
        let read = file.read_at(at, &mut buffer);
        let read = read.map_err(|error| failed(error.into()))?;
        let part = buffer.get(..read).unwrap_or(&[]);
        if part.is_empty() {
            break;
        }
        let written = out.write_all(part);
        written.map_err(|error| CliError::io("standard output", error))?;
        at += read as u64;
    }
    out.flush()
        .map_err(|error| CliError::io("standard output", error))?;
    Ok(ExitCode::Success)
}
