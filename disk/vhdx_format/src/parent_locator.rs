//! The parent locator of a differencing disk (MS-VHDX 2.6.2.6).

use uuid::{Uuid, uuid};

use crate::field::{guid_at, index, put, u16_at, u32_at};
use crate::info::VhdxInfo;

const VHDX_LOCATOR: Uuid = uuid!("B04AEFB7-D19E-4A81-B789-25B8E9445913");
const HEADER_LEN: usize = 20;
const ENTRY_LEN: usize = 12;
const LINKAGE: &str = "parent_linkage";
const LINKAGE2: &str = "parent_linkage2";
const RELATIVE_PATH: &str = "relative_path";
const VOLUME_PATH: &str = "volume_path";
const ABSOLUTE_PATH: &str = "absolute_win32_path";

/// What a differencing disk knows of its parent.
///
/// The paths come from the file: they are hostile until they have been confined to a folder, and
/// they are Windows paths, whatever this machine runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentLocator {
    /// `parent_linkage`: the parent's data-write GUID.
    pub linkage: Uuid,
    /// `parent_linkage2`: another accepted GUID while a merge is under way. Never nil.
    pub linkage2: Option<Uuid>,
    /// `relative_path`, from the folder of this file.
    pub relative_path: Option<String>,
    /// `volume_path`, with the volume's GUID.
    pub volume_path: Option<String>,
    /// `absolute_win32_path`.
    pub absolute_win32_path: Option<String>,
    /// All keys and values in the file's order, the above included.
    pub entries: Vec<(String, String)>,
}

impl ParentLocator {
    /// Makes the locator of a new file.
    pub(crate) fn new(
        linkage: Uuid,
        relative_path: Option<String>,
        volume_path: Option<String>,
        absolute_win32_path: Option<String>,
    ) -> Self {
        let mut entries = vec![(LINKAGE.to_owned(), braced(linkage))];
        let paths = [
            (ABSOLUTE_PATH, &absolute_win32_path),
            (RELATIVE_PATH, &relative_path),
            (VOLUME_PATH, &volume_path),
        ];
        for (key, path) in paths {
            if let Some(path) = path {
                entries.push((key.to_owned(), path.clone()));
            }
        }
        entries.push((LINKAGE2.to_owned(), braced(Uuid::nil())));
        Self {
            linkage,
            linkage2: None,
            relative_path,
            volume_path,
            absolute_win32_path,
            entries,
        }
    }

    /// Says whether `parent` is the disk, in the state, that this file was made on.
    pub fn accepts(&self, parent: &VhdxInfo) -> bool {
        self.accepts_guid(parent.data_write_guid)
    }

    /// Says whether a disk with this data-write GUID is the parent (MS-VHDX 2.6.2.6.3).
    pub fn accepts_guid(&self, data_write_guid: Uuid) -> bool {
        data_write_guid == self.linkage || self.linkage2 == Some(data_write_guid)
    }

    /// Reads the item. `Err` says what is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() < HEADER_LEN {
            return Err(format!("the parent locator has only {} bytes", bytes.len()));
        }
        let kind = guid_at(bytes, 0);
        if kind != VHDX_LOCATOR {
            return Err(format!("the parent locator has the unknown type {kind}"));
        }
        let count = usize::from(u16_at(bytes, 18));
        let table = HEADER_LEN + count * ENTRY_LEN;
        if table > bytes.len() {
            return Err(format!(
                "the parent locator claims {count} entries, more than its {} bytes hold",
                bytes.len()
            ));
        }
        let mut entries: Vec<(String, String)> = Vec::with_capacity(count);
        // Entries may share their text, so what they may add up to needs its own bound.
        let mut text_budget = bytes.len().saturating_mul(2);
        for entry in bytes[HEADER_LEN..table].chunks_exact(ENTRY_LEN) {
            let lengths = usize::from(u16_at(entry, 8)) + usize::from(u16_at(entry, 10));
            text_budget = text_budget
                .checked_sub(lengths)
                .ok_or("the parent locator's entries overlap")?;
            let key = text(bytes, u32_at(entry, 0), u16_at(entry, 8))?;
            let value = text(bytes, u32_at(entry, 4), u16_at(entry, 10))?;
            if entries.iter().any(|(other, _)| *other == key) {
                return Err(format!("the parent locator names \"{key}\" twice"));
            }
            entries.push((key, value));
        }
        Self::from_entries(entries)
    }

    fn from_entries(entries: Vec<(String, String)>) -> Result<Self, String> {
        let find = |key: &str| {
            entries
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value.clone())
        };
        let guid = |key: &str| {
            find(key)
                .map(|value| {
                    Uuid::try_parse(value.trim())
                        .map_err(|_| format!("the parent locator's {key} is not a GUID: {value}"))
                })
                .transpose()
        };
        Ok(Self {
            linkage: guid(LINKAGE)?.ok_or("the parent locator lacks parent_linkage")?,
            linkage2: guid(LINKAGE2)?.filter(|linkage| !linkage.is_nil()),
            relative_path: find(RELATIVE_PATH),
            volume_path: find(VOLUME_PATH),
            absolute_win32_path: find(ABSOLUTE_PATH),
            entries,
        })
    }

    /// Returns the item's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN + self.entries.len() * ENTRY_LEN];
        put(&mut bytes, 0, &VHDX_LOCATOR.to_bytes_le());
        let count = u16::try_from(self.entries.len()).unwrap_or(u16::MAX);
        put(&mut bytes, 18, &count.to_le_bytes());
        for (number, (key, value)) in self.entries.iter().enumerate() {
            let at = HEADER_LEN + number * ENTRY_LEN;
            for (part, string) in [(0, key), (1, value)] {
                // `create` bounds the paths, so offsets and lengths fit.
                let offset = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                bytes.extend(string.encode_utf16().flat_map(u16::to_le_bytes));
                let length = bytes.len() - index(u64::from(offset));
                let length = u16::try_from(length).unwrap_or(u16::MAX);
                put(&mut bytes, at + 4 * part, &offset.to_le_bytes());
                put(&mut bytes, at + 8 + 2 * part, &length.to_le_bytes());
            }
        }
        bytes
    }
}

fn braced(guid: Uuid) -> String {
    guid.braced().to_string()
}

fn text(bytes: &[u8], offset: u32, length: u16) -> Result<String, String> {
    let start = index(u64::from(offset));
    let length = usize::from(length);
    let part = start
        .checked_add(length)
        .and_then(|end| bytes.get(start..end))
        .ok_or_else(|| format!("text of {length} bytes at {offset} leaves the parent locator"))?;
    let units = part.chunks_exact(2).map(|unit| u16_at(unit, 0));
    let text: String = char::decode_utf16(units)
        .collect::<Result<_, _>>()
        .map_err(|_| format!("the parent locator's text at {offset} is not UTF-16"))?;
    Ok(text.trim_end_matches('\0').to_owned())
}
