//! Options that say how many restore points are kept.

use clap::Args;
use jiff::tz::TimeZone;
use pruning::rules_of;
use repository::KeepRules;

use crate::cli_error::CliError;

/// How many restore points of a VM are kept. The numbers add up.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is kept")]
pub(crate) struct KeepArgs {
    /// Keep the newest N
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_last: u32,
    /// Keep the newest of each of N hours
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_hourly: u32,
    /// Keep the newest of each of N days
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_daily: u32,
    /// Keep the newest of each of N weeks
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_weekly: u32,
    /// Keep the newest of each of N months
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_monthly: u32,
    /// Keep the newest of each of N years
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_yearly: u32,
    /// Whose calendar it is, such as Europe/Berlin; by default this machine's
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
}

impl KeepArgs {
    /// Returns the rules that were given; `None` where there was none.
    pub(crate) fn rules(&self) -> Result<Option<KeepRules>, CliError> {
        let own = || TimeZone::system().iana_name().map(str::to_owned);
        let keep = KeepRules {
            last: self.keep_last,
            hourly: self.keep_hourly,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            yearly: self.keep_yearly,
            time_zone: self.time_zone.clone().or_else(own),
        };
        let rules = rules_of(&keep).map_err(|error| {
            CliError::usage(error.to_string()).hint("write it like Europe/Berlin or UTC")
        })?;
        Ok((!rules.are_empty()).then_some(keep))
    }
}
