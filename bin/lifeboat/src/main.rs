//! Backup and recovery for Microsoft Hyper-V: the command line.
//!
//! ```text
//!   arguments ── Invocation ── cmd/<noun> ── libraries
//!                    │             │
//!                    └──── Ui ◄────┘   data on stdout, messages on stderr, JSON lines with --json
//! ```
//!
//! The program picks implementations (which host, which store) and speaks with people; it knows
//! nothing of formats. [`ui`] is the only place that writes to the terminal, and [`exit_code`] the
//! only one that knows what the program ends with.

#![forbid(unsafe_code)]

mod arguments;
#[cfg(test)]
mod arguments_named;
mod cli_error;
mod cmd;
mod core_dumps;
mod exit_code;
mod host_choice;
mod interrupt;
mod invocation;
mod name_pair;
mod observers;
mod opened_by;
mod password;
mod recovery_key_file;
mod recovery_key_page;
mod secret_file;
mod store_choice;
mod store_credentials;
mod store_limits;
mod ui;
mod vm_choice;

use clap::error::ErrorKind;

use arguments::{Cli, Command};
use cli_error::CliError;
use exit_code::ExitCode;
use invocation::Invocation;

fn main() -> std::process::ExitCode {
    core_dumps::refuse();
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error).into(),
    };
    if matches!(cli.command, Command::GuestReader) {
        // While there is one thread: what is taken from it is taken from the process.
        return cmd::guest_reader::run().unwrap_or(ExitCode::Failed).into();
    }
    interrupt::listen();
    let invocation = Invocation::new(cli.global);
    let code = match cmd::run(&invocation, cli.command) {
        Ok(code) => code,
        Err(error) => {
            invocation.ui.error(&error);
            error.exit_code()
        }
    };
    if code == ExitCode::Success && !ui::output_is_whole() {
        invocation
            .ui
            .notice("error: the output could not be written");
        return ExitCode::Failed.into();
    }
    code.into()
}

/// Answers a command line that is none, or that asks for help.
fn refuse(error: &clap::Error) -> ExitCode {
    let help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if !help && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let text = text.trim_start_matches("error: ");
        let message = text.split("\n\n").next().unwrap_or(text).trim();
        ui::usage_error(&CliError::usage(message).hint("see `lifeboat --help`"));
    } else {
        drop(error.print());
    }
    if help {
        ExitCode::Success
    } else {
        ExitCode::Usage
    }
}
