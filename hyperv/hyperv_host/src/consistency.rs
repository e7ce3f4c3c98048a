//! What the data of a point can be relied on for.

use serde::{Deserialize, Serialize};

/// What the guest's data can be relied on for. Ordered: more is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// As after a power cut.
    Crash,
    /// The guest's file systems were flushed and frozen.
    FileSystem,
    /// Applications in the guest took part (VSS).
    Application,
}

impl Consistency {
    /// Returns the level as programs read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::FileSystem => "file-system",
            Self::Application => "application",
        }
    }
}

/// A level, and why it is that one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The level.
    pub level: Consistency,
    /// Why, as a sentence without a full stop.
    pub reason: String,
}
