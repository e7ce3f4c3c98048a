//! Guests, and the file systems in them and below them.

use serde::Deserialize;

use crate::{Evidence, SystemVersion};

/// A guest system.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestRow {
    /// Its name.
    pub name: String,
    /// `windows`, `linux`, `freebsd`, `other`.
    pub family: String,
    /// Parts of names in lower case, of which one has to be in the guest's, between `|`.
    #[serde(rename = "match")]
    pub matches: String,
    /// The first version; the guest's stands behind the part that matched.
    #[serde(default)]
    pub from: Option<String>,
    /// The first version that the row is not about any more.
    #[serde(default)]
    pub below: Option<String>,
    /// What takes part in it when the host asks.
    pub freeze: Freeze,
    /// What has to be installed in it.
    pub parts: String,
    /// How sure this is.
    pub evidence: Evidence,
    /// Where it is from.
    pub source: String,
    /// What else there is to know.
    #[serde(default)]
    pub note: String,
}

/// What takes part in a guest when the host asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Freeze {
    /// VSS writers: applications bring their data into order.
    Writers,
    /// File systems are frozen; applications are not asked.
    FileSystems,
    /// Nothing can.
    None,
}

/// A file system in guests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSystemRow {
    /// Its name.
    pub name: String,
    /// The family of guests.
    pub guest: String,
    /// It takes part when the guest is frozen.
    pub frozen: bool,
    /// How sure this is.
    pub evidence: Evidence,
    /// Where it is from.
    pub source: String,
    /// What else there is to know.
    #[serde(default)]
    pub note: String,
}

/// A file system of the host's volumes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeRow {
    /// Its name, as `Win32_Volume.FileSystem` has it.
    pub name: String,
    /// VSS can make snapshots of it.
    pub snapshots: bool,
    /// How sure this is.
    pub evidence: Evidence,
    /// Where it is from.
    pub source: String,
}

impl GuestRow {
    /// Returns whether the row is about a guest that calls itself so, in lower case.
    pub(crate) fn fits(&self, system: &str) -> bool {
        self.matches.split('|').any(|part| {
            let Some((_, behind)) = system.split_once(part) else {
                return false;
            };
            self.covers(SystemVersion::first_in(behind))
        })
    }

    /// A guest that does not tell its version is taken for a new one.
    fn covers(&self, version: Option<SystemVersion>) -> bool {
        let bound = |text: &Option<String>| text.as_deref().and_then(SystemVersion::parse);
        match version {
            None => self.below.is_none() || self.from.is_some(),
            Some(version) => {
                bound(&self.from).is_none_or(|from| from <= version)
                    && bound(&self.below).is_none_or(|below| version < below)
            }
        }
    }
}
