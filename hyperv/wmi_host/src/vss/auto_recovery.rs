//! Files in which a guest's snapshot is made whole (contract 5.1, 7).
//!
//! A 2012 R2 host attaches what the guest's own snapshot holds, lets the guest repair it, and keeps
//! the result beside the frozen disk: `X-AutoRecovery.avhdx`. People should never have to handle
//! one (requirement VSS-19).

use std::fs;
use std::path::Path;

use disk_image::OpenOptions;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::backup::link::Link;

/// What the names of such files end with, before the extension.
const SUFFIX: &str = "-AutoRecovery";

/// The host's clock, which gives its files their times, and ours may differ by this much.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// Such a file is made within this time after the writer was asked, or not at all.
const MAKING: SignedDuration = SignedDuration::from_mins(30);

/// Returns the files that may belong to a frozen disk, as the host names them: named after it, or
/// after the disk that it is a checkpoint of. Contract: 5.1 [M]
pub(crate) fn auto_recovery_of(frozen: &str) -> Vec<String> {
    let (stem, extension) = match frozen.rsplit_once('.') {
        Some((stem, extension)) if !extension.contains('\\') => (stem, extension),
        _ => (frozen, "avhdx"),
    };
    let is_vhd = matches!(extension.to_ascii_lowercase().as_str(), "vhd" | "avhd");
    let extension = if is_vhd { "avhd" } else { "avhdx" };
    let named = |stem: &str| format!("{stem}{SUFFIX}.{extension}");
    let mut names = vec![named(stem)];
    names.extend(without_guid(stem).map(named));
    names
}

/// Cuts off what a checkpoint's file has behind the name of its disk.
fn without_guid(stem: &str) -> Option<&str> {
    let (disk, guid) = stem.rsplit_once('_')?;
    Uuid::parse_str(guid).is_ok().then_some(disk)
}

/// Returns whether a file is one of them, by its name.
pub(crate) fn is_auto_recovery(path: &str) -> bool {
    let name = path.rsplit(['\\', '/']).next().unwrap_or_default();
    let name = name.to_ascii_lowercase();
    let stem = name
        .rsplit_once('.')
        .map_or(name.as_str(), |(stem, _)| stem);
    stem.ends_with(&SUFFIX.to_ascii_lowercase())
}

/// Returns those of the files that are there.
pub(crate) fn those_there(link: &Link, paths: impl IntoIterator<Item = String>) -> Vec<String> {
    let bytes = link.bytes.as_ref();
    let is_there = |path: &String| bytes.is_some_and(|bytes| bytes.locate(path).is_some());
    paths.into_iter().filter(is_there).collect()
}

/// Removes files that a run's own backup has left, and returns those that stay.
///
/// They are ours beyond doubt: the run's journal says that none of this name was there before it
/// asked the writer, the name is one that only the writer gives, and what is removed is a child of
/// the disk that it is named after. It was made when the writer was `asked`, too: between then and
/// now another program may have left one. Anything else is left where it is. Contract: 7 [M]
pub(crate) fn remove_auto_recovery(
    link: &Link,
    paths: &[String],
    asked: Option<Timestamp>,
) -> Vec<String> {
    let mut left = those_there(link, paths.iter().cloned());
    left.retain(|path| !is_auto_recovery(path) || !remove(link, path, asked));
    left
}

/// Returns whether a file was made by a writer that was asked at a time. `None`: nobody knows when.
fn is_made_then(local: &Path, asked: Option<Timestamp>) -> bool {
    let Some(asked) = asked else {
        return false;
    };
    let made = fs::metadata(local).and_then(|file| file.created().or_else(|_| file.modified()));
    let made = made.ok().and_then(|made| Timestamp::try_from(made).ok());
    made.is_some_and(|made| {
        let after = made.duration_since(asked);
        after >= -SKEW && after <= MAKING
    })
}

fn remove(link: &Link, path: &str, asked: Option<Timestamp>) -> bool {
    let Some(bytes) = &link.bytes else {
        return false;
    };
    let Some(local) = bytes.locate(path) else {
        return true;
    };
    if !is_made_then(&local, asked) {
        return false;
    }
    let options = OpenOptions::on_host(std::sync::Arc::clone(bytes));
    let Ok(image) = disk_image::open(&local, &options) else {
        return false;
    };
    let parent = image.chain().get(1).map(|parent| parent.path.clone());
    drop(image);
    let named_after = path
        .rsplit_once('\\')
        .map(|(_, name)| name.to_ascii_lowercase())
        .and_then(|name| Some(name.split_once(&SUFFIX.to_ascii_lowercase())?.0.to_owned()));
    let is_child = parent.zip(named_after).is_some_and(|(parent, stem)| {
        let name = parent.file_stem().unwrap_or_default();
        let name = name.to_string_lossy().to_ascii_lowercase();
        name == stem || without_guid(&name) == Some(stem.as_str())
    });
    is_child && fs::remove_file(&local).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn their_names_are_known() {
        assert_eq!(
            auto_recovery_of(r"C:\a.b\web.vhdx"),
            [r"C:\a.b\web-AutoRecovery.avhdx"]
        );
        let id = "0EBA351E-0000-0000-0000-000000000001";
        assert_eq!(
            auto_recovery_of(&format!(r"C:\a.b\web_{id}.avhd")),
            [
                format!(r"C:\a.b\web_{id}-AutoRecovery.avhd"),
                r"C:\a.b\web-AutoRecovery.avhd".to_owned()
            ]
        );
        assert!(is_auto_recovery(r"C:\a\web-autorecovery.AVHDX"));
        assert!(!is_auto_recovery(r"C:\a-AutoRecovery.x\web.avhdx"));
        assert!(!is_auto_recovery(r"C:\a\web-AutoRecovery_1.avhdx"));
    }

    #[test]
    fn a_file_is_ours_only_if_it_was_made_when_the_writer_was_asked() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let now = Timestamp::now();
        let hours_ago = now - SignedDuration::from_hours(2);
        let later = now + SignedDuration::from_hours(2);
        assert!(is_made_then(file.path(), Some(now)));
        assert!(!is_made_then(file.path(), Some(hours_ago)));
        assert!(!is_made_then(file.path(), Some(later)));
        assert!(!is_made_then(file.path(), None));
    }
}
