//! How many points of which periods are kept.

use std::fmt;

use jiff::tz::TimeZone;
use serde::Serialize;

/// How many points are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The newest so many.
    pub last: u32,
    /// The newest of each of so many hours.
    pub hourly: u32,
    /// The newest of each of so many days.
    pub daily: u32,
    /// The newest of each of so many weeks.
    pub weekly: u32,
    /// The newest of each of so many months.
    pub monthly: u32,
    /// The newest of each of so many years.
    pub yearly: u32,
    /// Whose calendar it is.
    pub time_zone: TimeZone,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            last: 0,
            hourly: 0,
            daily: 0,
            weekly: 0,
            monthly: 0,
            yearly: 0,
            time_zone: TimeZone::UTC,
        }
    }
}

/// One of the rules, in the order in which they are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// The newest points, whenever they are of.
    Last,
    /// Hours.
    Hourly,
    /// Days.
    Daily,
    /// Weeks from Monday to Sunday.
    Weekly,
    /// Months.
    Monthly,
    /// Years.
    Yearly,
}

impl Rule {
    /// All rules, in the order in which they are followed.
    pub const ALL: [Self; 6] = [
        Self::Last,
        Self::Hourly,
        Self::Daily,
        Self::Weekly,
        Self::Monthly,
        Self::Yearly,
    ];

    /// Returns the rule's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }
}

impl Rules {
    /// Returns how many points a rule keeps.
    pub fn count(&self, rule: Rule) -> u32 {
        match rule {
            Rule::Last => self.last,
            Rule::Hourly => self.hourly,
            Rule::Daily => self.daily,
            Rule::Weekly => self.weekly,
            Rule::Monthly => self.monthly,
            Rule::Yearly => self.yearly,
        }
    }

    /// Returns whether there is no rule, so that nothing is removed.
    pub fn are_empty(&self) -> bool {
        Rule::ALL.iter().all(|rule| self.count(*rule) == 0)
    }
}

impl fmt::Display for Rules {
    /// Writes the rules as people say them: `last 3, daily 7 (Europe/Berlin)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.are_empty() {
            return f.write_str("no rules: everything is kept");
        }
        let mut first = true;
        for rule in Rule::ALL {
            let count = self.count(rule);
            if count > 0 {
                let comma = if first { "" } else { ", " };
                write!(f, "{comma}{} {count}", rule.name())?;
                first = false;
            }
        }
        let zone = self.time_zone.iana_name().unwrap_or("UTC");
        write!(f, " ({zone})")
    }
}
