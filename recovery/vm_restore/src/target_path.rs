//! Where a restored file may go.

use std::path::{Path, PathBuf};

use block_io::{DiskError, DiskErrorKind};

/// Joins a stream's name to `folder`, unless it could lead anywhere else on any system.
///
/// A name in a point was written by the host that made it; a restore does not take its word.
pub(crate) fn target_path(folder: &Path, name: &str) -> Result<PathBuf, DiskError> {
    check_name(name)?;
    Ok(name
        .split('/')
        .fold(folder.to_owned(), |path, part| path.join(part)))
}

/// Fails with `OutsideRoot` where a name, with `/` between its parts, could lead anywhere but below
/// the folder that it is joined to.
pub(crate) fn check_name(name: &str) -> Result<(), DiskError> {
    let part_is_good = |part: &str| {
        let forbidden =
            |c: char| c.is_control() || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
        !matches!(part, "" | "." | "..")
            && !part.contains(forbidden)
            && !part.ends_with(['.', ' '])
            && part.len() <= 255
            && !is_device_name(part)
    };
    if name.len() > 1024 || !name.split('/').all(part_is_good) {
        let what = format!("the restore point names a file {name:?}, which is not a safe name");
        return Err(DiskError::new(DiskErrorKind::OutsideRoot, what)
            .hint("restore the disks one by one with `lifeboat restore disk`"));
    }
    Ok(())
}

/// Says whether Windows takes a name for one of its devices: `NUL`, but also `nul.vhdx`.
fn is_device_name(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part);
    let stem = stem.trim_end_matches(' ').to_ascii_uppercase();
    let port = stem
        .strip_prefix("COM")
        .or_else(|| stem.strip_prefix("LPT"));
    // The superscript digits count as digits there.
    let is_number = |port: &str| {
        matches!(
            port,
            "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"
        )
    };
    port.is_some_and(is_number)
        || matches!(
            stem.as_str(),
            "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_the_folder() {
        let folder = Path::new("folder");
        let path = target_path(folder, "Virtual Machines/a.vmcx").unwrap();
        assert_eq!(path, folder.join("Virtual Machines").join("a.vmcx"));
        for name in [
            "", "/a", "a/../b", "..", "a//b", "C:/a", "a\\b", "a/", "a\0", "a.", "nul:",
        ] {
            assert!(target_path(folder, name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_name_is_never_that_of_a_device() {
        let folder = Path::new("folder");
        for name in [
            "NUL",
            "nul.vhdx",
            "a/con",
            "Prn.a.b",
            "AUX .x",
            "com1.vhd",
            "LPT9",
            "COM²",
            "conin$",
            "CONOUT$.txt",
            "aux/b",
        ] {
            assert!(target_path(folder, name).is_err(), "{name:?}");
        }
        for name in ["null.vhdx", "COM0", "com10.vhdx", "console", "lpt", "a.nul"] {
            assert!(target_path(folder, name).is_ok(), "{name:?}");
        }
    }
}
