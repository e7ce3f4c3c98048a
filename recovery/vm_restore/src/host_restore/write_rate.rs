//! How quickly disks are written to a host: what an earlier restore to it reached, else an assumption.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::host_path::part_of_name;

/// What is assumed where nothing is known: a single spinning disk.
const ASSUMED_BYTES_PER_SECOND: u64 = 100 << 20;
/// A restore that writes less says little about how quickly the next one is.
const TELLING_BYTES: u64 = 256 << 20;
/// A file that is larger is none of ours.
const FILE_BYTES_MAX: u64 = 4096;

/// How quickly disks are written to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteRate {
    /// Bytes a second.
    pub bytes_per_second: u64,
    /// How that is known.
    pub source: RateSource,
}

/// How a rate is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateSource {
    /// The last restore from this machine to the host that wrote enough to tell had it.
    EarlierRestore,
    /// Nothing is known.
    Assumed,
}

impl WriteRate {
    /// Returns what is known of a host in a folder of sessions.
    pub(crate) fn known(folder: &Path, host: &str) -> Self {
        read(&rate_file(folder, host)).unwrap_or(Self {
            bytes_per_second: ASSUMED_BYTES_PER_SECOND,
            source: RateSource::Assumed,
        })
    }

    /// Notes what a restore reached, for the plan of the next. That it cannot be noted is no reason
    /// to fail.
    pub(crate) fn note(folder: &Path, host: &str, bytes: u64, took: Duration) {
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        if bytes < TELLING_BYTES {
            return;
        }
        let rate = Self {
            bytes_per_second: bytes.saturating_mul(1000) / milliseconds,
            source: RateSource::EarlierRestore,
        };
        let text = serde_json::to_vec(&rate).unwrap_or_default();
        drop(fs::write(rate_file(folder, host), text));
    }

    /// Returns how long it takes to write this many bytes.
    pub fn seconds(&self, bytes: u64) -> u64 {
        bytes.div_ceil(self.bytes_per_second.max(1))
    }
}

fn rate_file(folder: &Path, host: &str) -> PathBuf {
    folder.join(format!("{}.rate", part_of_name(host)))
}

fn read(path: &Path) -> Option<WriteRate> {
    fs::metadata(path)
        .ok()
        .filter(|file| file.len() <= FILE_BYTES_MAX)?;
    let rate: WriteRate = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (rate.bytes_per_second > 0).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restore_that_wrote_enough_says_how_quick_the_next_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let known = |host| WriteRate::known(folder.path(), host);
        let note = |bytes| WriteRate::note(folder.path(), "hv1", bytes, Duration::from_secs(2));
        note(TELLING_BYTES - 1);
        assert_eq!(known("hv1").source, RateSource::Assumed);
        assert_eq!(known("hv1").seconds(100 << 20), 1);
        note(1 << 30);
        assert_eq!(known("hv1").source, RateSource::EarlierRestore);
        assert_eq!(known("hv1").bytes_per_second, 512 << 20);
        assert_eq!(known("hv1").seconds((512 << 20) + 1), 2);
        assert_eq!(known("hv2").source, RateSource::Assumed);
        for odd in ["", "{}", r#"{"bytes_per_second":0,"source":"assumed"}"#] {
            fs::write(rate_file(folder.path(), "hv1"), odd).unwrap();
            assert_eq!(known("hv1").source, RateSource::Assumed, "{odd}");
        }
    }
}
