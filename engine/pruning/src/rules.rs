//! Which rules a VM follows.

use std::error::Error;
use std::fmt;

use jiff::tz::TimeZone;
use repository::{KeepRules, Settings};
use retention::Rules;

/// A time zone that this machine does not know.
#[derive(Debug)]
pub struct UnknownTimeZone {
    name: String,
    source: jiff::Error,
}

impl fmt::Display for UnknownTimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no time zone {:?}", self.name)
    }
}

impl Error for UnknownTimeZone {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// Turns rules as they are stored into rules that can be followed.
pub fn rules_of(keep: &KeepRules) -> Result<Rules, UnknownTimeZone> {
    let time_zone = match &keep.time_zone {
        None => TimeZone::UTC,
        Some(name) => TimeZone::get(name).map_err(|source| UnknownTimeZone {
            name: name.clone(),
            source,
        })?,
    };
    Ok(Rules {
        last: keep.last,
        hourly: keep.hourly,
        daily: keep.daily,
        weekly: keep.weekly,
        monthly: keep.monthly,
        yearly: keep.yearly,
        time_zone,
    })
}

/// Where the rules of a VM come from.
#[derive(Debug, Clone)]
pub enum VmRules {
    /// These, for every VM.
    Same(KeepRules),
    /// Those of the repository's settings.
    Settings(Settings),
}

impl VmRules {
    /// Returns the rules of a VM; a VM that has none keeps everything.
    pub fn of(&self, identity: &str) -> Result<Rules, UnknownTimeZone> {
        let keep = match self {
            Self::Same(keep) => Some(keep),
            Self::Settings(settings) => settings.keep_of(identity),
        };
        keep.map_or_else(|| Ok(Rules::default()), rules_of)
    }
}
