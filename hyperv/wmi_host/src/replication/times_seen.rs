//! When a replica could be backed up before, and when not.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use hyperv_host::{HostError, HostErrorKind};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::Uuid;

/// More is not kept of a VM.
const SEEN_MAX: usize = 400;
const FILE_BYTES_MAX: u64 = 64 << 10;
/// An hour counts when it was seen this often.
const SEEN_ENOUGH: u32 = 3;

/// When a replica could be backed up before, and when its host was in the way: one line each in
/// `<vm>.replica` in the journal's folder. What is lost of it is no harm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TimesSeen(Vec<(Timestamp, bool)>);

impl TimesSeen {
    /// Reads what was seen of a VM; nothing where that cannot be read.
    pub(crate) fn read(folder: &Path, vm: Uuid) -> Self {
        let mut text = String::new();
        let read = fs::File::open(path_of(folder, vm))
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
        if read.is_err() {
            return Self::default();
        }
        Self(text.lines().filter_map(seen).collect())
    }

    /// Notes how an attempt to hold a replica still ended, as far as that tells anything of its
    /// replication. A note that cannot be written is no harm.
    pub(crate) fn note_attempt(folder: &Path, vm: Uuid, at: Timestamp, error: Option<&HostError>) {
        let idle = match error.map(HostError::kind) {
            None => true,
            Some(HostErrorKind::Busy) => false,
            Some(_) => return,
        };
        let _ = Self::note(folder, vm, at, idle);
    }

    /// Notes that a VM could be backed up now, or not.
    pub(crate) fn note(folder: &Path, vm: Uuid, at: Timestamp, idle: bool) -> io::Result<()> {
        let line = |at: &Timestamp, idle: bool| {
            let word = if idle { "idle" } else { "busy" };
            format!("{at} {word}\n")
        };
        let path = path_of(folder, vm);
        let Self(all) = Self::read(folder, vm);
        if all.len() >= SEEN_MAX {
            let newest = all.iter().skip(all.len() - SEEN_MAX / 2);
            let kept: String = newest.map(|(at, idle)| line(at, *idle)).collect();
            fs::write(&path, kept)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.write_all(line(&at, idle).as_bytes())
    }

    /// Says at which hours (UTC) the replica was idle whenever it was looked at, where it was
    /// looked at often enough and was busy at others.
    pub(crate) fn idle_hours(&self) -> Option<String> {
        let mut hours = [(0_u32, 0_u32); 24];
        for (at, idle) in &self.0 {
            let hour = at.to_zoned(TimeZone::UTC).hour();
            if let Some(own) = usize::try_from(hour)
                .ok()
                .and_then(|hour| hours.get_mut(hour))
            {
                own.0 += u32::from(*idle);
                own.1 += 1;
            }
        }
        let was_busy = hours.iter().any(|(idle, seen)| idle < seen);
        let always: Vec<String> = (0..24)
            .zip(&hours)
            .filter(|(_, (idle, seen))| idle == seen && *seen >= SEEN_ENOUGH)
            .map(|(hour, (_, seen))| format!("{hour:02}:00 ({seen} times)"))
            .collect();
        (was_busy && !always.is_empty()).then(|| {
            format!(
                "seen idle each time between the hour (UTC) of {}",
                always.join(", ")
            )
        })
    }
}

fn seen(line: &str) -> Option<(Timestamp, bool)> {
    let (at, word) = line.split_once(' ')?;
    let idle = match word {
        "idle" => true,
        "busy" => false,
        _ => return None,
    };
    Some((at.parse().ok()?, idle))
}

fn path_of(folder: &Path, vm: Uuid) -> PathBuf {
    folder.join(format!("{vm}.replica"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u32, day: u32) -> Timestamp {
        format!("2026-11-{day:02}T{hour:02}:30:00Z")
            .parse()
            .unwrap()
    }

    #[test]
    fn nothing_is_advised_before_it_was_seen_often_enough() {
        let folder = tempfile::tempdir().unwrap();
        let vm = Uuid::from_u128(1);
        let note =
            |hour, day, idle| TimesSeen::note(folder.path(), vm, at(hour, day), idle).unwrap();
        let hours = || TimesSeen::read(folder.path(), vm).idle_hours();
        assert_eq!(hours(), None);
        for day in 1..=3 {
            note(3, day, true);
        }
        assert_eq!(hours(), None, "it was never seen busy");
        note(14, 3, false);
        let text = hours().unwrap();
        assert!(text.ends_with("03:00 (3 times)"), "{text}");
        note(3, 4, false);
        assert_eq!(hours(), None);
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_makes_no_sense_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let vm = Uuid::from_u128(2);
        for number in 0..1000_u32 {
            TimesSeen::note(folder.path(), vm, at(number % 24, 1 + number % 28), true).unwrap();
        }
        let path = path_of(folder.path(), vm);
        assert!(fs::metadata(&path).unwrap().len() < FILE_BYTES_MAX);
        assert!(TimesSeen::read(folder.path(), vm).0.len() <= SEEN_MAX);
        fs::write(
            &path,
            "x\n2026-11-01T03:30:00Z idle\n2026-11-01T03:30:00Z what\n\u{0}",
        )
        .unwrap();
        assert_eq!(TimesSeen::read(folder.path(), vm).0.len(), 1);
    }
}
