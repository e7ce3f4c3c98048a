//! Names of the folders that a view makes up: of VMs, points and volumes.

use std::collections::{BTreeMap, BTreeSet};

use guest_files::FileName;
use guest_reader::VolumeFacts;
use jiff::tz::TimeZone;

use crate::ViewPoint;

/// Digits of a point's or VM's id that are shown.
const ID_DIGITS: usize = 8;
/// Most bytes of a name: what Linux allows.
const NAME_BYTES_MAX: usize = 200;

/// Returns the folder of a point: its local time, and the beginning of its id.
pub(crate) fn of_point(point: &ViewPoint, zone: &TimeZone, with_vm: bool) -> String {
    let time = point.started.to_zoned(zone.clone());
    let time = time.strftime("%Y-%m-%d_%H-%M-%S");
    let id: String = point.id.chars().take(ID_DIGITS).collect();
    if with_vm {
        safe(&format!("{}_{time}_{id}", point.vm_name))
    } else {
        safe(&format!("{time}_{id}"))
    }
}

/// Returns the folders of VMs, of which `vms` has the names and identities, in the same order. Two VMs
/// of one name are told apart by the beginning of their identities.
pub(crate) fn of_vms(vms: &[(&str, &str)]) -> Vec<String> {
    let mut count = BTreeMap::<String, u32>::new();
    for (name, _) in vms {
        *count.entry(safe(name).to_lowercase()).or_default() += 1;
    }
    let named = vms.iter().map(|(name, identity)| {
        let name = safe(name);
        match count.get(&name.to_lowercase()) {
            Some(1) => name,
            _ => {
                let identity: String = identity.chars().take(ID_DIGITS).collect();
                safe(&format!("{name}_{identity}"))
            }
        }
    });
    unique(named)
}

/// Returns the folders of volumes, in their order: the drive letter where there is one, else the
/// volume's own name.
pub(crate) fn of_volumes(volumes: &[VolumeFacts], letters: &BTreeMap<char, u32>) -> Vec<String> {
    let listed: BTreeSet<&str> = volumes.iter().map(|volume| volume.name.as_str()).collect();
    let named = (0..).zip(volumes).map(|(number, volume)| {
        let mut own = letters.iter().filter(|(_, of)| **of == number);
        let letter = own.next().map(|(letter, _)| letter.to_string());
        match letter.filter(|letter| !listed.contains(letter.as_str())) {
            Some(letter) => letter,
            None => safe(&volume.name),
        }
    });
    unique(named)
}

/// Numbers names that are there already. Case does not count: Windows shows them too.
pub(crate) fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut all = Vec::new();
    for name in names {
        let mut chosen = name.clone();
        let mut number = 2;
        while !taken.insert(chosen.to_lowercase()) {
            chosen = format!("{name}_{number}");
            number += 1;
        }
        all.push(chosen);
    }
    all
}

/// Makes a name that Linux, macOS and Windows allow.
fn safe(name: &str) -> String {
    let mut safe = String::new();
    for letter in name.chars() {
        let letter = match letter {
            '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
            letter if letter.is_control() => '_',
            letter => letter,
        };
        if safe.len() + letter.len_utf8() > NAME_BYTES_MAX {
            break;
        }
        safe.push(letter);
    }
    // Windows has no names that end so, and nobody has `.` and `..`.
    let trimmed = safe.trim_end_matches(['.', ' ']);
    if trimmed.is_empty() {
        "_".to_owned()
    } else {
        trimmed.to_owned()
    }
}

/// Turns a name that was made here into one of a folder.
pub(crate) fn file_name(name: &str) -> Option<FileName> {
    FileName::new(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_such_as_every_system_allows() {
        assert_eq!(safe("SQL/01: a\u{7}"), "SQL_01_ a_");
        for nameless in ["", ".", "..", " . ."] {
            assert_eq!(safe(nameless), "_", "{nameless:?}");
        }
        assert_eq!(safe(&"ä".repeat(200)).len(), NAME_BYTES_MAX);
    }

    #[test]
    fn vms_of_one_name_are_told_apart() {
        let vms = [("Web", "aaaa"), ("web", "bbbb"), ("SQL", "cccc")];
        assert_eq!(of_vms(&vms), ["Web_aaaa", "web_bbbb", "SQL"]);
        let same = [("Web", "aaaa"), ("Web", "aaaa")];
        assert_eq!(of_vms(&same), ["Web_aaaa", "Web_aaaa_2"]);
    }
}
