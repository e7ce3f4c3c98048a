//! A drive letter of Windows for an address.

use std::io;
use std::process::{Command, Stdio};

use file_webdav::free_letter;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;

/// A drive letter that was given, until it is released, or this is dropped.
pub(super) struct NetworkDrive {
    letter: char,
    is_given: bool,
}

impl NetworkDrive {
    /// Gives the next free letter to an address, for this session alone.
    pub(super) fn map(url: &str) -> Result<Self, CliError> {
        let letter = free_letter(taken()).ok_or_else(|| {
            CliError::new(ExitCode::Failed, "no-letter", "no drive letter is free")
        })?;
        let drive = format!("{letter}:");
        let address = url.trim_end_matches('/');
        let mapped = net_use(&[&drive, address, "/persistent:no"]);
        mapped.map_err(|why| {
            // Errors are kept in logs, which are not to know the word in the address.
            let why = why.replace(address, "the address");
            let what = format!("{drive} could not be given to the address: {why}");
            CliError::new(ExitCode::Failed, "cannot-map", what).hint(
                "the service WebClient has to run (on Windows Server: the feature WebDAV Redirector); \
                 without --drive the address works in every browser",
            )
        })?;
        Ok(Self {
            letter,
            is_given: true,
        })
    }

    pub(super) fn letter(&self) -> char {
        self.letter
    }

    /// Takes the letter back. What fails is said in words.
    pub(super) fn release(mut self) -> Result<(), String> {
        self.take_back()
    }

    fn take_back(&mut self) -> Result<(), String> {
        if !std::mem::take(&mut self.is_given) {
            return Ok(());
        }
        let drive = format!("{}:", self.letter);
        net_use(&[&drive, "/delete", "/y"]).map_err(|why| {
            format!(
                "{drive} could not be released: {why}; release it with: net use {drive} /delete"
            )
        })
    }
}

impl Drop for NetworkDrive {
    fn drop(&mut self) {
        // Nobody is there to be told.
        drop(self.take_back());
    }
}

/// Returns the letters that mean something: drives, and addresses that are not reached now.
fn taken() -> Vec<char> {
    let drives = ('A'..='Z').filter(|letter| {
        let top = std::fs::metadata(format!("{letter}:\\"));
        // A drive without a disk in it is an error of another kind.
        !top.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    });
    let listed = Command::new("net").arg("use").stdin(Stdio::null()).output();
    let listed = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let listed = listed.unwrap_or_default();
    let mapped = listed.split_whitespace().filter_map(|word| {
        let mut letters = word.chars();
        match (letters.next(), letters.next(), letters.next()) {
            (Some(letter), Some(':'), None) if letter.is_ascii_alphabetic() => Some(letter),
            _ => None,
        }
    });
    drives.chain(mapped).collect()
}

fn net_use(arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("net");
    command.arg("use").args(arguments).stdin(Stdio::null());
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    Err(lines.collect::<Vec<_>>().join(" "))
}
