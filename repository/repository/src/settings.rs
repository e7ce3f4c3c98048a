//! Retention rules and quotas that hold for everybody (section 10).

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

use crate::format::{SEALED_BYTES_MAX, SealedKind, random_bytes};
use crate::hex;
use crate::points::SealedBy;
use crate::{Repository, RepositoryError, RepositoryErrorKind};

const VERSION: u32 = 1;
/// Settings that are looked at: one is all that a repository needs.
const SETTINGS_MAX: usize = 1024;

/// How many points of a VM are kept. All zero: nothing is removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepRules {
    /// The newest so many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub last: u32,
    /// The newest of each of so many hours.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hourly: u32,
    /// The newest of each of so many days.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub daily: u32,
    /// The newest of each of so many weeks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub weekly: u32,
    /// The newest of each of so many months.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub monthly: u32,
    /// The newest of each of so many years.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub yearly: u32,
    /// Whose calendar it is: an IANA name; UTC where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for this shape"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Retention rules and quotas that hold for everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Rules for every VM that has none of its own.
    pub keep: Option<KeepRules>,
    /// Rules of single VMs, by identity.
    #[serde(default)]
    pub keep_vm: BTreeMap<String, KeepRules>,
    /// The most that the repository may hold, in bytes.
    pub quota_bytes: Option<u64>,
    /// The most that the points of single VMs may have stored, by identity, in bytes.
    #[serde(default)]
    pub quota_vm_bytes: BTreeMap<String, u64>,
}

#[derive(Serialize, Deserialize)]
struct StoredSettings {
    version: u32,
    time: Timestamp,
    #[serde(flatten)]
    settings: Settings,
}

#[derive(Deserialize)]
struct VersionAndTime {
    version: u32,
    time: Timestamp,
}

/// All settings that there are.
#[derive(Default)]
struct Found {
    objects: Vec<String>,
    newest: Option<(Timestamp, String, StoredSettings)>,
}

impl Settings {
    /// Returns the rules that a VM follows.
    pub fn keep_of(&self, identity: &str) -> Option<&KeepRules> {
        self.keep_vm.get(identity).or(self.keep.as_ref())
    }
}

impl Repository {
    /// Reads the settings. A repository without any has those that remove nothing and limit
    /// nothing.
    ///
    /// Settings that cannot be read are an error: others may be older, and rules that do not hold
    /// any more would remove points.
    pub fn settings(&self) -> Result<Settings, RepositoryError> {
        let newest = self.find_settings()?.newest;
        Ok(newest.map_or_else(Settings::default, |(.., own)| own.settings))
    }

    /// Sets all settings anew, and removes those that hold no more.
    pub fn set_settings(&self, settings: &Settings, now: Timestamp) -> Result<(), RepositoryError> {
        let found = self.find_settings()?;
        let time = match &found.newest {
            // A clock that was ahead must not have the last word.
            Some((newest, ..)) if *newest >= now => {
                newest.checked_add(1.nanosecond()).unwrap_or(*newest)
            }
            _ => now,
        };
        let stored = StoredSettings {
            version: VERSION,
            time,
            settings: settings.clone(),
        };
        let object = format!("settings/{}", hex::encode(&random_bytes::<16>()?));
        // Plain structs of strings and numbers always serialise.
        let body = serde_json::to_vec(&stored).unwrap_or_default();
        let by = SealedBy::Master;
        let sealed = self
            .shared
            .seal_small(SealedKind::Settings, by, &object, &body)?;
        self.shared.store.put_new(&object, &sealed)?;
        for old in found.objects {
            // Where it stays, the newer one counts.
            drop(self.shared.store.remove(&old));
        }
        Ok(())
    }

    fn find_settings(&self) -> Result<Found, RepositoryError> {
        let mut found = Found::default();
        let store = &self.shared.store;
        let mut listed = Vec::new();
        store.list("settings/", &mut |object| {
            listed.push((object.modified, object.name));
        })?;
        // The newest first: whoever adds a thousand old ones again hides none that hold.
        listed.sort_unstable_by(|one, other| other.cmp(one));
        found.objects = listed.into_iter().map(|(_, object)| object).collect();
        for object in found.objects.iter().take(SETTINGS_MAX) {
            let bytes = match store.get(object, SEALED_BYTES_MAX as u64) {
                // Somebody has just set others.
                Err(error) if error.kind() == object_store::StoreErrorKind::NotFound => continue,
                result => result?,
            };
            let (time, stored) = self.open_settings(object, &bytes)?;
            let newest = found.newest.as_ref().map(|(time, name, _)| (*time, name));
            if newest < Some((time, object)) {
                found.newest = Some((time, object.clone(), stored));
            }
        }
        Ok(found)
    }

    fn open_settings(
        &self,
        object: &str,
        bytes: &[u8],
    ) -> Result<(Timestamp, StoredSettings), RepositoryError> {
        let (by, body) = self
            .shared
            .open_small(SealedKind::Settings, object, bytes)?;
        if by != SealedBy::Master {
            let what = "these settings are not under the master key";
            return Err(RepositoryError::damaged(object, what));
        }
        let unreadable = |error| {
            let what = "the settings are not some that this version reads";
            RepositoryError::new(RepositoryErrorKind::Unsupported, what)
                .in_object(object)
                .caused_by(error)
        };
        let head: VersionAndTime = serde_json::from_slice(&body).map_err(unreadable)?;
        if head.version != VERSION {
            let what = format!(
                "settings of version {}, newer than this program",
                head.version
            );
            return Err(
                RepositoryError::new(RepositoryErrorKind::Unsupported, what).in_object(object)
            );
        }
        let stored = serde_json::from_slice(&body).map_err(unreadable)?;
        Ok((head.time, stored))
    }
}
