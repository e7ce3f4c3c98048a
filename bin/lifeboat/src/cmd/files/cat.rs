//! `lifeboat files cat`.

use std::io::{self, Write, stdout};

use clap::Args;
use guest_files::{FileError, FileErrorKind, FileName, GuestFile};

use super::get::behind_of;
use super::open_point::{GuestArgs, OpenPoint, failed, parse};
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
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
    if invocation.ui.has_stdout() {
        let what = "with --json (or --progress json) standard output is for records";
        let hint = "leave it out, or write the file with `files get -o DIR`";
        return Err(CliError::usage(what).hint(hint));
    }
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
    if let Some(why) = behind_of(system.about().state.clone()) {
        let volume = tree.name(found.volume);
        invocation.ui.warning(&format!("volume /{volume}: {why}"));
    }
    let file = system.open(found.node.id, stream.as_ref());
    let file = file.map_err(|error| failed(error.into()))?;
    match write(&*file, &mut stdout().lock()) {
        Ok(()) if interrupt::asked() => Ok(ExitCode::Cancelled),
        Ok(()) => Ok(ExitCode::Success),
        Err(Failed::File(error)) => Err(failed(error.into())),
        // Whoever reads it had enough.
        Err(Failed::Out(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(ExitCode::Success)
        }
        Err(Failed::Out(error)) => Err(CliError::io("standard output", error)),
    }
}

enum Failed {
    File(FileError),
    Out(io::Error),
}

/// Writes a file from front to back, up to its length and no less.
fn write(file: &dyn GuestFile, out: &mut dyn Write) -> Result<(), Failed> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let size_bytes = file.size_bytes();
    let mut at = 0;
    while at < size_bytes && !interrupt::asked() {
        let read = file.read_at(at, &mut buffer).map_err(Failed::File)?;
        let part = buffer.get(..read).unwrap_or(&[]);
        if part.is_empty() {
            let what = format!("the file ends after {at} of {size_bytes} bytes");
            let error = FileError::new(FileErrorKind::Corrupt, what);
            return Err(Failed::File(error));
        }
        out.write_all(part).map_err(Failed::Out)?;
        at += read as u64;
    }
    out.flush().map_err(Failed::Out)
}
