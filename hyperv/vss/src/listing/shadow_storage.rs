//! `vssadmin list shadowstorage`.

use serde::Serialize;
use uuid::Uuid;

use super::tokens::{Token, tokens};
use super::{ENTRIES_MAX, after_colon, bounded, kept};

/// Where the snapshots of a volume are kept, as `vssadmin list shadowstorage` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedStorage {
    /// The volume that the snapshots are of.
    pub volume: ListedVolume,
    /// The volume that they are kept on.
    pub kept_on: ListedVolume,
    /// How much they take, in the host's words: `1.335 GB (0%)`, in other languages with another
    /// decimal mark and other units. Nothing is computed from it.
    pub used: Option<String>,
    /// How much is set aside for them.
    pub allocated: Option<String>,
    /// How much they may take at most.
    pub maximum: Option<String>,
}

/// A volume in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedVolume {
    /// Where it is mounted: `C:`, where the listing says so.
    pub mount: Option<String>,
    /// The GUID of its name, `\\?\Volume{…}\`.
    pub id: Uuid,
}

impl ListedStorage {
    /// Returns whether the snapshots are kept on the volume that they are of, as those inside a
    /// guest have to be.
    pub fn is_on_itself(&self) -> bool {
        self.volume.id == self.kept_on.id
    }
}

/// Reads what `vssadmin list shadowstorage` printed, on a Windows of any language.
///
/// At most 1,024 entries; only the first mebibyte is looked at. A volume without its storage is
/// left out.
pub fn parse_shadow_storage(text: &str) -> Vec<ListedStorage> {
    let mut entries: Vec<ListedStorage> = Vec::new();
    let mut first: Option<ListedVolume> = None;
    for line in bounded(text).lines() {
        if entries.len() >= ENTRIES_MAX {
            break;
        }
        let mut has_volume = false;
        for volume in volumes(line) {
            has_volume = true;
            match first.take() {
                None => first = Some(volume),
                Some(first) => entries.push(ListedStorage {
                    volume: first,
                    kept_on: volume,
                    used: None,
                    allocated: None,
                    maximum: None,
                }),
            }
        }
        if let (false, None, Some(entry)) = (has_volume, &first, entries.last_mut()) {
            entry.take_size(line);
        }
    }
    entries.truncate(ENTRIES_MAX);
    entries
}

impl ListedStorage {
    /// Sizes come in this order in every language.
    fn take_size(&mut self, line: &str) {
        let Some(value) = after_colon(line).filter(|value| !value.is_empty()) else {
            return;
        };
        let places = [&mut self.used, &mut self.allocated, &mut self.maximum];
        if let Some(place) = places.into_iter().find(|place| place.is_none()) {
            *place = Some(value);
        }
    }
}

/// Returns the volumes of a line: `(C:)\\?\Volume{3ce0cbe2-57c2-11db-a712-806e6f6e6963}\`.
fn volumes(line: &str) -> impl Iterator<Item = ListedVolume> {
    tokens(line).filter_map(move |(token, after)| {
        let Token::Guid(id) = token else { return None };
        // What comes before the GUID; braces and GUID have 38 characters.
        let end = line.len().checked_sub(after.len())?.checked_sub(38)?;
        let before = line.get(..end)?;
        // Pages on the web lose the backslashes.
        let before = before.strip_suffix("Volume")?;
        let before = before.trim_end_matches(['\\', '?']);
        let mount = before.strip_suffix(')').and_then(|open| {
            let (_, mount) = open.rsplit_once('(')?;
            Some(kept(mount)).filter(|mount| !mount.is_empty())
        });
        Some(ListedVolume { mount, id })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ENGLISH: &str = r"vssadmin 1.1 - Volume Shadow Copy Service administrative command-line tool
(C) Copyright 2001-2013 Microsoft Corp.

Shadow Copy Storage association
   For volume: (C:)\\?\Volume{3ce0cbe2-57c2-11db-a712-806e6f6e6963}\
   Shadow Copy Storage volume: (C:)\\?\Volume{3ce0cbe2-57c2-11db-a712-806e6f6e6963}\
   Used Shadow Copy Storage space: 1.335 GB (0%)
   Allocated Shadow Copy Storage space: 1.539 GB (1%)
   Maximum Shadow Copy Storage space: UNBOUNDED (100%)

Shadow Copy Storage association
   For volume: (F:)\\?\Volume{191fc6ee-5a69-4a34-bb81-80b7b46bba04}\
   Shadow Copy Storage volume: (C:)\\?\Volume{3ce0cbe2-57c2-11db-a712-806e6f6e6963}\
   Used Shadow Copy Storage space: 0 bytes (0%)
   Allocated Shadow Copy Storage space: 0 bytes (0%)
   Maximum Shadow Copy Storage space: 4.395 GB (10%)
";
    const FRENCH: &str = r"Association de stockage de cliché instantané
   Pour le volume : (C:\Données (1))\\?\Volume{3ce0cbe2-57c2-11db-a712-806e6f6e6963}\
   Volume de stockage de cliché instantané : \\?\Volume{3CE0CBE2-57C2-11DB-A712-806E6F6E6963}\
   Espace utilisé : 1,335 Go (0%)
";

    #[test]
    fn each_volume_comes_with_where_its_snapshots_are_kept() {
        let entries = parse_shadow_storage(ENGLISH);
        let [system, data] = entries.as_slice() else {
            panic!("two entries, not {entries:?}");
        };
        assert!(system.is_on_itself());
        assert_eq!(system.volume.mount.as_deref(), Some("C:"));
        assert_eq!(system.used.as_deref(), Some("1.335 GB (0%)"));
        assert_eq!(system.maximum.as_deref(), Some("UNBOUNDED (100%)"));
        assert!(!data.is_on_itself());
        assert_eq!(data.volume.mount.as_deref(), Some("F:"));
        assert_eq!(data.kept_on.mount.as_deref(), Some("C:"));
        assert_eq!(data.allocated.as_deref(), Some("0 bytes (0%)"));
    }

    #[test]
    fn other_languages_and_volumes_without_letters_are_read_as_well() {
        let entries = parse_shadow_storage(FRENCH);
        let [entry] = entries.as_slice() else {
            panic!("one entry, not {entries:?}");
        };
        assert!(entry.is_on_itself());
        assert_eq!(entry.kept_on.mount, None);
        assert_eq!(entry.used.as_deref(), Some("1,335 Go (0%)"));
        assert_eq!(entry.allocated, None);
    }

    #[test]
    fn backslashes_may_be_lost_and_lines_joined() {
        let text = ENGLISH
            .replace('\\', "")
            .replace("}\n   Shadow", "}   Shadow");
        let entries = parse_shadow_storage(&text);
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[1].volume.mount.as_deref(), Some("F:"));
    }

    #[test]
    fn a_listing_ends_somewhere() {
        let line = r"x: (C:)\\?\Volume{3ce0cbe2-57c2-11db-a712-806e6f6e6963}\ ";
        assert_eq!(parse_shadow_storage(&line.repeat(5001)).len(), ENTRIES_MAX);
        assert!(parse_shadow_storage(line).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_is_taken(text in "(?s).{0,400}") {
            parse_shadow_storage(&text);
        }

        #[test]
        fn pieces_of_a_listing_in_any_order_are_taken(
            pieces in prop::collection::vec(0..9_usize, 0..60),
        ) {
            const PIECES: [&str; 9] = [
                "{3ce0cbe2-57c2-11db-a712-806e6f6e6963}", "Volume", r"\\?\", "(C:)", ")", "(", ":",
                "\n", "ü",
            ];
            let text: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
            let entries = parse_shadow_storage(&text);
            prop_assert!(entries.len() * 2 <= text.matches("3ce0cbe2").count());
        }
    }
}
