//! Hosts, and the ways of backing their VMs up.

use serde::Deserialize;

use crate::{Evidence, SystemVersion};

/// A version of Windows as a host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRow {
    /// Its name.
    pub name: String,
    /// The first version that the row is about: major, minor, build.
    pub from: (u32, u32, u32),
    /// A Windows client, not a server.
    pub client: bool,
    /// Latest state, changes tracked.
    pub tracked: Way,
    /// Latest state, read in full.
    pub standard: Way,
    /// All checkpoints.
    pub all: Way,
    /// How a running guest that takes part is frozen.
    pub online: String,
    /// How one that does not is frozen.
    pub offline: String,
    /// Configuration versions that it runs.
    pub configurations: Vec<String>,
    /// How sure this is.
    pub evidence: Evidence,
    /// Where it is from.
    pub source: String,
    /// What else there is to know.
    #[serde(default)]
    pub note: String,
}

/// How a mode is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Through recovery checkpoints.
    Yes,
    /// Through a volume snapshot.
    Vss,
    /// Not at all.
    No,
}

/// A mode.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModeRow {
    /// Its name in policies.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What it does and needs.
    pub text: String,
}

impl HostRow {
    /// Returns whether a VM of a configuration version runs here. A version that cannot be read
    /// does not.
    pub fn runs(&self, configuration: &str) -> bool {
        let wanted = SystemVersion::parse(configuration);
        wanted.is_some()
            && self
                .configurations
                .iter()
                .any(|own| SystemVersion::parse(own) == wanted)
    }

    /// Returns the newest configuration version that runs here.
    pub fn newest_configuration(&self) -> Option<&str> {
        let own = self.configurations.iter();
        own.max_by_key(|own| SystemVersion::parse(own))
            .map(String::as_str)
    }
}
