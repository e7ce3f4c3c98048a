//! `lifeboat doctor guest`: what a guest's own tools printed.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use guest_listing::read_listing;
use serde_json::json;

use super::report::Report;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

/// Most bytes of a listing.
const LISTING_MAX_BYTES: u64 = 1 << 20;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat doctor guest --paste listing.txt
  lifeboat doctor guest --paste - --json

Paste what these print in the guest, one after the other: lsmod; ps -e (Linux);
vssadmin list writers; vssadmin list shadowstorage (Windows).")]
pub(super) struct GuestArgs {
    /// The file with what was printed, or - for the standard input
    #[arg(long, value_name = "FILE")]
    paste: PathBuf,
}

pub(super) fn run(invocation: &Invocation, args: &GuestArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let text = read(&args.paste)?;
    let listing = read_listing(&text);
    if listing.parts.is_empty() {
        return Err(CliError::usage("there is no listing in it that is known")
            .hint("paste what lsmod, ps -e, or vssadmin list writers printed, with its heading"));
    }
    for part in &listing.parts {
        ui.record("listing", json!({ "text": part }));
        ui.data(part);
    }
    let mut report = Report::default();
    for finding in listing.findings {
        report.add(None, finding);
    }
    Ok(report.show(ui))
}

fn read(path: &Path) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    let failed = |error| CliError::io(path.display().to_string(), error);
    if path == Path::new("-") {
        io::stdin().take(LISTING_MAX_BYTES).read_to_end(&mut bytes)
    } else {
        let file = File::open(path).map_err(failed)?;
        file.take(LISTING_MAX_BYTES).read_to_end(&mut bytes)
    }
    .map_err(failed)?;
    Ok(decoded(&bytes))
}

/// Windows' consoles write UTF-16 where their output is sent to a file.
fn decoded(bytes: &[u8]) -> String {
    if let Some(rest) = bytes.strip_prefix(&[0xFF, 0xFE]) {
        let units: Vec<u16> = rest
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        return String::from_utf16_lossy(&units);
    }
    String::from_utf8_lossy(bytes).into_owned()
}
