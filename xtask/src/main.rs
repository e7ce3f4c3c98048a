//! Repository chores, started by `cargo xtask …`.
//!
//! * `tidy` checks what the compiler cannot: which crate may know which, how long files are, whether
//!   the documents' links lead anywhere. It reads the tree and `cargo metadata`, and takes no time.
//! * `bench` measures Lifeboat against its peers in one run on one disk image, and says which of the
//!   project's bounds hold.
//!
//! Neither is part of the product, so both may print and may panic on a broken machine.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a chore talks to the person who started it"
)]

mod bench;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The command line of `cargo xtask`.
#[derive(Parser)]
#[command(name = "cargo xtask", about = "Repository chores")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Check layers, file sizes, names, documents.
    Tidy,
    /// Measure Lifeboat against restic, borg and rustic.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().chore {
        Chore::Tidy => tidy::run(&workspace_root()),
        Chore::Bench(options) => bench::run(&workspace_root(), &options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace: the parent of this crate's.
fn workspace_root() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.parent().map_or_else(|| own.clone(), PathBuf::from)
}
