//! What a new host is to be, and how it behaves.

use serde::{Deserialize, Serialize};

use crate::Profile;

/// What a new host is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimOptions {
    /// Which Windows Server it is.
    pub profile: Profile,
    /// Its name.
    pub host_name: String,
    /// What all its GUIDs and durations come from.
    pub seed: u64,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            profile: Profile::Server2022,
            host_name: "HV1".to_owned(),
            seed: 1,
        }
    }
}

/// How a host behaves. Changed at any time with [`crate::SimHost::change_behavior`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behavior {
    /// Captions and descriptions are German, as on a host of that language.
    pub localized: bool,
    /// Services of Windows that do not do what they usually do: `Stopped`, `Running` or `Disabled`.
    #[serde(default)]
    pub services: std::collections::BTreeMap<String, String>,
    /// Most ranges in one answer about changes; beyond it less is processed than was asked for.
    pub ranges_per_answer: usize,
    /// Tracking ids that no checkpoint and no reference point holds are forgotten.
    pub forgets_unheld_ids: bool,
    /// Milliseconds between a job's end and the moment its result can be seen.
    pub visibility_delay_ms: u64,
    /// How long a checkpoint, a conversion or a removal takes, in milliseconds.
    pub job_ms: u64,
    /// How long a merge waits before it starts, in milliseconds.
    pub merge_delay_ms: u64,
    /// How long a merge takes, in milliseconds.
    pub merge_ms: u64,
}

impl Default for Behavior {
    fn default() -> Self {
        Self {
            localized: false,
            services: std::collections::BTreeMap::new(),
            ranges_per_answer: 1 << 20,
            forgets_unheld_ids: true,
            visibility_delay_ms: 0,
            job_ms: 400,
            merge_delay_ms: 500,
            merge_ms: 2_000,
        }
    }
}
