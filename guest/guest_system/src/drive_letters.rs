//! The drive letters of a Windows guest.

use std::collections::BTreeMap;

use guest_files::{FileError, GuestFileSystem};
use volume_map::WindowsId;

use crate::path;
use crate::registry_hive::Hive;

/// Longest value of `MountedDevices` that names a volume of a disk, in bytes; those of removable
/// drives are longer.
const VALUE_MAX_BYTES: usize = 64;

/// Returns the letters that the Windows on this volume gives to volumes; `None` where there is no
/// Windows on it.
///
/// A letter may stand for a volume that the VM does not have any more: its caller looks.
///
/// # Errors
///
/// Those of the volume, and a registry that breaks its own rules.
pub fn drive_letters(
    system: &dyn GuestFileSystem,
) -> Result<Option<BTreeMap<char, WindowsId>>, FileError> {
    let Some(file) = path::open(system, &["Windows", "System32", "config", "SYSTEM"])? else {
        return Ok(None);
    };
    let hive = Hive::open(&*file)?;
    let mut letters = BTreeMap::new();
    let Some(devices) = hive.subkey(hive.root(), "MountedDevices")? else {
        return Ok(Some(letters));
    };
    for value in hive.values(devices)? {
        let value = value?;
        let Some(letter) = letter(&value.name) else {
            continue;
        };
        let data = hive.data(&value, VALUE_MAX_BYTES)?;
        if let Some(id) = data.as_deref().and_then(WindowsId::parse) {
            letters.insert(letter, id);
        }
    }
    Ok(Some(letters))
}

/// Returns the letter of `\DosDevices\C:`.
fn letter(name: &str) -> Option<char> {
    let rest = name.strip_prefix("\\DosDevices\\")?.strip_suffix(':')?;
    let mut letters = rest.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) if letter.is_ascii_alphabetic() => Some(letter.to_ascii_uppercase()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_letters_are_letters() {
        assert_eq!(letter("\\DosDevices\\C:"), Some('C'));
        assert_eq!(letter("\\DosDevices\\d:"), Some('D'));
        for other in [
            "\\??\\Volume{6b}",
            "\\DosDevices\\CD:",
            "\\DosDevices\\:",
            "\\DosDevices\\1:",
            "C:",
        ] {
            assert_eq!(letter(other), None, "{other}");
        }
    }
}
