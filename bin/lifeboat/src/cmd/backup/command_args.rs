//! Commands before and after the work.

use std::time::Duration;

use backup_run::{CommandLine, CommandPolicy, OnCommandFailure};
use clap::{Args, ValueEnum};

use crate::cli_error::CliError;

/// What runs before and after the work.
#[derive(Debug, Args)]
#[command(next_help_heading = "Commands of your own")]
pub(crate) struct CommandArgs {
    /// Run a command before the first VM is frozen: a line for cmd on Windows, else for sh; the repository is open by then
    #[arg(long, value_name = "CMD")]
    before: Option<String>,
    /// Run a command after the run, also when it failed or was cancelled
    #[arg(long, value_name = "CMD")]
    after: Option<String>,
    /// Run a command before each VM is frozen; LIFEBOAT_VM has its name, and each VM gets volume snapshots of its own
    #[arg(long, value_name = "CMD")]
    before_vm: Option<String>,
    /// Run a command after each VM; LIFEBOAT_OUTCOME says how it went
    #[arg(long, value_name = "CMD")]
    after_vm: Option<String>,
    /// End a command, and all that it started, after so long: 90s, 10m, 2h
    #[arg(long, value_name = "TIME", default_value = "10m")]
    command_timeout: String,
    /// What it means when a command before the work fails
    #[arg(long, value_name = "WHAT", default_value = "cancel")]
    on_before_failure: OnFailure,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnFailure {
    Cancel,
    Warn,
    Ignore,
}

impl CommandArgs {
    /// Returns the commands of a run.
    pub(crate) fn policy(&self) -> Result<CommandPolicy, CliError> {
        let line = |text: &Option<String>| text.clone().map(CommandLine::Shell);
        Ok(CommandPolicy {
            before: line(&self.before),
            after: line(&self.after),
            before_vm: line(&self.before_vm),
            after_vm: line(&self.after_vm),
            time_limit: parse_duration(&self.command_timeout)?,
            on_before_failure: match self.on_before_failure {
                OnFailure::Cancel => OnCommandFailure::Cancel,
                OnFailure::Warn => OnCommandFailure::Warn,
                OnFailure::Ignore => OnCommandFailure::Ignore,
            },
        })
    }
}

/// Reads a time: `90s`, `10m`, `2h`, or a number of seconds.
fn parse_duration(text: &str) -> Result<Duration, CliError> {
    let parse = || {
        let text = text.trim().to_lowercase();
        let digits = text.find(|c: char| !c.is_ascii_digit());
        let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
        let unit_seconds = match unit.trim() {
            "" | "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            _ => return None,
        };
        let seconds = number.parse::<u64>().ok()?.checked_mul(unit_seconds)?;
        (seconds > 0).then(|| Duration::from_secs(seconds))
    };
    parse().ok_or_else(|| {
        CliError::usage(format!("{text:?} is no time")).hint("write it like 90s, 10m or 2h")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let seconds = |text| parse_duration(text).ok().map(|time| time.as_secs());
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("90"), Some(90));
        assert_eq!(seconds(" 10 M "), Some(600));
        assert_eq!(seconds("2h"), Some(7200));
        for wrong in [
            "",
            "0",
            "0s",
            "m",
            "-1s",
            "1d",
            "1.5h",
            "99999999999999999999s",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
