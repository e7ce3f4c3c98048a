//! What was done to hold a VM still.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A step of a freeze, and how long it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// A stable word, such as `prepare`, `volume-snapshot` or `saved`.
    pub name: String,
    /// How long it took.
    pub duration: Duration,
}
